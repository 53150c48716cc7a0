"""The ELF reader on what nasm, ld and gcc really write, and on files that are something else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asmsetup.check import CheckedObject, ModuleContext, check_objects
from asmsetup.errors import ObjectError
from asmsetup.facts import cpython_abi, elf
from tests.checking import assembled, linked

NASM = os.environ.get("NASM", "nasm")
LD = os.environ.get("LD", "ld")

SOURCE = """\
default rel
extern PyModule_Create2, _Py_NoneStruct, optional:weak
global PyInit_sample:function
global table:data hidden (table.end - table)
answer equ 42
global answer
section .rodata
text: db "sample", 0
section .data
table: dq text, function
.end:
section .bss
room: resb 64
section .text
function:
    mov rax, [rel _Py_NoneStruct wrt ..got]
    mov rcx, [rel optional wrt ..got]
    lea rsi, [rel text]
    ret
PyInit_sample:
    lea rdi, [rel table]
    jmp PyModule_Create2 wrt ..plt
"""


def assemble(folder: Path, source: str) -> Path:
    return assembled(folder / "sample.asm", source)


def test_symbols_of_an_object(tmp_path: Path) -> None:
    facts = elf.read(assemble(tmp_path, SOURCE))

    assert facts.kind == "object"
    assert [(s.name, s.binding) for s in facts.undefined] == [
        ("PyModule_Create2", "global"),
        ("_Py_NoneStruct", "global"),
        ("optional", "weak"),
    ]
    entry = facts.defined("PyInit_sample")
    assert entry is not None
    assert (entry.binding, entry.type, entry.section) == ("global", "func", ".text")
    table = facts.defined("table")
    assert table is not None
    assert (table.type, table.visibility, table.section, table.size) == (
        "object",
        "hidden",
        ".data",
        16,
    )
    answer = facts.defined("answer")
    assert answer is not None
    assert (answer.section, answer.value) == (elf.ABSOLUTE, 42)
    assert {s.name for s in facts.exported} == {"PyInit_sample", "answer"}
    assert facts.defined("PyModule_Create2") is None


def test_local_symbols_are_found_by_index(tmp_path: Path) -> None:
    symbols = elf.read(assemble(tmp_path, SOURCE)).symbols

    assert symbols[0].name == ""
    function = next(s for s in symbols if s.name == "function")
    assert (function.binding, function.section, function.value) == ("local", ".text", 0)
    assert {s.name for s in symbols[-3:]} == {"PyInit_sample", "table", "answer"}
    with pytest.raises(IndexError):
        symbols[len(symbols)]


def test_relocations_of_an_object(tmp_path: Path) -> None:
    facts = elf.read(assemble(tmp_path, SOURCE))

    assert [
        (r.section, r.offset, r.type_name, r.symbol.name or r.symbol.section, r.addend)
        for r in facts.relocations
    ] == [
        (".data", 0, "R_X86_64_64", ".rodata", 0),
        (".data", 8, "R_X86_64_64", ".text", 0),
        (".text", 3, "R_X86_64_GOTPCREL", "_Py_NoneStruct", -4),
        (".text", 10, "R_X86_64_GOTPCREL", "optional", -4),
        (".text", 17, "R_X86_64_PC32", ".rodata", -4),
        (".text", 25, "R_X86_64_PC32", ".data", -4),
        (".text", 30, "R_X86_64_PLT32", "PyModule_Create2", -4),
    ]


def test_a_kind_of_relocation_is_listed_once(tmp_path: Path) -> None:
    source = "extern f\nsection .text\n" + "call f wrt ..plt\n" * 1000
    facts = elf.read(assemble(tmp_path, source))

    (table,) = facts.relocation_tables
    assert len(table) == 1000
    assert [(type_, symbol.name) for type_, symbol in table.kinds] == [(4, "f")]


def test_sections_of_an_object(tmp_path: Path) -> None:
    facts = elf.read(assemble(tmp_path, SOURCE))

    flags = {s.name: (s.type, s.alloc, s.writable, s.executable) for s in facts.sections}
    assert flags[".text"] == ("progbits", True, False, True)
    assert flags[".rodata"] == ("progbits", True, False, False)
    assert flags[".data"] == ("progbits", True, True, False)
    assert flags[".bss"] == ("nobits", True, True, False)
    assert flags[".symtab"] == ("symtab", False, False, False)
    rodata, bss = facts.section(".rodata"), facts.section(".bss")
    assert rodata is not None
    assert facts.content(rodata) == b"sample\0"
    assert bss is not None
    assert (bss.size, facts.content(bss)) == (64, b"")


@pytest.mark.parametrize(
    ("line", "stack_flags"),
    [
        ("", None),
        ("section .note.GNU-stack noalloc noexec nowrite progbits", "RW"),
        ("section .note.GNU-stack noalloc exec nowrite progbits", "RWE"),
    ],
)
def test_stack_flags_of_an_object(tmp_path: Path, line: str, stack_flags: str | None) -> None:
    assert elf.read(assemble(tmp_path, line + "\n")).stack_flags == stack_flags


def test_a_hardened_module(tmp_path: Path) -> None:
    options = ("-z", "noexecstack", "-z", "now", "-z", "relro", "-s")
    module = linked(tmp_path / "sample.so", assemble(tmp_path, SOURCE), *options)
    facts = elf.read(module)

    assert facts.kind == "module"
    assert (facts.stack_flags, facts.relro, facts.bind_now) == ("RW", True, True)
    assert not facts.text_relocations
    assert facts.needed == ()
    assert facts.runpath is None
    assert {s.name for s in facts.exported} == {"PyInit_sample", "answer"}
    assert {r.type_name for r in facts.relocations} == {
        "R_X86_64_RELATIVE",
        "R_X86_64_GLOB_DAT",
        "R_X86_64_JUMP_SLOT",
    }
    assert [s.flags for s in facts.segments if s.type == "LOAD"] == ["R", "RE", "R", "RW"]


def test_a_careless_module(tmp_path: Path) -> None:
    source = "extern write\nsection .text\nhere: mov rax, here\ncall write wrt ..plt\n"
    libc = "/lib/x86_64-linux-gnu/libc.so.6"
    module = linked(
        tmp_path / "sample.so",
        assemble(tmp_path, source),
        "-z",
        "norelro",
        "-rpath",
        "/opt/lib",
        libc,
    )
    facts = elf.read(module)

    assert (facts.stack_flags, facts.relro, facts.bind_now) == (None, False, False)
    assert facts.text_relocations
    assert facts.needed == ("libc.so.6",)
    assert facts.runpath == "/opt/lib"
    assert facts.version_needs == (elf.VersionNeed("libc.so.6", "GLIBC_2.2.5"),)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "the file is empty"),
        (b"\x7fELF\x02\x01", "it ends after 6 bytes, inside the ELF header"),
        (b"hello" * 20, "it is not an ELF file"),
        (b"!<arch>\n" + bytes(90), "it is an archive (a static library), not an ELF object"),
        (b"BC\xc0\xde" + bytes(90), "it is LLVM bitcode, which clang writes with -flto, not an ELF object"),
        (b"\xcf\xfa\xed\xfe" + bytes(90), "it is a macOS object (Mach-O), not an ELF object"),
        (
            b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x01\x00\x03\x00" + bytes(60),
            "it is an ELF file for i386, and asmsetup builds for x86-64",
        ),
        (
            b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x01\x00\x3e\x00" + bytes(60),
            "it is an ELF file for x32, and asmsetup builds for x86-64",
        ),
        (
            b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x01\x00\xb7\x00" + bytes(60),
            "it is an ELF file for AArch64, and asmsetup builds for x86-64",
        ),
        (
            b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x01\x00\x16" + bytes(60),
            "it is a big-endian ELF file, and asmsetup builds for x86-64",
        ),
        (
            b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00" + bytes(60),
            "it is a program (not position-independent), neither an object nor a module",
        ),
        (
            b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x01\x00\x3e\x00" + bytes(60),
            "the file has no section headers, so it cannot be read",
        ),
    ],
)  # fmt: skip
def test_what_is_not_an_object(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "x.o"
    path.write_bytes(data)
    with pytest.raises(ObjectError) as caught:
        elf.read(path)
    assert str(caught.value) == f"{path}: {what}"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ObjectError, match=r"x\.o: cannot be read: No such file or directory"):
        elf.read(tmp_path / "x.o")


def test_every_truncation_is_an_error_or_readable(tmp_path: Path) -> None:
    data = assemble(tmp_path, SOURCE).read_bytes()
    table = int.from_bytes(data[40:48], "little")
    for length in range(len(data)):
        try:
            facts = elf.parse(data[:length])
            assert len(facts.relocations) <= 7
        except ObjectError:
            continue
        assert length > table  # whatever is read needs the section headers whole


def _text(folder: Path) -> elf.RelocationTable:
    facts = elf.read(assemble(folder, SOURCE))
    return next(each for each in facts.relocation_tables if each.section.name == ".text")


def test_relocations_of_some_kinds(tmp_path: Path) -> None:
    table = _text(tmp_path)

    for kind in table.kinds:
        wanted = [each for each in table if (each.type, each.symbol) == kind]
        assert list(table.of({kind})) == wanted
    assert list(table.of(table.kinds)) == list(table)
    assert list(table.of(())) == []


def test_kinds_of_the_relocations_at_flagged_offsets(tmp_path: Path) -> None:
    table = _text(tmp_path)

    for one in table:
        flags = bytes(one.offset) + b"\1"
        # It reaches no further than this one: others lie behind it.
        assert table.kinds_at(flags) == {(one.type, one.symbol)}
    assert table.kinds_at(b"\1" * 99) == table.kinds
    assert table.kinds_at(b"") == frozenset()
    nothing = elf.RelocationTable(table.section, b"", table.symbols)
    assert nothing.kinds_at(b"\1") == frozenset()


@pytest.mark.parametrize(
    "lines",
    [
        "lea rax, [rel text]",  # most of what refers to data
        "call PyModule_Create2 wrt ..plt",
        "mov rax, [rel _Py_NoneStruct wrt ..got]",
        "jmp function",
    ],
)
def test_a_sound_object_costs_no_record_a_relocation(
    tmp_path: Path, lines: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SOURCE.replace("PyInit_sample:\n", f"PyInit_sample:\n%rep 50\n{lines}\n%endrep\n")
    facts = elf.read(assemble(tmp_path, source))
    made = []
    real = elf.RelocationTable._relocation

    def counted(table: elf.RelocationTable, entry: tuple[int, int, int]) -> elf.Relocation:
        made.append(entry)
        return real(table, entry)

    monkeypatch.setattr(elf.RelocationTable, "_relocation", counted)
    context = ModuleContext("sample", ("PyInit_sample",), (3, 11))
    assert check_objects([CheckedObject("x.o", facts, "x.asm")], context, cpython_abi) == []
    assert len(made) < 10

"""Damaged and hostile files: a plain error, in time and memory bounded by the file's size."""

from __future__ import annotations

import struct
import subprocess
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from asmsetup.errors import ObjectError
from asmsetup.facts import elf
from tests.checking import assembled, linked

SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")


def file_of(*sections: tuple[int, bytes, int, int], type_: int = 1) -> bytes:
    """An x86-64 ELF file of (section type, content, link, info); section 0 is added."""
    header_size = 64 + 64 * (len(sections) + 1)
    headers, contents = [SECTION.pack(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)], b""
    for kind, content, link, info in sections:
        offset = header_size + len(contents)
        headers.append(SECTION.pack(0, kind, 2, 0, offset, len(content), link, info, 1, 24))
        contents += content
    identification = b"\x7fELF\x02\x01\x01" + bytes(9)
    fields = (type_, 62, 1, 0, 0, 64, 0, 64, 0, 0, 64, len(headers), 0)
    start = identification + struct.pack("<HHIQQQIHHHHHH", *fields)
    return start + b"".join(headers) + contents


def symbols(*entries: tuple[int, int, int]) -> bytes:
    """(name's offset, binding, section) as a symbol table."""
    return b"".join(SYMBOL.pack(n, b << 4, 0, s, 0, 0) for n, b, s in entries)


SYMTAB, STRTAB, RELA, DYNAMIC, REL, DYNSYM = 2, 3, 4, 6, 9, 11
VERNEED, GNU_HASH = 0x6FFFFFFE, 0x6FFFFFF6


def test_the_builder_of_these_files() -> None:
    facts = elf.parse(
        file_of((SYMTAB, symbols((0, 0, 0), (1, 1, 0)), 2, 1), (STRTAB, b"\0name\0", 0, 0))
    )
    assert [symbol.name for symbol in facts.undefined] == ["name"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (
            file_of((SYMTAB, symbols((0, 0, 0), (90, 1, 0)), 2, 1), (STRTAB, b"\0name\0", 0, 0)),
            "a name lies outside the table of names: the file is damaged",
        ),
        (
            file_of((SYMTAB, symbols((0, 0, 0), (1, 1, 0)), 2, 1), (STRTAB, b"\0name", 0, 0)),
            "a name lies outside the table of names: the file is damaged",
        ),
        (
            file_of((SYMTAB, symbols((0, 0, 0)), 9, 1), (STRTAB, b"\0", 0, 0)),
            "section  has no string table: the file is damaged",
        ),
        (
            file_of((SYMTAB, symbols((0, 0, 0)), 2, 5), (STRTAB, b"\0", 0, 0)),
            "the symbol table  is cut off: the file is damaged",
        ),
        (
            file_of((SYMTAB, symbols((0, 1, 77)), 2, 0), (STRTAB, b"\0", 0, 0)),
            "symbol 0 is in section 77: damaged file",
        ),
        (
            file_of((SYMTAB, symbols((0, 1, 0xFFFF)), 2, 0), (STRTAB, b"\0", 0, 0)),
            "the section of symbol 0 is missing: damaged file",
        ),
        (
            file_of((SYMTAB, b"", 2, 0), (SYMTAB, b"", 2, 0)),
            "it has two symbol tables: the file is damaged",
        ),
        (
            file_of((RELA, bytes(24), 0, 50)),
            "section  relocates nothing: damaged file",
        ),
        (file_of((RELA, bytes(23), 0, 1)), "section  is cut off: the file is damaged"),
        (
            file_of((REL, bytes(16), 0, 1)),
            "section  holds relocations without addends, which x86-64 does not use: the file is"
            " damaged or made for another machine",
        ),
        (file_of((DYNAMIC, bytes(15), 0, 0), type_=3), "the dynamic section is cut off: the file is damaged"),
        (
            file_of((DYNAMIC, struct.pack("<qQ", 1, 99), 2, 0), (STRTAB, b"\0", 0, 0), type_=3),
            "a name lies outside the table of names: the file is damaged",
        ),
        (
            file_of((VERNEED, bytes(8), 2, 1), (STRTAB, b"\0", 0, 0), type_=3),
            "one of its tables is cut off: the file is damaged",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(data: bytes, what: str) -> None:
    with pytest.raises(ObjectError) as caught:
        elf.parse(data)
    assert str(caught.value) == what


def test_a_section_whose_name_is_no_plain_text() -> None:
    contents = symbols((0, 0, 0)), b"\0odd\n\0"
    damaged = bytearray(file_of((SYMTAB, contents[0], 2, 1), (STRTAB, contents[1], 0, 0)))
    damaged[62:64] = struct.pack("<H", 2)  # the table of sections' names
    damaged[128:132] = struct.pack("<I", 1)
    damaged[160:168] = struct.pack("<Q", 4096)

    with pytest.raises(ObjectError) as caught:
        elf.parse(bytes(damaged))
    assert str(caught.value).startswith("section odd\\n should end at byte ")


def test_a_relocation_of_no_symbol() -> None:
    table = (RELA, struct.pack("<QQq", 0, 5 << 32 | 1, 0), 1, 1)
    facts = elf.parse(file_of((SYMTAB, symbols((0, 0, 0)), 3, 1), table, (STRTAB, b"\0", 0, 0)))
    with pytest.raises(ObjectError, match="names symbol 5, and there are only 1"):
        list(facts.relocations)


def test_version_needs_that_run_in_a_circle() -> None:
    # Each of 4000 records claims 65535 names, and the one name there is follows itself.
    size = 16 * 4000
    records = [struct.pack("<HHIII", 1, 0xFFFF, 0, size - at, 16) for at in range(0, size, 16)]
    content = b"".join(records) + struct.pack("<IHHII", 0, 0, 0, 0, 0)
    data = file_of((VERNEED, content, 2, 4000), (STRTAB, b"\0", 0, 0), type_=3)
    with pytest.raises(ObjectError, match="run in a circle"):
        elf.parse(data)


def overlapping_tables() -> bytes:
    """A thousand sections that are all the same megabyte of relocations."""
    data = bytearray(file_of(*[(RELA, b"", 0, 1)] * 1000) + bytes(1 << 20))
    start = len(data) - (1 << 20)
    for number in range(1, 1001):
        at = 64 + 64 * number
        data[at + 24 : at + 40] = struct.pack("<QQ", start, (1 << 20) - 16)
    return bytes(data)


def endless_names() -> bytes:
    """Forty thousand symbols whose names are the same megabyte without an end."""
    return file_of(
        (SYMTAB, symbols((0, 1, 0)) * 40000, 2, 0), (STRTAB, b"x" * (1 << 20) + b"\0", 0, 0)
    )


def overlapping_names() -> bytes:
    """Names of nearly the allowed length, each one letter into the one before."""
    entries = symbols(*((n % 100, 1, 0) for n in range(40000)))
    return file_of((SYMTAB, entries, 2, 0), (STRTAB, b"x" * 16000 + b"\0", 0, 0))


@pytest.mark.parametrize("make", [overlapping_tables, endless_names, overlapping_names])
def test_no_more_work_than_the_file_is_large(make: Callable[[], bytes]) -> None:
    data = make()
    tracemalloc.start()
    try:
        with pytest.raises(ObjectError):
            elf.parse(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * len(data) + 4_000_000


def test_a_hash_table_that_leads_nowhere() -> None:
    words = struct.pack("<IIIIQI", 1, 1, 1, 0, 0, 1) + struct.pack("<I", 0) * 8
    data = file_of(
        (DYNSYM, symbols((0, 0, 0), (0, 1, 0)), 2, 1),
        (STRTAB, b"\0", 0, 0),
        (GNU_HASH, words, 1, 0),
        type_=3,
    )
    exports = elf.Exports(data)
    with pytest.raises(ObjectError, match="one of its tables is cut off"):
        assert "name" in exports


def test_an_object_is_no_library() -> None:
    with pytest.raises(ObjectError, match="it is an ELF object, not a module"):
        elf.Exports(file_of())


def test_every_exported_name_of_the_c_library_is_found() -> None:
    exports = elf.Exports.of("/lib/x86_64-linux-gnu/libc.so.6")
    assert len(exports.names) > 2000
    assert all(name in exports for name in exports.names)
    assert not any(f"{name}_" in exports for name in sorted(exports.names)[::50])


def test_a_library_without_a_hash_table_of_gnus_kind(tmp_path: Path) -> None:
    text = "global one, two\nextern three\none:\ntwo: dq three\n"
    object_ = assembled(tmp_path / "x.asm", text)
    exports = elf.Exports.of(linked(tmp_path / "x.so", object_, "--hash-style=sysv"))
    assert [name in exports for name in ("one", "two", "three")] == [True, True, False]


def test_more_sections_than_fit_into_sixteen_bits(tmp_path: Path) -> None:
    """gcc makes such objects with -ffunction-sections; the gABI keeps their numbers elsewhere."""
    count = 66000
    lines = [f'.section s{n},"ax"' for n in range(count)]
    (tmp_path / "x.s").write_text("\n".join([*lines, ".globl f", "f: nop"]) + "\n")
    command = ["as", "x.s", "-o", "x.o"]
    subprocess.run(command, cwd=tmp_path, check=True)
    facts = elf.read(tmp_path / "x.o")

    assert len(facts.sections) > count
    last = facts.defined("f")
    assert last is not None
    assert last.section == f"s{count - 1}"
    assert facts.sections[last.section_index].name == last.section

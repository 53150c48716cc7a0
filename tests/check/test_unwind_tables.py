"""Which plain routines get an unwind table from the analysis, what it says, and why others get none."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from asmsetup.facts import elf
from asmsetup.unwind import add_tables
from tests.abi.assembling import said_by
from tests.abi.stepping import rows_of

Tables = dict[int, tuple[int, list[dict[Any, Any]]]]
HEAD = "global f:function\nsection .text\n"
OWN = "section .eh_frame progbits alloc noexec nowrite align=8\n"

# The frame's address before each instruction where it changes, as readelf writes it.
TABLES = {
    "f: push rbx\n pop rbx\n ret": "rsp+8 rsp+16 rsp+8",
    "f: sub rsp, 24\n add rsp, 24\n ret": "rsp+8 rsp+32 rsp+8",
    "f: enter 32, 0\n leave\n ret": "rsp+8 rbp+16 rsp+8",
    "f: push rbp\n mov rbp, rsp\n sub rsp, rdi\n leave\n ret": "rsp+8 rsp+16 rbp+16 rsp+8",
    "f: lea rax, [rsp + 8]\n and rsp, -32\n lea rsp, [rax - 8]\n ret": "rsp+8 rax+0 rsp+8",
    # Two ends: what holds behind the first is what held before it.
    "f: push rbx\n test edi, edi\n jz .b\n pop rbx\n ret\n.b: pop rbx\n ret": (
        "rsp+8 rsp+16 rsp+8 rsp+16 rsp+8"
    ),
    # Each routine has its own, and padding between them has none.
    "f: push rax\n call g\n pop rax\n ret\nalign 16, db 0\ng: push rax\n pop rax\n ret": (
        "rsp+8 rsp+16 rsp+8 rsp+8 rsp+16 rsp+8"
    ),
    # The author's own section, with nothing in it that is relocated.
    f"f: push rbx\n pop rbx\n ret\n{OWN}": "rsp+8 rsp+16 rsp+8",
    f"f: push rbx\n pop rbx\n ret\n{OWN}dd 20, 0\ndb 1, 'zR', 0, 1, 120, 16, 1, 27, 12, 7, 8, 144, 1\n"
    "dw 0": "rsp+8 rsp+16 rsp+8",
}
TO_A_JUMP = "a jump goes to an address that could not be found out"
NOWHERE = "the place where it keeps rbx is not known on every path"
# Why each routine gets none; of those that the checks report, the rule.
REFUSED = {
    "f: push rbx\n lea rax, [rel f]\n add rax, rdi\n jmp rax": {"f": TO_A_JUMP},
    "f: movq xmm1, rbx\n xor ebx, ebx\n movq rbx, xmm1\n ret": {"f": NOWHERE},
    "f: mov [rel d], rbx\n xor ebx, ebx\n mov rbx, [rel d]\n ret\nsection .data\nd: dq 0": {
        "f": NOWHERE
    },
    "f: mov rax, rsp\n xchg rsp, rdi\n call h\n mov rsp, rdi\n ret\nextern h": {
        "f": "how deep the stack is here could not be found out"
    },
    "f: pop rax\n jmp rax": {"f": "the place of its frame is not known on every path"},
    "f: push rbx\n nop": {"f": "[falls-off]"},
    "f: push rax\n ret": {"f": "[stack-at-return]"},
    "f: mov ebx, 1\n ret": {"f": "[kept-register]"},
    # Its caller relies on what it takes off the stack.
    "f: push rdi\n call g\n ret\ng: ret 8": {
        "f": "it calls g, which does not return as a C function does"
    },
    # What a table leads to may be a place inside of f, which has a frame there.
    "f: push rbx\n mov rbx, rdi\n mov rax, [rbx]\n lea rdx, [rel t]\n add rdx, rax\n"
    " jmp [rdx]\no: pop rbx\n ret\np: mov eax, 1\n ret\nsection .data\nt: dq o, p": {
        "f": TO_A_JUMP,
        "o": "[stack-at-return]",
        "p": "only a pointer leads to it, and a jump that could not be followed may, too",
    },
    # g runs through code of f's, of which it is not known what holds there.
    "global g:function\nf: push rbx\n jmp rdi\n.t: pop rbx\n ret\ng: push rbx\n jmp f.t": {
        "f": TO_A_JUMP,
        "g": "it shares code with a routine that gets none",
    },
    "global g:function\nf: push rbx\n test edi, edi\n jz .t\n lea rax, [rel f]\n add rax, rdi\n"
    " jmp rax\n.t: pop rbx\n ret\ng: push rbx\n jmp f.t": {
        "f": TO_A_JUMP,
        "g": "it shares code with a routine that gets none",
    },
}


def object_of(text: str, folder: Path) -> Path:
    source, made = folder / "f.asm", folder / "f.o"
    source.write_text(HEAD + text + "\n")
    subprocess.run(["nasm", "-felf64", "-o", made, source], check=True)
    return made


@pytest.mark.parametrize("text", TABLES)
def test_what_is_said(text: str, tmp_path: Path) -> None:
    made = object_of(text, tmp_path)
    extended = add_tables("f.asm", made.read_bytes())
    made.write_bytes(extended.content)

    assert extended.notes == []
    table = said_by("readelf", "--debug-dump=frames-interp", made).partition(" FDE ")[2]
    assert " ".join(re.findall(r"^0\w{15} (r\w+\+\d+)", table, re.MULTILINE)) == TABLES[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused(text: str, tmp_path: Path) -> None:
    content = object_of(text, tmp_path).read_bytes()
    extended = add_tables("f.asm", content)

    assert len(extended.notes) == len(REFUSED[text])
    for note, (name, why) in zip(extended.notes, REFUSED[text].items(), strict=True):
        assert note.startswith(f"f.asm: {name} gets no unwind table: ")
        assert note.endswith(why)
    if "g" not in text:
        assert extended.content == content


def test_what_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = object_of("global g:function\nf: push rbx\n pop rbx\n ret\ng: ret", tmp_path)
    monkeypatch.setattr("asmsetup.check.code.engine.MOST_INSTRUCTIONS", 2)

    assert add_tables("f.asm", made.read_bytes()).notes == [
        "f.asm: g gets no unwind table: the source is too large to be followed to its end"
    ]


def test_an_object_without_symbols_of_sections(tmp_path: Path) -> None:
    content = bytearray(object_of("f: push rbx\n pop rbx\n ret", tmp_path).read_bytes())
    symbols = next(each for each in elf.parse(bytes(content)).sections if each.type == "symtab")
    for at in range(symbols.offset, symbols.offset + symbols.size, 24):
        if content[at + 4] == 3:  # a local symbol for a section
            content[at + 4] = 0

    extended = add_tables("f.asm", bytes(content))
    assert extended.content == content
    assert extended.notes == [
        "f.asm: no unwind tables can be added, as there is no symbol for each section"
    ]


def test_an_object_whose_names_of_sections_are_nowhere(tmp_path: Path) -> None:
    content = bytearray(object_of("f: push rbx\n pop rbx\n ret", tmp_path).read_bytes())
    content[62:64] = b"\xf0\x0f"

    assert add_tables("f.asm", bytes(content)).content == content


COMPILED = """
long kept(long);
long aligned(long n) { _Alignas(64) volatile long a[8] = {n}; return kept((long)a) + a[n & 7]; }
long moved(long n) { volatile char a[n + 1]; a[n] = 1; return kept((long)a) + a[n]; }
long many(long a, long b, long c, long d, long e, long f, long g, long h) {
    long x = kept(a), y = kept(b), z = kept(c);
    return kept(x + y + z) + x * y * z + kept(d + e) * kept(f + g + h);
}
long chosen(int n) {
    switch (n) {
    case 0: return kept(1) + 2; case 1: return kept(5) * n; case 2: return 7;
    case 3: return kept(kept(n)); case 4: return -n; case 5: return kept(n + 9) - n;
    }
    return many(n, 1, 2, 3, 4, 5, 6, 7);
}
long leaf(long n) { return n * 3; }
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="the compiler's tables are compared with")
@pytest.mark.parametrize("options", ["-O0", "-O1", "-O2", "-O3 -fno-omit-frame-pointer", "-Os"])
def test_the_compiler_says_the_same(options: str, tmp_path: Path) -> None:
    """Where the frame is and where kept registers are, at each instruction of compiled code."""
    source, made, bare = (tmp_path / name for name in ("f.c", "theirs.o", "ours.o"))
    source.write_text(COMPILED)
    said_by("gcc", *options.split(), "-fPIC", "-c", source, "-o", made)
    said_by("objcopy", "--remove-section=.eh_frame", "--remove-section=.rela.eh_frame", made, bare)
    extended = add_tables("f.c", bare.read_bytes())
    bare.write_bytes(extended.content)

    assert extended.notes == []
    theirs, ours = (linked(each) for each in (made, bare))
    assert theirs.keys() <= ours.keys()
    for start, (_, rows) in ours.items():
        for row in rows:
            other = row_at(theirs, max(start, row["pc"]))
            assert frame(row) == frame(other), (hex(row["pc"]), row, other)
            assert saved(row).items() <= saved(other).items(), (hex(row["pc"]), row, other)


def row_at(tables: Tables, at: int) -> dict[Any, Any]:
    """What a table says of an address."""
    (rows,) = (rows for start, (end, rows) in tables.items() if start <= at < end)
    return [row for row in rows if row["pc"] <= at][-1]


def frame(row: dict[Any, Any]) -> tuple[int, int]:
    """From which register the frame is found, and how far it is."""
    return row["cfa"].reg, row["cfa"].offset


def saved(row: dict[Any, Any]) -> dict[int, int]:
    """Where in the frame a row says that kept registers are; those that were not changed yet it may leave out."""
    rules = {n: row[n] for n in row if n in (3, 6, 12, 13, 14, 15)}
    return {n: rule.arg for n, rule in rules.items() if rule.type == "OFFSET"}


def linked(made: Path) -> Tables:
    """The tables of an object, once it is linked."""
    module = made.with_suffix(".so")
    said_by("ld", "-shared", "-o", module, made)
    return rows_of(module)

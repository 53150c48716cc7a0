"""A relocation's source line: in macros, includes, repetitions and data, on every nasm."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from asmsetup.check.listing import Listing
from asmsetup.facts import elf
from tests.checking import NASM, assembled

INCLUDE = """\
%macro LOAD 2
    nop
    mov %1, %2
%endmacro
%macro OUTER 1
    LOAD rax, %1
%endmacro
%macro QUIET 1.nolist
    call %1 wrt ..plt
    mov rcx, %1
%endmacro
%macro MANY 1
  %rep 2
    mov rbx, %1
  %endrep
%endmacro
in_the_include:
    mov rdx, foo
    OUTER foo
%rep 1
    mov rdx, foo
%endrep
"""
SOURCE = """\
section .text
%include "more/macros.inc"
extern foo
default rel
%define ALIAS foo
section .rodata
table: dq foo
    dq 1, table, foo
    times 3 dq foo
    db "a text long enough for the listing to need a second row of bytes", 1
    dq foo
section .text
    mov rax, foo
    LOAD rbx, foo
    OUTER foo
    QUIET foo
    MANY foo
%rep 2
    mov rdi, foo
%endrep
%if 0
    mov rax, foo
%endif
    mov rsi, ALIAS
    times 2 mov r8, foo
    mov qword [table], foo
section .data align=64
same: dq foo
section .other write
same_again: dq table
struc S
.a: resq 1
endstruc
istruc S
at S.a, dq foo
iend
"""
# (section, line, text, direct) of each relocation, in the object's order
EXPECTED = [
    (".rodata", "x.asm", 7, "table: dq foo", True),
    (".rodata", "x.asm", 8, "dq 1, table, foo", True),
    (".rodata", "x.asm", 8, "dq 1, table, foo", True),
    (".rodata", "x.asm", 9, "times 3 dq foo", True),
    (".rodata", "x.asm", 9, "times 3 dq foo", True),
    (".rodata", "x.asm", 9, "times 3 dq foo", True),
    (".rodata", "x.asm", 11, "dq foo", True),
    (".text", "more/macros.inc", 18, "mov rdx, foo", True),
    (".text", "more/macros.inc", 19, "OUTER foo", False),
    (".text", "more/macros.inc", 21, "mov rdx, foo", True),
    (".text", "x.asm", 13, "mov rax, foo", True),
    (".text", "x.asm", 14, "LOAD rbx, foo", False),
    (".text", "x.asm", 15, "OUTER foo", False),
    (".text", "x.asm", 16, "QUIET foo", False),
    (".text", "x.asm", 16, "QUIET foo", False),
    (".text", "x.asm", 17, "MANY foo", False),
    (".text", "x.asm", 17, "MANY foo", False),
    (".text", "x.asm", 19, "mov rdi, foo", True),
    (".text", "x.asm", 19, "mov rdi, foo", True),
    (".text", "x.asm", 24, "mov rsi, ALIAS", True),
    (".text", "x.asm", 25, "times 2 mov r8, foo", True),
    (".text", "x.asm", 25, "times 2 mov r8, foo", True),
    (".text", "x.asm", 26, "mov qword [table], foo", True),
    (".text", "x.asm", 26, "mov qword [table], foo", True),
    (".data", "x.asm", 28, "same: dq foo", True),
    (".other", "x.asm", 30, "same_again: dq table", True),
    (".other", "x.asm", 35, "at S.a, dq foo", True),
]
WIDTHS = {"R_X86_64_64": 8}


def test_lines(nasm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("more").mkdir()
    Path("more/macros.inc").write_text(INCLUDE)
    facts = elf.read(assembled(Path("x.asm"), SOURCE, "-l", "x.lst", nasm=nasm))
    listing = Listing(Path("x.lst").read_text(), "x.asm")

    found = []
    for table in facts.relocation_tables:
        content = facts.content(table.section)
        for relocation in table:
            width = WIDTHS.get(relocation.type_name, 4)
            line = listing.at(
                table.section.name, content, relocation.offset, width, relocation.symbol.name
            )
            assert line is not None, relocation
            found.append((table.section.name, line.file, line.number, line.text, line.direct))
    order = [section for section, *_ in EXPECTED]
    assert sorted(found, key=lambda row: order.index(row[0])) == EXPECTED


def test_an_include_is_shown_by_the_path_it_was_found_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("asm", "inc"):
        Path(folder).mkdir()
    Path("inc/one.inc").write_text("section .text\nmov rax, foo\n")
    Path("asm/two.inc").write_text("mov rbx, foo\n")
    source = os.path.join("asm", "x.asm")
    Path(source).write_text("extern foo\n%include 'one.inc'\n%include \"two.inc\"\n")
    subprocess.run(
        [NASM, "-f", "elf64", "-Iasm", "-Iinc", source, "-o", "x.o", "-l", "x.lst"], check=True
    )
    facts = elf.read("x.o")
    (table,) = facts.relocation_tables
    listing = Listing(Path("x.lst").read_text(), source, ["inc"])

    lines = [listing.at(".text", facts.content(table.section), r.offset, 8) for r in table]
    assert [line and (line.file, line.number) for line in lines] == [
        ("inc/one.inc", 2),
        ("asm/two.inc", 1),
    ]


def test_what_is_hidden_from_the_listing_has_no_line(tmp_path: Path) -> None:
    text = "extern foo\n[list -]\nmov rax, foo\n[list +]\nret\n"
    facts = elf.read(assembled(tmp_path / "x.asm", text, "-l", "x.lst"))
    (table,) = facts.relocation_tables
    listing = Listing((tmp_path / "x.lst").read_text(), "x.asm")

    assert listing.at(".text", facts.content(table.section), 2, 8, "foo") is None


def test_declarations_labels_and_sections() -> None:
    listing = Listing(
        "     1                                  global one:function, two\n"
        "     2                                  GLOBAL three\n"
        "     3                                  SECTION .text.hot\n"
        "     4 00000000 C3                      two: ret\n"
        "     5                                  twofold:\n",
        "x.asm",
    )

    def number(line: object) -> object:
        return line and getattr(line, "number", None)

    assert number(listing.declaration("two", "global")) == 1
    assert number(listing.declaration("three", "global")) == 2
    assert listing.declaration("thre", "global") is None
    assert number(listing.label("two")) == 4
    assert number(listing.label("twofold")) == 5
    assert listing.label("one") is None
    assert number(listing.section(".text.hot")) == 3
    assert listing.section(".text") is None

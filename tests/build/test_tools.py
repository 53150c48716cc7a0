"""Old and new nasm and ld make the same module of the same source."""

from __future__ import annotations

import os
import shutil

import pytest

from asmsetup.facts import elf
from tests.projects import Project, tool


@pytest.mark.parametrize("name", ["nasm-2.15.05", "nasm-3.01"])
def test_nasm(hello: Project, name: str) -> None:
    hello.write({"inc/data.bin": "bytes", "inc/more.inc": "%macro more 0\n%endmacro\n"})
    source = (hello.folder / "hello.asm").read_text()
    hello.write(
        {"hello.asm": f'%include "more.inc"\n{source}\nsection .rodata\nincbin "data.bin"\n'}
    )
    hello.extension("hello", ["hello.asm"], include_dirs=["inc"], define_macros=[("A", '"b c"')])

    hello.build_ext("--force", NASM=tool(name))

    assert hello.answer() == "42"


@pytest.mark.parametrize("name", ["nasm-2.15.05", "nasm-3.01"])
def test_nasm_with_debug_information(hello: Project, name: str) -> None:
    hello.build_ext("--debug", NASM=tool(name))

    assert hello.answer() == "42"
    assert elf.read(hello.module()).section(".debug_line")


@pytest.mark.parametrize("name", ["nasm-2.15.05", "nasm-3.01"])
def test_errors_of_nasm(hello: Project, name: str) -> None:
    hello.write({"hello.asm": "DEFAULT REL\nbogus eax\n"})

    assert hello.refused(NASM=tool(name)).startswith("hello.asm:2: error: ")


IF_THERE_IS_A_FILE = """\
%assign V 42
%define NAME "v.inc"
%iffile "v.inc"
  %assign V V + 1
%endif
%ifnfile "v.inc"
%else
  %assign V V + 1
%endif
%if 0
%eliffile "v.inc"
  %assign V V + 1
%endif
%iffile NAME
  %assign V V + 1
%endif
"""


def test_what_nasm_3_looks_for(hello: Project) -> None:
    source = (hello.folder / "hello.asm").read_text()
    hello.write({"hello.asm": IF_THERE_IS_A_FILE + source.replace("42", "V")})
    nasm = tool("nasm-3.01")
    hello.build_ext(NASM=nasm, ASMSETUP_CACHE="1")
    before = hello.answer()

    hello.write({"v.inc": ""})
    hello.build_ext(NASM=nasm, ASMSETUP_CACHE="1")
    in_place = hello.answer()
    shutil.rmtree(hello.folder / "build")
    hello.build_ext(NASM=nasm, ASMSETUP_CACHE="1")

    assert (before, in_place, hello.answer()) == ("42", "46", "46")


@pytest.mark.parametrize("mixed", [False, True], ids=["assembly", "mixed"])
def test_ld(hello: Project, mixed: bool) -> None:
    ld = tool("ld-2.47")
    hello.write({"more.c": "int more;\n"})
    hello.extension("hello", ["hello.asm", "more.c"] if mixed else ["hello.asm"])
    path = os.environ["PATH"]
    if mixed:
        # The compiler's driver takes the ld it finds in the folder that -B names.
        folder = hello.folder.parent / "own-ld"
        folder.mkdir()
        shutil.copy(ld, folder / "ld")
        hello.build_ext(LDFLAGS=f"-B{folder}", PATH=path)
    else:
        hello.build_ext(LD=ld)

    facts = elf.read(hello.module())
    assert hello.answer() == "42"
    assert (facts.stack_flags, facts.relro, facts.bind_now) == ("RW", True, True)

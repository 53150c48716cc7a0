"""A debugger shows the lines of the assembly source when the build says debug, and only then."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from asmsetup.facts import elf
from tests.projects import Project

SOURCE = """\
%include "module.inc"
extern number
MODULE hello, ask
ask:
    push        rbx
    mov         ebx, 40
    lea         edi, [rbx + 2]
    pop         rbx
    jmp         PyLong_FromLong wrt ..plt
"""


@pytest.mark.skipif(shutil.which("gdb") is None, reason="no gdb on this machine")
@pytest.mark.parametrize("mixed", [False, True], ids=["assembly", "mixed"])
@pytest.mark.parametrize("way", ["--debug", "ASMSETUP_DEBUG"])
def test_gdb_shows_source_lines(hello: Project, way: str, mixed: bool) -> None:
    hello.write({"hello.asm": SOURCE.replace("extern number\n", ""), "more.c": "int more;\n"})
    hello.extension("hello", ["hello.asm", "more.c"] if mixed else ["hello.asm"])

    if way == "--debug":
        hello.build_ext(way)
    else:
        hello.build_ext(ASMSETUP_DEBUG="1")

    shown = subprocess.run(
        [
            *("gdb", "-nx", "-batch"),
            *("-ex", "set breakpoint pending on", "-ex", "break hello.asm:6", "-ex", "run"),
            *("-ex", "info line", "-ex", "list 6,6", "-ex", "next", "-ex", "print $rbx"),
            *("--args", hello.python.path, "-c", "import hello; hello.answer()"),
        ],
        cwd=hello.folder,
        env=hello.env,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "hello.asm:6" in shown
    assert "lea         edi, [rbx + 2]" in shown
    assert "$1 = 40" in shown


@pytest.mark.parametrize("mixed", [False, True], ids=["assembly", "mixed"])
def test_without_debug_nothing_is_left_for_a_debugger(hello: Project, mixed: bool) -> None:
    hello.write({"more.c": "int more;\n"})
    hello.extension("hello", ["hello.asm", "more.c"] if mixed else ["hello.asm"])

    hello.build_ext()

    facts = elf.read(hello.module())
    assert facts.section(".symtab") is None
    assert not [section.name for section in facts.sections if section.name.startswith(".debug")]

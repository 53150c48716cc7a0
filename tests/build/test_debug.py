"""A debugger shows the lines of the assembly source when the build says debug, and only then."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from asmsetup.facts import elf
from tests.projects import Project, run

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
@pytest.mark.parametrize(
    ("way", "mixed"), [("--debug", False), ("--debug", True), ("ASMSETUP_DEBUG", True)]
)
def test_gdb_shows_source_lines(hello: Project, way: str, mixed: bool) -> None:
    hello.write({"hello.asm": SOURCE.replace("extern number\n", ""), "more.c": "int more;\n"})
    hello.extension("hello", ["hello.asm", "more.c"] if mixed else ["hello.asm"])

    if way == "--debug":
        hello.build_ext(way)
    else:
        hello.build_ext(ASMSETUP_DEBUG="1")

    shown = run(
        *("gdb", "-nx", "-batch"),
        *("-ex", "set breakpoint pending on", "-ex", "break hello.asm:6", "-ex", "run"),
        *("-ex", "info line", "-ex", "list 6,6", "-ex", "next", "-ex", "print $rbx"),
        *("--args", hello.python.path, "-c", "import hello; hello.answer()"),
        cwd=hello.folder,
        env=hello.env,
    ).output
    assert "hello.asm:6" in shown
    assert "lea         edi, [rbx + 2]" in shown
    assert "$1 = 40" in shown


NAMED = """\
%include "python.inc"
PyModule hello
PyFunction answer, METH_O, self, value
    PyKeep      kept
    PyLocal     count
    PyLocal     flag, 1
    PyLocal     pair, 16
    PyLocal     text, 5
    PyBuffer    view
    mov         kept, 77
    mov         qword [count], -5
    mov         byte [flag], 3
    mov         qword [pair], 8
    mov         qword [pair + 8], 9
    mov         dword [text], "abcd"
    mov         byte [text + 4], 0
    push        rax
    push        rax
    PyRaise     PyExc_ValueError, "%R", value
    add         rsp, 16
    PyReturn    NULL
PyEndFunction
PyRoutine six, one, two
    PyKeep      three, four, five, six_
    PyLocal     large, 0x180000
    PyLocal     below
    mov         qword [below], 6
    mov         six_, 66
.here:
    PyReturn
PyEndRoutine
PyMethod "other", six, METH_NOARGS
PyEndModule
"""


@pytest.mark.skipif(shutil.which("gdb") is None, reason="no gdb on this machine")
def test_gdb_knows_arguments_and_locals(hello: Project, tmp_path: Path) -> None:
    """By their names, wherever gdb is started, and from inside of what a function calls."""
    hello.write({"hello.asm": NAMED})
    hello.extension("hello", ["hello.asm"])
    hello.build_ext(ASMSETUP_DEBUG="1")

    wanted = [
        *("set breakpoint pending on", "break hello.asm:19", "break 'six.here'", "run"),
        *("list 19,19", "info locals", "print &view", "print sizeof(view)"),
        *("break PyErr_Format", "continue", "up", "print kept", "print count", "disable 3"),
        *("continue", "print below", "print six_"),
    ]
    code = "import hello\ntry: hello.answer(1)\nexcept ValueError: hello.other()"
    shown = subprocess.run(
        [
            *("gdb", "-nx", "-batch", *(part for each in wanted for part in ("-ex", each))),
            *("--args", hello.python.path, "-c", code),
        ],
        cwd=tmp_path,
        env={**hello.env, "PYTHONPATH": str(hello.folder)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert '19\t    PyRaise     PyExc_ValueError, "%R", value\n' in shown
    locals_ = shown.partition("PyExc_ValueError")[2]
    for line in ("kept = 77", "count = -5", "flag = 3 '\\003'", "pair = {8, 9}", 'text = "abcd"'):
        assert f"\n{line}\n" in locals_, shown
    values = re.findall(r"^\$\d+ = (.*)$", shown, re.MULTILINE)
    assert values[1:] == ["80", "77", "-5", "6", "66"], shown


BOUND = """\
%include "python.inc"
struc Pair
    PyObject_HEAD
.first: resq 1
endstruc
PyModule hello
PyFunction answer, METH_FASTCALL | METH_KEYWORDS, self
    PyArguments "answer(name, /, *, greeting=None)"
    mov         eax, Pair_size
    Py_RETURN_NONE
PyEndFunction
PyEndModule
"""


@pytest.mark.skipif(shutil.which("gdb") is None, reason="no gdb on this machine")
def test_gdb_knows_what_pyarguments_names(hello: Project) -> None:
    hello.write({"hello.asm": BOUND})
    hello.extension("hello", ["hello.asm"])
    hello.build_ext(ASMSETUP_DEBUG="1")

    shown = run(
        *("gdb", "-nx", "-batch", "-ex", "set breakpoint pending on", "-ex", "break hello.asm:9"),
        *("-ex", "run", "-ex", "info locals", "-ex", "print *(long *)(name + 16)"),
        *("--args", hello.python.path, "-c", "import hello; hello.answer(0.0)"),
        cwd=hello.folder,
        env=hello.env,
    ).output
    assert re.search(r"^name = \d{6,}\ngreeting = 0\n", shown, re.MULTILINE), shown
    assert "$1 = 0\n" in shown


@pytest.mark.parametrize("mixed", [False, True], ids=["assembly", "mixed"])
def test_without_debug_nothing_is_left_for_a_debugger(hello: Project, mixed: bool) -> None:
    hello.write({"more.c": "int more;\n"})
    hello.extension("hello", ["hello.asm", "more.c"] if mixed else ["hello.asm"])

    hello.build_ext()

    facts = elf.read(hello.module())
    assert facts.section(".symtab") is None
    assert not [section.name for section in facts.sections if section.name.startswith(".debug")]

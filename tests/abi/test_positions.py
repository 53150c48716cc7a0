"""Errors of the macros name the user's file and line: in %if, in included files, in the user's macros.

In a macro of the user's it is the line of the call: of the outermost one.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.abi.assembling import ASSEMBLERS, INCLUDE, UNIVERSAL, assemble
from tests.abi.misused import at, errors_of

USAGE = re.compile(r"""_py_expect_arguments (["'])(Py\w+).*?\1, %0, (\d+)""")
MISTAKES = {
    macro: macro if int(least) else f"{macro} a, b, c, d"
    for path in sorted((INCLUDE / "python").glob("*.inc"))
    for _, macro, least in USAGE.findall(path.read_text())
}
"""Each macro with a wrong number of arguments."""
SHAPES = {
    "plain": ("{}", ""),
    "if": ("%if 1\n  %ifdef PY_UNIVERSAL\n{}\n  %endif\n%endif", ""),
    "rep": ("%rep 2\n{}\n%endrep", ""),
    "macro": ("%macro mine 0\n    nop\n    {}\n%endmacro\nmine", ""),
    "inner macro": (
        "%macro inner 1+\n    %1\n%endmacro\n%macro outer 1+\n    inner %1\n%endmacro\nouter {}",
        "",
    ),
    "included": ('%include "part.inc"', "\n\n%if 1\n{}\n%endif"),
    "included macro": ('%include "part.inc"\nmine', "\n%macro mine 0\n    {}\n%endmacro"),
    "all": (
        '%macro outer 1+\n  %if 1\n    %1\n  %endif\n%endmacro\n%include "part.inc"',
        "\n%if 1\n\nouter {}\n%endif",
    ),
}
"""The source, and a file that it includes."""
USED_BEFORE = """
PyModule m
PyConstant "A", 1
PyType T, 0
PyEndType
PyRoutine r
PyBuffer b
PyReturn
PyEndRoutine
PyFrame p
ret
PyEndFrame
PyDispatch d, p
"""
"""Macros of all parts: another way leads to one whose part has been read."""
ONE_OF_EACH_PART = [
    *("PyCall", "PyFrame", "PyModule", "PyConstant", "PySinglePhase", "PyType", "PyBuffer"),
    *("PyDispatch", "PyTypedFunction"),
]
ROWS = [
    *(("all", macro, before) for macro in MISTAKES for before in ("", USED_BEFORE)),
    *((shape, macro, "") for shape in SHAPES for macro in ONE_OF_EACH_PART),
]
IN_A_MODULE = [
    'PyMethod "f", nothing, METH_O',
    "PyDispatch d, nothing",
    "PyInternal nothing",
    "PyNoReturn nothing",
    'PyConstant "A", nothing',
    'PyTypedFunction "nothing() -> i64"',
]
IN_A_TYPE = [
    "PyTypeSlot Py_tp_repr, nothing",
    'PyGetSet "x", nothing',
    'PyMember "x", Py_T_INT, nothing',
]
IN_A_ROUTINE = [
    "PyReturn [nothing]",
    "PyLocal a, nothing",
    'PyRaise PyExc_ValueError, "%d", [nothing]',
    "Py_CLEAR [nothing]",
]
UNDEFINED = {
    **dict.fromkeys(IN_A_MODULE, "PyModule m\n{}\nPyEndModule"),
    **dict.fromkeys(IN_A_TYPE, "PyModule m\nPyType T, 0\n{}\nPyEndType\nPyEndModule"),
    **dict.fromkeys(IN_A_ROUTINE, "PyRoutine r\n{}\nPyReturn\nPyEndRoutine"),
}
"""Lines with a name that nobody has, which NASM reports, and what is around them."""


@pytest.mark.parametrize("nasm", ASSEMBLERS)
def test_the_line_of_the_user(nasm: str, tmp_path: Path) -> None:
    found = {
        row: places(row[0], MISTAKES[row[1]], f"{row[2]}\n{{}}", nasm, tmp_path)
        for row in ROWS
        if nasm == "nasm" or row[1] == "PyCall"
        # NASM 2.15 counts the lines of an included file and those above its %include together.
        if "2.15" not in nasm or not is_in_part(row[0])
    }
    assert {row: (printed, due) for row, (printed, due) in found.items() if printed != due} == {}
    assert len(found) > len(SHAPES) / 2


def test_a_name_that_nobody_has(tmp_path: Path) -> None:
    found = {
        (line, shape): places(shape, line, around, "nasm", tmp_path)
        for line, around in UNDEFINED.items()
        for shape in ("plain", "all")
    }
    assert {row: both for row, both in found.items() if set(both[0]) != set(both[1])} == {}


def test_a_block_that_another_file_opened(tmp_path: Path) -> None:
    (tmp_path / "part.inc").write_text("\nPyRoutine r\nPyReturn\n")
    text = f'PyModule m\n%include "{tmp_path}/part.inc"\nPyEndModule'
    (error,) = errors_of(text, tmp_path, UNIVERSAL)
    assert error.startswith(at(3))
    assert f"PyRoutine of line 2 of {tmp_path}/part.inc; close that with PyEndRoutine" in error


def is_in_part(shape: str) -> bool:
    """Whether the line that is to be reported stands in the included file."""
    return shape in ("included", "all")


def places(
    shape: str, mistake: str, around: str, nasm: str, folder: Path
) -> tuple[list[str], list[str]]:
    """Return where errors are printed, and where the one error is due."""
    source, part = (text.replace("{}", mistake) for text in SHAPES[shape])
    source = source.replace("part.inc", str(folder / "part.inc"))
    whole = '%include "python.inc"\n' + around.replace("{}", source)
    (folder / "part.inc").write_text(part + "\n")
    (folder / "m.asm").write_text(whole + "\n")
    said = assemble(folder / "m.asm", folder / "m.o", UNIVERSAL, ASSEMBLERS[nasm])
    printed = re.findall(r"^(?:.*/)?(\S+?:\d+): (?:error|fatal): ", said.stderr, re.MULTILINE)
    file, text = ("part.inc", part) if is_in_part(shape) else ("m.asm", whole)
    calls = ("mine", mistake, f"outer {mistake}")
    (line,) = (number for number, each in enumerate(text.split("\n"), 1) if each in calls)
    return printed, [f"{file}:{line}"]

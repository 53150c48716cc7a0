"""Calls in routines that no macro opened: the stack is aligned for them, in every CPython."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.abi.assembling import (
    INTERPRETERS,
    MODULES,
    UNIVERSAL,
    Defines,
    assemble,
    build,
    python,
    said_by,
    target_of,
)

# A representation made in Python uses the stack as C code compiled for SSE does.
CHECKS = """
import json, plain

class Value:
    def __repr__(self):
        return json.dumps({"a": [1.5, None]}) + "%.3f" % 1.25

text = '{"a": [1.5, null]}1.250'

def error(call, *arguments):
    try:
        call(*arguments)
    except ValueError as error:
        return str(error)

assert error(getattr(plain, "raise"), Value()) == text
assert error(plain.raise_pushed, Value()) == text
assert plain.representation(Value()) == text
assert plain.representation_twice(Value()) == repr(text)
assert error(plain.numbers) == "11 12 13 14 15 16 17 18 19"
assert plain.framed(Value()) is None
"""


@pytest.mark.parametrize("name", INTERPRETERS)
@pytest.mark.parametrize("universal", [True, False], ids=["universal", "one"])
def test_calls_are_aligned(name: str, universal: bool, tmp_path: Path) -> None:
    interpreter = INTERPRETERS[name]
    defines = UNIVERSAL if universal else target_of(interpreter)
    build(MODULES / "plain.asm", tmp_path / "plain.so", defines)
    python(interpreter, tmp_path, "-c", CHECKS)


@pytest.mark.parametrize("text", ["PyCall PyErr_Occurred", 'PyRaise PyExc_ValueError, "no"'])
@pytest.mark.parametrize("defines", [UNIVERSAL, {"PY_VERSION_HEX": "0x030d00f0"}])
def test_aligned_by_what_is_known(text: str, defines: Defines, tmp_path: Path) -> None:
    """In a function, and in PyFrame, a call costs no more than itself, or one move of rsp."""
    source = tmp_path / "source.asm"
    source.write_text(
        f'%include "python.inc"\nPyRoutine a\n{text}\nPyReturn\nPyEndRoutine\n'
        f"PyFrame b\npush rbx\n{text}\npop rbx\nret\nPyEndFrame\n"
        f"PyFrame c\n{text}\nret\nPyEndFrame\nd: {text}\nret\n"
    )
    said = assemble(source, tmp_path / "source.o", defines)
    assert (said.returncode, said.stderr) == (0, "")
    code = said_by("objdump", "-d", "-M", "intel", "--no-show-raw-insn", tmp_path / "source.o")
    a, b, c, d = code.split(">:\n")[1:]
    assert ("sub    rsp,0x8" in a, "sub    rsp,0x8" in b, "sub    rsp,0x8" in c) == (
        False,
        False,
        True,
    )
    assert ["and    rsp" in each for each in (a, b, c, d)] == [False, False, False, True]

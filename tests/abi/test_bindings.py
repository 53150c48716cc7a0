"""What asmsetup writes for some signatures, in full: tests/abi/bindings has a file for each.

ASMSETUP_TEST_WRITE=1 writes them anew, to be looked at and committed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from asmsetup.bind.bindings import bindings
from asmsetup.bind.declarations import Declaration, find
from tools.matrix.interpreters import REPOSITORY

GOLDEN = Path(__file__).parent / "bindings"
WRITE = bool(os.environ.get("ASMSETUP_TEST_WRITE"))
PAGE = REPOSITORY / "docs" / "explanation" / "a-binding.md"

DECLARATIONS = {
    "nothing": Declaration("PyTypedFunction", "nothing()"),
    "add": Declaration("PyTypedFunction", "add(a: i64, b: i64, /) -> i64"),
    "clamp": Declaration(
        "PyTypedFunction", "clamp(value: i64, low: i64 = 0, high: i64 = 255) -> i64"
    ),
    "mean": Declaration("PyTypedFunction", "mean(a: float, b: float, /) -> float"),
    "checksum": Declaration("PyTypedFunction", "checksum(data: bytes, /) -> u32", nogil=True),
    "scale": Declaration(
        "PyTypedFunction", "scale(values: writable float[], factor: f32 = 2, *, count: u32 = None)"
    ),
    "first_word": Declaration(
        "PyTypedFunction", "first_word(text: str = 'some text', *, skip: bool = False) -> str"
    ),
    "divide": Declaration("PyTypedFunction", "divide(a: i64, b: i64) -> tuple[i64, i64]"),
    "length": Declaration("PyTypedFunction", "__len__(self) -> i64", in_type=True),
    "total": Declaration("PyTypedFunction", "total(first: i64, *rest) -> i64"),
    "pick": Declaration("PyTypedFunction", "pick(first: i64, *rest, last: i64 = 0) -> object"),
    "average": Declaration("PyTypedFunction", "average(values: list[float], /) -> float"),
    "trace": Declaration("PyTypedFunction", "trace(a: f64[:, :], /) -> float"),
    "less": Declaration("PyTypedFunction", "__lt__(self, other: i64) -> bool", in_type=True),
    "setitem": Declaration(
        "PyTypedFunction", "__setitem__(self, key: i64, value: float)", in_type=True
    ),
    "arguments": Declaration("PyArguments", "greet(name, /, other=None)"),
}


@pytest.mark.parametrize("name", DECLARATIONS)
def test_binding(name: str) -> None:
    golden = GOLDEN / f"{name}.inc"
    written = bindings([DECLARATIONS[name]])
    if WRITE:
        golden.write_text(written)
    assert golden.exists(), "write it with ASMSETUP_TEST_WRITE=1"
    assert written == golden.read_text()


def test_the_page_shows_what_is_written() -> None:
    """docs/explanation/a-binding.md goes through a binding piece by piece, and leaves nothing out."""
    (code,) = re.findall(
        r"%macro _py_code_1 1\.nolist\n(.*?)%endmacro",
        (GOLDEN / "clamp.inc").read_text(),
        re.DOTALL,
    )
    shown = re.findall(r"```nasm\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert "".join(shown).replace("\n\n", "\n") == code.replace("\n\n", "\n").lstrip("\n")


def test_code_is_written_once_for_the_same_types() -> None:
    signatures = ("add(a: i64, b: i64 = 1)", "sub(c: i64, d: i64 = 1)", "mul(a: i64, b: i64 = 2)")
    written = bindings([Declaration("PyTypedFunction", each) for each in signatures])
    assert "%define _py_code_2 _py_code_1" in written
    assert "%macro _py_code_3" in written  # the default is another one
    assert "%define _py_unwinding_3 _py_unwinding_1" in written


@pytest.mark.parametrize(
    ("use", "nogil"),
    [
        ("PyTypedFunction %1", [False]),
        ("PyTypedFunction %1, calls work ; without nogil", [False]),
        ("PyTypedFunction %1, nogil", [True]),
        # What the options are shows only when NASM runs.
        ("PyTypedFunction %1, %2\n%define OPTION nogil", [False, True]),
    ],
)
def test_a_macro_that_hands_a_signature_over(use: str, nogil: list[bool]) -> None:
    """Its function is written with and without the GIL only where the text leaves that open."""
    source = f'%macro FUNCTION 1-2\n{use}\n%endmacro\nFUNCTION "f(a: i64)"\n'
    assert [each.nogil for each in find([source])] == nogil

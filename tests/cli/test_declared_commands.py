"""asmsetup bindings and stubs: what is written of a source's typed functions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from asmsetup.assemble.includes import INCLUDE_DIR
from tests.cli.running import asmsetup

SOURCE = """%include "python.inc"
PyModule    kernels
PyConstant  "LIMIT", 10
PyTypedFunction "clamp(value: i64, low: i64 = 0, *, high: i64 = 255) -> i64", \\
                doc "value, or the bound it is beyond."
PyTypedFunction "split(text: str, at: u32 = None, /) -> tuple[i64, float]", nogil
; PyTypedFunction "hidden() -> i64"
PyTypedFunction "fill(data: writable u8[] = None)"
PyType      Point, 64
PyTypedFunction "__len__(self) -> i64"
PyTypedFunction "of(cls, x: float) -> object", {doc "One", 10, "two."}
PyTypedFunction "mean(values: list[f32], *rest) -> float", static
PyTypedFunction "pick(self, *rest, at: i64 = 0) -> object"
PyTypedFunction "__eq__(self, other: i64) -> bool"
PyTypedFunction "__add__(self, other: i64) -> i64"
PyEndType
PyEndModule
"""
STUB = """from typing import Any
from collections.abc import Sequence
from typing_extensions import Buffer

LIMIT: int
def clamp(value: int, low: int = 0, *, high: int = 255) -> int:
    \"\"\"value, or the bound it is beyond.\"\"\"
    ...
def split(text: str, at: int | None = None, /) -> tuple[int, float]: ...
def fill(data: Buffer | None = None) -> None: ...

class Point:
    def __len__(self) -> int: ...
    @classmethod
    def of(cls, x: float) -> Any:
        \"\"\"One
two.\"\"\"
        ...
    @staticmethod
    def mean(values: Sequence[float], /, *rest: Any) -> float: ...
    def pick(self, *rest: Any, at: int = 0) -> Any: ...
    def __eq__(self, other: object) -> bool: ...
    def __add__(self, other: int) -> int: ...
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "kernels.asm"
    path.write_text(SOURCE)
    return path


def test_stub(source: Path) -> None:
    done = asmsetup("stubs", str(source))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == STUB


def test_the_stub_is_accepted_by_mypy(source: Path) -> None:
    pytest.importorskip("mypy")
    stub = source.with_suffix(".pyi")
    asmsetup("stubs", str(source), "-o", str(stub))
    use = source.with_name("use.py")
    use.write_text(
        "import kernels\n\nnumber: int = kernels.clamp(1, high=2) + len(kernels.Point())\n"
        "place, share = kernels.split('a')\nkernels.fill(bytearray())\n"
        "mean: float = kernels.Point.mean([1, 2.5], None)\nsame: bool = kernels.Point() == 'a'\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", stub.name, use.name]
    done = subprocess.run(command, cwd=source.parent, capture_output=True, text=True, check=False)
    assert "Success" in done.stdout, done.stdout + done.stderr


def test_a_wrong_signature(source: Path) -> None:
    source.write_text(SOURCE.replace("x: float", "x: flaot"))
    done = asmsetup("stubs", str(source))
    assert done.returncode == 3
    assert done.stderr.startswith(f"error: {source}: PyTypedFunction of: unknown type `flaot'")


def test_bindings_for_nasm_alone(source: Path) -> None:
    source.write_text(
        '%include "python.inc"\nPyModule m\nPyTypedFunction "f(a: i64) -> i64"\nPyEndModule\n'
        "section .text\nf: mov rax, rdi\nret\n"
    )
    nasm = ["nasm", "-felf64", f"-I{INCLUDE_DIR}/", "-o", "m.o", source.name]
    without = subprocess.run(nasm, cwd=source.parent, capture_output=True, text=True, check=False)
    assert "with nasm alone: asmsetup bindings SOURCE -o FILE, then nasm -P FILE" in without.stderr
    asmsetup("bindings", str(source), "-o", str(source.with_name("b.inc")))
    subprocess.run([*nasm, "-P", "b.inc"], cwd=source.parent, check=True)


def test_a_source_that_is_not_there() -> None:
    done = asmsetup("bindings", "missing.asm")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: missing.asm: ")

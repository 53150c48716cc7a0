#!/usr/bin/env python3
"""Measure what ``pytest --asm-abi`` adds to a call, in this interpreter.

    python bench/canary_calls.py

The functions of bench/call_overhead are called as they are and through the trampolines, in short
rounds that take turns. Printed are nanoseconds a call in the best round, and how many API calls
the function makes.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import timeit
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asmsetup.canaries.modules import Wrapper
from tests.abi.assembling import UNIVERSAL, build

SOURCE = Path(__file__).with_name("call_overhead") / "overhead.asm"
CALLS = {"noargs": ("f()", 0), "one": ("f(5)", 2), "fastcall": ("f(5, 6)", 3)}
ROUNDS, NUMBER = 200, 5_000


def main() -> int:
    """Print a line a function."""
    with tempfile.TemporaryDirectory() as folder:
        plain = load(build(SOURCE, Path(folder) / "plain.so", UNIVERSAL))
        path = build(SOURCE, Path(folder) / "wrapped.so", UNIVERSAL)
        wrapper = Wrapper(lambda name, path: False)
        wrapper.wrap("overhead_asm", str(path))
        wrapped = load(path)
        print(f"{'ns a call':<12}{'plain':>8}{'canaries':>10}{'added':>8}  API calls")
        for function, (call, api_calls) in CALLS.items():
            before, after = best(call, (getattr(plain, function), getattr(wrapped, function)))
            print(f"{function:<12}{before:>8.0f}{after:>10.0f}{after - before:>8.0f}  {api_calls}")
    return 0


def load(path: Path) -> ModuleType:
    """Import the module in a file."""
    spec = importlib.util.spec_from_file_location("overhead_asm", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def best(call: str, functions: tuple[object, ...]) -> list[float]:
    """Return the nanoseconds of the best round of each function."""
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(ROUNDS):
        for function, own in zip(functions, times, strict=True):
            own.append(timeit.timeit(call, globals={"f": function}, number=NUMBER) / NUMBER * 1e9)
    return [min(own) for own in times]


if __name__ == "__main__":
    sys.exit(main())

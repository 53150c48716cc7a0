#!/usr/bin/env python3
"""Measure what a call costs: functions written with python.inc beside the same in C (gcc -O2).

    python bench/call_overhead.py [INTERPRETER ...]

Each function is measured in the same process by short rounds that take turns, so that a busy
machine is busy for all; printed are nanoseconds a call, the loop included: the best round of C, of
the module assembled for this version, and of the universal one. Interpreters without headers are
left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.abi.assembling import UNIVERSAL, build, target_of
from tests.interpreters import Interpreter, all_interpreters

SOURCES = Path(__file__).with_suffix("")
CALLS = {"noargs": "f()", "one": "f(5)", "fastcall": "f(5, 6)"}

# Runs in the interpreter that is measured.
MEASURE = """
import importlib.util, json, sys, timeit
calls = json.loads(sys.argv[1])
modules = {}
for kind, (name, path) in json.loads(sys.argv[2]).items():
    spec = importlib.util.spec_from_file_location(name, path)
    modules[kind] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(modules[kind])
number = 5_000
best = {}
for _ in range(400):
    for function, call in calls.items():
        for kind, module in modules.items():
            took = timeit.timeit(call, globals={"f": getattr(module, function)}, number=number)
            key = f"{function} {kind}"
            best[key] = min(best.get(key, 1e9), took / number * 1e9)
print(json.dumps(best))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="INTERPRETER", help="such as 3.12 or 3.13t")
    names = parser.parse_args().names
    print(f"{'ns a call':<12}{'function':<12}{'C -O2':>8}{'for one':>10}{'universal':>11}")
    for interpreter in all_interpreters():
        if names and interpreter.name not in names:
            continue
        if not interpreter.has_headers or "musl" in interpreter.libc:
            continue
        with tempfile.TemporaryDirectory() as folder:
            best = measure(interpreter, Path(folder))
        for function in CALLS:
            c, one, universal = (
                best[f"{function} {kind}"] for kind in ("c", "for one", "universal")
            )
            print(f"{interpreter.name:<12}{function:<12}{c:>8.1f}{one:>10.1f}{universal:>11.1f}")
    return 0


def measure(interpreter: Interpreter, folder: Path) -> dict[str, float]:
    """Build the three modules and measure them in one process."""
    files = {
        "c": ("overhead_c", compile_c(interpreter, folder / "c.so")),
        "for one": (
            "overhead_asm",
            build(SOURCES / "overhead.asm", folder / "one.so", target_of(interpreter)),
        ),
        "universal": (
            "overhead_asm",
            build(SOURCES / "overhead.asm", folder / "universal.so", UNIVERSAL),
        ),
    }
    said = subprocess.run(
        [
            *interpreter.command,
            "-c",
            MEASURE,
            json.dumps(CALLS),
            json.dumps({kind: (name, str(path)) for kind, (name, path) in files.items()}),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    best: dict[str, float] = json.loads(said.stdout)
    return best


def compile_c(interpreter: Interpreter, module: Path) -> Path:
    subprocess.run(
        [
            *("gcc", "-O2", "-fPIC", "-shared", f"-I{interpreter.include_dir}"),
            *("-o", str(module), str(SOURCES / "overhead.c")),
        ],
        check=True,
    )
    return module


if __name__ == "__main__":
    sys.exit(main())

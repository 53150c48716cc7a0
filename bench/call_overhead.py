#!/usr/bin/env python3
"""Measure what a call costs: functions written with python.inc beside the same in C (gcc -O2).

    python bench/call_overhead.py [INTERPRETER ...]

Each function is measured in the same process by short rounds that take turns, so that a busy
machine is busy for all. Printed are nanoseconds a call in the best round, the loop included, of C,
of the module assembled for this version and of the universal one, and their ratio to C: the median
of the rounds' ratios. Interpreters without headers are left out.
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
from tools.matrix.interpreters import Interpreter, all_interpreters

SOURCES = Path(__file__).with_suffix("")
CALLS = {"noargs": "f()", "one": "f(5)", "fastcall": "f(5, 6)"}

# Runs in the interpreter that is measured.
MEASURE = """
import importlib.util, json, statistics, sys, timeit
calls = json.loads(sys.argv[1])
modules = {}
for kind, (name, path) in json.loads(sys.argv[2]).items():
    spec = importlib.util.spec_from_file_location(name, path)
    modules[kind] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(modules[kind])
number = 5_000
rounds = {f"{function} {kind}": [] for function in calls for kind in modules}
for _ in range(400):
    for function, call in calls.items():
        for kind, module in modules.items():
            took = timeit.timeit(call, globals={"f": getattr(module, function)}, number=number)
            rounds[f"{function} {kind}"].append(took / number * 1e9)
print(json.dumps({key: [min(times), statistics.median(
    each / of_c for each, of_c in zip(times, rounds[key.split()[0] + " c"])
)] for key, times in rounds.items()}))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="INTERPRETER", help="such as 3.12 or 3.13t")
    names = parser.parse_args().names
    print(f"{'ns a call':<12}{'function':<12}{'C -O2':>8}{'for one':>15}{'universal':>15}")
    for interpreter in all_interpreters():
        if names and interpreter.name not in names:
            continue
        if not interpreter.has_headers or "musl" in interpreter.libc:
            continue
        with tempfile.TemporaryDirectory() as folder:
            measured = measure(interpreter, Path(folder))
        for function in CALLS:
            cells = [f"{measured[f'{function} c'][0]:>8.1f}"]
            for kind in ("for one", "universal"):
                best, ratio = measured[f"{function} {kind}"]
                cells.append(f"{best:>9.1f}{ratio:>6.2f}")
            print(f"{interpreter.name:<12}{function:<12}{''.join(cells)}")
    return 0


def measure(interpreter: Interpreter, folder: Path) -> dict[str, tuple[float, float]]:
    """Build the three modules and measure them in one process: best time, and ratio to C's."""
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
    measured: dict[str, tuple[float, float]] = json.loads(said.stdout)
    return measured


def compile_c(interpreter: Interpreter, module: Path) -> Path:
    subprocess.run(
        [
            *("gcc", "-O2", "-DNDEBUG", "-fPIC", "-shared", f"-I{interpreter.include_dir}"),
            *("-o", str(module), str(SOURCES / "overhead.c")),
        ],
        check=True,
    )
    return module


if __name__ == "__main__":
    sys.exit(main())

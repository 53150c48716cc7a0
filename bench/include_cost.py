"""Measure what `%include "python.inc"' adds to assembling a source, beside what it replaces: EXTERNs.

    python -m bench.include_cost [--runs N] [--nasm NASM]

Runs of the sources alternate; printed are the medians and the least of nasm's processor time,
which other work on the machine disturbs less than the clock. In a build nasm reads of the tables
what a source mentions: there the limit is 3 ms (nasm 2.16.01) for every kind of target; the last
line says whether the medians keep it, and so does the exit code. A source that uses macros has
nasm read their files as well: what nearly every module needs is shown too, without a limit.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from asmsetup.assemble.nasm import AssemblerOptions
from asmsetup.assemble.tables import as_string, selection

ROOT = Path(__file__).parent.parent
INCLUDE = ROOT / "asmsetup" / "include"
LIMIT = 3.0
"""Milliseconds that the include may add in a build."""

CODE = """
default rel
section .text
function:
    call        [rel PyLong_FromLong wrt ..got]
    ret
"""
BARE = "extern PyLong_FromLong\n" + CODE
# What a hand-written include does: one EXTERN a line.
EXTERNS = "".join(f"extern PyFunction_Number{n}\n" for n in range(1000)) + BARE
WITH_TABLES = '%include "python/abi.inc"\n' + CODE
WITH_ALL = '%include "python.inc"\n' + CODE
# Reads the files that nearly every module needs.
MODULE = '%include "python.inc"\n' + CODE + "PyModule m\nPyEndModule\n"

UNIVERSAL = ("PY_UNIVERSAL=1",)
LIMITED = ("Py_LIMITED_API=0x030B0000",)
OLDEST = ("PY_VERSION_HEX=0x030A0000",)
ONE_VERSION = ("PY_VERSION_HEX=0x030D0000",)
NEWEST = ("PY_VERSION_HEX=0x030F0000",)
THREADED = ("PY_VERSION_HEX=0x030F0000", "Py_GIL_DISABLED=1")


class Case(NamedTuple):
    """A source to assemble."""

    text: str
    macros: tuple[str, ...] = ()
    in_build: bool = False
    """nasm reads of the tables what the source mentions; what that adds must keep the limit."""


CASES = {
    "a bare source": Case(BARE),
    "1000 EXTERNs": Case(EXTERNS),
    "python/abi.inc, universal": Case(WITH_TABLES, UNIVERSAL),
    "python/abi.inc, 3.13": Case(WITH_TABLES, ONE_VERSION),
    "python.inc, universal": Case(WITH_ALL, UNIVERSAL),
    "python.inc, limited 3.11": Case(WITH_ALL, LIMITED),
    "python.inc, 3.10": Case(WITH_ALL, OLDEST),
    "python.inc, 3.13": Case(WITH_ALL, ONE_VERSION),
    "python.inc, 3.15": Case(WITH_ALL, NEWEST),
    "python.inc, 3.15t": Case(WITH_ALL, THREADED),
    "in a build, universal": Case(WITH_ALL, UNIVERSAL, True),
    "in a build, limited 3.11": Case(WITH_ALL, LIMITED, True),
    "in a build, 3.10": Case(WITH_ALL, OLDEST, True),
    "in a build, 3.13": Case(WITH_ALL, ONE_VERSION, True),
    "in a build, 3.15": Case(WITH_ALL, NEWEST, True),
    "in a build, 3.15t": Case(WITH_ALL, THREADED, True),
    "an empty module, universal": Case(MODULE, UNIVERSAL),
    "an empty module, 3.13": Case(MODULE, ONE_VERSION),
}


def processor_time(command: list[str], folder: Path) -> float:
    """Milliseconds of user and system time that the command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return seconds * 1000


def _parted(macro: str) -> tuple[str, str, str]:
    return macro.partition("=")


def measure(nasm: str, runs: int, folder: Path) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in CASES}
    commands = {}
    for number, (name, case) in enumerate(CASES.items()):
        path = folder / f"case{number}.asm"
        path.write_text(case.text)
        options = [f"-I{INCLUDE}", *(f"-D{macro}" for macro in case.macros)]
        if case.in_build:
            define = tuple((macro, value) for macro, _, value in map(_parted, case.macros))
            names = folder / f"case{number}.names.inc"
            names.write_text(selection([str(path)], AssemblerOptions(define=define)))
            options.append(f"-D_py_mentioned={as_string(str(names))}")
        commands[name] = [nasm, "-f", "elf64", *options, "-o", f"{path}.o", str(path)]
    for _ in range(runs):
        for name, command in commands.items():
            times[name].append(processor_time(command, folder))
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--nasm", default=os.environ.get("NASM", "nasm"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        times = measure(arguments.nasm, arguments.runs, Path(folder))
    bare = times["a bare source"]
    print(f"{'':32}{'median':>10}{'added':>10}{'least':>10}{'added':>10}   (ms)")
    added = {}
    for name, taken in times.items():
        median, least = statistics.median(taken), min(taken)
        added[name] = median - statistics.median(bare)
        figures = (median, added[name], least, least - min(bare))
        print(f"{name:32}" + "".join(f"{figure:10.2f}" for figure in figures))
    most = max((name for name in CASES if CASES[name].in_build), key=lambda name: added[name])
    kept = added[most] <= LIMIT
    print(
        f"the limit of {LIMIT:.0f} ms is {'kept' if kept else 'not kept'}:"
        f" {most} adds most, {added[most]:.2f} ms"
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

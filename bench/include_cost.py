"""What `%include "python.inc"' adds to assembling a source, beside what it replaces: EXTERNs.

    python bench/include_cost.py [--runs N] [--nasm NASM]

Runs of the sources alternate; printed are the medians of nasm's processor time, which other
work on the machine disturbs less than the clock. The limit is 10 ms (nasm 2.16.01).
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
INCLUDE = ROOT / "asmsetup" / "include"

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

UNIVERSAL = ("PY_UNIVERSAL=1",)
ONE_VERSION = ("PY_VERSION_HEX=0x030D0000",)
CASES = {
    "a bare source": (BARE, ()),
    "1000 EXTERNs": (EXTERNS, ()),
    "python/abi.inc, universal": (WITH_TABLES, UNIVERSAL),
    "python/abi.inc, 3.13": (WITH_TABLES, ONE_VERSION),
    "python.inc, universal": (WITH_ALL, UNIVERSAL),
    "python.inc, 3.13": (WITH_ALL, ONE_VERSION),
}


def processor_time(command: list[str], folder: Path) -> float:
    """Seconds of user and system time that the command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure(nasm: str, runs: int, folder: Path) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in CASES}
    commands = {}
    for number, (name, (source, macros)) in enumerate(CASES.items()):
        path = folder / f"case{number}.asm"
        path.write_text(source)
        options = [f"-I{INCLUDE}", *(f"-D{macro}" for macro in macros)]
        commands[name] = [nasm, "-f", "elf64", *options, "-o", f"{path}.o", str(path)]
    for _ in range(runs):
        for name, command in commands.items():
            times[name].append(processor_time(command, folder))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--nasm", default=os.environ.get("NASM", "nasm"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        times = measure(arguments.nasm, arguments.runs, Path(folder))
    bare = times["a bare source"]
    print(f"{'':28}{'median':>10}{'added':>10}{'least':>10}{'added':>10}   (ms)")
    for name, seconds in times.items():
        median, least = statistics.median(seconds), min(seconds)
        figures = (median, median - statistics.median(bare), least, least - min(bare))
        print(f"{name:28}" + "".join(f"{figure * 1000:10.2f}" for figure in figures))


if __name__ == "__main__":
    main()

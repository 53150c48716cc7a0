#!/usr/bin/env python3
"""Measure what `%include "python.inc"` adds to assembling a file: milliseconds of processor time.

    python bench/include_cost.py [--nasm NASM]

The file with the include and an empty one take turns; printed is the difference of the best of each.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

INCLUDE = Path(__file__).resolve().parents[1] / "asmsetup" / "include"
TARGETS = {
    "universal": ["-DPY_UNIVERSAL=1"],
    "3.10": ["-DPY_VERSION_HEX=0x030a0df0"],
    "3.15": ["-DPY_VERSION_HEX=0x030f02f0"],
    "limited 3.10": ["-DPy_LIMITED_API=0x030a0000"],
}
ROUNDS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nasm", default="nasm")
    nasm = parser.parse_args().nasm
    with tempfile.TemporaryDirectory() as folder:
        empty, including = Path(folder, "empty.asm"), Path(folder, "including.asm")
        empty.write_text("")
        including.write_text('%include "python.inc"\n')
        for name, defines in TARGETS.items():
            best = {empty: 1e9, including: 1e9}
            for _ in range(ROUNDS):
                for source in best:
                    best[source] = min(best[source], seconds(nasm, source, defines))
            print(f"{name:<14}{(best[including] - best[empty]) * 1e3:6.2f} ms")


def seconds(nasm: str, source: Path, defines: list[str]) -> float:
    """Processor time of one assembly, which a busy machine stretches less than the clock's."""
    command = [nasm, "-felf64", f"-I{INCLUDE}/", *defines, "-o", f"{source}.o", str(source)]
    process = os.posix_spawnp(nasm, command, os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{nasm} failed")
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()

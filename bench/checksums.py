#!/usr/bin/env python3
"""Measure examples/crc32c beside the well-known packages, in one run, and compare the results.

    pip install crc32c google-crc32c ./examples/crc32c    # ours as asm_crc32c: see --ours
    python bench/checksums.py --ours FOLDER [--peers FOLDER]

Each size is measured in rounds that take turns, so that a busy machine is busy for all; printed is
the best round of each, in GB/s.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZES = (16, 64, 256, 1024, 4096, 65_536, 1 << 20, 1 << 26)
ROUNDS = 15

Checksum = Callable[[bytes], int]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ours", type=Path, required=True, help="the folder of our module")
    parser.add_argument("--peers", type=Path, help="the folder with crc32c and google_crc32c")
    arguments = parser.parse_args()
    if arguments.peers:
        sys.path.insert(0, str(arguments.peers))
    functions = {"ours": load(arguments.ours).crc32c, **peers()}
    print(f"{'bytes':>10}" + "".join(f"{name:>16}" for name in functions))
    for size in SIZES:
        data = os.urandom(size)
        results = {name: function(data) for name, function in functions.items()}
        if len(set(results.values())) != 1:
            print(f"the results differ at {size} bytes: {results}", file=sys.stderr)
            return 1
        speeds = measure(functions, data)
        print(f"{size:>10}" + "".join(f"{speeds[name]:>16.2f}" for name in functions))
    return 0


def load(folder: Path) -> Any:
    """Import our module from its file: a peer has the same name."""
    (path,) = folder.glob("crc32c*.so")
    spec = importlib.util.spec_from_file_location("crc32c", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def peers() -> dict[str, Checksum]:
    crc32c = importlib.import_module("crc32c")
    google = importlib.import_module("google_crc32c")
    return {
        f"crc32c {'hw' if crc32c.hardware_based else 'sw'}": crc32c.crc32c,
        f"google {google.implementation}": google.value,
    }


def measure(functions: dict[str, Checksum], data: bytes) -> dict[str, float]:
    calls = max(1, min(20_000, (1 << 26) // (len(data) + 1000)))
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(ROUNDS):
        for name, function in functions.items():
            began = time.perf_counter()
            for _ in range(calls):
                function(data)
            best[name] = min(best[name], time.perf_counter() - began)
    return {name: calls * len(data) / seconds / 1e9 for name, seconds in best.items()}


if __name__ == "__main__":
    sys.exit(main())

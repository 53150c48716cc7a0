"""Run a command and measure it: its time, CPU and peak memory, or its instructions."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """One run."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds, user and system, of the process and every child that was waited for."""
    memory: int
    """Bytes: the largest resident set of any single process among them."""


def instructions(command: Sequence[str]) -> int:
    """Return how many instructions a command takes; raise CalledProcessError when it fails."""
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [*valgrind, *command], env=environment, capture_output=True, text=True, check=True
    )
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    assert found, done.stderr
    return int(found[1])


def measure(command: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path) -> Sample:
    """Run a command, its output in the file ``log``; raise RuntimeError when it fails."""
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        try:
            os.chdir(cwd)
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.execvpe(command[0], list(command), dict(env))  # noqa: S606
        finally:
            os._exit(127)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - start
    if status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        raise RuntimeError(f"{' '.join(command)}\nexit code {status >> 8}\n{tail}")
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)

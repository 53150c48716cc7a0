"""Run a command and measure it: wall clock, CPU and peak memory, of it and all its children."""

from __future__ import annotations

import os
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

"""Run asmsetup's command line as its users do, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.projects import REPOSITORY, environment


def asmsetup(
    *args: str | Path, cwd: Path | None = None, stdin: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """Run ``asmsetup`` with these arguments, from this tree."""
    return subprocess.run(
        [sys.executable, "-m", "asmsetup", *map(str, args)],
        cwd=cwd,
        input=stdin,
        env=environment(PYTHONPATH=str(REPOSITORY), **{"COLUMNS": "100", **env}),
        capture_output=True,
        text=True,
        timeout=300,
    )

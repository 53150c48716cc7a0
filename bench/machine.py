"""Describe the machine of a measurement: the processor, the system, the versions; no path and no name."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path


def described() -> dict[str, str | int]:
    """Return the machine as the report shows it."""
    return {
        "commit": _said(
            "git", "-C", os.fspath(Path(__file__).parent), "rev-parse", "--short", "HEAD"
        ),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "processor": _line("/proc/cpuinfo", r"model name\s*: (.*)"),
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": _line("/etc/os-release", r'PRETTY_NAME="(.*)"'),
        "python": platform.python_version(),
        "nasm": _said("nasm", "-v"),
        "cc": _said("cc", "--version"),
        "ld": _said("ld", "--version"),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def _line(path: str, pattern: str) -> str:
    match = re.search(pattern, Path(path).read_text(errors="replace"))
    return match[1].strip() if match else "unknown"


def _said(*command: str) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return (done.stdout.splitlines() or ["unknown"])[0].strip()

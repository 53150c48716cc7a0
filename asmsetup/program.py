"""Find and run the programs of a build: by a list, never a shell, and with nothing to read."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .errors import ToolError


class Done(NamedTuple):
    """A program that has run."""

    status: int
    """Its exit code, or less the signal that killed it."""
    said: str
    """What it wrote, to standard output and standard error alike."""


def ways_to_get(package: str, variable: str, setting: str) -> tuple[str, ...]:
    """Return how to install a package, or to name another program than the one on PATH."""
    return (
        f"Debian, Ubuntu:   apt-get install {package}",
        f"Fedora, RHEL:     dnf install {package}",
        f"Alpine:           apk add {package}",
        f"Arch:             pacman -S {package}",
        f"elsewhere, or another one: set {variable}=/path/to/{setting}, or {setting} in [tool.asmsetup]",
    )


def find(tool: str, wanted: str, ways_out: Sequence[str]) -> str:
    """Return the path of the program ``wanted`` (a path or a name on PATH).

    Raises ToolError, which calls it ``tool``, when there is none.
    """
    path = shutil.which(wanted)
    if path is None:
        raise ToolError.not_found(tool, wanted, *ways_out)
    return path


def run(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    ways_out: Sequence[str] = (),
) -> Done:
    """Run a command to its end. Raises ToolError when it cannot be started."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            # Python's own files are never inherited (PEP 446), and a make's job server may be.
            # Without a search for others to close, subprocess can use posix_spawn(3).
            close_fds=False,
            check=False,
        )
    except OSError as error:
        raise ToolError(f"cannot run {command[0]}: {error.strerror}", *ways_out) from error
    said = done.stdout.decode(sys.getfilesystemencoding(), errors="replace")
    # A name at the beginning may begin with a space.
    return Done(done.returncode, said.rstrip().lstrip("\r\n"))

"""Builds that need not import setuptools and asmsetup: each is forked from a Python that has done so.

These imports are two thirds of a small build. There is one such Python for each environment that
Python reads when it starts, and for each folder of `IMPORTED_FROM`; a build that brings a setuptools
of its own is started anew, and so are all builds in `make test-matrix`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

_SERVER = Path(__file__).with_name("server.py")
STARTS_ALL = "ASMSETUP_TEST_ALL" in os.environ
"""Builds are started anew, each of them."""
IMPORTED_FROM: list[Path] = []
"""The folders that asmsetup is imported from before the fork; from others each build imports it."""
_READ_AT_THE_START = re.compile(r"PYTHON(?!PATH$)|SETUPTOOLS_|DISTUTILS_|LD_|LC_|LANG$|TZ$")
_RUNNING: list[subprocess.Popen[bytes]] = []
# setuptools looks for Cython when it is imported.
_IMPORTED = (
    *("setuptools", "distutils", "packaging", "wheel", "auditwheel", "Cython", "sitecustomize.py"),
)


class Ended(NamedTuple):
    """How a process has ended: its exit code, negative for a signal, and what it printed."""

    status: int
    output: str


def can_run(arguments: Sequence[str], env: Mapping[str, str]) -> bool:
    """Return whether ``python ARGUMENT...`` can be forked: a script or -c, with the venv's setuptools."""
    if not (arguments[0] == "-c" or arguments[0].endswith(".py")):
        return False
    folders = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    return not any(Path(folder, name).exists() for folder in folders for name in _IMPORTED)


def run(
    python: Path, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float
) -> Ended:
    """Run ``python ARGUMENT...`` with empty input.

    Raises TimeoutError after ``timeout`` seconds, when it was killed.
    """
    server = _server(python, frozenset(_read_at_the_start(env)), _imported_from(env))
    request = {"arguments": list(arguments), "folder": str(cwd), "environment": dict(env)}
    with tempfile.TemporaryFile() as output:
        server.settimeout(None)
        socket.send_fds(server, [json.dumps(request).encode()], [output.fileno()])
        child = int(server.recv(100))
        server.settimeout(timeout)
        try:
            status = int(server.recv(100))
        except TimeoutError:
            os.killpg(child, signal.SIGKILL)
            server.settimeout(None)
            server.recv(100)
            raise
        output.seek(0)
        # As text=True reads it.
        text = output.read().decode(errors="surrogateescape").replace("\r\n", "\n")
    return Ended(status, text.replace("\r", "\n"))


def _read_at_the_start(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in env.items() if _READ_AT_THE_START.match(name))


def _imported_from(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return the folders that the Python for a build imports asmsetup and its decoder from."""
    if "COVERAGE_PROCESS_CONFIG" in env:
        return ()  # it counts what runs after the fork
    folders = [Path(folder) for folder in env.get("PYTHONPATH", "").split(os.pathsep)]
    asmsetup, decoder = (
        next((folder for folder in folders if any(folder.glob(f"{name}*"))), None)
        for name in ("asmsetup", "iced_x86")
    )
    if asmsetup not in IMPORTED_FROM:
        return ()
    return tuple(str(folder) for folder in (asmsetup, decoder) if folder in IMPORTED_FROM)


@cache
def _server(
    python: Path, env: frozenset[tuple[str, str]], folders: tuple[str, ...]
) -> socket.socket:
    """Return the connection to the Python that forks; it ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [python, _SERVER, str(theirs.fileno()), *folders],
        env=dict(env),
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    _RUNNING.append(process)
    return ours

"""Keeps folders that were not asked for out of a mixed module's run path, while its driver links it.

pyenv's and conda's Pythons name their own folder in LDSHARED, and ld adds those of LD_RUN_PATH.
"""

from __future__ import annotations

import os
import shlex
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..link import flags

_LOCK = threading.Lock()
_COMMANDS = ("linker_so", "linker_so_cxx")


@contextmanager
def run_paths_as_asked(compiler: Any) -> Iterator[None]:
    """Make the driver of ``compiler`` add only the run paths of LDFLAGS and the extension."""
    unasked = _run_paths(sysconfig.get_config_vars("LDSHARED", "LDCXXSHARED")) - _run_paths(
        [os.environ.get("LDSHARED"), os.environ.get("LDFLAGS")]
    )
    commands = {name: getattr(compiler, name) for name in _COMMANDS if hasattr(compiler, name)}
    # The commands and the environment are everybody's: one such link at a time.
    with _LOCK:
        run_path = os.environ.pop("LD_RUN_PATH", None)
        try:
            for name, command in commands.items():
                setattr(compiler, name, flags.without_run_paths(command or (), unasked))
            yield
        finally:
            for name, command in commands.items():
                setattr(compiler, name, command)
            if run_path is not None:
                os.environ["LD_RUN_PATH"] = run_path


def _run_paths(commands: list[str | None]) -> set[str]:
    return flags.run_paths([word for command in commands for word in shlex.split(command or "")])

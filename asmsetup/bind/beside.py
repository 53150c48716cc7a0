"""Writes the stub of a module beside it, where no other hand has put one."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..files import atomic_write, same_text, write_text
from .declarations import read
from .stubs import stub

_HEAD = "# Made by asmsetup from the signatures in {}: changes are lost.\n"
_OURS = _HEAD.partition("{")[0]


def write_stub(module: str, sources: Sequence[str], files: Sequence[str], own: str) -> None:
    """Write the stub of what ``files``, sources with their includes, declare.

    ``module`` is the path of the module, and ``own`` the folder of asmsetup's own includes.
    A stub written by hand stays. Raises OSError.
    """
    folder, name = os.path.split(module)
    path = os.path.join(folder, f"{name.partition('.')[0]}.pyi")
    declared = stub(read(files, own))
    if not declared.strip() or not _may_be_written(path):
        return
    text = _HEAD.format(", ".join(sources)) + declared
    if not same_text(path, text):
        with atomic_write(path) as partial:
            write_text(partial, text)


def _may_be_written(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().startswith(_OURS)
    except FileNotFoundError:
        return True

"""Writes compile_commands.json, from which editors and tools learn how each source is compiled."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence

from ..files import atomic_write, read_lines, write_text
from ..named import NamedTuple


class Compilation(NamedTuple):
    """One source with the command that makes its object."""

    source: str
    object: str
    command: Sequence[str]


def write(path: str, compilations: Iterable[Compilation]) -> None:
    """Write a compilation database, in the form of Clang's specification, unless it is that already.

    Paths are relative to the folder the build runs in, which each entry names. Raises FileError
    when it cannot be written.
    """
    entries = [
        {
            "directory": os.getcwd(),
            "file": each.source,
            "output": each.object,
            "arguments": list(each.command),
        }
        for each in sorted(compilations)
    ]
    text = json.dumps(entries, indent=1)
    if read_lines(path) != text.splitlines():
        with atomic_write(path) as partial:
            write_text(partial, text + "\n")

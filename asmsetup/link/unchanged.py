"""Modules that need no link: one digest of everything that decides what is linked and found.

Only for modules whose inputs are all known: nothing but objects of NASM's, and arguments that
name no file. Others are linked each time, which costs little.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from functools import cache

from ..assemble.includes import Reader
from ..assemble.state import BuildState, Status, status_of
from ..files import hash_of
from .libraries import c_library_files
from .linker import ModuleFile

_NAME_NO_FILE = frozenset(
    ("-z", "now", "lazy", "relro", "norelro", "noexecstack", "separate-code", "noseparate-code")
) | {"--as-needed", "--no-as-needed", "-O0", "-O1", "-O2", "-s", "-S", "-x", "--gc-sections"}
_PREFIXES = ("--hash-style=", "--build-id", "--sort-common")

_VARIABLES = ("LD_LIBRARY_PATH", "LIBRARY_PATH", "LDEMULATION")
"""The environment variables that linkers read."""


class LinkedModules:
    """The modules of one build that would come out as they are."""

    def __init__(
        self, ld: str, state: BuildState, reader: Reader, context: Sequence[object]
    ) -> None:
        """``context`` is what linking and judging depend on besides the module's own inputs."""
        self._ld = ld
        self._state = state
        self._reader = reader
        self._context = context
        self._inputs: dict[str, str | None] = {}
        self._reported: set[str] = set()

    def is_unchanged(self, module: ModuleFile) -> bool:
        """Return whether a module was linked from the same inputs before, without a finding."""
        if module.path not in self._inputs:
            self._inputs[module.path] = _digest(module, self._ld, self._state, self._context)
        inputs, known = self._inputs[module.path], self._state.module(module.path)
        return inputs is not None and known == [inputs, self._reader.digest(module.path)]

    def report(self, module: ModuleFile) -> None:
        """Note that something was found in a module: it is judged each time."""
        self._reported.add(module.path)

    def keep(self, module: ModuleFile) -> None:
        """Keep that a module was linked without a word of the linker's."""
        self._reader.forget(module.path)
        inputs = self._inputs.get(module.path)
        if inputs and module.path not in self._reported:
            self._state.set_module(module.path, [inputs, self._reader.digest(module.path)])


def _digest(
    module: ModuleFile, ld: str, state: BuildState, context: Sequence[object]
) -> str | None:
    """Return a digest of everything that decides a module and its findings; None if not all is known."""
    options = module.options
    if module.compiled or module.extra_objects or options.libraries:
        return None
    if not all(word in _NAME_NO_FILE or word.startswith(_PREFIXES) for word in options.args):
        return None
    records = [state.record(each.path) for each in module.assembled]
    if not all(records):
        return None
    libraries = c_library_files()
    found_first = (
        os.path.join(folder, os.path.basename(path))
        for folder in options.library_dirs
        for path in libraries
    )
    parts = [
        "module 1",
        module,
        [record.content for record in records if record is not None],
        [hash_of(each.path) for each in module.gas],
        context,
        [os.environ.get(name) for name in _VARIABLES],
        [status_of(path) for path in (ld, *libraries, *found_first)],
        _code(),
    ]
    text = json.dumps(parts, default=str, sort_keys=True)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


@cache
def _code() -> list[tuple[str, Status]]:
    """Return the files of asmsetup that link and judge, with their statuses: other versions may find something else."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    folders = [os.path.join(package, name) for name in ("link", "check", "facts", "data")]
    found: list[tuple[str, Status]] = []
    for folder in folders:
        for entry in os.scandir(folder):
            if entry.is_dir() and entry.name != "__pycache__":
                folders.append(entry.path)
            elif entry.name.endswith((".py", ".txt")):
                found.append((entry.path, Status.of(entry.stat())))
    return sorted(found)

"""Who provides a name that the objects leave undefined: CPython, a library, the C library."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property

from ..errors import ObjectError
from ..facts import elf
from ..link.libraries import SYSTEM_FOLDERS
from .context import ModuleContext


class Providers:
    """Answers for one module. A library is opened when a name is asked for that needs it."""

    def __init__(self, module: ModuleContext) -> None:
        self._module = module
        self._exports: dict[str, elf.Exports] = {}

    def has(self, name: str) -> bool | None:
        """Return whether the C library or a library named by the project defines ``name``.

        None when that cannot be known: an archive or a linker script takes part.
        """
        if any(name in self._opened(path) for path in self._module.c_library):
            return True
        if any(exports is not None and name in exports for exports in self._libraries):
            return True
        return None if self._module.extra_objects or None in self._libraries else False

    def has_when_loaded(self, name: str, needed: Iterable[str]) -> bool | None:
        """Return whether the C library or a library that the linked module needs defines ``name``.

        None when one of them is not where the linker looks.
        """
        if any(name in self._opened(path) for path in self._module.c_library):
            return True
        libraries = [self._library(f":{library}") for library in needed]
        if any(exports is not None and name in exports for exports in libraries):
            return True
        return None if None in libraries or not self._module.c_library else False

    def names_like(self, name: str) -> list[str]:
        """Return the names of the C library that ``name`` may be a misspelling of."""
        import difflib  # slow to import, and only needed to explain an error

        known = {known for path in self._module.c_library for known in self._opened(path).names}
        return difflib.get_close_matches(name, known, n=2, cutoff=0.8)

    def _opened(self, path: str) -> elf.Exports:
        if path not in self._exports:
            self._exports[path] = elf.Exports.of(path)
        return self._exports[path]

    @cached_property
    def _libraries(self) -> list[elf.Exports | None]:
        return [self._library(name) for name in self._module.libraries]

    def _library(self, name: str) -> elf.Exports | None:
        """The shared object that ``-lname`` links; None for an archive, a script or nothing."""
        file = name[1:] if name.startswith(":") else f"lib{name}.so"
        for folder in (*self._module.library_dirs, *SYSTEM_FOLDERS):
            path = os.path.join(folder, file)
            if os.path.isfile(path):
                try:
                    return elf.Exports.of(path)
                except ObjectError:
                    return None  # a linker script; ld will read it
        return None

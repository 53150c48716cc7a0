"""The input of the rules: the objects, and the module as the project declares it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from fnmatch import fnmatchcase

from ..facts.elf import ElfFacts
from ..named import NamedTuple
from ..rules import RuleSettings
from ..versions import OLDEST, Version


@functools.cache
def patterns(names: frozenset[str]) -> tuple[str, ...]:
    """Return those of the exported names that stand for several."""
    return tuple(name for name in names if not name.isidentifier() and set(name) & set("*?["))


class CheckedObject(NamedTuple):
    """One object that goes into the module."""

    path: str
    facts: ElfFacts
    source: str | None = None
    """The assembly source as the user wrote it; None for what a compiler made of another language."""
    listing: Callable[[], str] | None = None
    """Assembles the source once more with ``-l`` and gives the listing's text. Called at most
    once, and only when there is something to report; None means no lines are known."""
    is_gas: bool = False
    """The source is one for GAS, and its object has a line table."""

    @property
    def file(self) -> str:
        return self.source or self.path


class ModuleContext(NamedTuple):
    """The extension module as the project declares it."""

    name: str
    """Dotted, as in ``Extension("pkg.bar", ...)``."""
    entry_points: tuple[str, ...]
    """The names CPython looks up in it: PyInit_bar and, from 3.15, PyModExport_bar; empty for a
    library that Python does not import."""
    python: Version
    free_threaded: bool = False
    limited_api: Version | None = None
    """The lowest Python of the stable ABI that was promised; None for a version-specific module."""
    universal: bool = False
    """One file for every Python: only names all of them have, and no library."""
    libraries: tuple[str, ...] = ()
    """As in ``Extension(libraries=...)``."""
    extra_objects: bool = False
    """Archives or objects not among the checked ones are linked in, and may define anything."""
    c_library: tuple[str, ...] = ()
    """The files of the C library that the module may be linked with."""
    library_dirs: tuple[str, ...] = ()
    runtime_library_dirs: tuple[str, ...] = ()
    exports: frozenset[str] = frozenset()
    """Extension(export_symbols=...), names and patterns, without the entry points."""
    include_dirs: tuple[str, ...] = ()
    """The folders in which nasm looked for %include, to show such files by their path."""
    strict: bool = False
    """Warnings are errors."""
    rules: RuleSettings = RuleSettings()
    """Rules that the project has switched off, or weighs otherwise."""

    def is_exported(self, name: str) -> bool:
        """Return whether a global of this name is exported, as an entry point or by ``exports``."""
        return (
            name in self.entry_points
            or name in self.exports
            or any(fnmatchcase(name, pattern) for pattern in patterns(self.exports))
        )

    @property
    def is_library(self) -> bool:
        """Whether it is loaded by ctypes or cffi, and not imported."""
        return not self.entry_points

    @property
    def kind(self) -> str:
        """The word for it in findings."""
        return "library" if self.is_library else "module"

    @property
    def declared(self) -> str:
        """The class that declares it, as in ``Extension(..., libraries=[...])``."""
        return "asmsetup.Library" if self.is_library else "Extension"

    @property
    def fails(self) -> str:
        """The consequence, in findings, when the loader refuses it."""
        return "loading it fails" if self.is_library else "the import fails"

    @property
    def others(self) -> str:
        """The places that may define a name for it, as they follow `neither' in a finding."""
        return f"this {self.kind} nor {'' if self.is_library else 'CPython, '}the C library"

    @property
    def promised(self) -> Version | None:
        """The lowest Python that the module must import in beside its own, if one is promised."""
        if self.limited_api is not None:
            # Which names older ones have is not known, and asmsetup builds for none of them.
            return max(self.limited_api, OLDEST)
        return OLDEST if self.universal else None

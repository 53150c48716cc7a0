"""What a setup.py names besides setuptools' own classes: extensions with groups of sources.

Nothing is raised here, where it would be a traceback: what is wrong is reported when something is built.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import setuptools

from ..facts import target

Path = str | os.PathLike[str]
CompileArgs = Sequence[str] | Mapping[str, Sequence[str]] | None

OPTIONS = (
    *("include_dirs", "define_macros", "undef_macros", "library_dirs", "libraries"),
    *("runtime_library_dirs", "extra_objects", "extra_compile_args", "extra_link_args"),
    *("export_symbols", "swig_opts", "depends", "language", "optional", "py_limited_api"),
    *("groups", "sources_for"),
)
"""The keywords of Extension."""


class Sources:
    """A group of an Extension's sources, with macros, include folders and flags of their own."""

    def __init__(
        self,
        sources: Sequence[Path],
        *,
        define_macros: Sequence[tuple[str, str | None]] = (),
        include_dirs: Sequence[Path] = (),
        extra_compile_args: CompileArgs = None,
    ) -> None:
        """Name the sources: paths, or patterns such as ``k/*.asm`` and ``k/**/*.asm``.

        ``define_macros`` and ``extra_compile_args`` come after those of the extension, and so
        win; ``include_dirs`` are searched before them. Arguments have the forms that
        Extension gives them.
        """
        self.patterns = sources
        self.define_macros = define_macros or ()
        self.include_dirs = include_dirs or ()
        self.extra_compile_args = extra_compile_args
        self.found = {each: _matching(each) for each in texts(sources)}
        """The sources that each pattern has named when the extension was declared."""

    def __repr__(self) -> str:
        return f"Sources({self.patterns!r})"

    @property
    def sources(self) -> list[str]:
        """The sources, each once, in the order of the patterns; sorted where one names several."""
        return list(dict.fromkeys(path for paths in self.found.values() for path in paths))


class Extension(setuptools.Extension):
    """setuptools' Extension, with groups of sources."""

    of_asmsetup = True

    def __init__(
        self,
        name: str,
        sources: Sequence[Path] = (),
        *,
        groups: Sequence[Sources] = (),
        sources_for: Mapping[str, Sequence[Path]] | None = None,
        **options: Any,
    ) -> None:
        """Declare a module of ``sources`` and of the sources of all ``groups``.

        A source that stands in two groups is built once for each. ``sources_for`` has further
        sources for some platforms: the keys are names such as x86_64-linux, or patterns such as
        aarch64-*. ``options`` are those of setuptools.Extension, and hold for all sources.
        """
        self.groups = groups
        self.ungrouped = texts(sources)
        self.sources_for = {} if sources_for is None else sources_for
        self.unknown = sorted({*options} - {*OPTIONS})
        """The keywords that do not exist."""
        named = [path for group in self.sound_groups for path in group.sources]
        known = {key: value for key, value in options.items() if key in OPTIONS}
        self._everywhere = list(dict.fromkeys((*self.ungrouped, *named)))
        super().__init__(name, self._everywhere, **known)
        self.choose(target.platform_name())

    def choose(self, platform: str) -> None:
        """Have the extension built for a platform: take what ``sources_for`` has for it."""
        chosen = (paths for key, paths in self._sources_for() if fnmatchcase(platform, key))
        named = (path for paths in chosen for path in texts(paths))
        self.sources = list(dict.fromkeys((*self._everywhere, *named)))

    @property
    def of_all_platforms(self) -> list[str]:
        """The sources, of this platform and of all others."""
        named = (path for _, paths in self._sources_for() for path in texts(paths))
        return list(dict.fromkeys((*self.sources, *named)))

    def _sources_for(self) -> list[tuple[str, Any]]:
        given = self.sources_for if isinstance(self.sources_for, Mapping) else {}
        return [(key, paths) for key, paths in given.items() if isinstance(key, str)]

    @property
    def sound_groups(self) -> list[Sources]:
        """Those of the groups that are any."""
        groups = self.groups if isinstance(self.groups, list | tuple) else ()
        return [group for group in groups if isinstance(group, Sources)]


class Library(Extension):
    """A shared library without Python in it, for ctypes and for cffi's ABI mode.

    ``Library("package.libkernel", ...)`` makes ``package/libkernel.so``, which any Python loads.
    """

    def __init__(
        self,
        name: str,
        sources: Sequence[Path] = (),
        *,
        export_symbols: Sequence[str],
        headers: Sequence[Path] = (),
        **options: Any,
    ) -> None:
        """Declare a library that exports ``export_symbols``, names or patterns, and nothing else.

        ``headers`` are copied to the library's folder, into the wheel. ``options`` are those of
        Extension.
        """
        super().__init__(name, sources, **options)
        self.exported = export_symbols
        self.export_symbols = list(texts(export_symbols))
        self.headers = headers


def texts(paths: object) -> list[str]:
    """Return those of a list of paths that are any, as strings."""
    if not isinstance(paths, list | tuple):
        return []
    return [os.fspath(path) for path in paths if isinstance(path, str | os.PathLike)]


def _matching(pattern: str) -> list[str]:
    # A file may have brackets in its name, and one without is perhaps written while building.
    if not glob.has_magic(pattern) or os.path.exists(pattern):
        return [pattern]
    return sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))

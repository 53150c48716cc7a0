"""The classes that a setup.py may use beside setuptools' own: Extension, Library, Sources.

Nothing is raised here, where it would be a traceback: what is wrong is reported when something is built.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any
from weakref import WeakValueDictionary

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

OPTIONS_OF_SOURCES = "define_macros", "include_dirs", "extra_compile_args"
"""The keywords of Sources."""


class Sources:
    """A group of an Extension's sources, with macros, include folders and flags of their own."""

    def __init__(
        self,
        sources: Iterable[Path] = (),
        *,
        define_macros: Sequence[tuple[str, str | None]] = (),
        include_dirs: Sequence[Path] = (),
        extra_compile_args: CompileArgs = None,
        **unknown: Any,
    ) -> None:
        """Name the sources: paths, or patterns such as ``k/*.asm`` and ``k/**/*.asm``.

        ``define_macros`` and ``extra_compile_args`` come after those of the extension, and so
        win; ``include_dirs`` are searched before them. Arguments have the forms that
        Extension gives them.
        """
        self.patterns = listed(sources)
        self.define_macros = define_macros or ()
        self.include_dirs = include_dirs or ()
        self.extra_compile_args = extra_compile_args
        self.found = {each: _matching(each) for each in texts(self.patterns)}
        """The sources that each pattern has named when the extension was declared."""
        self.unknown = sorted(unknown)
        """The keywords that do not exist."""

    def __repr__(self) -> str:
        return f"Sources({self.patterns!r})"

    @property
    def sources(self) -> list[str]:
        """The sources, each once, in the order of the patterns; sorted where one names several."""
        return _once(path for paths in self.found.values() for path in paths)


class Extension(setuptools.Extension):
    """setuptools' Extension, with groups of sources."""

    of_asmsetup = True

    def __init__(
        self,
        name: str,
        sources: Iterable[Path] = (),
        *,
        groups: Iterable[Sources] | None = (),
        sources_for: Mapping[str, Sequence[Path]] | None = None,
        **options: Any,
    ) -> None:
        """Declare a module of ``sources`` and of the sources of all ``groups``.

        A source that stands in two groups is built once for each. ``sources_for`` has further
        sources for some platforms: the keys are names such as x86_64-linux, or patterns such as
        aarch64-*. ``options`` are those of setuptools.Extension, and hold for all sources.
        """
        self.groups = listed(groups)
        self.named = listed(sources)
        """The sources besides groups, as they were given."""
        self.sources_for = {} if sources_for is None else sources_for
        self.unknown = sorted({*options} - {*OPTIONS})
        """The keywords that do not exist."""
        self.model = self._model(name)
        """The extension that code which knows only setuptools' keywords made this one of."""
        if self.model is not None:
            self._take_from(self.model)
        named = [path for group in self.sound_groups for path in group.sources]
        known = {key: value for key, value in options.items() if key in OPTIONS}
        self._everywhere = _once((*self.ungrouped, *named))
        super().__init__(name, self._everywhere, **known)
        self.choose(target.platform_name())
        _declared[id(self)] = self  # extensions have no hash

    @property
    def ungrouped(self) -> list[str]:
        """The sources in no group and for all platforms."""
        return texts(self.named)

    def _model(self, name: str) -> Extension | None:
        # cythonize() makes new objects of setuptools' keywords, under the name of the old one,
        # or of modules that a pattern for names stands for, with all sources that are not Cython's.
        given = {*self.ungrouped}
        if self.groups or self.sources_for:
            return None
        for each in list(_declared.values()):
            rest = {path for path in each.sources if not path.endswith((".pyx", ".py"))}
            is_cythons = len(rest) < len(each.sources)  # else it is another extension of that name
            named = each.name == name or "*" in each.name
            if rest < given and is_cythons and named and each.is_special:
                return each
        return None

    @property
    def is_special(self) -> bool:
        """Whether it has more than setuptools' keywords can express."""
        return bool(self.groups or self.sources_for or self.unknown)

    def _take_from(self, model: Extension) -> None:
        others = {*model.sources} - {*model.ungrouped}
        self.named = [path for path in self.ungrouped if path not in others]
        self.groups, self.sources_for = model.groups, model.sources_for
        self.unknown = model.unknown

    def choose(self, platform: str) -> None:
        """Have the extension built for a platform: take what ``sources_for`` has for it."""
        chosen = (paths for key, paths in self._sources_for() if fnmatchcase(platform, key))
        named = (path for paths in chosen for path in texts(paths))
        self.sources = _once((*self._everywhere, *named))

    @property
    def of_all_platforms(self) -> list[str]:
        """The sources, of this platform and of all others."""
        named = (path for _, paths in self._sources_for() for path in texts(paths))
        return _once((*self.sources, *named))

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
        sources: Iterable[Path] = (),
        *,
        export_symbols: Iterable[str] = (),
        headers: Iterable[Path] = (),
        **options: Any,
    ) -> None:
        """Declare a library that exports ``export_symbols``, names or patterns, and nothing else.

        ``headers`` are copied to the library's folder, into the wheel. ``options`` are those of
        Extension.
        """
        super().__init__(name, sources, **options)
        self.exported = listed(export_symbols)
        self.export_symbols = texts(self.exported)
        self.headers = listed(headers)
        if isinstance(self.model, Library):
            self.headers = self.model.headers

    @property
    def is_special(self) -> bool:
        """Whether it has more than setuptools' keywords can express."""
        return super().is_special or bool(self.headers)


_declared: WeakValueDictionary[int, Extension] = WeakValueDictionary()


def owner(ext: setuptools.Extension | None) -> str:
    """Return what errors call an extension, or a library."""
    if ext is None:
        return "a library"
    return f"{'Library' if isinstance(ext, Library) else 'Extension'} {ext.name!r}"


def listed(paths: object) -> Any:
    """Return what can be iterated over as a list; anything else, and a string, as it is.

    A generator gives its paths only once, so it becomes a list. None becomes the empty list.
    """
    if isinstance(paths, Iterable) and not isinstance(paths, str | bytes | Mapping | os.PathLike):
        return list(paths)
    return [] if paths is None else paths


def _once(paths: Iterable[str]) -> list[str]:
    """Return each path once, however often and with whatever spelling it is named."""
    found: dict[str, str] = {}
    for path in paths:
        found.setdefault(os.path.abspath(path), path)
    return list(found.values())


def texts(paths: object) -> list[str]:
    """Return those of a list of paths that are any, as strings."""
    if not isinstance(paths, list | tuple):
        return []
    return [os.fspath(path) for path in paths if isinstance(path, str | os.PathLike)]


def _matching(pattern: str) -> list[str]:
    # A file may have brackets in its name, and one without is perhaps written while building.
    if not glob.has_magic(pattern) or os.path.exists(pattern):
        return [pattern]
    try:
        return sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))
    except UnicodeEncodeError:  # a name that no file can have in this locale
        return []

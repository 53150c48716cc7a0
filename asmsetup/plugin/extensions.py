"""What an Extension says about its assembly; changes none."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from itertools import takewhile
from typing import Any

from setuptools import Extension

from .. import includes
from ..errors import SourceError
from ..hook import is_assembly

LANGUAGES = ("nasm", "c", "cxx")
"""The keys of extra_compile_args when it is a dictionary."""

ExtraArgs = list[str] | dict[str, list[str]] | None


def require_sources(ext: Extension) -> None:
    """Raise SourceError when an extension has nothing to be built from."""
    # A subclass of Extension is somebody's way of naming something that is built otherwise.
    if type(ext).__name__ == "Extension" and not ext.sources and not ext.extra_objects:
        raise SourceError(
            f"Extension {ext.name!r} has an empty list of sources",
            'name at least one:   Extension("x", sources=["x.asm"])',
        )


def require_universal(extensions: Iterable[Extension]) -> None:
    """Raise SourceError when an extension cannot be one module for every CPython."""
    for ext in extensions:
        if is_mixed(ext):
            raise SourceError(
                f"Extension {ext.name!r} has sources besides assembly, and universal = true",
                "a C compiler makes a module for one version of Python, or for the stable ABI:",
                "move it to a package of its own, or build this one with py_limited_api=True",
            )


def is_mixed(ext: Extension) -> bool:
    """Tell whether anything but assembly is among the sources."""
    return not all(map(is_assembly, ext.sources))


def args_for(language: str, ext: Extension, extra_args: ExtraArgs) -> list[str]:
    """Return the part of extra_compile_args that is for one language.

    A list is for NASM when all sources are assembly, else for the C and C++
    compiler; a dictionary says which. Raises SourceError for an unknown key.
    """
    if not isinstance(extra_args, dict):
        mine = (language == "nasm") == (not is_mixed(ext))
        return list(extra_args or ()) if mine else []
    for key in extra_args:
        if key not in LANGUAGES:
            import difflib  # slow to import, and only needed to explain an error

            near = difflib.get_close_matches(key, LANGUAGES, n=1)
            raise SourceError(
                f"Extension {ext.name!r}: extra_compile_args has the key {key!r}",
                *(f"did you mean {name!r}?" for name in near),
                f"the keys are: {', '.join(LANGUAGES)}",
            )
    return list(extra_args.get(language) or ())


def by_language(
    compiler: Any, ext: Extension | None, sources: Sequence[str], extra_args: ExtraArgs
) -> list[tuple[Any, list[str]]]:
    """Split what is not assembly by the arguments it takes: (arguments, sources) pairs."""
    others = [source for source in sources if not is_assembly(source)]
    if ext is None or not isinstance(extra_args, dict):
        return [(extra_args, others)] if others else []
    cxx = [source for source in others if compiler.detect_language([source]) == "c++"]
    c = [source for source in others if source not in cxx]
    groups = [(args_for("c", ext, extra_args), c), (args_for("cxx", ext, extra_args), cxx)]
    return [(args, group) for args, group in groups if group]


def namesakes(path: str) -> list[str]:
    """Return the files beside the module ``path`` that this Python takes for the same module."""
    stem, suffix = _split(path)
    return _there(stem, EXTENSION_SUFFIXES, but=suffix)


def shadowing(path: str) -> list[str]:
    """Return those of the ``namesakes`` that this Python imports in the place of ``path``."""
    stem, suffix = _split(path)
    return _there(stem, takewhile(lambda other: other != suffix, EXTENSION_SUFFIXES), but=suffix)


def _there(stem: str, suffixes: Iterable[str], but: str) -> list[str]:
    # A module for another Python has no rank among this one's.
    if but not in EXTENSION_SUFFIXES:
        return []
    return [stem + each for each in suffixes if each != but and os.path.isfile(stem + each)]


def _split(path: str) -> tuple[str, str]:
    """Return a module's path up to the first dot of its name, and the rest."""
    folder, name = os.path.split(path)
    stem, dot, rest = name.partition(".")
    return os.path.join(folder, stem), dot + rest


def assembly_sources(extensions: Iterable[Extension]) -> list[str]:
    """Return every source for NASM once, as the extensions name it."""
    named = (str(source) for ext in extensions for source in ext.sources)
    return list(dict.fromkeys(filter(is_assembly, named)))


def shipped_files(extensions: Iterable[Extension]) -> list[str]:
    """Return the assembly sources and all they include that belong into the sdist.

    That is what lies in the project, as paths relative to it: an sdist holds
    nothing from elsewhere.
    """
    project = os.getcwd()
    reader = includes.Reader()
    found: dict[str, None] = {}
    for ext in extensions:
        for source in assembly_sources([ext]):
            folders = includes.search_path(source, ext.include_dirs)
            for path in reader.closure(source, folders).files:
                relative = os.path.relpath(path, project)
                if not relative.startswith(os.pardir + os.sep) and os.path.isfile(path):
                    found[relative] = None
    return list(found)

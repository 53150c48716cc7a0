"""Options from a call of the compiler object: ``compile`` for each source, ``link_shared_object`` for the linker."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from setuptools import Extension

from .. import config
from ..errors import SourceError
from ..link.linker import LinkerOptions
from ..named import NamedTuple
from ..suffixes import is_assembly, is_gas
from .declared import Extension as GroupedExtension
from .declared import Sources, owner

LANGUAGES = ("nasm", "gas", "c", "cxx")
"""The keys of extra_compile_args that stand for all sources of a language."""

ExtraArgs = Any
"""A list of arguments, or a dictionary of lists; None for no arguments."""


class Command(NamedTuple):
    """The macros, folders and flags of a source."""

    macros: tuple[tuple[Any, ...], ...] = ()
    include_dirs: tuple[str, ...] = ()
    args: tuple[str, ...] = ()


def assembly_calls(
    ext: Extension | None, given: Mapping[str, Any], own_keys: bool
) -> list[dict[str, Any]]:
    """Return the part of a call of ``compile`` that is for NASM, as calls of one list of arguments.

    With ``own_keys``, a dictionary of arguments has no keys but a language, a source or a
    pattern. Raise SourceError for any other.
    """
    languages = {source: "nasm" for source in given["sources"] if is_assembly(source)}
    return _calls(ext, given, languages, own_keys)


def other_calls(
    compiler: Any, ext: Extension | None, given: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the part of a call of ``compile`` that is not for NASM, as calls of one list of arguments.

    Raise SourceError for a key that is neither a language nor matches a source.
    """
    languages = {
        source: "gas" if is_gas(source) else _c_language(compiler, source)
        for source in given["sources"]
        if not is_assembly(source)
    }
    return _calls(ext, given, languages, own_keys=True)


def _c_language(compiler: Any, source: str) -> str:
    return "cxx" if compiler.detect_language([source]) == "c++" else "c"


def _calls(
    ext: Extension | None, given: Mapping[str, Any], languages: Mapping[str, str], own_keys: bool
) -> list[dict[str, Any]]:
    extra_args = given.get("extra_postargs")
    if own_keys and isinstance(extra_args, dict):
        # One extension may be compiled by several calls.
        named = map(os.fspath, ext.sources if ext is not None else ())
        require_keys(owner(ext), extra_args, list(dict.fromkeys((*given["sources"], *named))))
    is_mixed = not all(map(is_assembly, given["sources"]))
    macros = tuple(map(tuple, given.get("macros") or ()))
    dirs = tuple(given.get("include_dirs") or ())
    groups = groups_of(ext)
    sources: dict[Command, list[str]] = {}
    for source in filter(languages.__contains__, given["sources"]):
        args = args_for(source, languages[source], extra_args, is_mixed=is_mixed)
        plain = Command(macros, dirs, tuple(args))
        if languages[source] == "gas":
            plain = _for_gas(source, plain)
        found = commands(source, languages[source], plain, groups)
        _require_distinct(ext, source, found)
        for command in found:
            sources.setdefault(command, []).append(source)
    return [
        {
            **given,
            "sources": each,
            "macros": list(command.macros),
            "include_dirs": list(command.include_dirs),
            "extra_postargs": list(command.args),
        }
        for command, each in sources.items()
    ]


def _for_gas(source: str, plain: Command) -> Command:
    # Objects that say nothing about the stack ask for an executable one. Lines are for those
    # who made a mistake; the linker leaves them out.
    args = ("-Wa,--noexecstack", "-g", *plain.args)
    # What is not preprocessed has no macros, and clang says so each time.
    return plain._replace(args=args, macros=() if source.endswith(".s") else plain.macros)


class Group(NamedTuple):
    """A group of sources, as a source in it is compiled."""

    options: Sources
    is_mixed: bool
    """Whether some of its sources are not for NASM."""


Groups = Mapping[str, Sequence[Group]]
"""The groups of an extension, by the absolute paths of their sources."""


def groups_of(ext: object) -> Groups:
    """Return the groups of an extension; none for one of setuptools' own."""
    groups: dict[str, list[Group]] = {}
    for options in ext.sound_groups if isinstance(ext, GroupedExtension) else ():
        group = Group(options, not all(map(is_assembly, options.sources)))
        for path in dict.fromkeys(map(os.path.abspath, options.sources)):
            groups.setdefault(path, []).append(group)
    return groups


def commands(source: str, language: str, plain: Command, groups: Groups) -> list[Command]:
    """Return what a source is compiled with: once for each group it is in, else as ``plain`` says."""
    found = [_in_group(group, source, language, plain) for group in _around(source, groups)]
    return found or [plain]


def _around(source: str, groups: Groups) -> Sequence[Group]:
    return groups.get(os.path.abspath(source), ()) if groups else ()


def _require_distinct(ext: Extension | None, source: str, found: Sequence[Command]) -> None:
    if len({*found}) < len(found):
        raise SourceError(
            f"{owner(ext)} names {source} in two groups with the same macros, folders and flags",
            'name it once, or tell them apart:   Sources([...], define_macros=[("NAME", "1")])',
        )


def require_ungrouped(ext: Extension | None, sources: Iterable[str]) -> None:
    """Raise SourceError for a source in a group: a compile method of the project's own knows no groups."""
    groups = groups_of(ext)
    for source in sources:
        if _around(source, groups):
            raise SourceError(
                f"{owner(ext)} has {source} in a group, and a method of the compiler object is replaced",
                "whatever replaces it compiles C and C++ in its own way:",
                "name the sources besides assembly in sources, or compile without it",
            )


def _in_group(group: Group, source: str, language: str, plain: Command) -> Command:
    options = group.options
    macros = () if source.endswith(".s") else options.define_macros
    own = {macro[0] for macro in macros}
    args = args_for(source, language, options.extra_compile_args, is_mixed=group.is_mixed)
    return Command(
        (*(each for each in plain.macros if each[0] not in own), *map(tuple, macros)),
        (*(os.fspath(folder) for folder in options.include_dirs), *plain.include_dirs),
        (*plain.args, *args),
    )


def args_for(source: str, language: str, extra_args: ExtraArgs, *, is_mixed: bool) -> list[str]:
    """Return the part of extra_compile_args that a source is compiled with.

    A list is for NASM when all sources are assembly, otherwise for the C and C++ compiler.
    A dictionary gives the arguments of the source's language, then those of each pattern
    that matches the source, in the dictionary's order.
    """
    if not isinstance(extra_args, dict):
        return list(extra_args or ()) if (language == "nasm") is not is_mixed else []
    patterns = (key for key in extra_args if key not in LANGUAGES and matches(source, key))
    return [word for key in (language, *patterns) for word in extra_args.get(key) or ()]


def matches(source: str, pattern: object) -> bool:
    """Return whether a pattern, or a path, names a source.

    As in a shell, ``*``, ``?`` and ``[...]`` match within one folder's or file's name, and
    ``**`` matches any number of folders.
    """
    if not isinstance(pattern, str | os.PathLike) or not os.fspath(pattern):
        return False
    path, wanted = (os.path.relpath(each) for each in (source, pattern))
    return path == wanted or _parts_match(path.split(os.sep), wanted.split(os.sep))


def _parts_match(path: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(_parts_match(path[n:], pattern[1:]) for n in range(len(path) + 1))
    return bool(path) and fnmatchcase(path[0], pattern[0]) and _parts_match(path[1:], pattern[1:])


def require_keys(owner: str, extra_args: Mapping[str, Any], sources: Sequence[str]) -> None:
    """Raise SourceError for a key of extra_compile_args that is neither a language nor matches a source."""
    for key in extra_args:
        if key in LANGUAGES:
            continue
        if not isinstance(key, str | os.PathLike) or not set(os.fspath(key)) & set("./*?["):
            raise SourceError(
                f"{owner}: extra_compile_args has the key {key!r}",
                *_did_you_mean(_close(str(key), LANGUAGES)),
                f"the keys are: {', '.join(LANGUAGES)}, and sources or patterns such as 'src/*_avx2.c'",
            )
        if not any(matches(source, key) for source in sources):
            raise SourceError(
                f"{owner}: extra_compile_args has the key {os.fspath(key)!r}, which matches none of its sources",
                *_did_you_mean(_near_misses(os.fspath(key), sources)),
                f"its sources are: {', '.join(sources)}",
            )


def _did_you_mean(names: Iterable[str]) -> list[str]:
    return [f"did you mean {name!r}?" for name in names]


def _near_misses(pattern: str, sources: Iterable[str]) -> list[str]:
    """Return patterns and sources that may have been meant: other folders, other case, similar names."""
    sources = list(sources)
    name = os.path.basename(pattern)
    elsewhere = [
        os.path.join(os.path.dirname(source), name)
        for source in sources
        if fnmatchcase(os.path.basename(source), name)
    ]
    in_other_case = [each for each in sources if matches(each.lower(), pattern.lower())]
    similar = _close(pattern.replace("*", ""), sources)
    return list(dict.fromkeys(elsewhere or in_other_case or similar))[:3]


def _close(word: str, names: Iterable[str]) -> list[str]:
    import difflib  # slow to import, and only needed to explain an error

    return difflib.get_close_matches(word, list(names), n=1)


def linker_options(
    chosen: Any, given: Mapping[str, Any], settings: config.Settings
) -> LinkerOptions:
    """Return the linker's options of a call of ``link_shared_object``, with the compiler object's own.

    Raises LinkError for words that cannot lead to a module.
    """
    preargs, postargs = (given.get(f"extra_{each}args") or () for each in ("pre", "post"))

    def both(name: str) -> tuple[str, ...]:
        return (*(given.get(name) or ()), *getattr(chosen, name))

    return LinkerOptions.of(
        library_dirs=both("library_dirs"),
        libraries=both("libraries"),
        runtime_library_dirs=both("runtime_library_dirs"),
        ld_args=settings.ld_args,
        ldflags=settings.ldflags,
        link_args=[*preargs, *postargs],
        strip="none" if settings.debug or given.get("debug") else settings.strip,
        build_id=settings.split_debug,
    )

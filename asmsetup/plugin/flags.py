"""Splits extra_compile_args: which arguments each source of an extension is compiled with."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from setuptools import Extension

from ..errors import SourceError
from ..suffixes import is_assembly

LANGUAGES = ("nasm", "c", "cxx")
"""The keys of extra_compile_args that stand for all sources of a language."""

ExtraArgs = list[str] | dict[str, list[str]] | None


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

    Raise SourceError for a key that is no language and matches no source.
    """
    languages = {
        source: "cxx" if compiler.detect_language([source]) == "c++" else "c"
        for source in given["sources"]
        if not is_assembly(source)
    }
    return _calls(ext, given, languages, own_keys=True)


def _calls(
    ext: Extension | None, given: Mapping[str, Any], languages: Mapping[str, str], own_keys: bool
) -> list[dict[str, Any]]:
    extra_args = given.get("extra_postargs")
    if own_keys and isinstance(extra_args, dict):
        # One extension may be compiled by several calls.
        named = map(os.fspath, ext.sources if ext is not None else ())
        _require_keys(ext, extra_args, list(dict.fromkeys((*given["sources"], *named))))
    is_mixed = not all(map(is_assembly, given["sources"]))
    sources_by_args: dict[tuple[str, ...], list[str]] = {}
    for source in filter(languages.__contains__, given["sources"]):
        args = args_for(source, languages[source], extra_args, is_mixed=is_mixed)
        sources_by_args.setdefault(tuple(args), []).append(source)
    return [
        {**given, "sources": sources, "extra_postargs": list(args)}
        for args, sources in sources_by_args.items()
    ]


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


def _require_keys(
    ext: Extension | None, extra_args: Mapping[str, Any], sources: Sequence[str]
) -> None:
    owner = f"Extension {ext.name!r}" if ext is not None else "a library"
    for key in extra_args:
        if key in LANGUAGES:
            continue
        if key == "gas":
            raise SourceError(
                f"{owner}: extra_compile_args has the key 'gas', and sources for GAS (.S) are not supported",
                "leave the key out",
            )
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

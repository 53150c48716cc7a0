"""Reads what Extensions say about their assembly; changes none."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from itertools import takewhile
from typing import Any

from setuptools import Extension

from ..errors import SourceError
from ..facts import target
from ..files import unreadable
from ..suffixes import is_assembly, is_gas
from . import declared
from .declared import owner
from .flags import require_keys

_LISTS = (
    *("include_dirs", "library_dirs", "runtime_library_dirs", "libraries", "extra_objects"),
    *("undef_macros", "extra_link_args", "export_symbols", "depends"),
)


_COMPILE_LISTS = ("sources", "include_dirs", "extra_preargs", "extra_postargs", "depends")

_BUILT_HERE = (Extension, declared.Extension, declared.Library)


def require_sound(ext: Extension | None, given: Mapping[str, Any]) -> None:
    """Raise SourceError when an extension cannot be built from what it says.

    It has no name of a module, nothing to be built from, or a string where a
    list has to be, which would be taken for a list of letters. ``given`` are the
    arguments of ``compile``; what else is given counts only if the
    extension's own sources are among these.
    """
    if ext is not None:
        _require_sound(ext, given)
    for name in _COMPILE_LISTS:
        if isinstance(given.get(name), str):
            raise SourceError(
                f"the compiler was asked to compile with {name}={given[name]!r}",
                "it must be a list of strings",
            )


def _require_sound(ext: Extension, given: Mapping[str, Any]) -> None:
    if "/" in ext.name or "\0" in ext.name or not all(ext.name.split(".")):
        raise SourceError(
            f"{owner(ext)} has no name of a module",
            'name it as it is imported:   Extension("package.module", ...)',
        )
    sources = [*map(os.fspath, given["sources"])]
    if sources and not {*sources} & {*map(os.fspath, ext.sources)}:
        return
    for option in _LISTS:
        require_list(owner(ext), option, getattr(ext, option, None))
    require_flags(owner(ext), ext)
    for name in ext.export_symbols or ():
        if not re.fullmatch(r"[\w.$@?*!^\[\]-]+", name):
            raise SourceError(
                f"{owner(ext)}: export_symbols has {name!r}, which is not the name of a symbol",
                'each is a name or a pattern:   export_symbols=["kernel", "kernel_*"]',
            )
    if isinstance(ext, declared.Extension):
        _require_declared(ext)
    # Other tools use subclasses of Extension for what they build in other ways (setuptools-rust).
    if type(ext) in _BUILT_HERE and not sources and not ext.extra_objects:
        _raise_no_sources(ext)


def _require_declared(ext: declared.Extension) -> None:
    require_list(owner(ext), "sources", ext.named)
    _require_options(owner(ext), ext.unknown, declared.OPTIONS)
    _require_platforms(owner(ext), ext)
    if isinstance(ext, declared.Library):
        _require_sound_library(ext)
    require_sound_groups(ext)


def _raise_no_sources(ext: Extension) -> None:
    if isinstance(ext, declared.Extension) and ext.sources_for:
        platform = target.platform_name()
        leave = 'leave it out here:   elsewhere = "skip"   in [tool.asmsetup]'
        raise SourceError(
            f"{owner(ext)} has no sources for {platform}",
            f"it has some for {', '.join(ext.sources_for)}",
            f"name some for it:   sources_for={{{platform!r}: [...]}}",
            *(() if target.is_supported() else (leave,)),
        )
    kind = "asmsetup.Library" if isinstance(ext, declared.Library) else "Extension"
    raise SourceError(
        f"{owner(ext)} has an empty list of sources",
        f'name at least one:   {kind}("x", sources=["x.asm"])',
    )


def _require_sound_library(library: declared.Library) -> None:
    require_list(owner(library), "export_symbols", library.exported)
    require_list(owner(library), "headers", library.headers)
    if library.name.endswith(".so"):
        raise SourceError(
            f"{owner(library)} has .so in its name, which its file gets anyway",
            f"write:   asmsetup.Library({library.name.removesuffix('.so')!r}, ...)",
        )
    if not library.exported:
        raise SourceError(
            f"{owner(library)} has an empty list of export_symbols, so nobody could call anything in it",
            'name what it is for:   export_symbols=["sum_of_squares"], or a pattern: ["kernel_*"]',
        )
    for header in library.headers:
        if why := unreadable(os.fspath(header)):
            raise SourceError(f"{owner(library)} names the header {header}: {why}")


def _require_platforms(owner: str, ext: declared.Extension) -> None:
    if not isinstance(ext.sources_for, Mapping):
        raise SourceError(
            f"{owner}: sources_for must be a dictionary of lists, and is {ext.sources_for!r}"
        )
    for key, paths in ext.sources_for.items():
        require_list(owner, f"sources_for[{key!r}]", paths)
        if not isinstance(key, str) or not fnmatch.filter(target.PLATFORMS, key):
            raise SourceError(
                f"{owner}: sources_for has the key {key!r}, which is not a platform",
                *(f"did you mean {each!r}?" for each in _near_platforms(str(key))),
                "a platform is a machine and a system, such as x86_64-linux, aarch64-linux,"
                " aarch64-macos, x86_64-windows, or a pattern such as aarch64-*",
            )


def _near_platforms(key: str) -> list[str]:
    import difflib  # slow to import, and only needed to explain an error

    patterns: dict[str, str] = {}
    for platform in target.PLATFORMS:
        machine, _, system = platform.partition("-")
        patterns |= {machine: f"{machine}-*", system: f"*-{system}"}
    if near := difflib.get_close_matches(key.lower(), patterns, n=1, cutoff=0.8):
        return [patterns[near[0]]]
    return difflib.get_close_matches(key, target.PLATFORMS, n=1)


def _require_options(owner: str, unknown: Iterable[str], options: Sequence[str]) -> None:
    for name in unknown:
        import difflib  # slow to import, and only needed to explain an error

        near = difflib.get_close_matches(name, options, n=1)
        raise SourceError(
            f"{owner} has the option {name!r}, which does not exist",
            *(f"did you mean {each}?" for each in near),
            f"the options are: {', '.join(options)}",
        )


def require_sound_groups(ext: declared.Extension) -> None:
    """Raise SourceError when an extension's groups cannot be built from what they say."""
    if ext.sound_groups != ext.groups:
        raise SourceError(
            f"{owner(ext)}: groups must be a list of asmsetup.Sources, and is {ext.groups!r}",
            'for one group as well:   groups=[asmsetup.Sources(["k/*.asm"])]',
        )
    for number, group in enumerate(ext.sound_groups):
        named = f"{owner(ext)}, groups[{number}]"
        require_list(named, "sources", group.patterns)
        require_list(named, "include_dirs", group.include_dirs)
        _require_options(named, group.unknown, declared.OPTIONS_OF_SOURCES)
        require_flags(named, group)
        _require_matches(named, group)
        if isinstance(group.extra_compile_args, dict):
            require_keys(named, group.extra_compile_args, group.sources)
    _require_named_once(ext)


def _require_named_once(ext: declared.Extension) -> None:
    in_groups = _absolute(path for each in ext.sound_groups for path in each.sources)
    lists = [("sources", "*", ext.ungrouped)]
    for key, paths in ext.sources_for.items():
        lists.append((f"sources_for[{key!r}]", key, declared.texts(paths)))
    for number, (option, key, paths) in enumerate(lists):
        named: set[str] = set()
        for source in paths:
            (path,) = _absolute([source])
            if path in in_groups:
                raise SourceError(
                    f"{owner(ext)} names {source} in {option} and in a group as well",
                    "name it in one of them; what stands in two groups is built once for each",
                )
            if path in named:
                raise SourceError(f"{owner(ext)} lists {source} twice", "name it once")
            named.add(path)
            for other, other_key, others in lists[:number]:
                if path in _absolute(others) and (both := _platforms_of_both(key, other_key)):
                    raise SourceError(
                        f"{owner(ext)} names {source} in {other} and in {option} as well",
                        f"name it in one of them: both are for {both[0]}",
                    )


def _absolute(paths: Iterable[str]) -> set[str]:
    return {*map(os.path.abspath, paths)}


def _platforms_of_both(key: str, other: str) -> list[str]:
    """Return the platforms that two keys of ``sources_for`` are for, first the one built for."""
    found = set(fnmatch.filter(target.PLATFORMS, key)) & set(
        fnmatch.filter(target.PLATFORMS, other)
    )
    return sorted(found, key=lambda each: (each != target.platform_name(), each))


def _require_matches(owner: str, group: declared.Sources) -> None:
    if not group.found:
        raise SourceError(
            f"{owner} has an empty list of sources",
            'name at least one:   asmsetup.Sources(["k/*.asm"])',
        )
    for pattern, paths in group.found.items():
        if not paths:
            raise SourceError(
                f"{owner} has the pattern {pattern!r}, which matches no file",
                f"patterns start from {os.getcwd()}",
            )


def require_flags(owner: str, ext: Any) -> None:
    """Raise SourceError unless the macros and arguments of ``ext`` are lists of what they should be.

    ``owner`` is what the error calls an extension, or a group of its sources.
    """
    args = ext.extra_compile_args
    for key, value in args.items() if isinstance(args, dict) else [(None, args)]:
        option = "extra_compile_args" if key is None else f"extra_compile_args[{key!r}]"
        require_list(owner, option, value)
    macros = ext.define_macros or ()
    for macro in macros if isinstance(macros, list | tuple) else [macros]:
        if not _is_macro(macro):
            raise SourceError(
                f"{owner}: define_macros has {macro!r}",
                'each is a name and its value:   define_macros=[("NAME", "1"), ("FLAG", None)]',
            )


def require_list(owner: str, option: str, value: object) -> None:
    """Raise SourceError unless an option is a list of strings or paths, or None."""
    if value is None:
        return
    if not isinstance(value, list | tuple) or not all(
        isinstance(item, str | os.PathLike) for item in value
    ):
        raise SourceError(f"{owner}: {option} must be a list of strings, and is {value!r}")


def _is_macro(macro: object) -> bool:
    return (
        isinstance(macro, tuple | list)
        and len(macro) == 2
        and isinstance(macro[0], str)
        and (macro[1] is None or isinstance(macro[1], str | int))
    )


def is_left_out(ext: Extension) -> bool:
    """Return whether nothing of an extension is left without its sources for NASM."""
    sources = list(ext.sources or ())
    return all(map(is_assembly, sources)) and (bool(sources) or isinstance(ext, declared.Extension))


def require_universal(ext: Extension | None, sources: Iterable[str]) -> None:
    """Raise SourceError when an extension cannot be one module for every CPython."""
    if ext is not None and not isinstance(ext, declared.Library) and is_mixed(sources):
        raise SourceError(
            f"{owner(ext)} has sources besides assembly, and universal = true",
            "a C compiler makes a module for one version of Python, or for the stable ABI:",
            "move it to a package of its own, or build this one with py_limited_api=True",
        )


def require_portable(ext: Extension | None, sources: Iterable[str], *, universal: bool) -> None:
    """Raise SourceError when an extension cannot be built for another machine than this one."""
    wanted = f"target = {target.PLATFORM!r} on {target.platform_name()}"
    if not (universal or isinstance(ext, declared.Library)):
        raise SourceError(
            f"{owner(ext)} is for this machine's Python, and {wanted}",
            "universal = true in [tool.asmsetup], or an asmsetup.Library, is for every Python",
        )
    if others := [source for source in sources if not is_assembly(source)]:
        raise SourceError(
            f"{owner(ext)} has sources besides NASM's, and {wanted}: {', '.join(others)}",
            "this machine's C compiler makes objects for this machine alone",
        )


def is_mixed(sources: Iterable[str]) -> bool:
    """Return whether anything but assembly is among the sources."""
    return not all(is_assembly(source) or is_gas(source) for source in sources)


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


def _of_all_platforms(ext: Extension) -> list[str]:
    return ext.of_all_platforms if isinstance(ext, declared.Extension) else ext.sources


def assembly_sources(extensions: Iterable[Extension]) -> list[str]:
    """Return every source for NASM and GAS once, as the extensions name it."""
    named = (str(source) for ext in extensions for source in _of_all_platforms(ext))
    return list(dict.fromkeys(each for each in named if is_assembly(each) or is_gas(each)))

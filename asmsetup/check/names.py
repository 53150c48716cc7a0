"""Rules about undefined names: each must be provided, in every Python the module is for."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from ..facts.elf import Symbol
from ..versions import VERSIONS, Version
from .context import ModuleContext
from .findings import ERROR, WARNING, Finding
from .places import ObjectPlaces
from .providers import Providers


class PythonAbi(Protocol):
    """The facts about CPython's exported names that the rules ask for; asmsetup.facts.cpython_abi is the real one."""

    def exported(self, name: str, version: Version, free_threaded: bool) -> bool | None:
        """None when the table does not know the name or the version."""

    def stable_since(self, name: str) -> Version | None: ...

    def near_misses(self, name: str) -> list[str]: ...


def check(
    places: ObjectPlaces,
    module: ModuleContext,
    defined: Mapping[str, Symbol],
    by_linker: frozenset[str],
    providers: Providers,
    abi: PythonAbi,
) -> Iterator[Finding]:
    """The findings about the names one assembly source leaves undefined.

    Names in objects that a compiler made are the compiler's and its libraries' business.
    """
    if places.object.source is None:
        return
    for symbol in places.object.facts.undefined:
        name = symbol.name
        if name in defined or name in by_linker:
            continue
        if name.startswith(("Py", "_Py")):
            verdict = _python_name(symbol, module, providers, abi)
        else:
            verdict = _c_name(symbol, module, defined, providers, abi)
        if verdict is not None:
            yield from _at_uses(places, name, *verdict)


Verdict = tuple[str, str, str, tuple[str, ...]]
"""Rule, severity, sentence, ways out."""


def _at_uses(
    places: ObjectPlaces, name: str, rule: str, severity: str, what: str, ways_out: tuple[str, ...]
) -> Iterator[Finding]:
    used = False
    for place in places.uses(name):
        used = True
        yield place.finding(rule, severity, what, *ways_out)
    if not used:
        yield Finding(rule, severity, places.object.file, None, what, ways_out=ways_out)


def _python_name(
    symbol: Symbol, module: ModuleContext, providers: Providers, abi: PythonAbi
) -> Verdict | None:
    name = symbol.name
    if symbol.binding == "weak":
        known = any(_having(name, free_threaded, abi) for free_threaded in (False, True))
        return None if known or running_exports(name, module) else _misspelt_weak(name, abi)
    exported = abi.exported(name, module.python, module.free_threaded)
    if not (running_exports(name, module) if exported is None else exported):
        if providers.has(name) is not False:
            return None
        return _not_exported(name, module, abi)
    if module.promised is not None:
        return outside_stable_abi(name, module.promised, abi)
    return _private_name(name, module, abi) if name.startswith("_") else None


def _having(name: str, free_threaded: bool, abi: PythonAbi) -> list[Version]:
    """Return the versions of CPython that export ``name``."""
    return [version for version in VERSIONS if abi.exported(name, version, free_threaded)]


def _private_name(name: str, module: ModuleContext, abi: PythonAbi) -> Verdict | None:
    # None, for a version the table does not have, says nothing.
    lacking = [v for v in VERSIONS if abi.exported(name, v, module.free_threaded) is False]
    if not lacking:
        return None
    return (
        "private-name",
        WARNING,
        f"`{name}' is private to CPython, and {_versions(lacking)} do not have it: the module"
        f" works on {_version(module.python)} only by chance",
        (f"use the public API in its place{_or_near(name, abi)}",),
    )


def _misspelt_weak(name: str, abi: PythonAbi) -> Verdict:
    return (
        "unknown-weak-name",
        WARNING,
        f"no CPython exports `{name}', so this weak name is always 0",
        tuple(f"write:   extern {near}:weak" for near in abi.near_misses(name)[:2]),
    )


def _not_exported(name: str, module: ModuleContext, abi: PythonAbi) -> Verdict:
    having = _having(name, module.free_threaded, abi)
    python = f"CPython {_version(module.python)}{' free-threaded' if module.free_threaded else ''}"
    what = f"{python} does not export `{name}', so the import fails with `undefined symbol'"
    if having:
        return (
            "unknown-name",
            ERROR,
            f"{what}; {_versions(having)} have it",
            (f"make it optional:   extern {name}:weak   and test that its table entry is not 0",),
        )
    return ("unknown-name", ERROR, what, _perhaps(abi.near_misses(name)[:2]))


def outside_stable_abi(name: str, promised: Version, abi: PythonAbi) -> Verdict | None:
    """Return a name's mistake in a module for ``promised`` and later, or None."""
    since = abi.stable_since(name)
    if since is not None and (since <= promised or _exported_until(since, name, promised, abi)):
        return None
    promise = f"this module promises to run on {_version(promised)} and everything later"
    if since is None:
        return (
            "outside-stable-abi",
            ERROR,
            f"`{name}' is not in the stable ABI, and {promise}: it may fail to import anywhere",
            (f"use a function of the stable ABI in its place{_or_near(name, abi)}",),
        )
    return (
        "outside-stable-abi",
        ERROR,
        f"`{name}' is in the stable ABI only since {_version(since)}, and {promise}: it may fail"
        " to import there",
        (
            f'promise less:   limited-api = "{_version(since)}"   in [tool.asmsetup]',
            f"or make it optional:   extern {name}:weak   and test that its table entry is not 0",
        ),
    )


def _exported_until(since: Version, name: str, promised: Version, abi: PythonAbi) -> bool:
    """Return whether the versions before the promise of the stable ABI had the name all the same.

    So it is with PyObject_GetBuffer and PyBuffer_Release, in 3.10: public, and stable since 3.11.
    """
    before = [version for version in VERSIONS if promised <= version < since]
    return promised >= VERSIONS[0] and all(abi.exported(name, version, False) for version in before)


def _c_name(
    symbol: Symbol,
    module: ModuleContext,
    defined: Mapping[str, Symbol],
    providers: Providers,
    abi: PythonAbi,
) -> Verdict | None:
    if symbol.binding == "weak":
        return None
    name = symbol.name
    provided = providers.has(name)
    if provided is False:
        near = (*similar(name, defined), *abi.near_misses(name)[:2], *providers.names_like(name))
        return (
            "unknown-name",
            ERROR,
            f"nothing provides `{name}': neither {module.others} or a"
            f" library named, so {module.fails} with `undefined symbol'",
            _perhaps(dict.fromkeys(near[:3]))
            or (f'name its library:   {module.declared}(..., libraries=["..."])',),
        )
    if module.universal:
        return (
            "needs-a-library",
            ERROR,
            f"`{name}' comes from a library, and a universal module must run without any: glibc"
            " and musl share none",
            ("use the Python API in its place, or leave `universal' out of [tool.asmsetup]",),
        )
    return None


def similar(name: str, names: Iterable[str]) -> list[str]:
    """Return the names that ``name`` may be meant for, the nearest first."""
    import difflib  # slow to import, and only needed to explain an error

    return difflib.get_close_matches(name, names, n=2, cutoff=0.8)


def running_exports(name: str, module: ModuleContext) -> bool:
    """Return what the running interpreter says of a name the table does not know."""
    if module.python != sys.version_info[:2]:
        return False
    import ctypes  # here, because it costs more than the whole check of a small module

    return hasattr(ctypes.pythonapi, name)


def _perhaps(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"perhaps it is:   {name}" for name in names)


def _or_near(name: str, abi: PythonAbi) -> str:
    near = [other for other in abi.near_misses(name) if not other.startswith("_")]
    return f", perhaps:   {near[0]}" if near else ""


def _version(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def _versions(versions: list[Version]) -> str:
    return ", ".join(map(_version, versions))

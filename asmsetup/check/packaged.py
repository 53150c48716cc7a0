"""Judges the native modules a wheel is made of, whatever built them, by their names and needs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from ..facts import cpython_abi, elf
from ..facts.elf import ElfFacts
from ..versions import OLDEST, VERSIONS

_PLATFORM = r"-(?P<machine>[a-z0-9_]+)-linux-(?P<libc>gnu|musl)[a-z0-9]*\.so$"
_C_LIBRARIES = {"libc.so.6": "gnu", "libc.musl-x86_64.so.1": "musl"}

Facts = Mapping[str, ElfFacts | None]
"""By the modules' paths in the wheel, as ``facts_of`` returns them."""


def named_for_another_platform(path: str, facts: ElfFacts | None) -> str | None:
    """Return how a module's name contradicts what it was built for; None when it does not.

    ``facts`` are those of a module for x86-64 Linux, None of an ELF file for another machine.
    """
    name = os.path.basename(path)
    built = "another machine" if facts is None else "x86-64 Linux"
    if name.endswith("-darwin.so"):
        return f"named for macOS and built for {built}"
    found = re.search(_PLATFORM, name) if "-linux-" in name else None
    if found is None:
        return None
    if (found["machine"] == "x86_64") != (facts is not None):
        return f"named for {found['machine']} and built for {built}"
    libcs = (
        {_C_LIBRARIES[library] for library in facts.needed if library in _C_LIBRARIES}
        if facts
        else ()
    )
    if libcs and found["libc"] not in libcs:
        return f"named for {_libc(found['libc'])} and linked with {_libc(*libcs)}"
    return None


def _libc(name: str) -> str:
    return "glibc" if name == "gnu" else "musl"


def facts_of(modules: Mapping[str, str]) -> dict[str, ElfFacts | None]:
    """Return the facts of modules (path in the wheel -> file); None for another machine's."""
    return {name: elf.read_if_supported(path) for name, path in modules.items()}


def misnamed(modules: Facts) -> list[str]:
    """Return a line for each module named for another platform."""
    reasons = ((name, named_for_another_platform(name, facts)) for name, facts in modules.items())
    return [f"{name} is {why}, so no Python can import it" for name, why in reasons if why]


def not_universal(modules: Facts) -> list[str]:
    """Return a line for each Python module that is not for every CPython."""
    return [
        f"{name} {why}"
        for name, facts in modules.items()
        if (why := next(_for_one_python(name, facts), None))
    ]


def _for_one_python(name: str, facts: ElfFacts | None) -> Iterator[str]:
    suffix = os.path.basename(name).partition(".")[2]
    if suffix.startswith(("cpython-", "pypy", "graalpy", "abi3")):
        yield f"is named for some Pythons only (.{suffix})"
    if facts is None or not any(
        s.name.startswith(("PyInit", "PyModExport")) for s in facts.exported
    ):
        return
    if facts.needed:
        yield f"needs {facts.needed[0]}, and glibc and musl share no library"
    for symbol in facts.undefined:
        if symbol.binding != "weak" and _is_of_one_version(symbol.name):
            yield f"uses `{symbol.name}', which is not in the stable ABI of {OLDEST[0]}.{OLDEST[1]}"


def _is_of_one_version(name: str) -> bool:
    """Return whether a name of CPython is missing in some Pythons that the wheel claims."""
    if not name.startswith(("Py", "_Py")):
        return False
    since = cpython_abi.stable_since(name)
    everywhere = all(cpython_abi.exported(name, version) for version in VERSIONS)
    return since is None or (since > OLDEST and not everywhere)

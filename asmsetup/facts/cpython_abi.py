"""Which names CPython exports, in which versions, and since when they are in the stable ABI.

A table, nothing more: ``check`` judges the names. The table
(data/exports.txt) is generated from CPython's headers and libraries by
tools/generate_abi.py; it is read at the first question and searched as text, because
a check asks for a handful of 2,400 names.
"""

from __future__ import annotations

import functools
import os

from ..versions import Version

_PATH = os.path.join(os.path.dirname(os.path.dirname(__file__)), "data", "exports.txt")


def exported(name: str, version: Version, free_threaded: bool = False) -> bool | None:
    """Return whether that CPython exports `name`.

    None if the table cannot say: it does not know the version, or has never seen the
    name (debug builds and distributions' patches export a few more).
    """
    row = _row(name)
    build = f"{version[0]}.{version[1]}{'t' if free_threaded else ''}"
    if row is None or build not in _builds():
        return None
    return row[-1][_builds().index(build)] == "x"


def stable_since(name: str) -> Version | None:
    """The version whose stable ABI first has `name`; (3, 10) if it was in before; None if never.

    Source: the list each CPython carries in Lib/test/test_stable_abi_ctypes.py.
    """
    row = _row(name)
    if row is None or row[3] == "-":
        return None
    major, minor = row[3].split(".")
    return int(major), int(minor)


def is_function(name: str) -> bool | None:
    """Return True for a function, False for data, None for a name that no CPython exports."""
    row = _row(name)
    return None if row is None else row[1] == "function"


def is_public(name: str) -> bool | None:
    """Return whether the public headers declare `name` as API; None if no CPython exports it."""
    row = _row(name)
    return None if row is None else row[2] == "public"


def near_misses(name: str) -> list[str]:
    """Return the names that `name` may be a misspelling of, nearest first, at most three.

    Public names only, unless the name is private itself.
    """
    import difflib  # slow to import, and only needed to explain an error

    kinds = (" public ",) if not name.startswith("_") else (" public ", " private ")
    names = [
        line.split(" ", 1)[0] for line in _text().splitlines() if any(k in line for k in kinds)
    ]
    same_letters = [other for other in names if other.lower() == name.lower() and other != name]
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.8)
    return list(dict.fromkeys([*same_letters, *(other for other in close if other != name)]))[:3]


@functools.cache
def _row(name: str) -> list[str] | None:
    text = _text()
    start = text.find(f"\n{name} ")
    return (
        None
        if start < 0 or name == "name"
        else text[start + 1 : text.index("\n", start + 1)].split()
    )


@functools.cache
def _text() -> str:
    with open(_PATH, encoding="ascii") as table:
        return table.read()


@functools.cache
def _builds() -> list[str]:
    heading = _text().split("\n", 2)[1]
    return heading.split()[4:]

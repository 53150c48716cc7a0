"""The part of python.inc's generated tables that a source mentions, for NASM to read only that.

NASM reads two thousand lines of tables in each of its passes, and a source needs a few dozen.
Where the text alone does not tell which names it comes to, NASM reads the tables as they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cache

from ..named import NamedTuple
from .includes import INCLUDE_DIR
from .nasm import AssemblerOptions
from .scan import TARGET_MACROS

_LONGEST = 100_000
"""Bytes of text; to look for names in more takes longer than NASM takes for the tables."""

# Names that are put together: by %?, %{...} or %tok; what else does is found by scan.py.
_PASTES = (b"%?", b"%{", b"%tok")
_WORD = rb"[A-Za-z_][\w.]*"
_INCLUDE = r'(?m)^%include "python/((layout|symbols|absent)/[\w-]+\.inc)"$'

_FORM = """\
; The names of CPython's that a source mentions, out of the tables of python.inc: made by
; asmsetup. python/abi.inc reads it in place of the tables, where _py_mentioned is its path.
{layout}%if __?PASS?__ != 2
{symbols}%endif
%if __?PASS?__ >= 2
{absent}%endif
"""


class _Tables(NamedTuple):
    layout: Mapping[str, str]
    """The value of each constant, field and size, by its name."""
    symbols: Sequence[str]
    absent: Mapping[str, str]
    """The definition of each name that the target lacks: a use of it is an error."""


def selection(paths: Iterable[str], options: AssemblerOptions, more: str = "") -> str:
    """Return the text that stands for the tables; empty when NASM is to read the tables.

    ``paths`` are the files that NASM reads with these options, apart from asmsetup's own, none
    of which chooses the target or puts words together as scan.py sees it; ``more`` is text that
    NASM reads besides. Raises OSError.
    """
    file = _target(options)
    if file is None:
        return ""
    parts = [_given(options)]
    for path in paths:
        with open(path, "rb") as source:
            parts.append(source.read(_LONGEST + 1))
    text = b"\n".join(parts)
    if len(text) > _LONGEST or any(paste in text.lower() for paste in _PASTES):
        return ""
    text = re.sub(rb"\\\r?\n", b"", text)
    tables = _tables(file)
    words = {*map(bytes.decode, re.findall(_WORD, text)), *re.findall(_WORD.decode(), more)}
    names = {*_own_names(typed=bool(more)), *words, *_derived(words, tables)}
    return _FORM.format(
        layout=_defines(tables.layout, names),
        # The object has its symbols in this order.
        symbols="".join(f"[extern {name}]\n" for name in tables.symbols if name in names),
        absent=_defines(tables.absent, names),
    )


def as_string(text: str) -> str:
    """Return one of NASM's strings for a text, such as a path."""
    odd = rb"[^ -\[\]-_a-~]"  # not in ASCII, a backquote or a backslash
    escaped = re.sub(odd, lambda match: b"\\x%02x" % match[0][0], os.fsencode(text))
    return f"`{escaped.decode()}`"


def _derived(words: Iterable[str], tables: _Tables) -> Iterator[str]:
    """Yield the names that NASM, or a macro, may come to for a word.

    ISTRUC needs the size of a struct, and AT its fields. A macro that was given tp_new looks
    for Py_tp_new.
    """
    for word in words:
        yield f"Py_{word}"
        yield f"{word}_size"
        if f"{word}_size" in tables.layout:
            fields = f"{word}."
            yield from (name for name in tables.layout if name.startswith(fields))
            yield from (name for name in tables.absent if name.startswith(fields))


def _defines(table: Mapping[str, str], names: Set[str]) -> str:
    return "".join(f"%define {name} {value}\n" for name, value in table.items() if name in names)


def _given(options: AssemblerOptions) -> bytes:
    """Return what the options hold that may be text of NASM's."""
    values = (f"{name} {value}" for name, value in options.define)
    return "\n".join((*values, *options.args)).encode(errors="surrogateescape")


def _target(options: AssemblerOptions) -> str | None:
    """Return the file of the target's tables, None where this is not what plan.py has chosen."""
    chosen = {name: value or "" for name, value in options.define if name in TARGET_MACROS}
    others = (*options.undefine, *options.args)
    if len(chosen) < sum(name in TARGET_MACROS for name, _ in options.define):
        return None
    if "Py_DEBUG" in chosen or any(macro in each for macro in TARGET_MACROS for each in others):
        return None
    free_threaded = "t" if "Py_GIL_DISABLED" in chosen else ""
    if "PY_UNIVERSAL" in chosen:
        name = "universal"
    elif (version := _version(chosen.get("Py_LIMITED_API", ""))) is not None:
        name = f"abi3{free_threaded}-{version}"
    elif (version := _version(chosen.get("PY_VERSION_HEX", ""))) is not None:
        name = f"cp{version}{free_threaded}"
    else:
        return None
    path = os.path.join(INCLUDE_DIR, "python", f"{name}.inc")
    return path if os.path.exists(path) else None


def _version(text: str) -> str | None:
    match = re.fullmatch(r"0x0([0-9A-Fa-f])([0-9A-Fa-f]{2})[0-9A-Fa-f]{4}", text)
    return match and f"{int(match[1], 16)}{int(match[2], 16)}"


@cache
def _tables(path: str) -> _Tables:
    """Return the tables that the file of a target includes."""
    words: dict[str, list[str]] = {"layout": [], "symbols": [], "absent": []}
    for file, part in re.findall(_INCLUDE, _read(path)):
        _, _, lines = _read(os.path.join(INCLUDE_DIR, "python", file)).partition("\n")
        words[part] += lines.split()
    layout, symbols, absent = words["layout"], words["symbols"], words["absent"]
    # Each line has three words, `%define NAME VALUE', or two: `[extern NAME]'.
    return _Tables(
        dict(zip(layout[1::3], layout[2::3], strict=True)),
        " ".join(symbols[1::2]).replace("]", "").split(),
        dict(zip(absent[1::3], absent[2::3], strict=True)),
    )


@cache
def _own_names(*, typed: bool) -> Sequence[str]:
    """Return the names that asmsetup's own macros mention, those of typed functions too if wanted.

    tools/generate_abi.py writes the list.
    """
    lines = _read(os.path.join(INCLUDE_DIR, "python", "own-names.txt")).splitlines()
    return [line.split()[0] for line in lines if typed or " " not in line]


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()

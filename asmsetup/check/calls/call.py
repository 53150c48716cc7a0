"""Calls of python.inc's macros as data: the macro, and the texts of its arguments. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType

from ...named import NamedTuple
from .expressions import UNKNOWN, Names, NoNumberError, integer

_QUOTED = r""""[^"]*"|'[^']*'|`(?:\\.|[^`\\])*`"""
_PIECE = re.compile(rf"{_QUOTED}|[^\"'`{{}},;]+|.", re.DOTALL)
_STATEMENT = re.compile(r"\s*(?:[\w.$@?~#]+:\s*)?(?P<macro>Py\w+)(?:\s+(?P<rest>.*))?", re.DOTALL)


class MisuseError(Exception):
    """A call cannot do what its author means; the message says why."""


class Target(NamedTuple):
    """The surroundings of a recorded call; unknown for a call that is read from a source."""

    oldest: int | None = None
    """The oldest version compiled for, as PY_VERSION_HEX."""
    head: int | None = None
    """The bytes of an object's header, in a PyType."""
    size: str = ""
    """The bytes of the type's objects, an expression."""


class Call(NamedTuple):
    """One call of a macro."""

    macro: str
    arguments: tuple[str, ...]
    target: Target = Target()
    names: Names = lambda name: UNKNOWN
    is_undefined: Callable[[str], bool] = lambda name: False
    """Whether a name is known to stand for nothing that the macro can take."""
    types: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """The types declared so far, each with the other arguments of its PyType, in their order."""


def split(text: str) -> tuple[str, ...]:
    """Return the arguments in a text: what commas outside of quotes and braces part."""
    parts, nesting = [""], 0
    for piece in _PIECE.findall(text):
        nesting += (piece == "{") - (piece == "}")
        if piece == ";":
            break
        if piece == "," and nesting <= 0:
            parts.append("")
        else:
            parts[-1] += piece
    stripped = [part.strip() for part in parts]
    return tuple(part[1:-1] if re.fullmatch(r"\{.*\}", part) else part for part in stripped)


def recorded(text: str) -> tuple[str, tuple[str, ...], Target]:
    """Return what a record says: the macro, its arguments, and where they stand."""
    where, macro, *rest = (*text.split(",", 2), "", "")
    oldest, head, size = (*where.split(None, 2), "", "", "")[:3]
    return macro.strip(), split(rest[0]), Target(_number(oldest), _number(head), size)


def statement(macro: str, arguments: Sequence[str]) -> str:
    """Return what a recorded call is in its source, as far as the record says it."""
    if macro == "attribute":  # of the macro that comes first
        macro, name, *_ = (*arguments, "", "")
        return f"{macro} {name[1:-1] if macro == 'PyFunction' else name}"
    given = arguments[:1] if macro == "PyReturn" else arguments
    return f"{macro} {', '.join(given)}"


def _number(word: str) -> int | None:
    try:
        return integer(word) if word else None
    except NoNumberError:
        return None


def written(lines: Sequence[str], number: int) -> tuple[str, tuple[str, ...]] | None:
    """Return the macro and the arguments that a line of a source holds, counted from 1."""
    text = "".join(_joined(islice(lines, number - 1, None)))
    found = _STATEMENT.fullmatch(text)
    return (found["macro"], split(found["rest"] or "")) if found else None


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Yield the first line, and those that continue it."""
    for line in lines:
        text = line.rstrip()
        yield text.removesuffix("\\")
        if not text.endswith("\\"):
            return

"""Reads what the macros and bindings say of their routines, from a section that is never loaded.

The section holds records: a byte for the kind, two for the size of the body, the body. Kinds
that are unknown are skipped, so that older checkers read what newer macros write.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct, error

from ...named import NamedTuple

SECTION = ".debug_asmsetup"
CALLS_SECTION = ".debug_asmsetup_calls"
"""The calls of macros, which check/calls judges: texts, each with a zero behind it."""

METHOD, C_FUNCTION, INTERNAL, GENERATED, CALLBACK, ENTRY_POINT = range(6)
"""The roles of a routine: how it is called, and by whom."""

_FUNCTION, _NO_RETURN, _ALLOW, _PROTOTYPE = 1, 4, 5, 6

_HEAD = Struct("<BH")
_FUNCTION_BODY = Struct("<QQBI")
_RANGE = Struct("<QQ")
_START = Struct("<Q")


class Routine(NamedTuple):
    """A routine as its author declared it."""

    start: int
    end: int
    """Behind its last byte; ``start`` when it is not known."""
    role: int
    flags: int
    """The METH flags of a method, else 0."""
    name: str


class Permission(NamedTuple):
    """A rule that the author allows to be broken in a stretch of code."""

    start: int
    end: int
    rule: str
    reason: str


class Marks:
    """Everything the sections of one image say."""

    def __init__(self) -> None:
        self.routines: dict[int, Routine] = {}
        self.not_returning: set[int] = set()
        self.permissions: list[Permission] = []
        self.prototypes: dict[int, tuple[str, ...]] = {}
        """The signatures of the functions that call a routine."""

    @classmethod
    def read(cls, content: bytes) -> Marks:
        """Return what one section says; what is cut off or garbled is left out."""
        marks = cls()
        at = 0
        while at + _HEAD.size <= len(content):
            kind, size = _HEAD.unpack_from(content, at)
            at += _HEAD.size
            body = content[at : at + size]
            at += size
            if len(body) < size:
                break
            try:
                marks._add(kind, body)
            except (error, ValueError):
                continue
        return marks

    def _add(self, kind: int, body: bytes) -> None:
        if kind == _FUNCTION:
            start, end, role, flags = _FUNCTION_BODY.unpack_from(body)
            name = _text(body, _FUNCTION_BODY.size)
            routine = Routine(start, end, role, flags, name)
            self.routines[start] = _together(self.routines.get(start), routine)
        elif kind == _NO_RETURN:
            self.not_returning.update(_START.unpack_from(body))
        elif kind == _ALLOW:
            start, end = _RANGE.unpack_from(body)
            rule = _text(body, _RANGE.size)
            reason = _text(body, _RANGE.size + len(rule.encode()) + 1)
            self.permissions.append(Permission(start, end, rule, reason))
        elif kind == _PROTOTYPE:
            (start,) = _START.unpack_from(body)
            signature = _text(body, _START.size)
            self.prototypes[start] = (*self.prototypes.get(start, ()), signature)

    @classmethod
    def together(cls, parts: Iterable[Marks]) -> Marks:
        """Return what several objects' sections say."""
        marks = cls()
        for part in parts:
            marks.routines |= part.routines
            marks.not_returning |= part.not_returning
            marks.permissions += part.permissions
            marks.prototypes |= part.prototypes
        return marks


def _together(known: Routine | None, routine: Routine) -> Routine:
    """Return what two records say of one routine, which is entered in a table and has an end."""
    if known is None or routine.role not in (METHOD, C_FUNCTION):
        return routine
    if known.role == C_FUNCTION and routine.role == METHOD:
        known, routine = routine, known
    return known._replace(end=max(known.end, routine.end))


def _text(body: bytes, at: int) -> str:
    return body[at : body.index(b"\0", at)].decode("utf-8", "backslashreplace")

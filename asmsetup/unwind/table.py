"""Writes .eh_frame: for each stretch of code, where the caller's frame is at each instruction.

The form is DWARF's (call frame information), as compilers write it on x86-64.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import pack

from .. import dwarf
from ..check.code.values import KEPT, NAMES, RBP, RSP
from ..named import NamedTuple
from .places import Address, Loaded, Place, Places, Saved, Sum, Unchanged

_RETURN_ADDRESS = 16
"""DWARF's number of the column, behind those of the registers."""

COMMON = bytes(
    # Version 1, augmentation zR, code by 1, data by -8; addresses are 4 bytes from their place.
    (1, *b"zR\0", 1, 0x78, _RETURN_ADDRESS, 1, 0x1B)
    # At entry: the frame is 8 above rsp, and the return address right below it.
) + bytes((dwarf.CFA, dwarf.REGISTERS[RSP], 8, dwarf.OFFSET + _RETURN_ADDRESS, 1))
"""The record that all others refer to, behind its size and its number."""

_BY_PREFERENCE = (RBP, RSP, *(number for number in KEPT if number != RBP))
"""As compilers do it: rbp where it points to the frame, and what calls keep before the rest."""


class Row(NamedTuple):
    """The row of the table for one instruction."""

    frame: Address
    kept: tuple[Place, ...]
    """In the order of ``KEPT``."""


class Stretch(NamedTuple):
    """Code without a gap."""

    start: int
    end: int
    rows: tuple[tuple[int, Row], ...]
    """By address, in order."""


_AT_ENTRY = Row(Sum(RSP, 8), (Unchanged(),) * len(KEPT))


def row(places: Places) -> Row | str:
    """Return the row of an instruction, or the reason why it can have none."""
    frame = min(places.frame, key=_by_frame, default=None)
    if frame is None:
        return "the place of its frame is not known on every path"
    kept: list[Place] = []
    for number, each in zip(KEPT, places.kept, strict=True):
        place = min(each, key=_by_place, default=None)
        if place is None:
            return f"the place where it keeps {NAMES[number]} is not known on every path"
        kept.append(place)
    return Row(frame, tuple(kept))


def _by_frame(way: Address) -> tuple[object, ...]:
    is_steady = way.register in _BY_PREFERENCE
    place = _BY_PREFERENCE.index(way.register) if is_steady else len(_BY_PREFERENCE)
    return type(way) is Loaded, place, way


def _by_place(place: Place) -> tuple[object, ...]:
    return (Unchanged, Saved, Loaded, Sum).index(type(place)), place


def records(stretches: Sequence[Stretch]) -> tuple[bytes, list[tuple[int, Stretch]]]:
    """Return the section's content, and where the address of each stretch belongs in it."""
    content = bytearray(_record(pack("<I", 0) + COMMON))
    places: list[tuple[int, Stretch]] = []
    for stretch in stretches:
        places.append((len(content) + 8, stretch))
        head = pack("<IiIB", len(content) + 4, 0, stretch.end - stretch.start, 0)
        content += _record(head + b"".join(_instructions(stretch)))
    return bytes(content), places


def _record(body: bytes) -> bytes:
    # The size counts itself not; DW_CFA_nop fills up.
    body += bytes(-(len(body) + 4) % 8)
    return pack("<I", len(body)) + body


def _instructions(stretch: Stretch) -> Iterable[bytes]:
    at, known = stretch.start, _AT_ENTRY
    for address, new in stretch.rows:
        changes = _changes(known, new)
        if changes:
            yield _advance(address - at) + changes
            at, known = address, new


def _advance(distance: int) -> bytes:
    if distance < 0x40:
        return bytes((dwarf.ADVANCE + distance,)) if distance else b""
    if distance < 0x100:
        return pack("<BB", dwarf.ADVANCE_1, distance)
    if distance < 0x10000:
        return pack("<BH", dwarf.ADVANCE_2, distance)
    return pack("<BI", dwarf.ADVANCE_4, distance)


def _changes(before: Row, after: Row) -> bytes:
    changes = b"" if before.frame == after.frame else _frame(before.frame, after.frame)
    for number, old, new in zip(KEPT, before.kept, after.kept, strict=True):
        if old != new:
            changes += _kept(dwarf.REGISTERS[number], new)
    return changes


def _frame(before: Address, after: Address) -> bytes:
    if isinstance(after, Loaded):
        more = bytes((dwarf.OP_DEREF, dwarf.OP_PLUS)) + dwarf.unsigned(after.more)
        expression = _load(after) + more
        return bytes((dwarf.CFA_EXPRESSION, len(expression))) + expression
    register = bytes((dwarf.REGISTERS[after.register],))
    distance = dwarf.unsigned(after.distance)
    if isinstance(before, Sum) and before.register == after.register:
        return bytes((dwarf.CFA_OFFSET,)) + distance
    if isinstance(before, Sum) and before.distance == after.distance:
        return bytes((dwarf.CFA_REGISTER,)) + register
    return bytes((dwarf.CFA,)) + register + distance


def _kept(register: int, place: Place) -> bytes:
    if isinstance(place, Saved):
        return bytes((dwarf.OFFSET + register,)) + dwarf.unsigned(place.distance // -8)
    if isinstance(place, Sum):
        return bytes((dwarf.REGISTER, register, dwarf.REGISTERS[place.register]))
    if isinstance(place, Loaded):
        expression = _load(place)
        return bytes((dwarf.EXPRESSION, register, len(expression))) + expression
    return bytes((dwarf.RESTORE + register,))


def _load(place: Loaded) -> bytes:
    return bytes((dwarf.OP_BREG + dwarf.REGISTERS[place.register],)) + dwarf.signed(place.distance)

"""Writes .eh_frame: for each stretch of code, where the caller's frame is at each instruction.

The form is DWARF's (call frame information), as compilers write it on x86-64.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import pack

from ..check.code.values import KEPT, NAMES, RBP, RSP
from ..named import NamedTuple
from .places import Address, Loaded, Place, Places, Saved, Sum, Unchanged

# DWARF's numbers of the registers, in the order of instructions (psABI, figure 3.36).
_DWARF = (0, 2, 1, 3, 7, 6, 4, 5, *range(8, 16))
_RETURN_ADDRESS = 16

_ADVANCE, _OFFSET, _RESTORE = 0x40, 0x80, 0xC0
_ADVANCE_1, _ADVANCE_2, _ADVANCE_4 = 0x02, 0x03, 0x04
_REGISTER, _CFA, _CFA_REGISTER, _CFA_OFFSET = 0x09, 0x0C, 0x0D, 0x0E
_CFA_EXPRESSION, _EXPRESSION = 0x0F, 0x10
_OP_DEREF, _OP_PLUS, _OP_BREG = 0x06, 0x23, 0x70

COMMON = bytes(
    # Version 1, augmentation zR, code by 1, data by -8; addresses are 4 bytes from their place.
    (1, *b"zR\0", 1, 0x78, _RETURN_ADDRESS, 1, 0x1B)
    # At entry: the frame is 8 above rsp, and the return address right below it.
) + bytes((_CFA, _DWARF[RSP], 8, _OFFSET + _RETURN_ADDRESS, 1))
"""The record that all others refer to, behind its size and its number."""


_STEADY = frozenset((RSP, *KEPT))


class Row(NamedTuple):
    """What is said of one instruction."""

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
    """Return what to say of an instruction; where nothing can be said, why."""
    frame = min(places.frame, key=_by_frame, default=None)
    if frame is None:
        return "where its frame is, is not known on every path"
    kept: list[Place] = []
    for number, each in zip(KEPT, places.kept, strict=True):
        place = min(each, key=_by_place, default=None)
        if place is None:
            return f"where it keeps {NAMES[number]} is not known on every path"
        kept.append(place)
    return Row(frame, tuple(kept))


def _by_frame(way: Address) -> tuple[object, ...]:
    # As compilers do it: rbp where it points to the frame, and what calls keep before the rest.
    place = (RBP, RSP, *KEPT).index(way.register) if way.register in _STEADY else len(_STEADY)
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
        return bytes((_ADVANCE + distance,)) if distance else b""
    for size, instruction in (("B", _ADVANCE_1), ("H", _ADVANCE_2)):
        if distance < (0x100 if size == "B" else 0x10000):
            return pack(f"<B{size}", instruction, distance)
    return pack("<BI", _ADVANCE_4, distance)


def _changes(before: Row, after: Row) -> bytes:
    changes = b"" if before.frame == after.frame else _frame(before.frame, after.frame)
    for number, old, new in zip(KEPT, before.kept, after.kept, strict=True):
        if old != new:
            changes += _kept(_DWARF[number], new)
    return changes


def _frame(before: Address, after: Address) -> bytes:
    if isinstance(after, Loaded):
        expression = _load(after) + bytes((_OP_DEREF, _OP_PLUS)) + _unsigned(after.more)
        return bytes((_CFA_EXPRESSION, len(expression))) + expression
    register, distance = bytes((_DWARF[after.register],)), _unsigned(after.distance)
    if type(before) is not Sum:
        return bytes((_CFA,)) + register + distance
    if before.register == after.register:
        return bytes((_CFA_OFFSET,)) + distance
    if before.distance == after.distance:
        return bytes((_CFA_REGISTER,)) + register
    return bytes((_CFA,)) + register + distance


def _kept(register: int, place: Place) -> bytes:
    if isinstance(place, Saved):
        return bytes((_OFFSET + register,)) + _unsigned(place.distance // -8)
    if isinstance(place, Sum):
        return bytes((_REGISTER, register, _DWARF[place.register]))
    if isinstance(place, Loaded):
        expression = _load(place)
        return bytes((_EXPRESSION, register, len(expression))) + expression
    return bytes((_RESTORE + register,))


def _load(place: Loaded) -> bytes:
    return bytes((_OP_BREG + _DWARF[place.register],)) + _signed(place.distance)


def _unsigned(number: int) -> bytes:
    """Return a number as ULEB128."""
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*written, number))


def _signed(number: int) -> bytes:
    """Return a number as SLEB128."""
    written = bytearray()
    while not -0x40 <= number < 0x40:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*written, number & 0x7F))

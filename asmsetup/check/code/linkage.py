"""Reads a linked module's tables: where its calls lead, and which functions do not return."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..kinds import ADDRESS_64, NUMBERS
from .prototypes import prototype

if TYPE_CHECKING:
    from ...facts.elf import RelocationTable
    from .image import Image

_NAMES = frozenset(NUMBERS[name] for name in ("GLOB_DAT", "JUMP_SLOT", "64"))
_RELATIVE = NUMBERS["RELATIVE"]
_COMPILERS = (b"GCC: ", b"clang version", b"rustc version", b"Intel(R)")


def names_compiler(comment: bytes) -> bool:
    """Return whether the section .comment of an object is that of a compiler of C or the like."""
    return any(name in comment for name in _COMPILERS)


def read_relocations(image: Image, table: RelocationTable) -> None:
    """Store what the loader will put into a module's data."""
    for relocation in table:
        place = relocation.offset
        if relocation.type in _NAMES:
            symbol = relocation.symbol
            if symbol.section is not None and symbol.type != "ifunc":
                image.pointers[place] = symbol.value + relocation.addend
                continue
            if relocation.type == ADDRESS_64:
                image.imported_data[place] = symbol.name
            image.slots[place] = symbol.name
        elif relocation.type == _RELATIVE:
            image.pointers[place] = relocation.addend


def read_stubs(image: Image) -> None:
    """Find what the entries of the procedure linkage table jump to."""
    for stretch in image.stretches:
        if not stretch.name.startswith(".plt"):
            continue
        code = bytes(stretch.content)
        at = code.find(b"\xff\x25")
        while at >= 0:
            distance = int.from_bytes(code[at + 2 : at + 6], "little", signed=True)
            slot = stretch.start + at + 6 + distance
            first = at - 1 if at and code[at - 1] == 0xF2 else at
            starts = [stretch.start + first]
            if code[first - 4 : first] == b"\xf3\x0f\x1e\xfa":
                starts.append(starts[0] - 4)
            if (name := image.slots.get(slot)) is not None:
                image.externals.update(dict.fromkeys(starts, name))
            elif (own := image.constant(slot)) is not None:
                image.detours.update(dict.fromkeys(starts, own))
            at = code.find(b"\xff\x25", at + 2)


def last_called(image: Image) -> frozenset[str]:
    """Return the functions that several of a compiler's end with a call of: they never return.

    One alone may end so because what it does then is undefined.
    """
    counts = Counter(_called_at(image, end) for end in image.described.values())
    often = (name for name, count in counts.items() if name is not None and count > 1)
    return frozenset(name for name in often if not prototype(name).known)


def _called_at(image: Image, end: int) -> str | None:
    """Return the name of the function that the last instruction before an address calls."""
    distance = image.number(end - 4, 4, signed=True)
    if distance is None:
        return None
    if image.number(end - 5, 1) == 0xE8:
        goal = image.detours.get(end + distance, end + distance)
        if goal in image.described or goal in image.externals:
            return image.name(goal)
    return image.slots.get(end + distance) if image.number(end - 6, 2) == 0x15FF else None

"""Checks of every offset, size, name and sum in a file, which may be damaged or hostile.

Whatever points outside the file is an ObjectError, and the work done is bounded by the file's size.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

from ...errors import ObjectError
from .layout import FILE_KINDS, FOREIGN_MAGIC, MACHINES, OTHER_FILE_KINDS, X86_64
from .records import Section

# Longer names exist in no object a compiler makes; the limit keeps a damaged string table
# from costing the product of its length and the number of names.
LONGEST_NAME = 16384


def require_inside(what: str, offset: int, size: int, data: bytes) -> None:
    """Raise ObjectError unless ``data`` has ``size`` bytes at ``offset``."""
    if offset + size > len(data):
        raise ObjectError(
            f"{what} should end at byte {offset + size}, and the file has only"
            f" {len(data)}: it is damaged or incomplete"
        )


def piece(what: str, offset: int, size: int, data: bytes) -> bytes:
    """Return the bytes of a part of the file. Raises ObjectError when it is not all there."""
    require_inside(what, offset, size, data)
    return data[offset : offset + size]


def require_separate(tables: Iterable[Section], data: bytes) -> None:
    """Refuse tables that overlap: reading them could cost any multiple of the file's size."""
    total = 0
    for section in tables:
        require_inside(section.title, section.offset, section.size, data)
        total += section.size
    if total > len(data):
        raise ObjectError("its sections overlap: the file is damaged")


class NameAllowance:
    """How many bytes of names may be read from a string table."""

    def __init__(self, names: bytes) -> None:
        # Linkers share common endings of names, so the sum may exceed the table; eightfold no.
        self._left = 8 * len(names) + LONGEST_NAME

    def take(self, name: str) -> None:
        """Count a name that was read. Raises ObjectError when there are too many."""
        self._left -= len(name)
        if self._left < 0:
            raise ObjectError("the names of its symbols overlap: the file is damaged")


def unpack(layout: Struct, data: bytes, at: int) -> tuple[int, ...]:
    """Return the fields of a record. Raises ObjectError when it is cut off."""
    if at + layout.size > len(data):
        raise ObjectError("one of its tables is cut off: the file is damaged")
    return layout.unpack_from(data, at)


def name_at(names: bytes, at: int) -> str:
    """Return a name of a string table. Raises ObjectError when it lies outside, or is endless."""
    end = names.find(b"\0", at, at + LONGEST_NAME)
    if end < 0:
        raise ObjectError("a name lies outside the table of names: the file is damaged")
    # nasm and gcc pass UTF-8 through; other bytes survive for printing.
    return names[at:end].decode("utf-8", "backslashreplace")


def file_kind(identification: bytes, type_: int, machine: int) -> str:
    """Return "object" or "module". Raises ObjectError that says what the file is instead."""
    if identification[:4] != b"\x7fELF":
        raise ObjectError(not_elf(identification))
    if identification[4] == 1:
        name = "x32" if machine == X86_64 else MACHINES.get(machine, "32-bit")
        raise ObjectError(f"it is an ELF file for {name}, and asmsetup builds for x86-64")
    if identification[5] == 2:
        raise ObjectError("it is a big-endian ELF file, and asmsetup builds for x86-64")
    if machine != X86_64:
        name = MACHINES.get(machine, f"machine {machine}")
        raise ObjectError(f"it is an ELF file for {name}, and asmsetup builds for x86-64")
    if identification[4] != 2 or identification[5] != 1 or identification[6] != 1:
        raise ObjectError("its ELF header is damaged")
    if type_ not in FILE_KINDS:
        kind = OTHER_FILE_KINDS.get(type_, f"an ELF file of type {type_}")
        raise ObjectError(f"it is {kind}, neither an object nor a module")
    return FILE_KINDS[type_]


def not_elf(start: bytes) -> str:
    """Return what a file that begins so is, in the place of ELF."""
    if not start:
        return "the file is empty"
    for magic, what in FOREIGN_MAGIC:
        if start.startswith(magic):
            if magic == b"\x7fELF":
                return f"it ends after {len(start)} bytes, inside the ELF header"
            return f"it is {what}, not an ELF object"
    return "it is not an ELF file"

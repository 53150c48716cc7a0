"""The section .eh_frame of an object: which code it describes, and how more gets in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from ..errors import ObjectError
from ..facts.elf import ElfFacts, Section
from ..facts.elf.layout import FILE_HEADER, RELOCATION, SECTION_HEADER
from ..facts.frames import frames

NAME = ".eh_frame"

_PROGBITS, _RELA = 1, 4
_ALLOC, _INFO_IS_SECTION = 2, 0x40
_PC32 = 2


class Described:
    """The code that a section says how to unwind."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []
        self.is_closed = False
        """A zero says that nothing follows: linkers read no further."""

    def read(self, content: bytes, address: int) -> None:
        """Add one section .eh_frame, whose relocations are applied."""
        ranges, end = frames(content, address)
        self._ranges = sorted((*self._ranges, *ranges))
        self.is_closed = content[end : end + 4] == bytes(4)

    def covers(self, address: int) -> bool:
        """Return whether there is a table for the instruction at an address."""
        place = bisect_right(self._ranges, (address, 1 << 64)) - 1
        return place >= 0 and address < self._ranges[place][1]


def section_symbols(facts: ElfFacts) -> dict[int, int]:
    """Return the index of each section's own symbol, by the section's number."""
    return {
        symbol.section_index: index
        for index, symbol in enumerate(facts.symbols)
        if symbol.type == "section"
    }


def with_table(facts: ElfFacts, table: bytes, addresses: Sequence[tuple[int, int, int]]) -> bytes:
    """Return the object with more in its .eh_frame, or with one.

    ``addresses`` are the places in the table that hold one: where, the symbol it counts from,
    and what is added. All else stays where it is in the object, which grows behind its end.
    Raises ObjectError when the names of its sections are nowhere.
    """
    old = facts.section(NAME)
    content = table if old is None else facts.content(old) + table
    relocations = b"".join(
        RELOCATION.pack(len(content) - len(table) + place, symbol << 32 | _PC32, addend)
        for place, symbol, addend in addresses
    )
    file = _File(facts)
    known = None if old is None else _relocations_of(old, facts)
    # The end of this name is that of the other section.
    name = file.add_name(f".rela{NAME}") if known is None else 0
    if old is None:
        number = file.add_section(name + len(".rela"), _PROGBITS, _ALLOC, content, (0, 0, 8, 0))
    else:
        number = old.number
        file.replace(old, content)
    if known is None:
        symbols = next(each.number for each in facts.sections if each.type == "symtab")
        links = symbols, number, 8, RELOCATION.size
        file.add_section(name, _RELA, _INFO_IS_SECTION, relocations, links)
    else:
        file.replace(known, facts.content(known) + relocations)
    return file.to_bytes()


def _relocations_of(section: Section, facts: ElfFacts) -> Section | None:
    """Return the section with the relocations of another; None where it needs none."""
    found = (e for e in facts.sections if e.type == "rela" and e.info == section.number)
    return next(found, None)


class _File:
    """An object that is being extended: what is new stands behind its end."""

    def __init__(self, facts: ElfFacts) -> None:
        self._data = bytearray(facts.data)
        self._facts = facts
        self._header = list(FILE_HEADER.unpack_from(self._data))
        self._sections = [
            list(SECTION_HEADER.unpack_from(self._data, self._header[6] + at))
            for at in range(0, len(facts.sections) * SECTION_HEADER.size, SECTION_HEADER.size)
        ]

    def replace(self, section: Section, content: bytes) -> None:
        """Give a section another content."""
        self._sections[section.number][4:6] = self._append(content), len(content)

    def add_name(self, name: str) -> int:
        """Add the name of a section; return where it stands."""
        number = self._header[13]
        if not 0 < number < len(self._facts.sections):
            raise ObjectError("the section with the names of sections is missing")
        names = self._facts.sections[number]
        content = self._facts.content(names)
        self.replace(names, content + name.encode() + b"\0")
        return len(content)

    def add_section(
        self, name: int, type_: int, flags: int, content: bytes, links: Sequence[int]
    ) -> int:
        """Add a section; return its number. ``links`` are the last fields of its header."""
        place = self._append(content)
        self._sections.append([name, type_, flags, 0, place, len(content), *links])
        return len(self._sections) - 1

    def to_bytes(self) -> bytes:
        """Return the whole object."""
        self._header[6] = self._append(b"".join(SECTION_HEADER.pack(*e) for e in self._sections))
        self._header[12] = len(self._sections)
        self._data[: FILE_HEADER.size] = FILE_HEADER.pack(*self._header)
        return bytes(self._data)

    def _append(self, content: bytes) -> int:
        self._data += bytes(-len(self._data) % 8)
        place = len(self._data)
        self._data += content
        return place

"""Rules about relocations: addresses a shared module cannot have, or that crash it.

What each kind does when it is linked and loaded was measured with GNU ld 2.35 to 2.47 on
glibc and musl. Most relocations are in order, so a table is judged by its few distinct
(type, symbol) pairs first; single places are looked at only when one of those is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..facts import cpython_abi
from ..facts.elf import Relocation, RelocationTable, Section, Symbol
from .entries import entries
from .findings import Finding
from .kinds import (
    ADDRESS_64,
    BRANCHES,
    BRANCHING,
    GOT_BASE,
    GOT_OFFSET,
    GOT_RELATIVE,
    LOCAL_EXEC,
    NARROW,
    RELATIVE,
    Mistake,
    is_data_section,
)
from .places import ModuleNames, ObjectPlaces


def check(places: ObjectPlaces, names: ModuleNames) -> Iterator[Finding]:
    """The findings about one object's relocations."""
    tables = [t for t in places.object.facts.relocation_tables if t.section.alloc]
    uses_got_base = any(type_ in GOT_BASE for table in tables for type_, _ in table.kinds)
    for table in tables:
        wrong = {
            kind: mistake
            for kind in table.kinds
            if (mistake := _mistake(table.section, *kind, names, uses_got_base)) is not None
        }
        if wrong:
            from . import mistakes  # what a sound module does not need is not imported

            for relocation in table:
                mistake = wrong.get((relocation.type, relocation.symbol))
                if mistake is not None:
                    yield from mistakes.findings_of(mistake, places.place(table, relocation))
        yield from _branches_into_the_got(places, table)
        yield from _calls_of_data(places, table)
    if places.object.source is not None:
        yield from _data_as_code(places, names)


def _mistake(
    section: Section, type_: int, symbol: Symbol, names: ModuleNames, uses_got_base: bool
) -> Mistake | None:
    """Return what is wrong with every relocation of this kind."""
    if type_ in RELATIVE:
        return "external" if names.is_external(symbol) else None
    if type_ == ADDRESS_64:
        return None if section.writable or names.is_number(symbol) else "absolute"
    if type_ in NARROW:
        return None if names.is_number(symbol) else "narrow"
    if type_ in GOT_OFFSET:
        return None if uses_got_base else "got-offset"
    return "local-exec" if type_ in LOCAL_EXEC else None


def _branches_into_the_got(places: ObjectPlaces, table: RelocationTable) -> Iterator[Finding]:
    if not table.section.executable:
        return
    # One byte earlier: the byte in front of an offset is at the offset.
    shifted = b"\0" + places.content(table.section)
    offsets = list(table.offsets(GOT_RELATIVE))
    if max(offsets, default=0) >= len(shifted):
        offsets = [offset for offset in offsets if offset < len(shifted)]
    if BRANCHES.isdisjoint(map(shifted.__getitem__, offsets)):
        return
    called = {offset for offset in offsets if shifted[offset] in BRANCHES}
    from . import mistakes

    for relocation in table:
        if relocation.type in GOT_RELATIVE and relocation.offset in called:
            yield from mistakes.findings_of("got-called", places.place(table, relocation))


_THROUGH_THE_GOT = (b"\xff\x15", b"\xff\x25")
"""call and jmp through an address in memory (Intel SDM, volume 2)."""


def _calls_of_data(places: ObjectPlaces, table: RelocationTable) -> Iterator[Finding]:
    """Yield a finding for each call of what CPython exports as data."""
    if not table.section.executable:
        return
    data = {
        kind
        for kind in table.kinds
        if kind[0] in GOT_RELATIVE and cpython_abi.is_function(kind[1].name) is False
    }
    content = places.content(table.section) if data else b""
    for relocation in table if data else ():
        before = content[max(0, relocation.offset - 2) : relocation.offset]
        if before in _THROUGH_THE_GOT and (relocation.type, relocation.symbol) in data:
            from . import mistakes

            yield from mistakes.findings_of("data-called", places.place(table, relocation))


def _data_as_code(places: ObjectPlaces, names: ModuleNames) -> Iterator[Finding]:
    """Yield a finding for each call, jump or table that leads into data."""
    data = {each.number for each in places.object.facts.sections if _holds_data(each)}

    def leads_into_data(symbol: Symbol) -> bool:
        if symbol.section is None:
            symbol = names.defined.get(symbol.name, symbol)
            # What is declared as a function there has a rule of its own.
            return is_data_section(symbol.section) and symbol.type != "func"
        return symbol.section_index in data and symbol.type != "func"

    for table in places.object.facts.relocation_tables:
        if not table.section.executable:
            continue
        wrong = {kind for kind in table.kinds if kind[0] in BRANCHING and leads_into_data(kind[1])}
        if wrong and (at := set(_branch_fields(places, table))):
            yield from _told(
                places,
                ((table, r) for r in table if r.offset in at and (r.type, r.symbol) in wrong),
            )
    yield from _told(
        places,
        (
            (entry.table, entry.relocation)
            for entry in entries(places)
            if leads_into_data(entry.relocation.symbol)
        ),
    )


def _holds_data(section: Section) -> bool:
    return section.alloc and not section.executable and is_data_section(section.name)


def _branch_fields(places: ObjectPlaces, table: RelocationTable) -> Iterator[int]:
    """Yield the offsets of the fields that an opcode of a branch stands before."""
    content = b"\0\0" + places.content(table.section)
    for offset in table.offsets(BRANCHING):
        before, opcode = content[offset : offset + 2].ljust(2, b"\0")
        if opcode in BRANCHES or (before == _LONG and opcode & 0xF0 == _CONDITIONAL):
            yield offset


_LONG, _CONDITIONAL = 0x0F, 0x80


def _told(
    places: ObjectPlaces, wrong: Iterable[tuple[RelocationTable, Relocation]]
) -> Iterator[Finding]:
    for table, relocation in wrong:
        from . import mistakes

        place = places.place(table, relocation)
        if not table.section.executable or place.is_operand:
            label = places.label(place.target) or places.use("PyDispatch", place.target)
            yield mistakes.data_run(place, label, holds_pointer=places.is_pointer(relocation))

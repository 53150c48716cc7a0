"""Rules about relocations: addresses a shared module cannot have, or that crash it.

What each kind does when it is linked and loaded was measured with GNU ld 2.35 to 2.47 on
glibc and musl. Most relocations are in order, so a table is judged by its few distinct
(type, symbol) pairs first; single places are looked at only when one of those is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..facts import cpython_abi
from ..facts.elf import Kind, Relocation, RelocationTable, Section, Symbol
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

            for relocation in table.of(wrong):
                mistake = wrong[relocation.type, relocation.symbol]
                yield from mistakes.findings_of(mistake, places.place(table, relocation))
    code = [table for table in tables if table.section.executable]
    branches = [(table, _branched_to(places, table, names)) for table in code]
    for table, kinds in branches:
        yield from _branches_into_the_got(places, table, kinds)
        yield from _calls_of_data(places, table)
    if places.object.source is not None:
        yield from _data_as_code(places, names, branches)


def _branched_to(
    places: ObjectPlaces, table: RelocationTable, names: ModuleNames
) -> frozenset[Kind]:
    """Return the kinds that no branch may have, of those that an opcode of one stands before."""
    suspects = {
        kind
        for kind in table.kinds
        if kind[0] in GOT_RELATIVE
        or (kind[0] in BRANCHING and _leads_into_data(places, names, kind[1]))
    }
    return _kinds_behind(places, table, _OPCODES) & suspects if suspects else frozenset()


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


def _kinds_behind(places: ObjectPlaces, table: RelocationTable, bytes_: bytes) -> frozenset[Kind]:
    """Return the kinds of those relocations that one of some bytes stands in front of.

    ``bytes_`` has for each of the 256 one that is not 0 if it is among them.
    """
    # The byte in front of an offset is at the offset.
    shifted = b"\0" + places.content(table.section)
    return table.kinds_at(shifted.translate(bytes_))


def _branches_into_the_got(
    places: ObjectPlaces, table: RelocationTable, kinds: frozenset[Kind]
) -> Iterator[Finding]:
    called = {kind for kind in kinds if kind[0] in GOT_RELATIVE}
    if not called:
        return
    from . import mistakes

    shifted = b"\0" + places.content(table.section)
    for relocation in table.of(called):
        if shifted[relocation.offset : relocation.offset + 1] in _CALLS:
            yield from mistakes.findings_of("got-called", places.place(table, relocation))


_THROUGH_THE_GOT = (b"\xff\x15", b"\xff\x25")
"""call and jmp through an address in memory (Intel SDM, volume 2)."""


def _calls_of_data(places: ObjectPlaces, table: RelocationTable) -> Iterator[Finding]:
    """Yield a finding for each call of what CPython exports as data."""
    content = places.content(table.section)
    if not any(each in content for each in _THROUGH_THE_GOT):
        return
    data = {
        kind
        for kind in table.kinds
        if kind[0] in GOT_RELATIVE and cpython_abi.is_function(kind[1].name) is False
    }
    if data:
        data &= _kinds_behind(places, table, _OPERANDS)
    for relocation in table.of(data):
        before = content[max(0, relocation.offset - 2) : relocation.offset]
        if before in _THROUGH_THE_GOT:
            from . import mistakes

            yield from mistakes.findings_of("data-called", places.place(table, relocation))


def _data_as_code(
    places: ObjectPlaces,
    names: ModuleNames,
    branches: Iterable[tuple[RelocationTable, frozenset[Kind]]],
) -> Iterator[Finding]:
    """Yield a finding for each call, jump or table that leads into data."""
    for table, kinds in branches:
        wrong = {kind for kind in kinds if kind[0] in BRANCHING}
        if wrong:
            at = set(_branch_fields(places, table))
            yield from _told(places, ((table, r) for r in table.of(wrong) if r.offset in at))
    yield from _told(
        places,
        (
            (entry.table, entry.relocation)
            for entry in entries(places)
            if _leads_into_data(places, names, entry.relocation.symbol)
        ),
    )


def _leads_into_data(places: ObjectPlaces, names: ModuleNames, symbol: Symbol) -> bool:
    if symbol.section is None:
        symbol = names.defined.get(symbol.name, symbol)
        # What is declared as a function there has a rule of its own.
        return is_data_section(symbol.section) and symbol.type != "func"
    section = places.object.facts.sections[symbol.section_index]
    return symbol.type != "func" and _holds_data(section)


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
_CALLS = tuple(bytes((opcode,)) for opcode in BRANCHES)
_OPCODES = bytes(each in BRANCHES or each & 0xF0 == _CONDITIONAL for each in range(256))
"""The bytes that an opcode of a branch may end with."""
_OPERANDS = bytes(each in (0x15, 0x25) for each in range(256))
"""The last bytes of _THROUGH_THE_GOT."""


def _told(
    places: ObjectPlaces, wrong: Iterable[tuple[RelocationTable, Relocation]]
) -> Iterator[Finding]:
    for table, relocation in wrong:
        from . import mistakes

        place = places.place(table, relocation)
        if not table.section.executable or place.is_operand:
            label = places.label(place.target) or places.use("PyDispatch", place.target)
            yield mistakes.data_run(place, label, holds_pointer=places.is_pointer(relocation))

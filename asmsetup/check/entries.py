"""The functions that python.inc's macros enter in tables: methods, getters, setters and slots."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.elf import Relocation, RelocationTable
from ..named import NamedTuple
from . import slots
from .kinds import ADDRESS_64
from .places import ObjectPlaces

_SECTION = ".data.rel.ro."
_METHOD, _GET_SET, _SLOT = "PyMethodDef.", "PyGetSetDef.", "PyType_Slot."
_METHOD_SIZE, _GET_SET_SIZE, _SLOT_SIZE = 32, 40, 16
_FUNCTION_AT, _SETTER_AT = 8, 16


class Entry(NamedTuple):
    """A function in a table."""

    table: RelocationTable
    relocation: Relocation
    returns_object: bool


def entries(places: ObjectPlaces) -> Iterator[Entry]:
    """Yield the functions in the tables of an object."""
    for table in places.object.facts.relocation_tables:
        if not table.section.name.startswith(_SECTION):
            continue
        for relocation in table:
            if relocation.type == ADDRESS_64:
                returns_object = _returns_object(places, table, relocation)
                if returns_object is not None:
                    yield Entry(table, relocation, returns_object)


def _returns_object(
    places: ObjectPlaces, table: RelocationTable, relocation: Relocation
) -> bool | None:
    """Return whether the function there returns an object; None where no function is."""
    name, at = table.section.name.removeprefix(_SECTION), relocation.offset
    if name.startswith(_METHOD):
        return True if at % _METHOD_SIZE == _FUNCTION_AT else None
    if name.startswith(_GET_SET):
        return {_FUNCTION_AT: True, _SETTER_AT: False}.get(at % _GET_SET_SIZE)
    if name.startswith(_SLOT) and at % _SLOT_SIZE == _FUNCTION_AT:
        content = places.content(table.section)
        number = int.from_bytes(content[at - _FUNCTION_AT : at], "little")
        return slots.returns_object(number) if slots.is_function(number) else None
    return None

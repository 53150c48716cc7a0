"""Finds CPython's tables in the data of an image: methods, getters and setters, slots, types.

They are recognized by their shape: structs whose pointers lead where such a struct's must. What has
another shape (a table that code fills in at import) is not found, and its functions count as
callbacks of no known kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...named import NamedTuple
from ..slots import SLOTS, arguments_of
from .image import Image

_TP_TRAVERSE, _TP_MEMBERS = SLOTS.index("tp_traverse"), SLOTS.index("tp_members")
_TP_GETSET = SLOTS.index("tp_getset")
_HAVE_GC = 1 << 14
_RELATIVE_OFFSET = 8
_NAME = re.compile(r"[^\W\d]\w*")
_DOTTED_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_METH_MASK = 0x3FF
_CONVENTIONS = frozenset((1, 3, 4, 8, 0x80, 0x82, 0x282))
_MEMBER_SIZE, _SLOT_SIZE, _GETSET_SIZE = 40, 16, 40
_MOST_MEMBERS = 4096
# Members that say where CPython itself keeps something: for a dictionary also behind the object.
_OFFSETS = frozenset(("__dictoffset__", "__weaklistoffset__", "__vectorcalloffset__"))


class TableEntry(NamedTuple):
    """A function that CPython finds in a table."""

    kind: str
    """"method", "getter", "setter" or "slot"."""
    name: str
    """As the table calls it."""
    function: int
    flags: int
    """The METH flags of a method, else 0."""
    place: int
    """The address of the field that holds its address."""


class TableFault(NamedTuple):
    """A table that breaks a rule."""

    rule: str
    place: int
    what: str


def find_entries(image: Image) -> list[TableEntry]:
    """Return every entry of the tables that can be recognized by their shape."""
    if image.is_module and not image.uses_python:
        return []  # a library for ctypes, whose tables are of other kinds
    entries: list[TableEntry] = []
    for place, target in sorted(image.pointers.items()):
        stretch = image.stretch(place)
        target_stretch = image.stretch(target)
        if stretch is None or stretch.executable or target_stretch is None:
            continue
        entry = _entry(image, place, target)
        # The field of a table that may hold text or data is not an entry.
        if entry is not None and (target_stretch.executable or entry.kind == "method"):
            entries.append(entry)
    return entries


def _entry(image: Image, place: int, target: int) -> TableEntry | None:
    if name := _name_at(image, place - 8):
        flags = image.number(place + 8, 4) or 0
        is_number = place + 8 not in image.pointers
        convention = flags & ~0x70 & _METH_MASK
        if is_number and convention in _CONVENTIONS and flags <= _METH_MASK:
            # Where text is, the struct is a PyModuleDef: its name, and its description.
            is_method = target in image.marks.routines or image.text(target) is None
            if is_method and _is_text_or_null(image, place + 16):
                return TableEntry("method", name, target, flags, place)
        elif place + 8 in image.pointers or not image.number(place + 8, 8):
            return TableEntry("getter", name, target, 0, place)
    if name := _name_at(image, place - 16):
        before = place - 8
        has_getter = before in image.pointers or not image.number(before, 8)
        if has_getter and _is_text_or_null(image, place + 8) and image.is_code(target):
            return TableEntry("setter", name, target, 0, place)
    slot = _slot_number(image, place - 8)
    if slot is not None and place + 8 not in image.pointers and image.is_code(target):
        return TableEntry("slot", SLOTS[slot], target, 0, place)
    return None


def _slot_number(image: Image, place: int) -> int | None:
    number = image.number(place, 8)
    if number is None or place in image.pointers or not 0 < number < len(SLOTS):
        return None
    return number


def _name_at(image: Image, place: int) -> str | None:
    target = image.pointers.get(place)
    text = image.text(target) if target is not None else None
    return text if text is not None and _NAME.fullmatch(text) else None


def _is_text_or_null(image: Image, place: int) -> bool:
    target = image.pointers.get(place)
    if target is None:
        return not image.number(place, 8)
    stretch = image.stretch(target)
    return stretch is not None and not stretch.executable


def check_tables(image: Image, entries: list[TableEntry]) -> Iterator[TableFault]:
    """Yield what is wrong with the tables themselves."""
    for entry in entries:
        if not image.is_code(entry.function):
            what = f"the {entry.kind} {entry.name} is entered with an address that is not code"
            yield TableFault("entry-not-code", entry.place, what)
    for place in sorted(image.pointers):
        if is_spec(image, place):
            yield from _check_spec(image, place)


def arguments_passed(image: Image) -> dict[int, int]:
    """Return how many arguments CPython passes to the functions in the slots of types, and to
    their getters and setters."""
    passed: dict[int, int] = {}

    def enter(place: int, count: int) -> None:
        function = image.pointers.get(place)
        if function is not None and image.is_code(function):
            passed[function] = max(passed.get(function, 0), count)

    for spec in filter(lambda place: is_spec(image, place), image.pointers):
        for at, number in _slots_of(image, spec):
            enter(at + 8, arguments_of(number))
            table = image.pointers.get(at + 8) if number == _TP_GETSET else None
            while table is not None and _name_at(image, table):
                enter(table + 8, 2)
                enter(table + 16, 3)
                table += _GETSET_SIZE
    return passed


def _slots_of(image: Image, spec: int) -> Iterator[tuple[int, int]]:
    """Yield the places of a type's slots with their numbers."""
    at = image.pointers[spec + 24]
    for _ in SLOTS:
        if (number := _slot_number(image, at)) is None:
            return
        yield at, number
        at += _SLOT_SIZE


def is_spec(image: Image, place: int) -> bool:
    """Return whether a PyType_Spec is at this place."""
    name, slots = image.pointers.get(place), image.pointers.get(place + 24)
    if name is None or slots is None or not {place + 8, place + 16}.isdisjoint(image.pointers):
        return False
    text = image.text(name)
    if text is None or not _DOTTED_NAME.fullmatch(text) or image.number(place + 20, 4):
        return False
    return _slot_number(image, slots) is not None and slots + 8 in image.pointers


def _check_spec(image: Image, place: int) -> Iterator[TableFault]:
    name = image.text(image.pointers[place])
    size, flags = image.number(place + 8, 4, signed=True), image.number(place + 16, 4) or 0
    slots: dict[int, int] = {}
    for at, number in _slots_of(image, place):
        if number in slots:
            what = f"the type {name} gives Py_{SLOTS[number]} twice, and only the last counts"
            yield TableFault("slot-twice", at, what)
        slots[number] = image.pointers.get(at + 8, 0)
    if flags & _HAVE_GC and _TP_TRAVERSE not in slots:
        what = (
            f"the type {name} has Py_TPFLAGS_HAVE_GC and no Py_tp_traverse: its objects are"
            " not collected, and CPython 3.10 crashes"
        )
        yield TableFault("gc-without-traverse", place, what)
    if slots.get(_TP_MEMBERS) and size is not None and size > 0:
        yield from _check_members(image, slots[_TP_MEMBERS], size, str(name))


def _check_members(image: Image, at: int, size: int, type_name: str) -> Iterator[TableFault]:
    for _ in range(_MOST_MEMBERS):
        name = _name_at(image, at)
        offset, flags = image.number(at + 16, 8, signed=True), image.number(at + 24, 4) or 0
        if name is None or offset is None:
            return
        is_field = not flags & _RELATIVE_OFFSET and name not in _OFFSETS
        if is_field and not 0 < offset < size:
            what = (
                f"the member {name} is at offset {offset}, outside of the {size} bytes of an"
                f" object of {type_name}"
            )
            yield TableFault("member-outside", at, what)
        at += _MEMBER_SIZE

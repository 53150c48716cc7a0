"""Puts thunks into CPython's tables of functions: methods, slots and getters.

Tables are followed as CPython follows them, so that nothing is taken for a function that is not.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from struct import Struct

from ..named import NamedTuple

RESULT_NONE, RESULT_POINTER, RESULT_INT = 0, 1, 2
"""As in layout.inc."""

_SLOT = Struct("<HHHH8s32s")
_METHOD_SIZE, _GETSET_SIZE, _SLOT_SIZE = 32, 40, 16

_BY_FLAGS = {
    0x01: b"ot",  # METH_VARARGS
    0x03: b"oto",  # METH_VARARGS | METH_KEYWORDS
    0x04: b"op",  # METH_NOARGS
    0x08: b"oo",  # METH_O
    0x80: b"ovn",  # METH_FASTCALL
    0x82: b"ovnk",  # METH_FASTCALL | METH_KEYWORDS
    0x282: b"oovnk",  # METH_METHOD | METH_FASTCALL | METH_KEYWORDS
}
_CALLING_CONVENTION = 0x28F

Wrap = Callable[[int, str, bytes, int], None]
"""Takes the place that holds a function's address, its name, its arguments' letters, its result."""


class Slot(NamedTuple):
    """A row of layout.inc."""

    number: int
    """The number of Py_tp_...; 0 where PyType_Spec has no such slot."""
    offset: int
    result: int
    structure: int
    """0 for PyTypeObject itself, n for the nth structure that it points to."""
    letters: bytes
    name: str


class Layout(NamedTuple):
    """The numbers at the end of layout.inc, in its order."""

    m_methods: int
    m_slots: int
    m_traverse: int
    m_clear: int
    m_free: int
    create_slot: int
    exec_slot: int
    module_methods_slot: int
    traverse_slot: int
    clear_slot: int
    free_slot: int
    module_slots_slot: int
    type_slots_slot: int
    type_methods_slot: int
    getset_slot: int
    name_slot: int
    tp_name: int
    tp_methods: int
    tp_getset: int
    tp_as_async: int
    tp_as_number: int
    tp_as_sequence: int
    tp_as_mapping: int
    tp_as_buffer: int


class Tables:
    """The tables of the running interpreter."""

    def __init__(self, slots_begin: int, slots_end: int, layout: int) -> None:
        """The addresses are those that trampoline.asm exports."""
        data = ctypes.string_at(slots_begin, slots_end - slots_begin)
        self._slots = [_slot(*row) for row in _SLOT.iter_unpack(data)]
        numbers = (ctypes.c_uint64 * len(Layout._fields)).from_address(layout)
        self._layout = Layout(*numbers)
        # Until 3.15, slots of modules and of types have the same numbers.
        self._of_types = {each.number: each for each in self._slots if each.number}
        self._of_modules = {each.number: each for each in _module_slots(self._layout)}

    def wrap_module(self, definition: int, module: str, wrap: Wrap) -> None:
        """Wrap what a PyModuleDef leads to."""
        layout = self._layout
        self.wrap_methods(pointer(definition + layout.m_methods), module, wrap)
        self.wrap_module_slots(pointer(definition + layout.m_slots), module, wrap)
        wrap(definition + layout.m_traverse, f"{module} m_traverse", b"ppp", RESULT_NONE)
        wrap(definition + layout.m_clear, f"{module} m_clear", b"p", RESULT_NONE)
        wrap(definition + layout.m_free, f"{module} m_free", b"p", RESULT_NONE)

    def wrap_spec(self, spec: int, module: str, wrap: Wrap) -> None:
        """Wrap what a PyType_Spec leads to."""
        self.wrap_type_slots(pointer(spec + 24), _type_name(pointer(spec), module), wrap)

    def wrap_module_slots(self, table: int, module: str, wrap: Wrap) -> None:
        """Wrap what a table of PyModuleDef_Slot, or a module's of PySlot, leads to."""
        layout = self._layout
        for number, place in _slots(table):
            if number == layout.module_methods_slot:
                self.wrap_methods(pointer(place), module, wrap)
            elif number == layout.module_slots_slot:
                self.wrap_module_slots(pointer(place), module, wrap)
            elif slot := self._of_modules.get(number):
                wrap(place, f"{module} {slot.name}", slot.letters, slot.result)

    def wrap_type_slots(self, table: int, scope: str, wrap: Wrap) -> None:
        """Wrap what a table of PyType_Slot, or a type's of PySlot, leads to.

        ``scope`` is the type's full name, or the module's where the table itself holds the type's.
        """
        layout = self._layout
        for number, place in _slots(table):
            if number == layout.name_slot:
                scope = _type_name(pointer(place), scope)
            elif number == layout.type_methods_slot:
                self.wrap_methods(pointer(place), scope, wrap)
            elif number == layout.getset_slot:
                self.wrap_getset(pointer(place), scope, wrap)
            elif number == layout.type_slots_slot:
                self.wrap_type_slots(pointer(place), scope, wrap)
            elif slot := self._of_types.get(number):
                wrap(place, f"{scope} {slot.name}", slot.letters, slot.result)

    def wrap_type(self, type_: int, module: str, wrap: Wrap) -> None:
        """Wrap what a static PyTypeObject leads to."""
        scope = _type_name(pointer(type_ + self._layout.tp_name), module)
        offsets = self._layout[-5:]
        structures = (type_, *(pointer(type_ + offset) for offset in offsets))
        for slot in self._slots:
            if structure := structures[slot.structure]:
                wrap(structure + slot.offset, f"{scope} {slot.name}", slot.letters, slot.result)
        self.wrap_methods(pointer(type_ + self._layout.tp_methods), scope, wrap)
        self.wrap_getset(pointer(type_ + self._layout.tp_getset), scope, wrap)

    def wrap_methods(self, table: int, scope: str, wrap: Wrap) -> None:
        """Wrap the entries of a table of PyMethodDef."""
        for entry in _entries(table, _METHOD_SIZE):
            self.wrap_method(entry, scope, wrap)

    def wrap_method(self, entry: int, scope: str, wrap: Wrap) -> None:
        """Wrap one PyMethodDef."""
        flags = ctypes.c_uint32.from_address(entry + 16).value & _CALLING_CONVENTION
        # CPython refuses other combinations.
        if letters := _BY_FLAGS.get(flags):
            wrap(entry + 8, f"{scope}.{_text(pointer(entry))}", letters, RESULT_POINTER)

    def wrap_getset(self, table: int, scope: str, wrap: Wrap) -> None:
        """Wrap the entries of a table of PyGetSetDef."""
        for entry in _entries(table, _GETSET_SIZE):
            name = f"{scope}.{_text(pointer(entry))}"
            wrap(entry + 8, f"{name} (getter)", b"op", RESULT_POINTER)
            wrap(entry + 16, f"{name} (setter)", b"oop", RESULT_INT)


def pointer(address: int) -> int:
    """Return the 64 bits at an address."""
    return ctypes.c_uint64.from_address(address).value


def set_pointer(address: int, value: int) -> None:
    """Write 64 bits to an address."""
    ctypes.c_uint64.from_address(address).value = value


def _module_slots(layout: Layout) -> list[Slot]:
    return [
        Slot(layout.create_slot, 0, RESULT_POINTER, 0, b"op", "Py_mod_create"),
        Slot(layout.exec_slot, 0, RESULT_INT, 0, b"o", "Py_mod_exec"),
        Slot(layout.traverse_slot, 0, RESULT_NONE, 0, b"ppp", "Py_mod_state_traverse"),
        Slot(layout.clear_slot, 0, RESULT_NONE, 0, b"p", "Py_mod_state_clear"),
        Slot(layout.free_slot, 0, RESULT_NONE, 0, b"p", "Py_mod_state_free"),
    ]


def _slots(table: int) -> Iterator[tuple[int, int]]:
    """Yield the number and the place of the value of each slot."""
    # PySlot has 16 bits for the number, where its predecessors have 32 and no number above 100.
    while table and (number := ctypes.c_uint16.from_address(table).value):
        yield number, table + 8
        table += _SLOT_SIZE


def _entries(table: int, size: int) -> Iterator[int]:
    while table and pointer(table):
        yield table
        table += size


def _slot(
    number: int, offset: int, result: int, structure: int, letters: bytes, name: bytes
) -> Slot:
    text = name.rstrip(b"\0").decode("ascii")
    return Slot(number, offset, result, structure, letters.rstrip(b"\0"), text)


def _type_name(name: int, module: str) -> str:
    """Return a type's full name, from its own, which may have the module's in front."""
    return f"{module}.{_text(name).rpartition('.')[2]}"


def _text(address: int) -> str:
    return ctypes.string_at(address).decode("utf-8", "backslashreplace") if address else "?"

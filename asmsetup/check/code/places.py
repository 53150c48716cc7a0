"""The registers and the places in memory that an instruction names, as values."""

from __future__ import annotations

from collections.abc import Mapping

from . import decode
from .decode import Memory, Operation
from .state import State
from .values import (
    LOADED,
    OWN,
    Below,
    Entry,
    Frame,
    Imported,
    Item,
    Label,
    Scaled,
    Target,
    Value,
)

WORD = 1 << 64
"""One more than the largest number of a register."""


def address_of(state: State, memory: Memory) -> Value:
    """Return the address that a memory operand means."""
    base = memory.base
    if base == decode.RIP:
        return Label(memory.displacement)
    if base < 0:
        index = state.registers[memory.index_register] if 0 <= memory.index_register < 16 else None
        if type(index) is Below and base == decode.NO_BASE and not memory.displacement:
            return Scaled(index.limit, memory.scale)
        return None
    value = state.registers[base] if base < 16 else None
    if memory.index_register >= 0:
        index = state.registers[memory.index_register] if memory.index_register < 16 else None
        return _sum(value, index, memory)
    if type(value) is Frame:
        return Frame(value.base, value.offset + memory.displacement)
    if type(value) is Label:
        return Label(value.address + memory.displacement)
    return None


def _sum(value: Value, index: Value, memory: Memory) -> Value:
    if type(index) is int and type(value) is Frame:
        return Frame(value.base, value.offset + memory.displacement + index * memory.scale)
    if memory.scale == 1 and not memory.displacement:
        target = moved_target(value, index)
        if target is not None:
            return target
    return OWN if type(value) is Label else None


def moved_target(value: Value, other: Value) -> Value:
    """Return the sum of a table's item and the base it counts from."""
    if type(value) is Item and type(other) is Label:
        return Target(value.table, value.size, value.items, other.address)
    if type(other) is Item and type(value) is Label:
        return Target(other.table, other.size, other.items, value.address)
    return None


def item_of(state: State, memory: Memory, size: int) -> Value:
    """Return the item that is loaded when the operand names a table, else None."""
    registers = state.registers
    base = registers[memory.base] if 0 <= memory.base < 16 else None
    index = registers[memory.index_register] if 0 <= memory.index_register < 16 else None
    if type(base) is Label:
        return Item(base.address + memory.displacement, size, _count(index, memory.scale, size))
    if type(index) is Label and memory.scale == 1:
        return Item(index.address + memory.displacement, size, _count(base, 1, size))
    if memory.base == decode.NO_BASE and memory.index_register >= 0:
        return Item(memory.displacement, size, _count(index, memory.scale, size))
    return None


def half_loaded(state: State, size: int, memory: Memory) -> Value:
    """Return what a register of ``size`` bytes holds that was loaded from memory."""
    if size != 4:
        return None
    return limit_of(state, memory) or item_of(state, memory, memory.size)


def place_of(state: State, memory: Memory) -> Frame | Memory:
    """Return what names the place of an operand: the same for all operands that mean it."""
    place = address_of(state, memory)
    return place if type(place) is Frame else Memory(*memory[:4], 0, True, False, False)


def limit_of(state: State, memory: Memory) -> Below | None:
    """Return the limit of what is loaded from a place that was just compared with a number."""
    if state.bounded is None:
        return None
    place, limit, size = state.bounded
    fits = limit > 0 and memory.size <= size and place_of(state, memory) == place
    return Below(limit) if fits else None


def keep_limit(state: State, operation: Operation) -> None:
    """Forget the place that was compared with a number when an instruction may have changed it."""
    assert state.bounded is not None
    if may_change(state.bounded[0], operation):
        state.bounded = None


def may_change(place: Frame | Memory, operation: Operation) -> bool:
    """Return whether after an instruction a place may hold something else, or mean another."""
    memory = operation.memory
    named = (place.base, place.index_register) if type(place) is Memory else ()
    return (memory is not None and memory.written) or any(
        register >= 0 and operation.writes >> register & 1 for register in named
    )


def word_of(state: State, memory: Memory) -> Value:
    """Return what is known of 8 bytes that lie in no slot and no table of constants."""
    item = item_of(state, memory, 8)
    is_elsewhere = memory.index_register < 0 and address_of(state, memory) is None
    return LOADED if item is None and is_elsewhere else item


def _count(index: Value, scale: int, size: int) -> int:
    if type(index) is Scaled:
        return index.limit if index.by * scale == size else 0
    return index.limit if type(index) is Below and scale == size else 0


def set_register(state: State, register: int, value: Value) -> None:
    """Put a value into a register; those of vector registers are kept apart."""
    if register < 16:
        if register >= 0:
            state.registers[register] = value
    elif type(value) is Entry:
        state.vectors[register] = value
    else:
        state.vectors.pop(register, None)


def get_register(state: State, register: int) -> Value:
    """Return what a register holds."""
    return state.registers[register] if register < 16 else state.vectors.get(register)


def moved(value: Value, amount: int) -> Value:
    if type(value) is Frame:
        signed = amount - WORD if amount >= 1 << 63 else amount
        return Frame(value.base, value.offset + signed)
    if type(value) is int:
        return (value + amount) % WORD
    if type(value) is Label:
        return Label(value.address + amount)
    return None


def goal_of(
    state: State, operation: Operation, slots: Mapping[int, str]
) -> tuple[Value, str | None]:
    """Return what a call or jump goes to, and the name if another module defines it.

    ``slots`` are the entries of the global offset table.
    """
    memory = operation.memory
    value: Value = None
    if memory is not None:
        if memory.base == decode.RIP and memory.index_register < 0:
            if (name := slots.get(memory.displacement)) is not None:
                return None, name
        else:
            value = item_of(state, memory, 8)
    elif operation.target >= 0:
        value = get_register(state, operation.target)
    return value, value.name if type(value) is Imported else None

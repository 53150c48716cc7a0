"""The effect on memory: stores, the stack of push and pop, the frames of enter and leave."""

from __future__ import annotations

from . import decode
from .decode import Decoded
from .places import WORD, address_of, moved, set_register
from .resources import let_go
from .state import State, stack_key
from .uses import check_saved, check_unset
from .values import KEPT, RBP, RSP, Frame, Label, Passed, Sometimes, Value
from .walk import Walk

_OWNER_AT = 8  # Py_buffer.obj


def store(walk: Walk, state: State, at: int, place: Value, size: int, value: Value) -> None:
    """Write a value to an address."""
    if state.controls:
        overwrite_controls(state, place, size)
    if type(place) is not Frame:
        return
    check_saved(walk, state, at, place, size)
    key = stack_key(place.base, place.offset)
    if state.partly:
        _check_emptied(walk, state, at, key - _OWNER_AT)
    if size == 8 and not place.offset & 7:
        state.stack[key] = value
        return
    last = stack_key(place.base, place.offset + max(size, 1) - 1)
    for each in range(key, last + 8, 8):
        state.stack[each] = None


def _check_emptied(walk: Walk, state: State, at: int, key: int) -> None:
    """Judge a store to a Py_buffer that holds a buffer where a loop comes round, say."""
    if key in state.partly and key not in state.buffers:
        what = "a Py_buffer that holds a buffer is emptied in each turn: it is never released"
        walk.report("buffer-twice", at, what, state)
        state.partly -= {key}


def overwrite_controls(state: State, place: Value, size: int) -> None:
    """Forget the control words that a store reaches."""
    base, first = _counted(place)
    if base is None:
        return
    kept = []
    for control in state.controls:
        other, at = _counted(control.place)
        if other != base or first + max(size, 1) <= at or first >= at + control.size:
            kept.append(control)
    state.controls = frozenset(kept)


def _counted(place: Value) -> tuple[int | None, int]:
    """Return what an address counts from, -1 for the image and None for the unknown, and how far."""
    if type(place) is Frame:
        return place.base, place.offset
    return (-1, place.address) if type(place) is Label else (None, 0)


def push(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    registers = state.registers
    value: Value = None
    if operation.target >= 0:
        value = registers[operation.target] if operation.target_size == 8 else None
    elif operation.memory is not None:
        place = address_of(state, operation.memory)
        value = state.slot(place) if type(place) is Frame else None
    else:
        value = operation.number % WORD
    pointer = registers[RSP]
    if type(pointer) is Frame:
        new = Frame(pointer.base, pointer.offset - 8)
        registers[RSP] = new
        state.stack[stack_key(new.base, new.offset)] = value
    else:
        registers[RSP] = None


def pop(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    registers = state.registers
    pointer = registers[RSP]
    value: Value = None
    if type(pointer) is Frame:
        key = stack_key(pointer.base, pointer.offset)
        if operation.target in KEPT and pointer.base == 0:
            check_unset(walk, state, decoded, pointer, 8)
        value = state.slot(pointer)
        if type(value) is Sometimes:
            value = None
        elif value is None and pointer.base == 0 < pointer.offset and not walk.is_public:
            value = Passed(pointer.offset)
        if key:
            state.stack.pop(key, None)
        registers[RSP] = Frame(pointer.base, pointer.offset + 8)
    else:
        registers[RSP] = None
    if operation.target >= 0:
        set_register(state, operation.target, value if operation.target_size == 8 else None)
    elif operation.memory is not None:
        place = address_of(state, operation.memory)
        store(walk, state, decoded.at, place, 8, value)


def enter(walk: Walk, state: State, decoded: Decoded) -> None:
    registers = state.registers
    pointer = registers[RSP]
    if type(pointer) is Frame:
        frame = Frame(pointer.base, pointer.offset - 8)
        state.stack[stack_key(frame.base, frame.offset)] = registers[RBP]
        registers[RBP] = frame
        registers[RSP] = moved(pointer, decoded.operation.stack_change)
    else:
        registers[RBP] = registers[RSP] = None


def leave(walk: Walk, state: State, decoded: Decoded) -> None:
    registers = state.registers
    frame = registers[RBP]
    if type(frame) is Frame:
        registers[RBP] = state.slot(frame)
        registers[RSP] = Frame(frame.base, frame.offset + 8)
    else:
        registers[RBP] = registers[RSP] = None


def drop_return_address(state: State) -> None:
    """Take away the return address that a call has pushed."""
    pointer = state.registers[RSP]
    if type(pointer) is Frame:
        state.registers[RSP] = Frame(pointer.base, pointer.offset + 8)
        state.stack.pop(stack_key(pointer.base, pointer.offset), None)


def forget(walk: Walk, state: State, decoded: Decoded) -> None:
    """Apply an instruction whose results are not followed."""
    operation = decoded.operation
    writes = operation.writes
    registers = state.registers
    pointer = registers[RSP]
    rest = writes & 0xFFFF
    while rest:
        low = rest & -rest
        registers[low.bit_length() - 1] = None
        rest ^= low
    if writes >> RSP & 1 and operation.stack_change and type(pointer) is Frame:
        registers[RSP] = Frame(pointer.base, pointer.offset + operation.stack_change)
    if state.vectors:
        for register in [n for n in state.vectors if writes >> n & 1]:
            del state.vectors[register]
    memory = operation.memory
    if memory is not None and memory.written:
        place = address_of(state, memory)
        if state.owned and operation.flow == decode.NEXT and type(place) is not Frame:
            let_go(state, memory, 0 if operation.number else None)
        store(walk, state, decoded.at, place, memory.size, None)

"""The effect of arithmetic on what is known of registers."""

from __future__ import annotations

from . import decode
from .decode import Decoded
from .memory import forget
from .places import moved, moved_target
from .state import GONE, Flags, State
from .values import OWN, RSP, Below, Copy, Frame, Label, Multiple, Result, Value
from .walk import Walk


def add(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    target = operation.target
    if target < 0 or operation.target_size != 8:
        forget(walk, state, decoded)
        return
    sign = 1 if operation.effect == decode.ADD else -1
    value = state.registers[target]
    amount: Value = operation.number * sign
    if operation.source >= 0:
        amount = state.registers[operation.source]
        if type(amount) is int:
            amount *= sign
    elif operation.memory is not None:
        amount = None
    result: Value = None
    if type(amount) is int:
        result = moved(value, amount)
    elif sign > 0:
        result = moved_target(value, amount)
        if result is None and (type(value) is Label or type(amount) is Label):
            result = OWN
    if target == RSP and result is None:
        result = _new_base(walk, decoded.at, value, amount)
    state.registers[target] = result


def subtract(walk: Walk, state: State, decoded: Decoded) -> None:
    operation, flags = decoded.operation, None
    is_number = operation.source < 0 and operation.memory is None
    if 0 <= operation.target < 16 and is_number and operation.target_size >= 4:
        value = state.registers[operation.target]
        if type(value) in (Copy, Result):
            size, number = operation.target_size, operation.number
            flags = Flags(GONE, size, "", -1, number, value=value)
    add(walk, state, decoded)
    state.flags = flags


def _new_base(walk: Walk, at: int, value: Value, amount: Value) -> Value:
    """Return rsp after it was moved by an unknown distance: a frame of its own."""
    known = walk.residue(value)
    if known is not None and type(amount) is Multiple:
        walk.bases[at] = min(known[0], amount.of), known[1] % min(known[0], amount.of)
    else:
        walk.bases[at] = 1, 0
    return Frame(at, 0)


def mask(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    target, number = operation.target, operation.number
    is_mask = operation.source < 0 and operation.memory is None and -number & (-number - 1) == 0
    if target < 0 or operation.target_size != 8 or not is_mask or number >= 0:
        forget(walk, state, decoded)
        is_number = operation.source < 0 and operation.memory is None
        if 0 <= target < 16 and is_number and 0 < number < 256 and operation.target_size >= 4:
            state.registers[target] = Below(number + 1)
        return
    value = state.registers[target]
    known = walk.residue(value)
    if type(value) is Frame and known is not None and -number <= known[0]:
        state.registers[target] = Frame(value.base, value.offset - known[1] % -number)
    elif type(value) is Frame or target == RSP:
        walk.bases[decoded.at] = -number, 0
        if type(value) is Frame:
            # At least so far down, as it stood that far above a multiple.
            down = known[1] % min(known[0], -number) if known is not None else 0
            walk.frames_above[decoded.at] = Frame(value.base, value.offset - down)
        state.registers[target] = Frame(decoded.at, 0)
    else:
        state.registers[target] = Multiple(-number)


def shift(walk: Walk, state: State, decoded: Decoded) -> None:
    operation = decoded.operation
    forget(walk, state, decoded)
    is_whole = 0 <= operation.target < 16 and operation.target_size == 8
    if is_whole and operation.source < 0 and 0 < operation.number < 16:
        state.registers[operation.target] = Multiple(1 << operation.number)

"""Narrow values by the condition of a branch, where it is taken and where it is not."""

from __future__ import annotations

from . import decode
from .prototypes import prototype
from .resources import is_null
from .state import GONE, KNOWN, Flags, State
from .values import (
    KEPT,
    LOADED,
    RAX,
    RSP,
    XMM0,
    Below,
    Copy,
    Entry,
    Frame,
    Imported,
    Low,
    Lower,
    Result,
    Value,
)
from .walk import Walk


def refine(walk: Walk, state: State, condition: int) -> None:
    """Narrow the values of a state in which a condition of decode.py is true."""
    flags = state.flags
    if flags is None:
        return
    if flags.place is not None:
        if condition in (decode.BELOW, decode.NOT_ABOVE):
            limit = flags.number + (condition == decode.NOT_ABOVE)
            state.bounded = flags.place, limit, flags.size
    elif flags.register == GONE:
        if condition in (decode.BELOW, decode.NOT_ABOVE):
            _limit(state, flags, flags.value, flags.number + (condition == decode.NOT_ABOVE))
    elif flags.register < 0:
        if condition == decode.NOT_EQUAL:
            state.present |= {flags.name}
    elif flags.other >= 0:
        if condition == decode.EQUAL:
            _are_equal(state, flags)
    elif flags.register < XMM0:
        _compares(walk, state, flags, condition)


def is_possible(state: State, condition: int) -> bool:
    """Return whether a condition may be true, as far as a constant that was compared says."""
    flags = state.flags
    if flags is not None and flags.register == KNOWN:
        return condition not in _EQUALITY or (flags.number == 0) == (condition == decode.EQUAL)
    if flags is None or flags.place is not None or flags.other >= 0 or flags.size != 4:
        return True
    value = state.registers[flags.register] if 0 <= flags.register < XMM0 else None
    if type(value) is not int or condition not in _EQUALITY:
        return True
    is_equal = (value - flags.number) & 0xFFFFFFFF == 0
    return is_equal == (condition == decode.EQUAL)


_EQUALITY = (decode.EQUAL, decode.NOT_EQUAL)
NEGATED = {
    decode.ANY: decode.ANY,
    decode.EQUAL: decode.NOT_EQUAL,
    decode.NOT_EQUAL: decode.EQUAL,
    decode.BELOW: decode.NOT_BELOW,
    decode.NOT_BELOW: decode.BELOW,
    decode.ABOVE: decode.NOT_ABOVE,
    decode.NOT_ABOVE: decode.ABOVE,
    decode.LESS: decode.NOT_LESS,
    decode.NOT_LESS: decode.LESS,
    decode.GREATER: decode.NOT_GREATER,
    decode.NOT_GREATER: decode.GREATER,
}
"""The condition that holds where a branch is not taken."""


def _are_equal(state: State, flags: Flags) -> None:
    if flags.size == 8 and RSP in (flags.register, flags.other):
        other = flags.other if flags.register == RSP else flags.register
        if type(state.registers[other]) is Frame:
            state.registers[RSP] = state.registers[other]


def _compares(walk: Walk, state: State, flags: Flags, condition: int) -> None:
    value = state.registers[flags.register]
    call = value.result if type(value) is Lower else value
    if type(call) is Result and call.at in walk.buffer_calls and _succeeds(flags, condition):
        state.buffers |= {walk.buffer_calls[call.at]}
    if type(value) is Result and _is_no_failure(flags, condition, value):
        _replace(state, value, value._replace(tested=True))
    elif condition in (decode.BELOW, decode.NOT_ABOVE):
        limit = flags.number + (condition == decode.NOT_ABOVE)
        is_argument = type(value) is Entry and flags.register not in KEPT
        is_free = value is None or value is LOADED or type(value) in (Lower, Below)
        if (limit > 0 and (is_free or is_argument)) or (
            limit > 0 and not _limit(state, flags, value, limit) and type(value) in (Result, Copy)
        ):
            state.registers[flags.register] = Below(limit)
    elif flags.number:
        if condition == decode.EQUAL and flags.register == RAX and flags.size > 1:
            # It may be the number of arguments in vector registers.
            state.registers[RAX] = Low(flags.number & 0xFF)
    elif condition == decode.EQUAL:
        _is_zero(state, flags, value)
    elif condition == decode.NOT_EQUAL:
        if flags.register == RAX and flags.size == 1:
            # al says that vector registers hold arguments: a variadic function is called.
            state.stale &= ~(0xFF << XMM0)
        elif type(value) is Imported:
            state.present |= {value.name}
        elif type(value) is Result and not value.tested:
            _replace(state, value, value._replace(tested=True))


def _succeeds(flags: Flags, condition: int) -> bool:
    """Return whether an int result is 0, which is -1 otherwise."""
    if flags.number % (1 << 8 * flags.size) == (1 << 8 * flags.size) - 1:
        return condition in (decode.NOT_EQUAL, decode.GREATER)
    return flags.number == 0 and condition in (decode.EQUAL, decode.NOT_LESS)


def _is_no_failure(flags: Flags, condition: int, value: Result) -> bool:
    """Return whether a number is found not to be what a function returns that fails."""
    if condition == decode.EQUAL or prototype(value.name).result not in ("i", "l"):
        return False
    is_positive = condition == decode.GREATER and flags.number >= 0
    return is_positive or _succeeds(flags, condition)


def _limit(state: State, flags: Flags, value: Value, limit: int) -> bool:
    """Record that a value is less than a number, wherever it is held; return whether it is."""
    if limit <= 0 or type(value) not in (Result, Copy):
        return False
    size = value.size if type(value) is Copy else 8
    if flags.size >= size:
        _replace(state, value, Below(limit))
    return flags.size >= size


def _is_zero(state: State, flags: Flags, value: Value) -> None:
    if type(value) is Result:
        is_null(state, value)
    if flags.size == 8 and type(value) is Result:
        _replace(state, value, 0)
    elif flags.size >= 4:
        # What was saved from entry stays that: it is both.
        if type(value) is not Entry or flags.register not in KEPT:
            state.registers[flags.register] = 0
    else:
        state.registers[flags.register] = Low(0)


def _replace(state: State, old: Value, new: Value) -> None:
    registers = state.registers
    for number in range(16):
        if registers[number] == old and type(registers[number]) is type(old):
            registers[number] = new
    for key, value in state.stack.items():
        if value == old and type(value) is type(old):
            state.stack[key] = new

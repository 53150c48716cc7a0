"""The rules about how much of a result is used: all of a pointer, and 32 bits of an int."""

from __future__ import annotations

from . import decode
from .decode import Decoded, Memory
from .prototypes import prototype
from .state import Flags, State
from .values import NAMES, RAX, Entry, Lower, Result, Value
from .walk import Walk

_POINTERS = "pnbx"
_SIZES = {"i": 4, "l": 8, **dict.fromkeys(_POINTERS, 8)}
_RULE = "half-result"
_MOVING = (decode.MOVE, decode.PUSH, decode.STORE, decode.LOAD, decode.EXCHANGE)


def check_half(walk: Walk, state: State, decoded: Decoded) -> None:
    """Judge an instruction that uses 64 bits of an int."""
    bits = decoded.operation.reads_whole & state.half
    operation = decoded.operation
    if operation.effect in _MOVING:
        return
    register = (bits & -bits).bit_length() - 1
    walk.report("int-result", decoded.at, half_sentence(state, register), state)
    state.half &= ~bits


def half_sentence(state: State, register: int) -> str:
    """Return the sentence for a use of 64 bits of an int."""
    source = state.registers[register]
    if type(source) is Entry:
        passed = f"this function is passed an int in {NAMES[source.register]}"
        return (
            f"64 bits of {NAMES[register]} are used, and {passed}: only the lower half is defined"
        )
    name = source.name if type(source) is Result else "the function called before"
    low = "eax" if register == RAX else "the lower half"
    return (
        f"64 bits of {NAMES[register]} are used, and {name} returns an int: only {low} is defined"
    )


def check_compared(walk: Walk, state: State, at: int) -> None:
    """Judge a comparison of a result with a number, which the flags hold."""
    flags = state.flags
    if flags is None or flags.other >= 0 or not 0 <= flags.register < 16:
        return
    value = state.registers[flags.register]
    if type(value) is Lower:
        _check_lower(walk, state, at, flags, value)
    elif type(value) is Result and _is_end(flags):
        kind = prototype(value.name).result
        if flags.size < _SIZES.get(kind, 0) and _is_whole(walk, value, at):
            returns = f"{value.name} returns {_KINDS.get(kind, 'a pointer')}"
            what = f"{8 * flags.size} bits of {NAMES[flags.register]} are tested, and {returns}"
            walk.report(_RULE, at, what, state)


def _is_whole(walk: Walk, value: Result, at: int) -> bool:
    """Return whether all of a result is compared: of a number, compilers compare what C narrows."""
    kind = prototype(value.name).result
    return kind in _POINTERS or (kind in _SIZES and not walk.image.is_compiled(at))


def _is_end(flags: Flags) -> bool:
    """Return whether the comparison is with what functions return when they fail: 0 or -1."""
    return (flags.number + 1) % (1 << 8 * flags.size) <= 1


_KINDS = {"i": "an int, of 32", "l": "a number of 64"}


def _check_lower(walk: Walk, state: State, at: int, flags: Flags, value: Lower) -> None:
    register = NAMES[flags.register]
    if flags.size == 8 and flags.number < 0:
        what = f"{register} {_holds(value)}: all 64 bits never are {flags.number}"
        walk.report(_RULE, at, what, state)
    elif _is_end(flags) and _is_pointer(value):
        what = f"{register} {_holds(value)}, which is a pointer: it is tested in part"
        walk.report(_RULE, at, what, state)


def check_second_byte(walk: Walk, state: State, decoded: Decoded) -> None:
    """Judge a comparison of ah, bh, ch or dh, which is not followed as an operand."""
    for register in range(4):
        value = state.registers[register]
        is_read = decoded.operation.uses >> register & 1
        if is_read and type(value) is Result and _is_whole(walk, value, decoded.at):
            what = f"bits 8 to 15 of {NAMES[register]} are tested, of what {value.name} returned"
            walk.report(_RULE, decoded.at, what, state)


def check_sign(walk: Walk, state: State, at: int, condition: int) -> None:
    """Judge a branch on the sign of what was compared."""
    flags = state.flags
    if flags is None or flags.size != 8 or flags.other >= 0 or not 0 <= flags.register < 16:
        return
    value = state.registers[flags.register]
    if type(value) is not Lower or flags.number > 0:
        return
    # Where a failure was seen before, whether there is anything at all is asked in this way, too.
    if condition in (decode.LESS, decode.NOT_LESS) or not value.result.tested:
        what = f"{NAMES[flags.register]} {_holds(value)}: all 64 bits never are negative"
        walk.report(_RULE, at, what, state)


def check_pointer(walk: Walk, state: State, at: int, register: int, use: str) -> None:
    """Judge a use of a register as a pointer: ``use`` is the end of a sentence."""
    value = state.registers[register]
    if type(value) is Lower and _is_pointer(value):
        walk.report(_RULE, at, f"{NAMES[register]} {_holds(value)}, and {use}", state)


def check_base(walk: Walk, state: State, at: int, memory: Memory) -> None:
    """Judge the base register of an operand in memory."""
    check_pointer(walk, state, at, memory.base, "is used as an address")


def _is_pointer(value: Lower) -> bool:
    return prototype(value.result.name).result in _POINTERS


def _holds(value: Lower) -> str:
    return f"holds only the lower 32 bits of what {value.result.name} returned"


def lower_half(value: Value) -> Value:
    """Return the value of a register after a value was moved to it as 32 bits."""
    return Lower(value) if type(value) is Result else value if type(value) is Lower else None


def extended_half(value: Result) -> Value:
    """Return what movsxd makes of a result: of a pointer its lower half, of an int the int."""
    return Lower(value) if prototype(value.name).result in _POINTERS else None

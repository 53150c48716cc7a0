"""The rules about what an instruction reads and writes: registers after a call, the frame, pointers."""

from __future__ import annotations

from . import decode
from .decode import Decoded, Memory
from .halves import check_base
from .places import address_of
from .state import State, is_plain, stack_key
from .values import (
    ARGUMENTS,
    KEPT,
    NAMES,
    RSP,
    Entry,
    Frame,
    Label,
    Lower,
    Result,
    Sometimes,
)
from .walk import Walk

RED_ZONE = 128


def check_saved(walk: Walk, state: State, at: int, place: Frame, size: int) -> None:
    """A store from an aligned frame that reaches what the frame below it keeps."""
    above = walk.frames_above.get(place.base)
    if above is None:
        return
    top = above.offset + place.offset + (size or 8)
    saved = [
        key
        for key, value in state.stack.items()
        if is_plain(key) and key >= above.offset and type(value) is Entry
    ]
    if above.base == 0 and top > min([*saved, 0]):
        walk.report(
            "saved-overwritten",
            at,
            "a store into the aligned frame can reach the saved registers or the return address:"
            " the frame is too small for it",
            state,
        )


def check_stale(walk: Walk, state: State, decoded: Decoded) -> None:
    bits = decoded.operation.reads & state.stale
    register = (bits & -bits).bit_length() - 1
    name = NAMES[register]
    if state.last is None:
        what = f"{name} is read, and nothing has set it"
        if register in ARGUMENTS:
            what = (
                f"{name} is read, and nothing was passed in it: this function gets fewer arguments"
            )
        walk.report("unset-register", decoded.at, what, state)
    else:
        what = f"{name} is read, and {state.last.name} may have changed it since it was set"
        walk.report("clobbered-register", decoded.at, what, state)
    state.stale &= ~bits


def check_memory(walk: Walk, state: State, decoded: Decoded, memory: Memory) -> None:
    base = memory.base
    if memory.aligned:
        _check_aligned(walk, state, decoded.at, memory)
    if 0 <= base < 16:
        pointer = state.registers[base]
        if type(pointer) is Result and not pointer.tested and memory.index_register < 0:
            _check_null(walk, state, decoded.at, pointer)
        elif type(pointer) is Frame:
            _check_frame_access(walk, state, decoded, memory)
        elif type(pointer) is Lower:
            check_base(walk, state, decoded.at, memory)


def _check_null(walk: Walk, state: State, at: int, pointer: Result) -> None:
    if walk.may_be_null(pointer.name):
        walk.report(
            "null-untested",
            at,
            f"the result of {pointer.name} is used as an address, and was not tested for NULL",
            state,
        )


def _check_aligned(walk: Walk, state: State, at: int, memory: Memory) -> None:
    place, size = address_of(state, memory), memory.size
    known = walk.image.residue(place.address) if type(place) is Label else walk.residue(place)
    if known is None or size not in (16, 32, 64):
        return
    of, rest = known
    if rest % min(size, of):
        what = f"the address is not a multiple of {size}, and this instruction faults"
        walk.report("misaligned-move", at, what, state)
    elif type(place) is Label and of < size:
        what = (
            f"this instruction faults unless the address is a multiple of {size}, and its section"
            f" is aligned to {of} bytes only"
        )
        walk.report("misaligned-move", at, what, state)


def _check_frame_access(walk: Walk, state: State, decoded: Decoded, memory: Memory) -> None:
    place = address_of(state, memory)
    if type(place) is not Frame:
        return
    pointer = state.registers[RSP]
    if type(pointer) is Frame and place.base == pointer.base and place.offset < pointer.offset:
        _check_below(walk, state, decoded, memory, pointer.offset - place.offset, place)
    elif memory.read and not memory.written and decoded.operation.effect == decode.LOAD:
        check_unset(walk, state, decoded, place, memory.size)


def _check_below(
    walk: Walk, state: State, decoded: Decoded, memory: Memory, below: int, place: Frame
) -> None:
    if below > RED_ZONE and decoded.operation.effect not in (decode.PUSH, decode.OTHER):
        what = f"memory {below} bytes below rsp is used: signals overwrite what is more than 128"
        walk.report("below-stack", decoded.at, what, state)
    elif (
        memory.read
        and not memory.written
        and state.last is not None
        and stack_key(place.base, place.offset) not in state.stack
    ):
        what = f"memory below rsp is read, which {state.last.name} has overwritten"
        walk.report("below-stack", decoded.at, what, state)


def check_unset(walk: Walk, state: State, decoded: Decoded, place: Frame, size: int) -> None:
    """A kept register that is restored from a slot which was not, or not always, written."""
    key = stack_key(place.base, place.offset)
    if size != 8 or place.base != 0 or not is_unset(walk, state, key):
        return
    target = decoded.operation.target
    held = state.stack.get(key)
    if held != Sometimes(Entry(target)):
        return  # not what the register held at entry: another value, for a purpose of its own
    if target in KEPT:
        register = NAMES[target]
        what = (
            f"{register} is loaded from a place of the stack that no path, or not every path, wrote"
        )
        walk.report("slot-unset", decoded.at, what, state)
        state.stack[key] = Entry(target)  # so that the return is not reported, too


def is_unset(walk: Walk, state: State, key: int) -> bool:
    """Return whether a path to here leaves a slot of the frame unwritten, for certain."""
    if key in state.stack:
        return type(state.stack[key]) is Sometimes
    is_given = walk.escaped is not None and key >= walk.escaped
    return not state.is_set(key) and not is_given


# The effects. Each changes the registers and slots it can follow; `writes` has the rest.


def check_stored(walk: Walk, state: State, decoded: Decoded, source: int) -> None:
    bit = 1 << source
    if bit & state.stale and state.last is not None:
        what = (
            f"{NAMES[source]} is stored, and {state.last.name} may have changed it since it was set"
        )
        walk.report("clobbered-register", decoded.at, what, state)
    if bit & state.intact and state.way is None:
        walk.reads |= bit

"""The effect of a call of the module's own routine, by the summary of what that does."""

from __future__ import annotations

from dataclasses import dataclass

from . import resources
from .alignment import check_alignment
from .calls import ANY_RESULT, change_by_call, drop_below, let_escape, note_reads
from .prototypes import Prototype
from .state import PARTLY, RELEASED, UNKNOWN, State, stack_key
from .values import (
    CHANGED_BY_CALLS,
    GENERAL_MASK,
    NAMES,
    RAX,
    RETURN_ADDRESS,
    RSP,
    SMALL,
    Entry,
    Frame,
    Imported,
    Label,
    Low,
    Passed,
    Result,
    Sometimes,
    Value,
)
from .walk import Walk


@dataclass
class Summary:
    """The effects of a routine on its caller."""

    start: int
    is_public: bool
    exit: State | None
    """The state after its return; None when it never returns."""
    reads: int
    changes: int
    alignment: int | None
    needs_gil: str | None
    is_complete: bool
    is_written_by_hand: bool
    """It has a convention of its own, or its author has declared it."""


def call_inside(walk: Walk, state: State, at: int, name: str, callee: Summary | None) -> bool:
    """Apply a call of a routine of this module; return whether it returns.

    ``callee`` is None for one that is not understood or is being analysed: it is taken for a
    C function.
    """
    state.owned = frozenset()
    resources.pass_buffers(state, *range(16))
    if callee is None:
        change_by_call(walk, state, at, name, Prototype("?", "", known=False))
        return True
    _check_callee(walk, state, at, name, callee)
    if callee.exit is None:
        return not callee.is_complete
    if callee.is_public:
        _change_as_c(walk, state, at, name, callee)
    else:
        _change_as_summary(walk, state, at, name, callee, callee.exit)
    return True


def _check_callee(walk: Walk, state: State, at: int, name: str, callee: Summary) -> None:
    # Vector registers are often read for nothing, as parts that are merged with others.
    # And compilers read registers that their own functions were not passed, without a meaning.
    reads = callee.reads if callee.is_written_by_hand else 0
    if unset := reads & state.stale & GENERAL_MASK:
        register = NAMES[(unset & -unset).bit_length() - 1]
        if state.last is not None:
            what = f"{name} uses {register}, and {state.last.name} may have changed it since it was set"
            walk.report("clobbered-register", at, what, state)
        else:
            what = f"{name} uses {register}, and nothing was passed in it"
            walk.report("unset-register", at, what, state)
    note_reads(walk, state, reads)
    if callee.alignment is not None:
        check_alignment(walk, state, at, name, callee.alignment)
    if callee.needs_gil is not None and not callee.is_public and state.gil == RELEASED:
        what = f"{name} calls {callee.needs_gil}, which needs the GIL, and it is released here"
        walk.report("gil-released", at, what, state)
    if walk.needs_gil is None and state.gil == UNKNOWN:
        walk.needs_gil = callee.needs_gil


def _change_as_c(walk: Walk, state: State, at: int, name: str, callee: Summary) -> None:
    before = list(state.registers)
    before_vectors = dict(state.vectors)
    stale, half, fresh = state.stale, state.half, state.fresh
    flags_present = state.present
    change_by_call(walk, state, at, name, Prototype("?", "", known=False))
    if not callee.is_complete:
        # It may leave alone what C functions may change, and its callers may know that.
        state.stale = stale & ~ANY_RESULT
        return
    # The compiler knows what its own functions leave alone, and relies on it.
    untouched = CHANGED_BY_CALLS & ~callee.changes & ~(1 << RAX)
    for number in range(16):
        if untouched >> number & 1:
            state.registers[number] = before[number]
    state.vectors = {n: value for n, value in before_vectors.items() if untouched >> n & 1}
    exit_ = callee.exit
    assert exit_ is not None
    state.stale = (stale & untouched) | (exit_.stale & ~untouched & ~ANY_RESULT)
    state.half = (half & (untouched | ~CHANGED_BY_CALLS)) | (state.half & ~untouched)
    state.fresh = fresh & (untouched | ~CHANGED_BY_CALLS)
    state.intact &= ~callee.changes
    state.present = flags_present
    state.upper |= exit_.upper
    if exit_.gil != UNKNOWN:
        state.gil = exit_.gil


def _change_as_summary(
    walk: Walk, state: State, at: int, name: str, callee: Summary, exit_: State
) -> None:
    let_escape(walk, state, Prototype("?", "", known=False))
    before = list(state.registers)
    pointer = before[RSP]
    state.registers = [
        _passed_back(state, value, pointer)
        if type(value) is Passed
        else _seen_outside(value, before, pointer)
        for value in exit_.registers
    ]
    state.vectors = {
        number: outside
        for number, value in exit_.vectors.items()
        if (outside := _seen_outside(value, before, pointer)) is not None
    }
    _change_stack(state, before, exit_)
    walk.changes |= callee.changes
    # What the routine leaves in the result registers may depend on what else it returns.
    state.stale = (state.stale & exit_.fresh) | (exit_.stale & ~ANY_RESULT)
    state.half = (state.half & exit_.fresh) | (exit_.half & ~ANY_RESULT)
    state.fresh &= exit_.fresh
    state.intact &= ~callee.changes
    state.upper |= exit_.upper
    state.mmx |= exit_.mmx
    state.backwards = exit_.backwards
    state.maybe |= exit_.backwards is PARTLY
    state.present |= exit_.present
    state.flags = None
    state.last = exit_.last or state.last
    if exit_.gil != UNKNOWN:
        state.gil = exit_.gil


def _change_stack(state: State, before: list[Value], exit_: State) -> None:
    """Take over what the routine pushed and left, or wrote into its caller's frame."""
    pointer, top = before[RSP], exit_.registers[RSP]
    if type(pointer) is not Frame or type(top) is not Frame or top.base != 0:
        return
    for key, value in exit_.stack.items():
        if top.offset <= key <= 0 and value is not RETURN_ADDRESS:
            place = stack_key(pointer.base, pointer.offset - 8 + key)
            state.stack[place] = _seen_outside(value, before, pointer)
    if top.offset >= 0:
        drop_below(state)


def _passed_back(state: State, value: Passed, pointer: Value) -> Value:
    """Return what a slot of the caller's frame held that the routine took."""
    if type(pointer) is not Frame:
        return None
    held = state.slot(Frame(pointer.base, pointer.offset - 8 + value.offset))
    return None if type(held) is Sometimes else held


def _seen_outside(value: Value, before: list[Value], pointer: Value) -> Value:
    """Return a value of the routine's, as its caller knows it."""
    if type(value) is Entry:
        return before[value.register]
    if type(value) is Frame:
        if value.base == 0 and type(pointer) is Frame:
            return Frame(pointer.base, pointer.offset - 8 + value.offset)
        return None
    if type(value) in (int, Imported, Label, Result, Low) or value is SMALL:
        return value
    return None

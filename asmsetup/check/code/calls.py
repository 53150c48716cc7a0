"""The effect of a call on the state, and the rules for calls."""

from __future__ import annotations

from dataclasses import dataclass

from ...facts import cpython_abi
from . import resources
from .alignment import check_alignment
from .halves import check_pointer, half_sentence
from .prototypes import Prototype, needs_gil, prototype
from .state import HELD, PARTLY, RELEASED, STACK_BASE_SHIFT, UNKNOWN, LastCall, State, stack_key
from .values import (
    ARGUMENTS,
    CHANGED_BY_CALLS,
    GENERAL_MASK,
    NAMES,
    RAX,
    RDX,
    RETURN_ADDRESS,
    RSP,
    SMALL,
    XMM0,
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

_WIDE = frozenset("pnblx")
_POINTERS = frozenset("pnbx")
_MOST_VECTORS = 8
_MAX_SPAN = 1 << (STACK_BASE_SHIFT - 1)


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


def call_outside(walk: Walk, state: State, at: int, name: str, *, tail: bool = False) -> bool:
    """Apply a call of another module's function, or through a pointer; return whether it returns."""
    known = prototype(name)
    _check_name(walk, state, at, name)
    check_alignment(walk, state, at, name, 8, tail=tail)
    _check_arguments(walk, state, at, name, known)
    _check_pointers(walk, state, at, name, known)
    _check_exceptions(walk, state, at, name, known)
    if known.variadic:
        _check_vectors(walk, state, at, name)
    _check_gil(walk, state, at, name)
    if tail:
        _check_frame_passed(walk, state, at, name, known)
    if state.backwards:
        walk.report("direction-flag", at, f"{name} is called with the direction flag set", state)
    if state.mmx:
        walk.report(
            "mmx-state", at, f"{name} is called, and emms was not executed after MMX", state
        )
    if state.upper:
        walk.report(
            "vzeroupper", at, f"{name} is called without vzeroupper after 256-bit code", state
        )
        state.upper = False
    if name in ("PyObject_GetBuffer", "PyBuffer_Release"):
        resources.follow_buffer(walk, state, at, name)
    walk.imports.add(name)
    resources.pass_to_call(state, name, known)
    change_by_call(walk, state, at, name, known)
    resources.take_result(state, at, name, known)
    return known.returns and walk.image.returns(name)


def call_unknown(walk: Walk, state: State) -> None:
    """Apply a call of one of several routines of this module, which a number chooses.

    Each may have a convention of its own.
    """
    _let_escape(walk, state, Prototype("?", "", known=False))
    resources.pass_buffers(state, *range(16))
    for number in _CHANGING:
        state.registers[number] = None
    state.vectors.clear()
    state.fresh &= ~CHANGED_BY_CALLS
    state.intact &= ~CHANGED_BY_CALLS
    state.stale = state.half = 0
    state.flags = None
    state.owned = frozenset()
    _drop_below(state)


_CHANGING = (0, 1, 2, 6, 7, 8, 9, 10, 11)


def change_by_call(walk: Walk, state: State, at: int, name: str, known: Prototype) -> None:
    """Take away what a call of a C function leaves undefined, and put in what it returns."""
    _let_escape(walk, state, known)
    changes = CHANGED_BY_CALLS
    walk.changes |= changes
    registers = state.registers
    for number in _CHANGING:
        registers[number] = None
    state.vectors.clear()
    state.fresh &= ~changes
    state.intact &= ~changes
    state.half &= ~changes
    state.stale = changes & ~_RESULTS.get(known.result, _ANY_RESULT)
    state.flags = None
    state.last = LastCall(at, name)
    if known.result not in ("v", "d", "s"):
        registers[RAX] = Result(at, name, False)
    if known.result == "i":
        state.half |= 1 << RAX
    _drop_below(state)


_ANY_RESULT = 1 << RAX | 1 << RDX | 0b11 << XMM0
_RESULTS = {
    "v": 0,
    "d": 1 << XMM0,
    **dict.fromkeys("ilpnb", 1 << RAX),
}


def _drop_below(state: State) -> None:
    """Forget what lies below rsp: the function called has used it."""
    pointer = state.registers[RSP]
    if type(pointer) is not Frame:
        return
    top = stack_key(pointer.base, pointer.offset)
    stack = state.stack
    for key in [key for key in stack if top - _MAX_SPAN < key < top]:
        del stack[key]


def _let_escape(walk: Walk, state: State, known: Prototype) -> None:
    """Note which slots the function called may write, and forget what they hold."""
    count = known.words if known.known and not known.variadic else 6
    lowest: int | None = None
    for value in (
        *(state.registers[number] for number in ARGUMENTS[:count]),
        *state.stack.values(),
    ):
        if type(value) is Frame and not (value.base == 0 and value.offset >= 0):
            key = stack_key(value.base, value.offset)
            if lowest is None or key < lowest:
                lowest = key
    if lowest is not None:
        walk.escaped = lowest if walk.escaped is None else min(walk.escaped, lowest)
        state.given = lowest if state.given is None else min(state.given, lowest)
    first = walk.escaped
    if first is None:
        return
    stack = state.stack
    for key, value in stack.items():
        if key >= first and key and type(value) not in (Entry, Frame) and value is not None:
            stack[key] = None


def _check_name(walk: Walk, state: State, at: int, name: str) -> None:
    if cpython_abi.is_function(name) is False:
        walk.report("data-called", at, f"{name} is called, and it is data, not a function", state)
    if name in walk.image.weak and name not in state.present:
        is_python = name.startswith(("Py", "_Py"))
        if walk.image.is_module and not is_python:
            return  # compilers test another name of the library, or know that it is needed
        where = (
            "older interpreters do not have" if is_python else "may be nowhere when it is loaded"
        )
        what = f"{name} is called, which {where}, and no path to here has tested that it is there"
        walk.report("weak-untested", at, f"{what}: the address is 0 there", state)


def _check_arguments(walk: Walk, state: State, at: int, name: str, known: Prototype) -> None:
    stale, half = state.stale, state.half
    if not stale and not half:
        _note_reads(walk, state, _passed(known))
        return
    for place in range(known.words):
        bit = 1 << ARGUMENTS[place]
        if bit & stale:
            _report_unset(
                walk, state, at, name, f"argument {place + 1} ({NAMES[ARGUMENTS[place]]})"
            )
        elif bit & half and _general(known)[place : place + 1] in _WIDE:
            what = half_sentence(state, ARGUMENTS[place])
            walk.report("int-result", at, f"{what}; {name} takes all of it", state)
    for place in range(known.vectors):
        if stale >> (XMM0 + place) & 1:
            _report_unset(walk, state, at, name, f"the number in xmm{place}")
    _note_reads(walk, state, _passed(known))


def _check_pointers(walk: Walk, state: State, at: int, name: str, known: Prototype) -> None:
    for register, letter in zip(ARGUMENTS, _general(known), strict=False):
        if letter in _POINTERS:
            check_pointer(walk, state, at, register, f"{name} takes a pointer in it")


def _check_exceptions(walk: Walk, state: State, at: int, name: str, known: Prototype) -> None:
    for place in range(known.words if name.startswith("Py") else 0):
        value = state.registers[ARGUMENTS[place]]
        if type(value) is Imported and value.name.startswith("PyExc_"):
            what = (
                f"argument {place + 1} ({NAMES[ARGUMENTS[place]]}) of {name} is the address of"
                f" {value.name}, which is a pointer to the exception"
            )
            walk.report("exception-address", at, what, state)


def _note_reads(walk: Walk, state: State, registers: int) -> None:
    if state.way is None:  # behind a branch, the caller may know which way it goes
        walk.reads |= registers & state.intact


def _passed(known: Prototype) -> int:
    return sum(1 << register for register in ARGUMENTS[: known.words])


def _general(known: Prototype) -> str:
    return known.parameters.replace("d", "")


def _report_unset(walk: Walk, state: State, at: int, name: str, what: str) -> None:
    if state.last is None:
        why = "is not set: nothing was passed to this function in it"
    else:
        why = f"was not set since the call of {state.last.name}, which may have changed it"
    walk.report("argument-unset", at, f"{what} of {name} {why}", state)


def _check_vectors(walk: Walk, state: State, at: int, name: str) -> None:
    value = state.registers[RAX]
    if type(value) is int:
        fits = value & 0xFF <= _MOST_VECTORS
        detail = f"and it is {value & 0xFF}"
    else:
        fits = value is SMALL or (type(value) is Low and value.byte <= _MOST_VECTORS)
        detail = "and it was not set"
        if type(value) is Result:
            detail = f"and it still holds the result of {value.name}"
    if not fits:
        walk.report(
            "variadic-al",
            at,
            f"{name} is variadic: al must hold the number of its arguments in xmm registers,"
            f" {detail}",
            state,
        )


def _check_gil(walk: Walk, state: State, at: int, name: str) -> None:
    if name == "PyEval_SaveThread":
        if state.gil == RELEASED:
            walk.report("gil-released", at, f"{name} is called, and the GIL is released", state)
        state.gil = RELEASED
    elif name in ("PyEval_RestoreThread", "PyGILState_Ensure", "PyEval_AcquireThread"):
        if state.gil in (HELD, PARTLY) and name == "PyEval_RestoreThread":
            what = f"{name} is called, and a path to here has not released the GIL"
            walk.report("gil-released", at, what, state)
        state.gil = HELD
    elif name in ("PyGILState_Release", "PyEval_ReleaseThread"):
        state.gil = UNKNOWN
    elif needs_gil(name):
        if state.gil == RELEASED:
            what = f"{name} is called, and the GIL, which it needs, is released here"
            walk.report("gil-released", at, what, state)
        elif state.gil == UNKNOWN and walk.needs_gil is None:
            walk.needs_gil = name


def _check_frame_passed(walk: Walk, state: State, at: int, name: str, known: Prototype) -> None:
    for place in range(known.words):
        value = state.registers[ARGUMENTS[place]]
        if _general(known)[place] not in _POINTERS:
            continue
        if type(value) is Frame and (value.base != 0 or value.offset < 0):
            walk.report(
                "frame-passed",
                at,
                f"argument {place + 1} ({NAMES[ARGUMENTS[place]]}) is an address in this function's"
                f" frame, which is given up before {name} runs",
                state,
            )


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
    _note_reads(walk, state, reads)
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
        state.stale = stale & ~_ANY_RESULT
        return
    # The compiler knows what its own functions leave alone, and relies on it.
    untouched = CHANGED_BY_CALLS & ~callee.changes & ~(1 << RAX)
    for number in range(16):
        if untouched >> number & 1:
            state.registers[number] = before[number]
    state.vectors = {n: value for n, value in before_vectors.items() if untouched >> n & 1}
    exit_ = callee.exit
    assert exit_ is not None
    state.stale = (stale & untouched) | (exit_.stale & ~untouched & ~_ANY_RESULT)
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
    _let_escape(walk, state, Prototype("?", "", known=False))
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
    state.stale = (state.stale & exit_.fresh) | (exit_.stale & ~_ANY_RESULT)
    state.half = (state.half & exit_.fresh) | (exit_.half & ~_ANY_RESULT)
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
        _drop_below(state)


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

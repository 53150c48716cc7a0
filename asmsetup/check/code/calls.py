"""The effect of a call of a C function on the state, and the rules for calls.

own_calls.py has calls of the module's own routines.
"""

from __future__ import annotations

from ...facts import cpython_abi
from . import resources
from .alignment import check_alignment
from .halves import check_pointer, half_sentence
from .prototypes import Prototype, needs_gil, prototype
from .state import HELD, PARTLY, RELEASED, STACK_BASE_SHIFT, UNKNOWN, LastCall, State, stack_key
from .values import (
    ARGUMENTS,
    CHANGED_BY_CALLS,
    NAMES,
    RAX,
    RDX,
    RSP,
    SMALL,
    XMM0,
    Entry,
    Frame,
    Imported,
    Low,
    Result,
)
from .walk import Walk

_WIDE = frozenset("pnblx")
_POINTERS = frozenset("pnbx")
_MOST_VECTORS = 8
_MAX_SPAN = 1 << (STACK_BASE_SHIFT - 1)


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
    let_escape(walk, state, Prototype("?", "", known=False))
    resources.pass_buffers(state, *range(16))
    for number in _CHANGING:
        state.registers[number] = None
    state.vectors.clear()
    state.fresh &= ~CHANGED_BY_CALLS
    state.intact &= ~CHANGED_BY_CALLS
    state.stale = state.half = 0
    state.flags = None
    state.owned = frozenset()
    drop_below(state)


_CHANGING = (0, 1, 2, 6, 7, 8, 9, 10, 11)


def change_by_call(walk: Walk, state: State, at: int, name: str, known: Prototype) -> None:
    """Take away what a call of a C function leaves undefined, and put in what it returns."""
    let_escape(walk, state, known)
    changes = CHANGED_BY_CALLS
    walk.changes |= changes
    registers = state.registers
    for number in _CHANGING:
        registers[number] = None
    state.vectors.clear()
    state.fresh &= ~changes
    state.intact &= ~changes
    state.half &= ~changes
    state.stale = changes & ~_RESULTS.get(known.result, ANY_RESULT)
    state.flags = None
    state.last = LastCall(at, name)
    if known.result not in ("v", "d", "s"):
        registers[RAX] = Result(at, name, False)
    if known.result == "i":
        state.half |= 1 << RAX
    drop_below(state)


ANY_RESULT = 1 << RAX | 1 << RDX | 0b11 << XMM0
_RESULTS = {
    "v": 0,
    "d": 1 << XMM0,
    **dict.fromkeys("ilpnb", 1 << RAX),
}


def drop_below(state: State) -> None:
    """Forget what lies below rsp: the function called has used it."""
    pointer = state.registers[RSP]
    if type(pointer) is not Frame:
        return
    top = stack_key(pointer.base, pointer.offset)
    stack = state.stack
    for key in [key for key in stack if top - _MAX_SPAN < key < top]:
        del stack[key]


def let_escape(walk: Walk, state: State, known: Prototype) -> None:
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
        note_reads(walk, state, _passed(known))
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
    note_reads(walk, state, _passed(known))


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


def note_reads(walk: Walk, state: State, registers: int) -> None:
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

"""The rules that hold where a function is left: at a return, or at a jump to another function."""

from __future__ import annotations

from . import resources
from .decode import Decoded
from .halves import check_pointer
from .marks import CALLBACK, ENTRY_POINT, METHOD
from .roots import Root
from .state import MXCSR, PARTLY, RELEASED, State
from .values import KEPT, NAMES, RAX, RETURN_ADDRESS, RSP, Entry, Frame
from .walk import Walk

NOT_CODE = "it runs into bytes that are no code: perhaps it is data"


def check_bytes(walk: Walk, state: State, at: int, *, is_sure: bool) -> None:
    """Judge a path that reaches bytes that are not an instruction; ``is_sure`` if it is in a function."""
    if is_sure:
        walk.report("falls-off", at, "the function runs on into bytes that are no code", state)
    else:
        walk.give_up(at, NOT_CODE)


def report_data(walk: Walk, state: State, at: int, goal: int, how: str) -> None:
    """Report that a call or jump leads to something other than code."""
    section, name = walk.image.stretch(goal), walk.image.label_before(goal)
    where = f" in {section.name}" if section is not None else ""
    what = f"what is {how} here is not code: {name or hex(goal)}{where}"
    walk.report("data-called", at, what, state, about=goal)


def check_return(walk: Walk, state: State, found: Decoded, root: Root | None) -> None:
    """Judge a ``ret``."""
    if not walk.is_public:
        return
    if found.operation.number:
        what = f"`ret {found.operation.number}` takes more off the stack than the return address"
        walk.report("stack-at-return", found.at, what, state)
    _check(walk, state, found, root, 0, "the function returns")
    resources.check_owned(walk, state, found.at)


def check_popped_return(walk: Walk, state: State, found: Decoded, root: Root | None) -> None:
    """Judge a jump to a return address that was taken off the stack before."""
    if walk.is_public:
        _check(walk, state, found, root, 8, "the function returns")


def check_tail(walk: Walk, state: State, found: Decoded, name: str, root: Root | None) -> None:
    """Judge a jump to another function, which returns in this one's place."""
    if walk.is_public:
        _check(walk, state, found, root, 0, f"the function is left for {name}")


def _check(
    walk: Walk, state: State, found: Decoded, root: Root | None, depth: int, leaving: str
) -> None:
    at = found.at
    is_known = _check_stack(walk, state, at, depth, leaving)
    for number in KEPT if is_known else ():
        value = state.registers[number]
        if type(value) is Entry and value.register == number:
            continue
        walk.report("kept-register", at, _not_kept(state, number, leaving), state)
        break
    if state.backwards:
        walk.report("direction-flag", at, f"{leaving} with the direction flag set", state)
    if state.mmx:
        walk.report("mmx-state", at, f"{leaving} after MMX instructions without emms", state)
    if state.changed_control:
        which = "MXCSR" if state.changed_control & MXCSR else "the control word of the x87 FPU"
        walk.report("mxcsr", at, f"{leaving} with {which} changed and not restored", state)
    if state.upper:
        walk.report("vzeroupper", at, f"{leaving} without vzeroupper after 256-bit code", state)
    is_called_by_python = root is not None and root.role in (METHOD, CALLBACK, ENTRY_POINT)
    if is_called_by_python and "returns" in leaving:
        check_pointer(walk, state, at, RAX, "is returned")
    if is_called_by_python and state.gil in (RELEASED, PARTLY):
        walk.report("gil-released", at, f"{leaving} with the GIL released", state)
    if state.buffers or state.partly:
        what = f"{leaving}, and a buffer that it got is not released"
        walk.report("buffer-kept", at, what, state)


def _check_stack(walk: Walk, state: State, at: int, depth: int, leaving: str) -> bool:
    """Return whether it is known how deep the stack is."""
    pointer = state.registers[RSP]
    if type(pointer) is not Frame or pointer.base != 0:
        walk.give_up(at, "how deep the stack is here could not be found out")
        return False
    off = pointer.offset - depth
    if off:
        which = "lower" if off < 0 else "higher"
        what = (
            f"{leaving} with rsp {abs(off)} bytes {which} than at entry: what lies there is taken"
            " for the return address"
        )
        walk.report("stack-at-return", at, what, state)
    elif not depth and state.stack.get(0) is not RETURN_ADDRESS:
        walk.report(
            "return-address", at, f"{leaving}, and its return address was overwritten", state
        )
    return True


def _not_kept(state: State, number: int, leaving: str) -> str:
    name = NAMES[number]
    value = state.registers[number]
    if type(value) is Entry:
        return f"{leaving} with what {NAMES[value.register]} held in {name}, which it must keep"
    return f"{leaving} with another value in {name} than at entry, and its caller relies on it"

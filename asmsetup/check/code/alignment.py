"""The rule about the alignment of rsp at calls."""

from __future__ import annotations

from .state import State
from .values import RSP, Frame
from .walk import Walk


def check_alignment(
    walk: Walk, state: State, at: int, name: str, entry: int, *, tail: bool = False
) -> None:
    """Judge how rsp is aligned at a call.

    ``entry`` is what rsp must be modulo 16 when the function called is entered.
    """
    pointer = state.registers[RSP]
    known = walk.residue(pointer)
    if known is None or type(pointer) is not Frame or tail:
        return
    if pointer.base == 0 and not walk.is_public:
        if walk.tests_alignment:
            return
        needed = (entry + 8 - pointer.offset) % 16
        if walk.alignment is None:
            walk.alignment = needed
        elif walk.alignment != needed:
            _report(walk, state, at, name, 8)
        return
    if pointer.base == 0:
        walk.alignment = _AT_ENTRY  # who calls this one owes it what C owes it
    of, rest = known
    wanted = (entry + 8) % 16
    modulus = min(of, 16)
    if modulus > 1 and rest % modulus != wanted % modulus:
        _report(walk, state, at, name, (rest - wanted) % modulus)


_AT_ENTRY = 8
"""rsp modulo 16 at the entry of a C function (System V ABI, 3.2.2)."""


def _report(walk: Walk, state: State, at: int, name: str, off: int) -> None:
    # Calls from the same depth of the stack have the same cause: the first is enough.
    depth = walk.function, state.registers[RSP]
    if walk.notes.misaligned.setdefault(depth, at) == at:
        what = (
            f"{name} is called with rsp {off} bytes off a multiple of 16: it may crash, at once or"
            " in another version"
        )
        walk.report("stack-alignment", at, what, state)

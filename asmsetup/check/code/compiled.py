"""Finds the calls in compilers' code that never return, which nothing but that code tells.

A C function pointer may be declared noreturn, and what follows any call may be declared
unreachable. Compilers then put the next piece of the function right behind the call. It does not
fit what the call leaves: it reads registers that calls change, or expects another depth of the
stack. An author of assembly makes such mistakes; a compiler does not.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from . import decode
from .decode import Decoded
from .values import CHANGED_BY_CALLS, GENERAL_MASK, RAX, RDX, RSP

if TYPE_CHECKING:
    from .image import Image

_LOST = CHANGED_BY_CALLS & GENERAL_MASK & ~(1 << RAX | 1 << RDX)
"""The general registers that hold nothing when a call returns."""
_MOST_INSTRUCTIONS = 96
_MOST_PADDING = 2

Decoder = Callable[[int], Decoded | None]


def goes_on(
    image: Image, decoded: Decoder, leaders: AbstractSet[int], call: Decoded, depth: int | None
) -> bool:
    """Return whether the code behind a call can be what the call returns to.

    ``leaders`` are the places that branches of the function lead to, and ``depth`` is how many
    bytes lie between rsp and the return address, where that is known.
    """
    at, found = call.next, decoded(call.next)
    for _ in range(_MOST_PADDING):
        if found is None or found.operation.effect != decode.NOTHING:
            break
        at, found = found.next, decoded(found.next)
    if at not in leaders:
        return True
    fits = not _reads_what_is_lost(decoded, at) and _returns_from(decoded, at, depth)
    return fits or not image.is_compiled(call.at)  # which may read the line numbers


def _reads_what_is_lost(decoded: Decoder, at: int) -> bool:
    """Return whether a path from here, up to the next call, reads what a call has changed."""
    pending, seen = [(at, _LOST)], 0
    known: dict[int, int] = {}
    while pending and seen < _MOST_INSTRUCTIONS:
        at, lost = pending.pop()
        if not lost & ~known.get(at, 0):
            continue
        known[at] = known.get(at, 0) | lost
        found = decoded(at)
        if found is None:
            continue
        seen += 1
        operation = found.operation
        if operation.reads & lost:
            return True
        lost &= ~operation.writes
        if operation.flow in (decode.NEXT, decode.BRANCH):
            pending.append((found.next, lost))
        if operation.flow in (decode.BRANCH, decode.JUMP):
            pending.append((found.goal, lost))
    return False


def _returns_from(decoded: Decoder, at: int, depth: int | None) -> bool:
    """Return whether the stack is as deep as a return expects that follows without a branch."""
    for _ in range(_MOST_INSTRUCTIONS if depth is not None else 0):
        found = decoded(at)
        if found is None:
            return True
        operation, at = found.operation, found.next
        assert depth is not None
        if operation.flow == decode.RETURN:
            return depth == 0
        if operation.flow != decode.NEXT:
            return True
        is_number = operation.source < 0 and operation.memory is None
        if operation.target == RSP and is_number and operation.effect == decode.ADD:
            depth -= operation.number
        elif operation.effect == decode.POP:
            depth -= 8
        elif operation.writes >> RSP & 1:
            return True
    return True

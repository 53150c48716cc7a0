"""Write how a binding is unwound: the rules of its entry in .eh_frame (DWARF 5, 6.4)."""

from __future__ import annotations

from collections.abc import Sequence

from .. import dwarf
from .lines import escaped, op

_RETURN_ADDRESS = 8
_RBX_SAVED = bytes((dwarf.OFFSET + dwarf.REGISTERS[3], 2))
"""Twice 8 bytes below the caller's frame."""
_BEFORE_RULES = 13
"""Of the entry, behind its size: three fields, and the size of no augmentation data."""
_SIZE, _DISTANCE = 4, 4
"""Bytes of the entry's size, and of the distance to an exit."""


def rows(*, pushes: bool, frame: int, exits: Sequence[int]) -> list[str]:
    """Return the rows of the entry.

    ``pushes`` says whether rbx is saved, and ``frame`` by how many bytes rsp is lower than then.
    An exit is the number of bytes that are left of the function's where its frame is given back
    (with rbx the frame alone); the places are the equ's ``.py_exit_1`` and so on.
    """
    stack = _RETURN_ADDRESS + 8 * pushes + frame
    prologue = _bytes_of_sub(frame)
    first, entered = prologue, _cfa(stack)
    if pushes:
        first, pushed = 1, _cfa(_RETURN_ADDRESS + 8) + _RBX_SAVED
        entered = pushed + bytes((dwarf.ADVANCE + prologue,)) + entered
    leaving = [_leave(pushes=pushes, frame=frame, stack=stack, left=left) for left in exits]
    *most, last = entered, *leaving
    # NASM puts the distance to the next exit in between.
    rules = [*(rule + bytes((dwarf.ADVANCE_4,)) for rule in most), last]
    size = _BEFORE_RULES + 1 + sum(map(len, rules)) + _DISTANCE * len(exits)
    missing = -(size + _SIZE) % 8
    rules[-1] += bytes(missing)
    written = [
        ".py_bytes equ $ - _py_function",
        "[section .eh_frame]",
        op("dd", f"{size + missing}, $ - $$ + {_SIZE} - _py_unwind_common"),
        op("dd", "_py_function - $, .py_bytes"),
        op("db", f"0, {dwarf.ADVANCE + first:#x} + _PY_LANDING_PAD_BYTES, {escaped(rules[0])}"),
    ]
    behind = f"{pushes + prologue} + _PY_LANDING_PAD_BYTES"
    for number, (left, rule) in enumerate(zip(exits, rules[1:], strict=True), 1):
        place = f".py_exit_{number}"
        written += [op("dd", f"{place} - ({behind})"), op("db", escaped(rule))]
        behind = f"{place} + {left}"
    return written


def _leave(*, pushes: bool, frame: int, stack: int, left: int) -> bytes:
    """Return the rules from where the frame is given back to the end of an exit."""
    if pushes and frame:
        popped = _cfa(_RETURN_ADDRESS + 8) + bytes((dwarf.ADVANCE + 1,)) + _cfa(_RETURN_ADDRESS)
        return popped + bytes((dwarf.ADVANCE + left - 1,)) + _cfa(stack)
    return _cfa(_RETURN_ADDRESS) + bytes((dwarf.ADVANCE + left,)) + _cfa(stack)


def _cfa(stack: int) -> bytes:
    """Return the rule that rsp is so many bytes below the caller's frame."""
    return bytes((dwarf.CFA_OFFSET,)) + dwarf.unsigned(stack)


def _bytes_of_sub(frame: int) -> int:
    """Return how long ``sub rsp, frame`` is."""
    if not frame:
        return 0
    return 4 if frame < 0x80 else 7

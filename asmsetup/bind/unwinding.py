"""Write how a binding is unwound: the rules of its entry in .eh_frame (DWARF 5, 6.4)."""

from __future__ import annotations

from collections.abc import Iterable

from .lines import op

_ADVANCE, _ADVANCE_FAR, _CFA_BYTES, _RBX_SAVED = 0x40, 0x04, 0x0E, bytes((0x83, 2))
_RETURN_ADDRESS = 8
_BEFORE_RULES = 13
"""Of the entry, behind its size: three fields, and the size of no augmentation data."""
_SIZE, _DISTANCE = 4, 4
"""Bytes of the entry's size, and of the distance to an exit."""


def rows(*, pushes: bool, frame: int, exits: Iterable[int]) -> list[str]:
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
        entered = pushed + bytes((_ADVANCE + prologue,)) + entered
    rules = [entered]
    places = [f"{pushes + prologue} + _PY_LANDING_PAD_BYTES"]
    for number, left in enumerate(exits, 1):
        rules[-1] += bytes((_ADVANCE_FAR,))
        rules.append(_leave(pushes=pushes, frame=frame, stack=stack, left=left))
        places.append(f"%[_pyt_function].py_exit_{number}")
        places[-2] = f"{places[-1]} - ({places[-2]})"
        places[-1] += f" + {left}"
    size = _BEFORE_RULES + 1 + sum(map(len, rules)) + _DISTANCE * (len(rules) - 1)
    missing = -(size + _SIZE) % 8
    rules[-1] += bytes(missing)
    written = [
        op("dd", f"{size + missing}, $ - $$ + {_SIZE} - _py_unwind_common"),
        op("dd", "_pyt_function - $, _pyt_bytes"),
        op("db", f"0, {_ADVANCE + first:#x} + _PY_LANDING_PAD_BYTES, {_bytes(rules[0])}"),
    ]
    for distance, rule in zip(places, rules[1:], strict=False):
        written += [op("dd", distance), op("db", _bytes(rule))]
    return written


def _leave(*, pushes: bool, frame: int, stack: int, left: int) -> bytes:
    """Return the rules from where the frame is given back to the end of an exit."""
    if pushes and frame:
        popped = _cfa(_RETURN_ADDRESS + 8) + bytes((_ADVANCE + 1,)) + _cfa(_RETURN_ADDRESS)
        return popped + bytes((_ADVANCE + left - 1,)) + _cfa(stack)
    return _cfa(_RETURN_ADDRESS) + bytes((_ADVANCE + left,)) + _cfa(stack)


def _cfa(stack: int) -> bytes:
    """Return the rule that rsp is so many bytes below the caller's frame (a ULEB128)."""
    content = bytes((_CFA_BYTES,))
    while stack >= 0x80:
        content += bytes((stack & 0x7F | 0x80,))
        stack >>= 7
    return content + bytes((stack,))


def _bytes(content: bytes) -> str:
    """Return one string: it takes NASM less time than a list of numbers."""
    numbers = "".join(f"\\x{byte:02x}" for byte in content)
    return f"`{numbers}`"


def _bytes_of_sub(frame: int) -> int:
    """Return how long ``sub rsp, frame`` is."""
    if not frame:
        return 0
    return 4 if frame < 0x80 else 7

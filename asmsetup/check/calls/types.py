"""Judges the sizes of objects and the offsets of their fields: PyType and PyMember. Pure."""

from __future__ import annotations

import re

from .call import Call, MisuseError
from .expressions import UNKNOWN, ExpressionError, evaluate, is_name
from .numbers import INT32, may_be_in, number

_SIZE = "the size of its objects"
_OFFSET = number("an offset such as Point.x", -INT32 - 1, INT32)
_OWN_FIELDS = 0x030C0000
"""Since this version a negative size is that of a type's own fields."""
_WIDTHS = dict.fromkeys((0, 10), 2) | dict.fromkeys((1, 3, 11), 4)
_WIDTHS |= dict.fromkeys((2, 4, 5, 6, 12, 16, 17, 18, 19), 8)
"""The bytes of a field by its Py_T_ type; of another, one."""

_MEMBERS = (
    *("SHORT", "INT", "LONG", "FLOAT", "DOUBLE", "STRING", "_OBJECT", "CHAR", "BYTE", "UBYTE"),
    *("USHORT", "UINT", "ULONG", "STRING_INPLACE", "BOOL", "", "OBJECT_EX", "LONGLONG"),
    *("ULONGLONG", "PYSSIZET", "_NONE"),
)
"""The types of members by their numbers (CPython, Include/descrobject.h)."""


def judge_member_type(call: Call, text: str) -> None:
    """Raise MisuseError unless this is the type of a member."""
    # NASM knows some of these words itself, and does not say that they are undefined.
    if is_name(text) and text.upper() in _MEMBERS and call.names(text) == UNKNOWN:
        raise MisuseError(f"PyMember: {text} is not a type; did you mean Py_T_{text.upper()}?")
    is_unknown = is_name(text) and call.is_undefined(text) and call.names(text).number is None
    if is_unknown or not may_be_in(range(len(_MEMBERS)), call, text):
        raise MisuseError(
            f"PyMember: {text} is not a type; the types are Py_T_INT, Py_T_LONG, Py_T_DOUBLE and"
            " the others that the reference lists"
        )


def judge_size(call: Call, text: str) -> None:
    """Raise MisuseError unless objects of so many bytes have room for their header."""
    oldest, head, _ = call.target
    is_new = oldest is None or oldest >= _OWN_FIELDS
    number(_SIZE, -INT32 if is_new else 0, INT32)(call, text)
    if head is None:
        return
    if struc := struc_of(text):
        _expect_head(call, struc)
    size = evaluate(text, call.names).number
    if size is None or size >= head:
        return
    is_literal = re.fullmatch(r"[-+]?\s*[\d$]\w*", text)
    # That a struc has a header, its size does not say: a label of PyObject_HEAD does.
    if size > 0 if is_literal else not struc:
        better = "" if is_literal else f": {text}_size"
        raise MisuseError(
            f"PyType {call.arguments[0]}: its objects need more than {size} bytes; give the size of"
            f" a struc that begins with PyObject_HEAD{better}"
        )


def struc_of(size: str) -> str | None:
    """Return the struc that a size is that of, as in ``Point_object_size + 8``; None for another."""
    found = re.match(r"([\w.$@?~#]+)_size\b", size)
    return found[1] if found else None


def _expect_head(call: Call, struc: str) -> None:
    """Raise MisuseError unless a struc begins with a header, which leaves a label."""
    head = call.names(f"{struc}.PyObject_HEAD")
    if head == UNKNOWN:
        raise MisuseError(
            f"the struc {struc} does not begin with PyObject_HEAD, and so its fields would lie over"
            " the header of the object; write PyObject_HEAD as its first line"
        )
    if head.number:
        raise MisuseError(f"PyObject_HEAD must be the first line of the struc {struc}")


def judge_offset(call: Call, text: str) -> None:
    """Raise MisuseError unless a field of its type lies at an offset, in objects of that size."""
    _OFFSET(call, text)
    offset = evaluate(text, call.names).number
    try:
        size = evaluate(call.target.size, call.names).number
        type_ = evaluate(call.arguments[1], call.names).number
    except ExpressionError:  # PyType, or python.inc, refuses it
        return
    head = call.target.head
    if offset is None or head is None or type_ is None or size is None or size <= 0:
        return
    width = _WIDTHS.get(type_, 1)
    if offset < head:
        raise MisuseError(
            f"PyMember: the offset {offset} is in the header of the object; give that of a field,"
            " such as Point_object.x"
        )
    if offset + width > size:
        raise MisuseError(
            f"PyMember: {width} bytes at the offset {offset} are beyond the object, which has {size}"
        )
    if offset % width:
        raise MisuseError(f"PyMember: the offset {offset} is not that of a field of {width} bytes")

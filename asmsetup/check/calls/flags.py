"""Judges the flags of functions: PyFunction and PyMethod. Pure."""

from __future__ import annotations

from .call import Call, MisuseError
from .expressions import ExpressionError, Value, evaluate, is_text, names_in

_VARARGS, _KEYWORDS, _NOARGS, _O, _CLASS, _STATIC, _COEXIST, _FASTCALL, _METHOD = (
    *(1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80),
    0x200,
)
_NAMES = {
    "METH_NOARGS": _NOARGS,
    "METH_O": _O,
    "METH_VARARGS": _VARARGS,
    "METH_FASTCALL": _FASTCALL,
    "METH_KEYWORDS": _KEYWORDS,
    "METH_METHOD": _METHOD,
    "METH_CLASS": _CLASS,
    "METH_STATIC": _STATIC,
    "METH_COEXIST": _COEXIST,
}
"""Include/methodobject.h"""
_PASSED = {
    _NOARGS: 1,
    _O: 2,
    _VARARGS: 2,
    _VARARGS | _KEYWORDS: 3,
    _FASTCALL: 3,
    _FASTCALL | _KEYWORDS: 4,
    _METHOD | _FASTCALL | _KEYWORDS: 5,
}
"""How many arguments a function gets, by its calling convention."""


def judge_flags(call: Call, text: str) -> None:
    """Raise MisuseError for flags that CPython refuses, or that pass less than is named."""
    for name in names_in(text):
        if name not in _NAMES and call.is_undefined(name):
            *most, last = _NAMES
            raise MisuseError(
                f"{name} is not a flag of a function; the flags are {', '.join(most)} and {last}"
            )
    try:
        value = evaluate(text, lambda name: _value(call, name))
    except ExpressionError:
        value = Value(0)
    if value.number is None and not (value.is_address or is_text(text)):
        return
    passed = _PASSED.get((value.number or 0) & ~(_CLASS | _STATIC | _COEXIST))
    if passed is None or is_text(text):
        raise MisuseError("these flags are not a calling convention; see METH_ in the reference")
    if call.macro == "PyFunction" and len(call.arguments) - 2 > passed:
        raise MisuseError(
            f"too many arguments are named; with these flags a function gets {passed}"
        )
    _judge_place(call, value.number or 0)


def _value(call: Call, name: str) -> Value:
    return Value(_NAMES[name]) if name in _NAMES else call.names(name)


def _judge_place(call: Call, flags: int) -> None:
    """Raise MisuseError for flags of methods in a module, and two kinds of methods in one."""
    in_module = call.target.oldest is not None and call.target.head is None
    if in_module and flags & (_CLASS | _STATIC | _METHOD):
        raise MisuseError("METH_CLASS, METH_STATIC and METH_METHOD are for the methods of a type")
    if flags & _STATIC and flags & (_CLASS | _METHOD):
        raise MisuseError(
            "METH_STATIC excludes METH_CLASS and METH_METHOD: a static method gets no class"
        )

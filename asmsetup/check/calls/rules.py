"""Judges the arguments of python.inc's macros: numbers, labels, flags and features. Pure.

The macros look at most arguments for their form alone. What an expression comes to, and whether
a name is that of a number or of a routine, is judged here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from . import raising, types
from .bases import judge_base
from .call import Call, MisuseError
from .expressions import (
    ExpressionError,
    LostBitsError,
    NoNumberError,
    evaluate,
    is_name,
    is_register,
    is_text,
    names_in,
)
from .flags import judge_flags
from .names import judge_attribute
from .numbers import INT32, Rule, has_place, number, wrong
from .slots import is_slot, judge_slot

_INT64 = 0x7FFFFFFFFFFFFFFF


def judge(call: Call) -> None:
    """Raise MisuseError for a call of a macro that has a wrong argument."""
    if call.macro == "PyRaise" and len(call.arguments) > 1:
        raising.judge(call)
    if call.macro == "PyDispatch":
        _judge_dispatch(call)
    rules = _RULES.get(call.macro, {})
    for place, text in enumerate(call.arguments):
        if rule := rules.get(place, rules.get(None)):
            rule(call, text)


def _operand(what: str, least: int | None = None, most: int = 0, *, wide: bool = False) -> Rule:
    """Judge a number, or what is in memory or in a register; ``wide``: in one of 64 bits.

    A character is a number of any size.
    """
    of_number = number(what, least, most)

    def rule(call: Call, text: str) -> None:
        if text.endswith("]") or raising.is_wide(text):
            return
        if least is None and is_text(text) and len(raising.content_of(text)) == 1:
            return
        if wide or not is_register(text):
            of_number(call, raising.without_size(text))

    return rule


def _routine(what: str, *, or_nothing: bool = False) -> Rule:
    """Judge the label of a routine; ``or_nothing``: 0 stands for none."""

    def rule(call: Call, text: str) -> None:
        if or_nothing and text == "0":
            return
        if is_name(text) and text[0] == "." and text[:2] != "..":
            raise MisuseError(
                f"{call.macro} needs {what}, and {text}, a local label, means another here; write"
                f" its full name, such as routine{text}"
            )
        try:
            value = evaluate(text, call.names)
        except ExpressionError:
            raise wrong(call, what, text) from None
        if value.number is not None or text in ("$", "$$") or is_text(text):
            raise wrong(call, what, text)

    return rule


_WORDS = ("True", "False", "None")


def _judge_constant(call: Call, name: str) -> None:
    text = ", ".join(call.arguments[1:])
    if is_text(text) or text in (*_WORDS, *raising.SINGLETONS) or text.startswith("[rel _Py_"):
        return
    if text.capitalize() in _WORDS:
        right = text.capitalize()
        raise MisuseError(f"PyConstant: {text} is no value; write it as in Python: {right}")
    if _LIKE_FLOAT.match(text):
        _judge_float(text)
        return
    try:
        value = evaluate(text, call.names)
    except NoNumberError:
        raise wrong(call, _CONSTANT, text) from None
    except LostBitsError:
        value = None
    if value is None or (value.number or 0) > _INT64:
        raise MisuseError(
            f"PyConstant adds signed integers of 64 bits, which {text} does not fit; make it an int"
            " in the module's exec"
        )
    # An address; the bits of a float.
    is_odd = value.is_address or has_place(text)
    if is_odd or re.fullmatch(r"Py\w*|__\??(?:float|Infinity|[QS]?NaN).*", text):
        raise wrong(call, _CONSTANT, text)


_CONSTANT = "a number, a text, True, False or None"
_LIKE_FLOAT = re.compile(
    r"[-+]*\s*(?:\d[\d_]*\.|\.\d|\d[\d_]*e[-+\d]|0x[\da-f_.]*p)", re.IGNORECASE
)


def _judge_float(text: str) -> None:
    try:
        number = float(text)
    except ValueError:
        raise MisuseError(
            f"PyConstant: {text} is no number; write one as in Python, such as 1.5 or -1e3"
        ) from None
    if abs(number) == float("inf"):
        raise MisuseError(
            f"PyConstant: {text} does not fit a double, the largest of which is"
            " 1.797693134862315e308"
        )


_GIVEN = "a number that the reference gives for "
_CALLED = "the label of a routine for "
_MODULE_SLOTS: Mapping[str, Rule] = {
    "gil": number(f"{_GIVEN}gil", 0, 1),
    "multiple_interpreters": number(f"{_GIVEN}multiple_interpreters", 0, 2),
    "state_size": number(f"{_GIVEN}state_size", 0, INT32),
} | {
    name: _routine(_CALLED + name, or_nothing=True)
    for name in ("create", "exec", "state_traverse", "state_clear", "state_free")
}


def _judge_module_slot(call: Call, text: str) -> None:
    if rule := _MODULE_SLOTS.get(call.arguments[0]):
        rule(call, text)


_TYPE_SLOT = _routine("a label")


def _judge_type_slot(call: Call, text: str) -> None:
    if is_slot("tp_base", call.arguments[0]):
        judge_base(call, text)
    elif text == "0":
        raise MisuseError("PyTypeSlot: a slot that has no routine is left out, and not 0")
    else:
        _TYPE_SLOT(call, text)


_RETURNED = _operand("a register, memory or a number of 64 bits", wide=True)
_BORROWED = {
    "None": "write Py_RETURN_NONE",
    "True": "write Py_RETURN_TRUE",
    "False": "write Py_RETURN_FALSE",
    "NotImplemented": "write Py_RETURN_NOTIMPLEMENTED",
    "Ellipsis": "load it with PyLoad, and write Py_NewRef",
}
_SINGLETON = re.compile(rf"\[rel _Py_({'|'.join(_BORROWED)})(?:Struct|Object) wrt \.\.got\]")


def _judge_returned(call: Call, text: str) -> None:
    """Judge the first argument; a second one says that a function of Python's returns it."""
    if found := _SINGLETON.fullmatch(text):
        raise MisuseError(
            f"PyReturn Py_{found[1]} would return a reference that is borrowed;"
            f" {_BORROWED[found[1]]}"
        )
    if len(call.arguments) > 1:
        if is_text(text):
            raise wrong(call, "an object, which a function of Python's must return", text)
        if not is_name(text) and text[-1:] != "]":
            raise MisuseError(
                f"PyReturn {text} would return no object, which a function of Python's must; make"
                f" one: mov rdi, {text} and PyTailCall PyLong_FromLong"
            )
    _RETURNED(call, text)


_DISPATCHED = _routine("the label of a routine")
_CPU_FEATURES = (
    "SSE3, PCLMULQDQ, SSSE3, SSE41, SSE42, MOVBE, POPCNT, AES, SHA, BMI1, BMI2, ADX, GFNI, FMA,"
    " AVX, F16C, AVX2, VAES, VPCLMULQDQ, AVX512F, AVX512DQ, AVX512IFMA, AVX512CD, AVX512BW,"
    " AVX512VL, AVX512VBMI, AVX512VBMI2, AVX512VNNI, AVX512BITALG and AVX512VPOPCNTDQ"
)
_FEATURES = frozenset(re.findall(r"[A-Z]\w+", _CPU_FEATURES))


def _judge_dispatch(call: Call) -> None:
    arguments = call.arguments[1:]
    for text in arguments[:1]:
        _DISPATCHED(call, text)
    for features, routine in zip(arguments[1::2], arguments[2::2], strict=False):
        _judge_features(call, features, routine)
        _DISPATCHED(call, routine)


def _judge_features(call: Call, text: str, routine: str) -> None:
    by_name = "features by their names, such as PyCPU_AVX2"
    if is_text(text):
        raise wrong(call, by_name, text)
    if re.fullmatch(r"PyCPU_\w+|\d\w*", routine):
        raise MisuseError(
            f"PyDispatch needs the features first and then their routine: PyCPU_AVX2, {text}"
        )
    for name in names_in(text):
        if name[:6].lower() == "pycpu_" and name[6:] not in _FEATURES:
            raise MisuseError(
                f"a feature of the processor that PyDispatch does not know: {name}; the features"
                f" are PyCPU_{_CPU_FEATURES}"
            )
        if name in _FEATURES:
            raise MisuseError(f"PyDispatch needs the feature as PyCPU_{name}, not {name}")
    number(by_name)(call, text)


def _judge_character(call: Call, text: str) -> None:
    if not is_text(text):
        number("texts and characters from 1 to 255", 1, 255)(call, text)


def _judge_cleared(call: Call, text: str) -> None:
    if not {"r11", "r11d"}.isdisjoint(names_in(text.lower())):
        raise MisuseError("Py_CLEAR needs r11 itself; put the address into another register")


_RULES: Mapping[str, Mapping[int | None, Rule]] = {
    "PyCall": {1: _operand("the number of vector registers", 0, 8)},
    "PyConstant": {0: _judge_constant},
    "PyDoc": {None: _judge_character},
    "PyFunction": {1: judge_flags},
    "PyGetBuffer": {
        1: _operand("an object in a register or in memory", 0, -1, wide=True),
        2: _operand("flags such as PyBUF_SIMPLE", 0, INT32),
    },
    "PyGetSet": {
        1: _routine("the label of a getter"),
        2: _routine("the label of a setter", or_nothing=True),
    },
    "PyLocal": {1: number("a number of bytes", -0x7FFFFFF, 0x7FFFFFF)},
    "PyMember": {
        1: types.judge_member_type,
        2: types.judge_offset,
        3: number("flags such as Py_READONLY", 0, INT32),
    },
    "PyMethod": {1: _routine("the label of a routine"), 2: judge_flags},
    "PyModuleSlot": {1: _judge_module_slot},
    "PyReturn": {0: _judge_returned},
    "PyType": {
        1: types.judge_size,
        2: number("flags such as Py_TPFLAGS_DEFAULT", 0, 0xFFFFFFFF),
    },
    "PyTypeSlot": {0: judge_slot, 1: _judge_type_slot},
    "Py_CLEAR": {0: _judge_cleared},
    "attribute": {1: judge_attribute},
}
"""The rules of a macro's arguments by their places, counted from 0; None: of all."""

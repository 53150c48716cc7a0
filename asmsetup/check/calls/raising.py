"""Judges PyRaise: its exception, the conversions of its format, and the values for them. Pure."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from ...named import NamedTuple
from .call import Call, MisuseError
from .expressions import (
    ExpressionError,
    evaluate,
    is_name,
    is_register,
    is_text,
    names_in,
)

_CONVERSION = re.compile(
    r"%(?P<flags>[-0#]*)(?P<width>\d+|\*)?(?P<precision>\.(?:\d+|\*)?)?(?P<length>ll|[lzjt])?"
    r"(?P<letter>.?)",
    re.DOTALL,
)
_SINCE = dict.fromkeys("diuxcpsUVSRA", 0) | dict.fromkeys("oX", 0x030C0000)
_SINCE |= dict.fromkeys("TN", 0x030D0000)
_LONGER = 0x030C0000
"""Since this version there are the flag -, widths as arguments, lengths j and t, and %lx."""
_NEWEST, _NEVER = 0xFFFFFFFE, 0xFFFFFFFF

_RANGES = {"d": (-(2**31), 2**31 - 1), "u": (0, 2**32 - 1), "c": (0, 0x10FFFF)}
_RANGES |= {"i": _RANGES["d"], "*": _RANGES["d"]} | dict.fromkeys("xXo", (-(2**31), 2**32 - 1))
_NUMBERS = frozenset("diuxXocp*")

_SIGN = "`%%' stands for a percent sign"
_ELSEWHERE = f"write the text in the format, where {_SIGN}"
_REGISTERS = ("rdx", "rcx", "r8", "r9")
_HALVES = {"rdi": "edi", "rdx": "edx", "rcx": "ecx", "r8": "r8d", "r9": "r9d"}
_WIDE = frozenset(
    [
        "rax",
        "rbx",
        "rcx",
        "rdx",
        "rsi",
        "rdi",
        "rbp",
        "r8",
        "r9",
        "r10",
        "r11",
        "r12",
        "r13",
        "r14",
        "r15",
    ]
)
SINGLETONS = ("Py_None", "Py_True", "Py_False")


class Conversion(NamedTuple):
    """One value that a format takes."""

    letter: str
    """Of the conversion; `*' for a width or precision."""
    is_long: bool = False


def is_wide(text: str) -> bool:
    """Return whether a text is the name of a 64-bit register that a value can be in."""
    return text.lower() in _WIDE


def judge(call: Call) -> None:
    """Raise MisuseError for a wrong PyRaise."""
    exception, quoted, *values = call.arguments
    _judge_exception(exception)
    if not is_text(quoted):
        return  # which python.inc says
    taken = list(_conversions(content_of(quoted), call.target.oldest or _NEWEST))
    if len(taken) != len(values):
        raise MisuseError(
            f"PyRaise: the format's conversions are {len(taken)}, and the values {len(values)}; {_SIGN}"
        )
    for conversion, text in zip(taken, values, strict=True):
        _judge_value(call, conversion, text)
    _judge_order(exception, values)


def _judge_exception(text: str) -> None:
    in_memory = text.endswith("]") and not text.startswith("[rel _Py_")
    is_known = is_name(text) and not is_register(text) and text not in SINGLETONS
    # One that is absent has parentheses, and python.inc says that.
    if not (in_memory or is_known or is_wide(text) or text.startswith("(")):
        raise MisuseError(
            "PyRaise needs an exception of CPython's (PyExc_ValueError), one that PyException"
            f" declares above, or one in a 64-bit register, not {text}"
        )


def content_of(quoted: str) -> str:
    """Return what a quoted text says; escapes for control characters become spaces."""
    if quoted[0] != "`":
        return quoted[1:-1]
    escapes = r"\\(?:x[\da-fA-F]{1,2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[0-7]{1,3}|.)"
    return re.sub(escapes, _unescaped, quoted[1:-1])


def _unescaped(found: re.Match[str]) -> str:
    escape = found[0][1:]
    if escape[0] in "xuU" and len(escape) > 1:
        number = int(escape[1:], 16)
        return chr(number) if number <= sys.maxunicode else " "
    if escape[0] in "01234567":
        return chr(int(escape, 8))
    return " " if escape in "abtnvfre" else escape


def _conversions(text: str, oldest: int) -> Iterator[Conversion]:
    """Yield what a format takes."""
    at = 0
    while (at := text.find("%", at)) >= 0:
        found = _CONVERSION.match(text, at)
        assert found is not None  # as a % is enough
        at = found.end()
        if not found["letter"]:
            raise MisuseError(f"PyRaise: the format ends within a conversion; {_SIGN}")
        if odd := _odd_part(found, oldest):
            raise MisuseError(
                f"PyRaise: PyErr_Format has no `{odd}' in a conversion in every version compiled"
                f" for; {_SIGN}, and the conversions are %d, %i, %u, %x, %c, %p, %s, %U, %V, %S, %R"
                " and %A"
            )
        yield from [Conversion("*")] * found[0].count("*")
        if found["letter"] != "%":
            yield Conversion(found["letter"], bool(found["length"]))
        if found["letter"] == "V":  # NULL or an object, and a text
            yield Conversion("s")


def _odd_part(found: re.Match[str], oldest: int) -> str | None:
    """Return the letter of a conversion that some version does not know."""
    letter, length = found["letter"], found["length"] or ""
    if "#" in found["flags"] and (letter not in "TN" or oldest < _SINCE["T"]):
        return "#"
    if oldest < _LONGER:
        for each in "-*":
            if each in found[0][:-1]:
                return each
        if length in ("j", "t"):
            return length
    if letter != "%" and _SINCE.get(letter, _NEVER) > oldest:
        return letter
    return letter if length and letter not in _with_length(length, oldest) else None


def _with_length(length: str, oldest: int) -> str:
    """Return the letters that may follow a length."""
    if oldest < _LONGER:
        return "diu%"
    return "diuoxXsV%" if length == "l" else "diuoxX%"


def _judge_value(call: Call, conversion: Conversion, text: str) -> None:
    if is_text(text) and len(content_of(text)) > 1:
        raise MisuseError(
            f"as a value, `{content_of(text)}' is a number and not the address of a text; {_ELSEWHERE}"
        )
    if text.endswith("]") or is_wide(text):
        return
    what = "PyRaise needs values in 64-bit registers, in memory or as numbers, not"
    try:
        value = evaluate(without_size(text), call.names)
    except ExpressionError:
        if is_register(text):
            raise MisuseError(f"PyRaise needs a 64-bit register, not {text}") from None
        raise MisuseError(f"{what} {text}") from None
    if value.is_address:
        is_of_python = re.fullmatch(r"_?Py_?[A-Z]\w*", text)
        load = f"PyLoad rax, {text}" if is_of_python else f"lea rax, [rel {text}]"
        raise MisuseError(f"{what} the address {text}; load it before:   {load}")
    if value.number is not None:
        _judge_number(conversion, content_of(text) if is_text(text) else text, value.number)


def without_size(text: str) -> str:
    """Return an operand without the words for its size in front."""
    return re.sub(r"^(?:(?:strict|byte|word|dword|qword)\s+)+", "", text, flags=re.IGNORECASE)


def _judge_number(conversion: Conversion, text: str, number: int) -> None:
    letter = conversion.letter
    if letter == "s":
        raise MisuseError(
            f"%s takes the address of a text, and as a value {text} is a number; {_ELSEWHERE}"
        )
    if letter not in _NUMBERS and (letter, number) != ("V", 0):
        raise MisuseError(
            f"%{letter} takes the address of an object, and as a value {text} is a number; write"
            " it in the format"
        )
    least, most = _RANGES.get(letter, (number, number))
    if conversion.is_long or least <= number <= most:
        return
    longer = f"; write %l{letter}" if letter in "diu" else ""
    raise MisuseError(f"%{letter} takes a number from {least} to {most}, and not {text}{longer}")


def _judge_order(exception: str, values: list[str]) -> None:
    """Raise MisuseError where a register is needed after another value was moved into it."""
    is_loaded = exception.endswith("]") or is_wide(exception)
    loads = [("rdi", exception)] if is_loaded else []
    loads += zip(_REGISTERS, values, strict=False)
    for index, (register, value) in enumerate(loads):
        for _, later in loads[index + 1 :]:
            if value.lower() != register:
                _judge_later(register, later)


def _judge_later(register: str, value: str) -> None:
    if value.lower() == register:
        raise MisuseError(
            f"the value in {register} is overwritten by the value before it; exchange the registers"
        )
    words = names_in(value.lower())
    if value.endswith("]") and {register, _HALVES[register]}.intersection(words):
        raise MisuseError(
            f"the address {value} needs {register}, which the value before it overwrites; use"
            " another register"
        )

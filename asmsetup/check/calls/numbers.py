"""Judges what all macros that take numbers have in common. Pure."""

from __future__ import annotations

from collections.abc import Callable

from .call import Call, MisuseError
from .expressions import ExpressionError, evaluate, is_text, names_in

Rule = Callable[[Call, str], None]
"""Raises MisuseError for a wrong argument of a call."""

INT32 = 0x7FFFFFFF


def wrong(call: Call, what: str, text: str) -> MisuseError:
    """Return the error about an argument that is not what its macro needs."""
    user = _USERS.get(call.macro, call.macro)
    shown = f"the string {text}" if is_text(text) else text or "an empty argument"
    return MisuseError(f"{user} needs {what}, not {shown}")


_USERS = {"PyDoc": "a doc string"}


def has_place(text: str) -> bool:
    """Return whether an expression depends on where NASM looks at it, as $ - text does.

    That is not where the call is.
    """
    return "$" in text and not {"$", "$$"}.isdisjoint(names_in(text))


def number(what: str, least: int | None = None, most: int = 0) -> Rule:
    """Judge a number from ``least`` to ``most``; of 64 bits where least is None."""

    def rule(call: Call, text: str) -> None:
        try:
            value = evaluate(text, call.names)
        except ExpressionError:
            raise wrong(call, what, text) from None
        number = value.number
        is_outside = least is not None and number is not None and not least <= number <= most
        if is_outside or value.is_address or is_text(text) or has_place(text):
            raise wrong(call, what, text)

    return rule


def may_be_in(numbers: range, call: Call, text: str) -> bool:
    """Return whether a text is one of these numbers, or one that is not known here."""
    try:
        value = evaluate(text, call.names)
    except ExpressionError:
        return False
    return not value.is_address and (value.number is None or value.number in numbers)

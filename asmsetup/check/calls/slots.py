"""Judges the slots of types. Pure."""

from __future__ import annotations

from ..slots import SLOTS
from .call import Call, MisuseError
from .expressions import is_name, is_text
from .numbers import may_be_in, wrong

_MOST = 999
"""The highest number that a slot may have once."""


def judge_slot(call: Call, text: str) -> None:
    """Raise MisuseError unless this is a slot that PyTypeSlot can fill."""
    if is_text(text):
        raise wrong(call, "a slot such as Py_tp_repr", text)
    if is_name(text) and call.is_undefined(text) and call.names(text).number is None:
        if near := _near(text):
            raise MisuseError(f"`{text}' is not a slot; did you mean {near}?")
        raise MisuseError(
            f"`{text}' is not a slot of a type that every version compiled for has; slots are named"
            " as in C, Py_tp_new"
        )
    if not may_be_in(range(1, _MOST + 1), call, text):
        raise MisuseError(
            f"`{text}' is not the number of a slot; slots are named as in C, Py_tp_new"
        )
    if is_slot("tp_bases", text):
        raise MisuseError(
            "PyTypeSlot Py_tp_bases takes a tuple, which no module has before it runs; name one base"
            " with Py_tp_base"
        )


def is_slot(name: str, text: str) -> bool:
    """Return whether ``text``, a name or a number, is the slot of that name."""
    return text in (f"Py_{name}", str(SLOTS.index(name)))


def _near(name: str) -> str:
    """Return the slot that a name may mean; empty for none."""
    import difflib  # slow to import, and needed for few names

    known = [f"Py_{each}" for each in SLOTS[1:]]
    if f"Py_{name}" in known:
        return f"Py_{name}"
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.8)), "")

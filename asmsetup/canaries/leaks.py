"""Finds references that functions have kept and that nothing accounts for after a test."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterable

from .trampoline import Event

_IMMORTAL = 1 << 28


class Held:
    """An object to which a function kept references. The trampoline's own are taken over."""

    def __init__(self, events: list[Event]) -> None:
        """The events are all of the same object."""
        self.events = events
        self.before = min(event.other for event in events)
        self.object = ctypes.cast(events[0].value, ctypes.py_object).value
        give_back = ctypes.pythonapi.Py_DecRef
        give_back.argtypes = (ctypes.c_void_p,)
        give_back.restype = None
        for event in events:
            give_back(event.value)

    def unexplained(self) -> bool:
        """Return whether the object has a reference whose holder cannot be found.

        Only objects that the garbage collector tracks have holders that it can name. Of
        others, as many references as before the call can be a constant's.
        """
        count = _count(self)
        if not 0 < count < _IMMORTAL:
            return False
        left = count - _holders(self.object, {id(self.__dict__), id(self)})
        if gc.is_tracked(self.object):
            return left > 0
        borrowed = sys.version_info >= (3, 14)  # what calls may leave uncounted
        return left >= self.before + borrowed


def _count(held: Held) -> int:
    """Return the references to the object but for those of this module."""
    return sys.getrefcount(held.object) - sys.getrefcount(_Blank().object)


class _Blank:
    """Refers to a fresh object as Held does."""

    def __init__(self) -> None:
        self.object = [None]


def _holders(wanted: object, ignored: Iterable[int]) -> int:
    """Return how many references to the object the garbage collector can see."""
    found = 0
    for holder in gc.get_referrers(wanted):
        if id(holder) not in ignored and holder is not sys._getframe():
            found += max(1, sum(each is wanted for each in gc.get_referents(holder)))
    return found


def by_object(events: Iterable[Event]) -> list[Held]:
    """Return the objects of the events, each once."""
    together: dict[int, list[Event]] = {}
    for event in events:
        together.setdefault(event.value, []).append(event)
    return [Held(each) for each in together.values()]

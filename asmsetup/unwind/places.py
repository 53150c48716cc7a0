"""Find the frame of a routine's caller before each instruction, on all paths that lead to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from ..check.code.state import STACK_BASE_SHIFT, State, is_plain, stack_key
from ..check.code.values import KEPT, RETURN_ADDRESS, RSP, Entry, Frame
from ..named import NamedTuple

RED_ZONE = 128
"""Bytes below rsp that are a routine's own, as long as it calls nothing (System V ABI, 3.2.2)."""


class Sum(NamedTuple):
    """A register's value plus a number."""

    register: int
    distance: int


class Loaded(NamedTuple):
    """The word at a register's value plus a number, and a number added to it."""

    register: int
    distance: int
    more: int


class Saved(NamedTuple):
    """In memory, so many bytes from the frame's address (negative: below)."""

    distance: int


class Unchanged(NamedTuple):
    """In its register."""


Address: TypeAlias = Sum | Loaded
"""A way to compute the frame's address (DWARF's CFA: rsp before the call)."""
Place: TypeAlias = Unchanged | Saved | Sum | Loaded
"""The place of a kept register's value: a ``Sum`` is a register that holds it, ``Loaded`` memory.

In sets, only their lengths tell these tuples apart.
"""


class Places(NamedTuple):
    """All ways that hold to find the frame, and each kept register's value in the caller."""

    frame: frozenset[Address]
    kept: tuple[frozenset[Place], ...]
    """In the order of ``KEPT``."""

    def joined(self, other: Places) -> Places:
        """Return what holds in both."""
        kept = tuple(one & two for one, two in zip(self.kept, other.kept, strict=True))
        return Places(self.frame & other.frame, kept)

    def through_call(self) -> Places:
        """Return what holds while a function is called, which uses all that is not kept for it."""
        below = {way.distance for way in self.frame if type(way) is Sum and way.register == RSP}
        lowest = -min(below, default=1 << STACK_BASE_SHIFT)
        frame = frozenset(way for way in self.frame if _is_kept_by_calls(way, lowest))
        kept = (
            frozenset(p for p in places if _is_kept_by_calls(p, lowest)) for places in self.kept
        )
        return Places(frame, tuple(kept))


def _is_kept_by_calls(place: Place, lowest: int) -> bool:
    """Return whether it holds during a call; ``lowest`` is rsp's distance from the frame's address."""
    if type(place) is Loaded and place.register == RSP:
        return place.distance >= 0
    if type(place) is Sum or type(place) is Loaded:
        return place.register == RSP or place.register in KEPT
    return type(place) is Unchanged or (type(place) is Saved and place.distance >= lowest)


class Watcher:
    """Gathers the places before each instruction; hand it to ``analyse``."""

    def __init__(self) -> None:
        self._places: dict[int, dict[int, Places]] = {}
        """By function and address."""

    def __call__(self, function: int, at: int, state: State) -> None:
        """Keep what holds at a place this time and held there before."""
        places = self._places.setdefault(function, {})
        found = _places(state)
        known = places.get(at)
        places[at] = found if known is None else known.joined(found)

    def forget(self, function: int) -> None:
        """Drop what was kept of a function, which is followed anew."""
        self._places.pop(function, None)

    def places(self) -> dict[int, Places]:
        """Return what holds before each instruction in every function that runs through it."""
        together: dict[int, Places] = {}
        for places in self._places.values():
            for at, found in places.items():
                known = together.get(at)
                together[at] = found if known is None else known.joined(found)
        return together

    def functions(self) -> dict[int, set[int]]:
        """Return the functions that run through each instruction, by where they begin."""
        functions: dict[int, set[int]] = {}
        for function, places in self._places.items():
            for at in places:
                functions.setdefault(at, set()).add(function)
        return functions


_NOWHERE = Places(frozenset(), (frozenset(),) * len(KEPT))


def _places(state: State) -> Places:
    pointer = state.registers[RSP]
    if type(pointer) is not Frame or state.stack.get(0) is not RETURN_ADDRESS:
        return _NOWHERE
    if pointer.offset & 7 or pointer.base == 0 < pointer.offset:
        return _NOWHERE  # no slots to count in; or the return address is no longer the routine's
    addresses = [(r, v) for r, v in enumerate(state.registers) if type(v) is Frame]
    kept = (frozenset(_places_of(state, number, pointer, addresses)) for number in KEPT)
    return Places(frozenset(_addresses(state, pointer, addresses)), tuple(kept))


_Addresses: TypeAlias = list[tuple[int, Frame]]


def _addresses(state: State, pointer: Frame, addresses: _Addresses) -> Iterator[Address]:
    for register, value in addresses:
        if value.base == 0 and value.offset <= 8:
            yield Sum(register, 8 - value.offset)
    if pointer.base:
        for key, held in state.stack.items():
            if type(held) is Frame and held.base == 0 and held.offset <= 8:
                for register, distance in _ways_to(key, pointer, addresses):
                    yield Loaded(register, distance, 8 - held.offset)


def _places_of(state: State, number: int, pointer: Frame, addresses: _Addresses) -> Iterator[Place]:
    for register, held in enumerate(state.registers):
        if type(held) is Entry and held.register == number:
            yield Unchanged() if register == number else Sum(register, 0)
    for key, value in state.stack.items():
        if type(value) is not Entry or value.register != number:
            continue
        if not is_plain(key):
            for register, distance in _ways_to(key, pointer, addresses):
                yield Loaded(register, distance, 0)
        elif key < 0 and (pointer.base or key >= pointer.offset - RED_ZONE):
            yield Saved(key - 8)


def _ways_to(key: int, pointer: Frame, addresses: _Addresses) -> Iterator[tuple[int, int]]:
    """Yield the registers from which a slot is reached, and how far it is from their values.

    A slot in the part of the stack that rsp points to is reached from rsp alone, which shows
    whether it lies below.
    """
    for register, value in addresses:
        distance = key - stack_key(value.base, 0) - value.offset
        if abs(distance) >= 1 << STACK_BASE_SHIFT - 2:
            continue  # it lies in a part of the stack whose distance is not known
        if (register == RSP and distance >= -RED_ZONE) or value.base != pointer.base:
            yield register, distance

"""Finds where a jump through a table leads."""

from __future__ import annotations

from collections.abc import Iterable

from .decode import Decoded
from .places import address_of, item_of
from .state import State
from .values import LOADED, OWN, RSP, Entry, Frame, Item, Label, Target, Value
from .walk import Walk

_MOST_TARGETS = 1024
_MOST_BEFORE = 8


def targets_of_jump(walk: Walk, state: State, found: Decoded, value: Value) -> tuple[int, ...]:
    """Return the places that a jump to a value may go to; nothing when they cannot be found."""
    memory = found.operation.memory
    if memory is not None:
        return _from_memory(walk, state, found)
    if type(value) is Target:
        return _items(walk, value.table, value.size, value.base, value.items)
    if type(value) is Item and value.size == 8:
        return _items(walk, value.table, 8, None, value.items)
    if type(value) is Label and walk.image.is_code(value.address):
        return (value.address,)
    return ()


def is_left(walk: Walk, state: State, found: Decoded, value: Value, pointed: Iterable[int]) -> bool:
    """Return whether a jump to an unknown address is a call that returns to the caller.

    ``pointed`` are the addresses of code that stand in data.
    """
    if state.registers[RSP] == Frame(0, 0):
        return type(value) is not Target and value is not OWN
    memory = found.operation.memory
    is_passed = value is LOADED or type(value) is Entry
    if not is_passed and (memory is None or memory.index_register >= 0):
        return False
    # Where data holds addresses inside of the function, such a jump may go to one of them.
    extents = [(low, high) for low, high in walk.extents if low < high]
    inside = (low < at < high for low, high in extents for at in pointed)
    return bool(extents) and not any(inside)


def _from_memory(walk: Walk, state: State, found: Decoded) -> tuple[int, ...]:
    memory = found.operation.memory
    assert memory is not None
    item = item_of(state, memory, 8)
    if type(item) is Item and memory.index_register >= 0:
        return _items(walk, item.table, 8, None, item.items)
    place = address_of(state, memory)
    if type(place) is Label and place.address in walk.image.pointers:
        stretch = walk.image.stretch(place.address)
        if stretch is not None and not stretch.writable:
            return (walk.image.pointers[place.address],)
    return ()


def _items(walk: Walk, table: int, size: int, base: int | None, count: int) -> tuple[int, ...]:
    """Return the targets in a table, up to where it ends for all that can be seen."""
    if not count and (walk.extents or walk.is_described):
        return ()  # compilers put tables side by side: where this one ends cannot be seen
    first = table if count else _first_item(walk, table, size, base)
    found: list[int] = []
    for number in range(min(count, _MOST_TARGETS) or _MOST_TARGETS):
        place = first + number * size
        target = _target(walk, place, size, base)
        if target is None or not walk.image.is_code(target) or not _is_own(walk, target):
            break
        if not count and found and _begins_another(walk, place, target):
            break
        found.append(target)
    return tuple(dict.fromkeys(found))


def _target(walk: Walk, place: int, size: int, base: int | None) -> int | None:
    """Return what the item at a place leads to; ``base`` is None for addresses."""
    if base is None:
        return walk.image.pointers.get(place)
    distance = walk.image.number(place, size, signed=True)
    return None if distance is None else base + distance


def _first_item(walk: Walk, table: int, size: int, base: int | None) -> int:
    """Return where a table begins whose items may be counted from a number above 0.

    Authors write such a base as `table - 2 * 4'; what lies there belongs to another table.
    """
    image, place = walk.image, table
    for _ in range(_MOST_BEFORE):
        target = _target(walk, place, size, base)
        if image.has_label(place) or (target is not None and image.has_label(target)):
            return place
        place += size
    return table


def _begins_another(walk: Walk, place: int, target: int) -> bool:
    """Return whether another table or other data begins at a place, by labels and by code.

    Code may name a place inside of this table, as the base of the next one.
    """
    image = walk.image
    return image.has_label(place) or (place in walk.starts_of_data and not image.has_label(target))


def _is_own(walk: Walk, target: int) -> bool:
    return not walk.extents or any(low <= target < high for low, high in walk.extents)

"""Lanes beside the lines, in which jumps and the ways to findings are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from ..named import NamedTuple
from .lines import Line, Way


class Jump(NamedTuple):
    """A jump from one line to another."""

    origin: int
    goal: int

    @property
    def first(self) -> int:
        """The upper line."""
        return min(self.origin, self.goal)

    @property
    def last(self) -> int:
        """The lower line."""
        return max(self.origin, self.goal)


class _Drawn(Protocol):
    """A jump, or a bracket of jumps, that takes a stretch of a lane."""

    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...


_T = TypeVar("_T", bound=_Drawn)
Lanes = Sequence[Sequence[_T]]
"""The arrows and brackets of each lane; the first lane is next to the source."""

_MOST_JUMPS, _MOST_WAYS = 8, 4


def jump_lanes(lines: Iterable[Line]) -> Lanes[Jump]:
    """Return all jumps, the shortest nearest to the source."""
    jumps = [
        Jump(line.number, goal) for line in lines for goal in line.jumps if goal != line.number
    ]
    return _in_lanes(sorted(jumps, key=lambda jump: jump.last - jump.first), _MOST_JUMPS)


def way_lanes(ways: Iterable[Way]) -> Lanes[Way]:
    """Return the ways to findings, each once."""
    return _in_lanes(list(dict.fromkeys(ways)), _MOST_WAYS)


def _in_lanes(wanted: Sequence[_T], most: int) -> Lanes[_T]:
    """Put each into the first lane with room for it; leave out those that no lane has room for."""
    lanes: list[list[_T]] = []
    for one in wanted:
        for lane in lanes:
            if all(one.last < other.first or other.last < one.first for other in lane):
                lane.append(one)
                break
        else:
            if len(lanes) < most:
                lanes.append([one])
    return lanes


def jump_cells(number: int, lanes: Lanes[Jump]) -> list[str]:
    """Return what each lane shows beside a line, the outermost first.

    That is words for the page's styles: v (passes), t (begins below), b (ends here from
    above), h (crosses), o (leaves here), g (arrives here).
    """
    cells = [set[str]() for _ in lanes]
    for lane, jumps in enumerate(lanes):
        for jump in _beside(number, jumps):
            if jump.first < number < jump.last:
                cells[lane].add("v")
                continue
            cells[lane].add("t" if number == jump.first else "b")
            for crossed in range(lane):
                cells[crossed].add("h")
            cells[0].add("g" if number == jump.goal else "o")
    return [" ".join(sorted(cell)) for cell in reversed(cells)]


def way_cells(number: int, lanes: Lanes[Way]) -> list[str]:
    """Return what each lane of ways shows beside a line, the outermost first.

    The words are s (a station), p (passed by), with t and b at the uppermost and lowest line,
    and e for where the way ends.
    """
    return [" ".join(_of_way(number, lane)) for lane in reversed(lanes)]


def _of_way(number: int, lane: Sequence[Way]) -> Iterator[str]:
    for way in _beside(number, lane):
        yield "s" if number in way.stations else "p"
        if number == way.first:
            yield "t"
        if number == way.last:
            yield "b"
        if number == way.stations[-1]:
            yield "e"


def _beside(number: int, drawn: Iterable[_T]) -> Iterator[_T]:
    return (each for each in drawn if each.first <= number <= each.last)

"""Where the jumps of a source are drawn: each in a lane of its own beside the lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .lines import Line


class Jump(NamedTuple):
    """A jump from one line to another, and the lane it is drawn in, 0 next to the source."""

    origin: int
    goal: int
    lane: int

    @property
    def first(self) -> int:
        """The upper line."""
        return min(self.origin, self.goal)

    @property
    def last(self) -> int:
        """The lower line."""
        return max(self.origin, self.goal)


_LANES = 8


def jumps(lines: Iterable[Line]) -> list[Jump]:
    """Return all jumps, the shortest nearest to the source; those without a free lane are left out."""
    wanted = [(line.number, goal) for line in lines for goal in line.jumps if goal != line.number]
    wanted.sort(key=lambda jump: abs(jump[0] - jump[1]))
    placed: list[Jump] = []
    for origin, goal in wanted:
        first, last = min(origin, goal), max(origin, goal)
        taken = {each.lane for each in placed if first <= each.last and each.first <= last}
        free = next((lane for lane in range(_LANES) if lane not in taken), None)
        if free is not None:
            placed.append(Jump(origin, goal, free))
    return placed


def cells(number: int, drawn: Iterable[Jump], width: int) -> list[str]:
    """Return what each lane shows beside a line, the outermost first.

    That is words for the page's styles: v (passes), t (begins below), b (ends here from
    above), h (crosses), o (leaves here), g (arrives here).
    """
    lanes = [set[str]() for _ in range(width)]
    for jump in drawn:
        if not jump.first <= number <= jump.last:
            continue
        if jump.first < number < jump.last:
            lanes[jump.lane].add("v")
            continue
        lanes[jump.lane].add("t" if number == jump.first else "b")
        for lane in range(jump.lane):
            lanes[lane].add("h")
        lanes[0].add("g" if number == jump.goal else "o")
    return [" ".join(sorted(lane)) for lane in reversed(lanes)]

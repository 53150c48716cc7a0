"""The ratios that the project has set itself, and what was measured of them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

from .rows import ONE_JOB, Rows, Value, build_cpu, cpu, memory, of, values, wall

RIVALS = ("meson-python", "scikit-build-core")
_OWN, _ALONE, _BARE, _IN_C = "asmsetup", "build_ext alone", "bare tools", "setuptools"
_RESAMPLED = 2000
_FEWEST = 3
"""The number of runs that an interval needs."""

README_ROWS = {
    "one small module, clean": ("sayit", "cold"),
    "isal, 77 objects, clean": ("isal", "cold"),
    "a thousand sources, one changed": ("kernels-1000", "one source changed"),
}
"""The rows of README's table: seconds of each tool in a project and a situation."""


class Ratio(NamedTuple):
    """One ratio: its name, its limit, and its measured value."""

    what: str
    at_most: float | None
    """None for a ratio without a limit."""
    measured: float
    interval: tuple[float, float] | None
    """Its 95 % interval, from the runs resampled; None for few runs."""

    @property
    def is_behind(self) -> bool:
        """Whether it is above ``at_most``."""
        return self.at_most is not None and round(self.measured, 2) > self.at_most

    def cells(self) -> tuple[str, str, str]:
        """Return the row of the table."""
        allowed = "" if self.at_most is None else f"{self.at_most:.2f}"
        shown = f"{self.measured:.2f}"
        if self.interval is not None:
            shown += " ({:.2f} to {:.2f})".format(*self.interval)
        return self.what, allowed, f"🔴 {shown}" if self.is_behind else shown


class _Goal(NamedTuple):
    what: str
    value: Value
    project: str
    situation: str
    tool: str
    others: tuple[str, ...]
    """The better one of them counts."""
    at_most: float | None = None
    other_value: Value | None = None
    other_situation: str | None = None


def targets(rows: Rows) -> Iterator[Ratio]:
    """Yield the ratios that were measured."""
    for goal in _goals():
        own = values(rows, goal.value, goal.project, goal.situation, goal.tool)
        situation = goal.other_situation or goal.situation
        measured = (
            values(rows, goal.other_value or goal.value, goal.project, situation, other)
            for other in goal.others
        )
        others = [found for found in measured if found]
        if own and others:
            yield _ratio(goal.what, goal.at_most, own, min(others, key=median))
    yield from _of_the_cache(rows)


def _ratio(what: str, at_most: float | None, own: list[float], other: list[float]) -> Ratio:
    # The tools take turns: what else the machine did in one turn fell on both.
    each = [one / beside for one, beside in zip(own, other, strict=False)]
    return Ratio(what, at_most, median(each), _interval(each))


def _interval(measured: Sequence[float]) -> tuple[float, float] | None:
    if len(measured) < _FEWEST:
        return None
    chosen = random.Random(0)  # the same runs give the same interval
    medians = sorted(median(chosen.choices(measured, k=len(measured))) for _ in range(_RESAMPLED))
    return medians[_RESAMPLED // 40], medians[-_RESAMPLED // 40]


def _goals() -> Iterator[_Goal]:
    yield from _of_sayit()
    for project in ("kernels-10", "kernels-100", "mixed-130", "isal", "kernels-1000", "heavy-46"):
        yield from _to_bare_tools(project)
        yield from _to_rivals(project)
    yield _Goal(
        *("kernels-1000, cold, memory, to the better of the two", memory, "kernels-1000", "cold"),
        *(_OWN, RIVALS, 1.0),
    )


def _of_sayit() -> Iterator[_Goal]:
    yield _Goal(
        *("sayit, pip, CPU, to setuptools in C", cpu, "sayit", "cold", _OWN, (_IN_C,)),
        *(0.93, build_cpu),
    )
    yield _Goal("the same, with the auditwheel run it needs", cpu, "sayit", "cold", _OWN, (_IN_C,))
    yield _Goal(
        *("sayit, uv, CPU, to setuptools in C", cpu, "sayit", "cold, uv", _OWN, (_IN_C,)),
        *(None, build_cpu),
    )
    for rival in RIVALS:
        yield _Goal(f"sayit, pip, CPU, to {rival}", cpu, "sayit", "cold", _OWN, (rival,), 0.7)
    yield _Goal("sayit, memory, to setuptools", memory, "sayit", "cold", _OWN, (_IN_C,), 1.1)


_BUILD_EXT = {"isal": 1.07, "kernels-1000": 1.06}
_COLD = {"isal": 0.85}
_SITUATIONS = ("nothing changed", "one source changed", "one include changed")


def _to_bare_tools(project: str) -> Iterator[_Goal]:
    cold = f"{project}, cold, wall"
    yield _Goal(f"{cold}, to the bare tools", wall, project, "cold", _OWN, (_BARE,))
    at_most = _BUILD_EXT.get(project)
    yield _Goal(f"{cold}, build_ext, to them", wall, project, "cold", _ALONE, (_BARE,), at_most)
    yield _Goal(f"{cold}, build_ext, one job", wall, project, ONE_JOB, _ALONE, (_BARE,))
    for tool in (_BARE, _ALONE):
        what = f"{project}, one job, wall, to all cores, {tool}"
        yield _Goal(what, wall, project, ONE_JOB, tool, (tool,), other_situation="cold")
    yield _Goal(f"{project}, cold, CPU, to the bare tools", cpu, project, "cold", _OWN, (_BARE,))


def _to_rivals(project: str) -> Iterator[_Goal]:
    limits = {"cold": _COLD.get(project)} | dict.fromkeys(_SITUATIONS, 1.0)
    if project == "kernels-1000":
        # The others are quicker with an include, as they make none of the objects.
        limits |= {"nothing changed": 0.85, "one source changed": 0.85, "one include changed": None}
    for situation, at_most in limits.items():
        what = f"{project}, {situation}, wall, to the better of the two"
        yield _Goal(what, wall, project, situation, _OWN, RIVALS, at_most)


def _of_the_cache(rows: Rows) -> Iterator[Ratio]:
    for project in ("isal", "kernels-1000", "heavy-46"):
        for situation in ("warm cache", "second Python"):
            if own := of(rows, project=project, situation=situation):
                share = max(row["assembled"] / row["rebuilt"] for row in own)
                what = f"{project}, {situation}, share of objects assembled"
                yield Ratio(what, 0.03, share, None)

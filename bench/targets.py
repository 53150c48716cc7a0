"""The ratios that the project has set itself, and what was measured of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .rows import ONE_JOB, Rows, Value, build_cpu, cpu, memory, middle, of, wall

RIVALS = ("meson-python", "scikit-build-core")
_LIMITS = ("bare tools", "build_ext alone")
_COLD = "cold"


class Target(NamedTuple):
    """One ratio: what it is of, what it may be at most, and what it is."""

    what: str
    at_most: str
    measured: str


class _Goals(NamedTuple):
    """What a project's cold build may take at most, as texts; empty where nothing was set."""

    to_rivals: str
    to_limit: str


_GOALS = {
    "kernels-10": _Goals("", ""),
    "kernels-100": _Goals("", ""),
    "isal": _Goals("0.92", "1.35"),
    "kernels-1000": _Goals("", "1.10"),
}


def targets(rows: Rows) -> Iterator[Target]:
    """Yield the ratios that were measured."""
    yield from _of_sayit(rows)
    for project, goals in _GOALS.items():
        yield from _to_bare_tools(rows, project, goals)
        yield from _to_rivals(rows, project, goals)
        yield from _of_the_cache(rows, project)


def _ratio(
    what: str, at_most: str, one: float | None, others: Iterable[float | None]
) -> Iterator[Target]:
    """Yield the ratio of one to the least of the others, if there are both."""
    known = [other for other in others if other is not None]
    if one is not None and known:
        yield Target(what, at_most, f"{one / min(known):.2f}")


def _of_sayit(rows: Rows) -> Iterator[Target]:
    def cold(value: Value, tool: str) -> float | None:
        return middle(rows, value, "sayit", _COLD, tool)

    own = cold(cpu, "asmsetup")
    in_c, tagged = cold(build_cpu, "setuptools"), cold(cpu, "setuptools")
    yield from _ratio("sayit, CPU, to setuptools in C", "0.95", own, [in_c])
    yield from _ratio("the same, with the auditwheel run it needs", "0.95", own, [tagged])
    for rival in RIVALS:
        yield from _ratio(f"sayit, CPU, to {rival}", "0.7", own, [cold(cpu, rival)])
    largest = cold(memory, "setuptools")
    own = cold(memory, "asmsetup")
    yield from _ratio("sayit, memory, to setuptools", "1.1", own, [largest])


def _to_bare_tools(rows: Rows, project: str, goals: _Goals) -> Iterator[Target]:
    def cold(value: Value, tool: str, situation: str = _COLD) -> float | None:
        return middle(rows, value, project, situation, tool)

    limit, alone = (cold(wall, tool) for tool in _LIMITS)
    one_job, alone_with_one = (cold(wall, tool, ONE_JOB) for tool in _LIMITS)
    own = cold(wall, "asmsetup")
    yield from _ratio(f"{project}, cold, wall, to the bare tools", goals.to_limit, own, [limit])
    what = "the same without pip and the wheel (build_ext)"
    yield from _ratio(what, goals.to_limit, alone, [limit])
    yield from _ratio("the same with one job", "", alone_with_one, [one_job])
    for tool, one, all_cores in zip(
        _LIMITS, (one_job, alone_with_one), (limit, alone), strict=True
    ):
        what = f"{project}, one job, wall, to all cores, {tool}"
        yield from _ratio(what, "", one, [all_cores])
    what, least = f"{project}, cold, CPU, to the bare tools", cold(cpu, "bare tools")
    yield from _ratio(what, "", cold(cpu, "asmsetup"), [least])


def _to_rivals(rows: Rows, project: str, goals: _Goals) -> Iterator[Target]:
    for situation in (_COLD, "nothing changed", "one source changed", "one include changed"):
        own, *others = (
            middle(rows, wall, project, situation, tool) for tool in ("asmsetup", *RIVALS)
        )
        at_most = goals.to_rivals if situation == _COLD else "below 1"
        what = f"{project}, {situation}, wall, to the better of the two"
        yield from _ratio(what, at_most, own, others)


def _of_the_cache(rows: Rows, project: str) -> Iterator[Target]:
    for situation in ("warm cache", "second Python"):
        if own := of(rows, project=project, situation=situation):
            share = max(row["assembled"] / row["rebuilt"] for row in own)
            what = f"{project}, {situation}, share of objects assembled"
            yield Target(what, "3 %", f"{share:.1%}")
    warm, idle = (
        middle(rows, cpu, project, situation, "asmsetup")
        for situation in ("warm cache", "nothing changed")
    )
    if warm is not None and idle is not None and project.startswith("kernels"):
        each = (warm - idle) / int(project.rpartition("-")[2])
        yield Target(f"{project}, cache hit, CPU per object", "1 ms", f"{each * 1e3:.2f} ms")

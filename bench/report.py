"""Write a run of the benchmark as JSON, as tables and as a plot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

_BEGIN, _END = "<!-- begin of the measured part -->", "<!-- end of the measured part -->"
_LIMITS = ("build_ext alone", "bare tools")
_COLORS = {
    "asmsetup": "#2f6f9f",
    "setuptools": "#8c8c8c",
    "meson-python": "#c2823a",
    "scikit-build-core": "#6a9a4b",
    "build_ext alone": "#8fb4d1",
    "bare tools": "#b9b9b9",
}

ONE_JOB = "cold, one job"
"""The situation in which one core does it all."""

Rows = list[dict[str, Any]]


def write(folder: Path, data: dict[str, Any]) -> None:
    """Write benchmarks.json, the plot, and the measured part of benchmarks.md."""
    folder.mkdir(exist_ok=True)
    (folder / "benchmarks.json").write_text(json.dumps(data, indent=1) + "\n")
    (folder / "benchmarks.svg").write_text(_plot(data["results"]))
    page = folder / "benchmarks.md"
    text = page.read_text() if page.exists() else f"{_BEGIN}\n{_END}\n"
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{_BEGIN}\n\n{_tables(data)}\n{_END}{after}")


def _tables(data: dict[str, Any]) -> str:
    machine = data["machine"]
    parts = [
        "{date}, {processor}, {cores} cores, {memory}, {system}, CPython {python}, {nasm}; "
        "{cc}; {ld}. Load average when it ended: {load}.".format(**machine),
        "Medians; in brackets the least and the most. Wall clock and CPU are of `pip wheel` and of "
        "auditwheel, where the tool leaves that to the user; memory is of the largest process.",
    ]
    results: Rows = data["results"]
    parts += ["### The numbers to reach", _targets(results)]
    for project in _distinct(row["project"] for row in results):
        rows = [row for row in results if row["project"] == project]
        parts.append(f"### {project}")
        parts.append(
            _table(
                ("situation", "tool", "wall, s", "CPU, s", "memory, MB", "runs", "objects made"),
                (
                    (
                        situation,
                        tool,
                        _spread(own, _wall, "{:.2f}"),
                        _spread(own, _cpu, "{:.2f}"),
                        f"{median(map(_memory, own)) / 1e6:.0f}",
                        str(len(own)),
                        _made(own),
                    )
                    for situation in _distinct(row["situation"] for row in rows)
                    for tool in _distinct(row["tool"] for row in rows)
                    if (own := _of(rows, situation, tool))
                ),
            )
        )
    if data["figures"]:
        parts.append("### The module itself: sayit")
        parts.append(_figures(data["figures"]))
    return "\n\n".join(parts) + "\n"


def _targets(results: Rows) -> str:
    """Return the ratios the project has set itself, those that were measured."""
    rows: list[tuple[str, str, str]] = []

    def middle(value: Callable[[dict[str, Any]], float], *which: str) -> float | None:
        own = [r for r in results if (r["project"], r["situation"], r["tool"]) == which]
        return median(map(value, own)) if own else None

    def ratio(what: str, goal: str, one: float | None, others: Iterable[float | None]) -> None:
        known = [other for other in others if other is not None]
        if one is not None and known:
            rows.append((what, goal, f"{one / min(known):.2f}"))

    cold = "cold"
    sayit = middle(_cpu, "sayit", cold, "asmsetup")
    in_c = ("sayit", cold, "setuptools")
    ratio("sayit, CPU, to setuptools in C", "0.95", sayit, [middle(_build_cpu, *in_c)])
    ratio("the same, with the auditwheel run it needs", "0.95", sayit, [middle(_cpu, *in_c)])
    for rival in ("meson-python", "scikit-build-core"):
        ratio(f"sayit, CPU, to {rival}", "0.7", sayit, [middle(_cpu, "sayit", cold, rival)])
    memory = middle(_memory, "sayit", cold, "asmsetup")
    ratio("sayit, memory, to setuptools", "1.1", memory, [middle(_memory, *in_c)])
    for project, to_rivals, to_limit in (
        ("kernels-10", "", ""),
        ("kernels-100", "", ""),
        ("isal", "0.92", "1.35"),
        ("kernels-1000", "", "1.10"),
    ):
        wall = middle(_wall, project, cold, "asmsetup")
        limit = [middle(_wall, project, cold, "bare tools")]
        ratio(f"{project}, cold, wall, to the bare tools", to_limit, wall, limit)
        alone = middle(_wall, project, cold, "build_ext alone")
        ratio("the same without pip and the wheel (build_ext)", to_limit, alone, limit)
        one_job = {tool: middle(_wall, project, ONE_JOB, tool) for tool in _LIMITS}
        ratio("the same with one job", "", one_job["build_ext alone"], [one_job["bare tools"]])
        for tool, all_cores in (("bare tools", limit[0]), ("build_ext alone", alone)):
            ratio(f"{project}, one job, wall, to all cores, {tool}", "", one_job[tool], [all_cores])
        cpu = middle(_cpu, project, cold, "asmsetup")
        ratio(
            f"{project}, cold, CPU, to the bare tools",
            "",
            cpu,
            [middle(_cpu, project, cold, "bare tools")],
        )
        for situation in (cold, "nothing changed", "one source changed", "one include changed"):
            ratio(
                f"{project}, {situation}, wall, to the better of the two",
                to_rivals if situation == cold else "below 1",
                middle(_wall, project, situation, "asmsetup"),
                (
                    middle(_wall, project, situation, r)
                    for r in ("meson-python", "scikit-build-core")
                ),
            )
        for situation in ("warm cache", "second Python"):
            own = [r for r in results if (r["project"], r["situation"]) == (project, situation)]
            if own:
                share = max(r["assembled"] / r["rebuilt"] for r in own)
                rows.append(
                    (f"{project}, {situation}, share of objects assembled", "3 %", f"{share:.1%}")
                )
        warm = middle(_cpu, project, "warm cache", "asmsetup")
        idle = middle(_cpu, project, "nothing changed", "asmsetup")
        if warm is not None and idle is not None and project.startswith("kernels"):
            count = int(project.rpartition("-")[2])
            rows.append(
                (
                    f"{project}, cache hit, CPU per object",
                    "1 ms",
                    f"{(warm - idle) / count * 1e3:.2f} ms",
                )
            )
    return _table(("", "at most", "measured"), rows)


def _figures(figures: dict[str, dict[str, float]]) -> str:
    names = list(figures)
    return _table(
        ("", *names, "ratio"),
        (
            (
                what,
                *(f"{figures[name][what]:,.0f}" for name in names),
                f"{figures[names[0]][what] / figures[names[1]][what]:.2f}",
            )
            for what in figures[names[0]]
        ),
    )


def _made(rows: Rows) -> str:
    made = "/".join(map(str, _distinct(row["rebuilt"] for row in rows)))
    expected = rows[0]["expected"]
    if expected is None:
        return made
    right = all(row["rebuilt"] == row["expected"] for row in rows)
    return made if right else f"{made} (**wrong**, {expected} would be right)"


def _of(rows: Rows, situation: str, tool: str) -> Rows:
    return [row for row in rows if (row["situation"], row["tool"]) == (situation, tool)]


def _wall(row: dict[str, Any]) -> float:
    return float(row["build"]["wall"] + (row["tag"] or {}).get("wall", 0))


def _cpu(row: dict[str, Any]) -> float:
    return float(row["build"]["cpu"] + (row["tag"] or {}).get("cpu", 0))


def _build_cpu(row: dict[str, Any]) -> float:
    return float(row["build"]["cpu"])


def _memory(row: dict[str, Any]) -> float:
    return float(row["build"]["memory"])


def _spread(rows: Rows, value: Callable[[dict[str, Any]], float], form: str) -> str:
    values = [value(row) for row in rows]
    low, middle, high = (form.format(f(values)) for f in (min, median, max))
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = list(head)
    lines = [f"| {' | '.join(cells)} |", f"|{'---|' * len(cells)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


_WIDTH, _LEFT, _BAR, _GAP = 900, 330, 14, 26


def _plot(results: Rows) -> str:
    """Return bars of wall clock, for each project and situation relative to the slowest tool."""
    bars: list[str] = []
    y = 50
    for project in _distinct(row["project"] for row in results):
        for situation in _distinct(r["situation"] for r in results if r["project"] == project):
            rows = [r for r in results if (r["project"], r["situation"]) == (project, situation)]
            walls = {
                tool: median(map(_wall, _of(rows, situation, tool)))
                for tool in _distinct(r["tool"] for r in rows)
            }
            if len(walls) < 2:
                continue
            top = y + _BAR * len(walls) / 2 + 4
            bars.append(
                f'<text x="{_LEFT - 10}" y="{top:.0f}" text-anchor="end">{project}, {situation}</text>'
            )
            for tool, wall in walls.items():
                length = wall / max(walls.values()) * (_WIDTH - _LEFT - 90)
                bars.append(
                    f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="{_BAR - 2}" fill="{_COLORS[tool]}"/>'
                    f'<text x="{_LEFT + length + 5:.1f}" y="{y + _BAR - 4}" font-size="10">{wall:.2f} s</text>'
                )
                y += _BAR
            y += _GAP - _BAR
    legend = "".join(
        f'<rect x="{20 + 145 * place}" y="14" width="12" height="12" fill="{color}"/>'
        f'<text x="{38 + 145 * place}" y="24">{tool}</text>'
        for place, (tool, color) in enumerate(_COLORS.items())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" '
        f'viewBox="0 0 {_WIDTH} {y}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="{_WIDTH}" height="{y}" fill="white"/>\n{legend}\n'
        + "\n".join(bars)
        + "\n</svg>\n"
    )

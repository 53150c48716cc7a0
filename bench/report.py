"""Write a run of the benchmark as JSON, as tables and as plots."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from . import history, plots
from .rows import Rows, Value, cpu, distinct, made, memory, middle, of, wall
from .targets import README_ROWS, RIVALS, targets

_BEGIN, _END = "<!-- begin of the measured part -->", "<!-- end of the measured part -->"


_RATIOS = """\
Each is the median of the ratios of runs that were made in turn; in brackets its 95 % interval, from these runs resampled.
🔴 marks a ratio above its limit."""
_INSTRUCTIONS = """\
`pip wheel --no-build-isolation` of sayit below valgrind, in millions; a busy machine has the same counts.
Valgrind's processor has no instructions for SHA-256, so that the digests of NASM and of the includes count for more than they cost."""


def write(folder: Path, data: dict[str, Any]) -> None:
    """Write benchmarks.json, the plots, the measured part of benchmarks.md, and README's figures."""
    folder.mkdir(exist_ok=True)
    history.write(folder / "benchmarks.json", data)
    plots.write(folder, data)
    page = folder / "benchmarks.md"
    text = page.read_text() if page.exists() else f"{_BEGIN}\n{_END}\n"
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{_BEGIN}\n\n{_tables(data)}\n{_END}{after}")
    readme = folder.parent / "README.md"
    if readme.exists():
        readme.write_text(_with_figures(readme.read_text(), data["results"]))


def _with_figures(text: str, rows: Rows) -> str:
    """Return README's text with what was measured in the place of what was measured before."""
    for name, where in README_ROWS.items():
        measured = (middle(rows, wall, *where, tool) for tool in ("asmsetup", *RIVALS))
        # Rounded as in benchmarks.json, which README's are compared with.
        seconds = [f"{round(each, 3):.2f}" for each in measured if each is not None]
        if len(seconds) == 1 + len(RIVALS):
            line = f"| {name} | {' | '.join(seconds)} |"
            text = re.sub(rf"(?m)^\| {re.escape(name)} \|.*$", line, text)
    return text


def _tables(data: dict[str, Any]) -> str:
    machine = data["machine"]
    parts = [
        "{date}, commit {commit}, {processor}, {cores} cores, {memory}, {system}, CPython {python}, {nasm}; "
        "{cc}; {ld}.\nLoad average when it ended: {load}.".format(**machine),
        "Medians; in brackets the least and the most.\nWall clock and CPU are of `pip wheel` and of "
        "auditwheel, where the tool leaves that to the user; memory is of the largest process.",
    ]
    results: Rows = data["results"]
    parts += ["### The numbers to reach", _RATIOS]
    parts.append(_table(("", "at most", "measured"), (each.cells() for each in targets(results))))
    for project in distinct(results, "project"):
        rows = of(results, project=project)
        parts.append(f"### {project}")
        parts.append(
            _table(
                ("situation", "tool", "wall, s", "CPU, s", "memory, MB", "runs", "objects made"),
                (
                    (
                        situation,
                        tool,
                        _spread(own, wall, "{:.2f}"),
                        _spread(own, cpu, "{:.2f}"),
                        f"{median(map(memory, own)) / 1e6:.0f}",
                        str(len(own)),
                        made(own),
                    )
                    for situation in distinct(rows, "situation")
                    for tool in distinct(rows, "tool")
                    if (own := of(rows, situation=situation, tool=tool))
                ),
            )
        )
    if data.get("instructions"):
        parts += ["### Instructions", _INSTRUCTIONS, _figures(data["instructions"])]
    if data.get("figures"):
        parts.append("### The module itself: sayit")
        parts.append("![Sizes, and times of loading, importing and calling](benchmarks-module.svg)")
        parts.append(_figures(data["figures"]))
    return "\n\n".join(parts) + "\n"


def _figures(figures: dict[str, dict[str, float]]) -> str:
    names = list(figures)
    return _table(
        ("", *names, "ratio"),
        (
            (
                what,
                *(f"{figures[name][what]:,.0f}" for name in names),
                f"{figures[names[0]][what] / (figures[names[1]][what] or 1):.2f}",
            )
            for what in figures[names[0]]
        ),
    )


def _spread(rows: Rows, value: Value, form: str) -> str:
    values = [value(row) for row in rows]
    low, middle, high = (form.format(f(values)) for f in (min, median, max))
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = list(head)
    lines = [f"| {' | '.join(cells)} |", f"|{'---|' * len(cells)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])

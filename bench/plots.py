"""Draws a run of the benchmark: time by tool and situation, scaling, and the module itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from .rows import Rows, distinct, of, wall

_INK = "#808890"
"""The colour of lines and words: it can be read on white and on black, for the files have no background."""
_COLORS = {
    "asmsetup": "#3d8fd1",
    "setuptools": "#a07cc5",
    "meson-python": "#d9862f",
    "scikit-build-core": "#6aa84f",
    "build_ext alone": "#7fb8e6",
    "bare tools": "#9aa3ab",
}
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "asmsetup",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _INK
    ),
}


def write(folder: Path, data: dict[str, Any]) -> None:
    """Write the plots that the data is enough for, as SVG without a background."""
    rows: Rows = data["results"]
    with mpl.rc_context(_STYLE):
        with _drawn(folder / "benchmarks-time.svg") as figure:
            _draw_times(figure, rows)
        with _drawn(folder / "benchmarks-scaling.svg") as figure:
            _draw_scaling(figure, rows)
        if data.get("figures"):
            with _drawn(folder / "benchmarks-module.svg") as figure:
                _draw_module(figure, data["figures"])


@contextmanager
def _drawn(path: Path) -> Iterator[Figure]:
    figure = Figure(layout="constrained")
    yield figure
    # No date, so that the same numbers give the same file.
    figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})


def _draw_times(figure: Figure, rows: Rows) -> None:
    """Draw bars of wall clock, a panel for each project, a group for each situation."""
    projects = [each for each in distinct(rows, "project") if _compared(rows, each)]
    heights = [sum(len(walls) + 1 for walls in _compared(rows, each).values()) for each in projects]
    figure.set_size_inches(8, 0.8 + 0.17 * sum(heights) + 0.35 * len(projects))
    panels = figure.subplots(len(projects), height_ratios=heights, squeeze=False)[:, 0]
    for project, panel in zip(projects, panels, strict=True):
        panel.set_title(project, loc="left", fontweight="bold", fontsize=9)
        _draw_groups(panel, _compared(rows, project))
    handles = [mpl.patches.Patch(color=color, label=tool) for tool, color in _COLORS.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    panels[-1].set_xlabel("seconds to the manylinux wheel, each project on a scale of its own")


def _compared(rows: Rows, project: str) -> dict[str, dict[str, float]]:
    """Return the median of each tool in each situation that several tools were measured in."""
    found = {}
    for situation in distinct(of(rows, project=project), "situation"):
        own = of(rows, project=project, situation=situation)
        tools = distinct(own, "tool")
        if len(tools) > 1:
            found[situation] = {tool: median(map(wall, of(own, tool=tool))) for tool in tools}
    return found


def _draw_groups(panel: Any, groups: dict[str, dict[str, float]]) -> None:
    place, ticks = 0.0, []
    for walls in groups.values():
        ticks.append(place + (len(walls) - 1) / 2)
        for tool, seconds in walls.items():
            bar = panel.barh(place, seconds, height=0.9, color=_COLORS[tool])
            panel.bar_label(bar, labels=[f"{seconds:.2f}"], fontsize=7, padding=3)
            place += 1
        place += 1
    panel.set_yticks(ticks, list(groups))
    panel.set_xticks([])
    panel.spines["bottom"].set_visible(False)
    panel.tick_params(axis="y", length=0)
    panel.invert_yaxis()
    panel.margins(x=0.08, y=0.01)


def _draw_scaling(figure: Figure, rows: Rows) -> None:
    """Draw wall clock by the number of sources, and what all cores gain over one."""
    figure.set_size_inches(8, 3.2)
    sources, cores = figure.subplots(1, 2)
    projects = [each for each in distinct(rows, "project") if each.startswith("kernels-")]
    for tool, color in _COLORS.items():
        own = [(each, of(rows, project=each, situation="cold", tool=tool)) for each in projects]
        points = sorted(
            (int(name.split("-")[1]), median(map(wall, runs))) for name, runs in own if runs
        )
        if len(points) > 1:
            sources.loglog(*zip(*points, strict=True), color=color, marker="o", label=tool)
    sources.set(xlabel="sources", ylabel="seconds", title="A clean build")
    sources.legend(fontsize=8)
    _draw_cores(cores, rows)


def _draw_cores(panel: Any, rows: Rows) -> None:
    tools = ("bare tools", "build_ext alone")
    gains = {
        project: [found["cold, one job"][tool] / found["cold"][tool] for tool in tools]
        for project in distinct(rows, "project")
        if "cold, one job" in (found := _compared(rows, project))
    }
    for number, tool in enumerate(tools):
        places = [place + 0.4 * number for place in range(len(gains))]
        heights = [gain[number] for gain in gains.values()]
        bars = panel.bar(places, heights, width=0.38, color=_COLORS[tool])
        panel.bar_label(bars, fmt="%.2f", fontsize=7, padding=2)
    panel.set_xticks([place + 0.2 for place in range(len(gains))], list(gains), fontsize=6.5)
    panel.set(ylabel="times faster", title="All cores to one")


def _draw_module(figure: Figure, figures: dict[str, dict[str, float]]) -> None:
    """Draw the sizes of sayit, and the times of its calls, in assembly and in C."""
    figure.set_size_inches(8, 2.6)
    colors = dict(zip(figures, (_COLORS["asmsetup"], _COLORS["setuptools"]), strict=False))
    names = [*next(iter(figures.values()))]
    panels = figure.subplots(1, len(names))
    for what, panel in zip(names, panels, strict=True):
        bars = panel.bar(list(figures), [each[what] for each in figures.values()], width=0.7)
        for bar, color in zip(bars, colors.values(), strict=True):
            bar.set_color(color)
        panel.bar_label(bars, fmt="{:,.0f}", fontsize=7, padding=2)
        panel.set_title(what, fontsize=9)
        panel.set_yticks([])
        panel.spines["left"].set_visible(False)
        panel.margins(y=0.15)

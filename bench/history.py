"""Keeps what was measured as JSON: the ratios of each commit's run, and all medians of the last."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from .rows import Rows, cpu, distinct, made, memory, of, wall
from .targets import targets


def write(path: Path, data: dict[str, Any]) -> None:
    """Write a run in front of the earlier ones; one of the same commit and day takes its place."""
    run = _run(data)
    known = json.loads(path.read_text())["runs"] if path.exists() else []
    earlier = [each for each in known if _which(each) != _which(run)]
    kept = {
        "version": 2,
        "runs": [run, *earlier],
        "medians": medians(data["results"]),
        "figures": data.get("figures", {}),
        "instructions": data.get("instructions", {}),
    }
    path.write_text(_text(kept) + "\n")


def _which(run: dict[str, Any]) -> tuple[str, str]:
    return run["commit"], run["date"]


def _run(data: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a run for good."""
    ratios = {
        each.what: [round(value, 3) for value in (each.measured, *(each.interval or ()))]
        for each in targets(data["results"])
    }
    return {**data["machine"], "ratios": ratios}


def medians(rows: Rows) -> dict[str, dict[str, Any]]:
    """Return the medians of each tool in each situation of each project."""
    return {
        f"{project}, {situation}, {tool}": {
            "wall": round(median(map(wall, own)), 3),
            "cpu": round(median(map(cpu, own)), 3),
            "memory": round(median(map(memory, own)) / 1e6),
            "runs": len(own),
            "objects": made(own),
        }
        for project in distinct(rows, "project")
        for situation in distinct(of(rows, project=project), "situation")
        for tool in distinct(rows, "tool")
        if (own := of(rows, project=project, situation=situation, tool=tool))
    }


def _text(value: Any, indent: str = "") -> str:
    """Return JSON in which everything without a list or an object in it is one line."""
    inner = f"{indent} "
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not any(isinstance(each, dict | list) for each in parts):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        lines = [f"{inner}{json.dumps(key)}: {_text(each, inner)}" for key, each in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + _text(each, inner) for each in value) + f"\n{indent}]"

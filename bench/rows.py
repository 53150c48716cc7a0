"""The rows of a run of the benchmark: which tool took what, in which situation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

ONE_JOB = "cold, one job"
"""The situation in which one core does it all."""

Row = dict[str, Any]
Rows = list[Row]
Value = Callable[[Row], float]


def wall(row: Row) -> float:
    """Return the seconds that a wheel took, auditwheel included where it is run apart."""
    return float(row["build"]["wall"] + (row["tag"] or {}).get("wall", 0))


def cpu(row: Row) -> float:
    """Return the same in processor time."""
    return float(row["build"]["cpu"] + (row["tag"] or {}).get("cpu", 0))


def build_cpu(row: Row) -> float:
    """Return the processor time of the build alone."""
    return float(row["build"]["cpu"])


def memory(row: Row) -> float:
    """Return the bytes of the largest process."""
    return float(row["build"]["memory"])


def distinct(rows: Iterable[Row], key: str) -> list[Any]:
    """Return the values of a key, each once, in their order."""
    return list(dict.fromkeys(row[key] for row in rows))


def of(rows: Rows, **which: str) -> Rows:
    """Return the rows with these values."""
    return [row for row in rows if all(row[key] == value for key, value in which.items())]


def values(rows: Rows, value: Value, project: str, situation: str, tool: str) -> list[float]:
    """Return a value of each run, in their order."""
    return [value(row) for row in of(rows, project=project, situation=situation, tool=tool)]


def middle(rows: Rows, value: Value, project: str, situation: str, tool: str) -> float | None:
    """Return the median of a value; None when it was not measured."""
    own = values(rows, value, project, situation, tool)
    return median(own) if own else None


def made(rows: Rows) -> str:
    """Return how many objects were made; in words when that was not right."""
    counts = "/".join(map(str, distinct(rows, "rebuilt")))
    expected = rows[0]["expected"]
    if expected is None:
        return counts
    right = all(row["rebuilt"] == row["expected"] for row in rows)
    return counts if right else f"{counts} (**wrong**, {expected} would be right)"

"""NASM's messages about several sources as one report: each macro that is missing once, with where else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_MISSING = re.compile(
    r"(?P<file>.+?):\d+: error: symbol `(?P<name>[^']+)' (?:not defined|undefined)"
)
_MORE_LINES = re.compile(r"  the same in (\d+) more lines?:")
_LISTED = 5


def together(reports: Sequence[str]) -> list[str]:
    """Return the reports without what an earlier one says as well; some may be empty then.

    The first message about a name that looks like a macro's lists the other files, with the
    number of lines. Another name may be missing in each for a reason of its own.
    """
    blocks = [list(_blocks(report)) for report in reports]
    missing: dict[str, dict[str, int]] = {}
    for block in (block for report in blocks for block in report):
        if found := _macro(block):
            lines = missing.setdefault(found["name"], {})
            lines[found["file"]] = max(lines.get(found["file"], 0), _lines(block))
    shown: set[str] = set()
    return ["\n".join(_once(report, missing, shown)) for report in blocks]


def _blocks(report: str) -> Iterator[list[str]]:
    """Yield each message with its further lines, which are indented."""
    block: list[str] = []
    for line in report.splitlines():
        if block and not line.startswith(" "):
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _macro(block: Sequence[str]) -> re.Match[str] | None:
    is_advised = any("define_macros=" in line for line in block)
    return _MISSING.match(block[0]) if is_advised else None


def _lines(block: Sequence[str]) -> int:
    more = (found for line in block if (found := _MORE_LINES.match(line)))
    return 1 + sum(int(found[1]) for found in more)


def _once(
    report: Sequence[list[str]], missing: dict[str, dict[str, int]], shown: set[str]
) -> Iterator[str]:
    for block in report:
        found = _macro(block)
        key = found["name"] if found else "\n".join(block)
        if key in shown:
            continue
        shown.add(key)
        more = [line for line in block if _MORE_LINES.match(line)]
        others = _elsewhere(missing[found["name"]], found["file"]) if found else ()
        yield from (block[0], *more, *others)
        yield from (line for line in block[1:] if line not in more)


def _elsewhere(lines: dict[str, int], first: str) -> Iterator[str]:
    others = [
        f"{file} ({count} line{'s' if count > 1 else ''})"
        for file, count in lines.items()
        if file != first
    ]
    if others:
        rest = len(others) - _LISTED
        listed = ", ".join(others[:_LISTED]) + (f" and {rest} more files" if rest > 0 else "")
        yield f"  the same in {listed}"

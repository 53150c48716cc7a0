"""The lines of a source, each with its instructions, findings, jumps and samples."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..check import Finding
from ..check.listing import Listing, Row, SourceLine
from ..facts import elf
from ..live.building import Examined
from . import code
from .code import Instruction

_SAMPLE = re.compile(r"([\w.$@?~#]+)\+0x([0-9a-f]+) \(")


@dataclass
class Line:
    """A line of the source and what it became."""

    number: int
    text: str
    data: int = 0
    """Bytes that are no instructions."""
    instructions: list[Instruction] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    jumps: list[int] = field(default_factory=list)
    """The lines that its jumps go to."""
    samples: int = 0

    @property
    def level(self) -> str:
        """The highest level that its instructions need, empty for the base level."""
        levels = {each.level for each in self.instructions} - {code.BASE}
        return max(levels, default="")


def annotate(examined: Examined, perf: str = "") -> list[Line]:
    """Return each line of the source; ``perf`` is what perf script wrote of a run.

    Raises ToolError without objdump.
    """
    text = Path(examined.source).read_text(encoding="utf-8", errors="replace")
    lines = [Line(number, text) for number, text in enumerate(text.splitlines(), 1)]
    options = examined.object.options
    listing = Listing(examined.listing, examined.source, options.include_dirs)
    instructions = code.read(examined.object.path)
    samples = _samples(perf, elf.read(examined.object.path).symbols)
    for section in dict.fromkeys(each.section for each in instructions):
        code_ = [each for each in instructions if each.section == section]
        places = _Places(listing.rows, code_)

        def number_at(offset: int, places: _Places = places) -> int | None:
            line = places.line_at(offset)
            known = line is not None and line.file == examined.source
            return line.number if line and known and line.number <= len(lines) else None

        for each in code_:
            if (number := number_at(each.offset)) is not None:
                _add(lines[number - 1], each, samples[each.section, each.offset], number_at)
    for row in listing.rows:
        if row.line.file == examined.source and not lines[row.line.number - 1].instructions:
            lines[row.line.number - 1].data += len(row.content) * row.repeats
    for finding in examined.findings:
        for number in filter(None, (finding.line, *finding.also)):
            if finding.file == examined.source and number <= len(lines):
                lines[number - 1].findings.append(finding)
    return lines


def _add(
    line: Line, each: Instruction, samples: int, number_at: Callable[[int], int | None]
) -> None:
    line.instructions.append(each)
    line.samples += samples
    goal = None if each.target is None else number_at(each.target)
    if goal is not None and goal not in line.jumps:
        line.jumps.append(goal)


class _Places:
    """Which line each instruction of a section of code is from.

    Sections that macros open are not named in the listing. So a row belongs to the section
    when its bytes are there, from the beginning of an instruction to the end of one. What is
    between two such rows is from the line between them, if there is just one with bytes: a
    .nolist macro that writes to several sections is one row.
    """

    def __init__(self, rows: Sequence[Row], code_: Sequence[Instruction]) -> None:
        content = b"".join(each.content for each in code_)
        edges = {each.offset for each in code_} | {len(content)}
        found: dict[int, int] = {}
        for index, row in enumerate(rows):
            ends = {row.offset, row.offset + len(row.content)}
            if row.content and ends <= edges and row.agrees(content):
                known = found.get(row.offset)
                if known is None or len(rows[known].content) < len(row.content):
                    found[row.offset] = index
        self._rows = rows
        self._offsets = sorted(found)
        self._found = [found[offset] for offset in self._offsets]

    def line_at(self, offset: int) -> SourceLine | None:
        """Return the line that the instruction at an offset is from, None when it is not known."""
        at = bisect_right(self._offsets, offset) - 1
        index = self._found[at] if at >= 0 else -1
        if at >= 0 and offset < self._offsets[at] + len(self._rows[index].content):
            return self._rows[index].line
        end = self._found[at + 1] if at + 1 < len(self._found) else len(self._rows)
        between = {row.line for row in self._rows[index + 1 : end] if row.content}
        return between.pop() if len(between) == 1 else None


def _samples(perf: str, symbols: Iterable[elf.Symbol]) -> Counter[tuple[str, int]]:
    """Return how often perf script names each offset of each section, the innermost call counted."""
    labels = {symbol.name: symbol for symbol in symbols if symbol.section is not None}
    found = Counter[tuple[str, int]]()
    # Without call graphs a sample is a line; with them a paragraph, the innermost frame first.
    paragraphs = re.split(r"\n\s*\n", perf.strip())
    samples = paragraphs if len(paragraphs) > 1 else perf.splitlines()
    for match in filter(None, map(_SAMPLE.search, samples)):
        if (symbol := labels.get(match[1])) is not None and symbol.section is not None:
            found[symbol.section, symbol.value + int(match[2], 16)] += 1
    return found

"""The lines of a source, each with its instructions, findings, jumps and samples."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from ..check import Finding
from ..check.code.image import Image
from ..check.code.rules import RULES as CODE_RULES
from ..check.listing import Listing, Row, SourceLine
from ..config import Settings
from ..facts import elf
from ..live.building import Examined
from ..named import NamedTuple
from .code import Code, Section, Seen, read
from .costs import Costs, costs

_SAMPLE = re.compile(r"([\w.$@?~#]+)\+0x([0-9a-f]+) \(")


@dataclass
class Line:
    """A line of the source and what it became."""

    number: int
    text: str
    data: int = 0
    """Bytes that are no instructions."""
    instructions: list[Seen] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    jumps: list[int] = field(default_factory=list)
    """The lines that its jumps go to."""
    remarks: list[str] = field(default_factory=list)
    """Notes about the code here, such as the role of a function."""
    samples: int = 0

    @property
    def needs(self) -> str:
        """The highest level and all features that its instructions need; empty for the first level."""
        return max((each.needs for each in self.instructions), default="")


class Way(NamedTuple):
    """The lines that lead to a finding, in their order, from the function's start."""

    stations: tuple[int, ...]

    @property
    def first(self) -> int:
        """The uppermost line."""
        return min(self.stations)

    @property
    def last(self) -> int:
        """The lowest line."""
        return max(self.stations)


@dataclass
class Annotated:
    """A source, and what the assembler and the checker made of its lines."""

    source: str
    lines: list[Line]
    ways: dict[Finding, Way] = field(default_factory=dict)
    """The path to each finding that only some paths lead to."""
    elsewhere: list[Finding] = field(default_factory=list)
    """The findings that no line of the source can be blamed for."""
    costs: Costs | None = None
    """The costs of the instructions, if they were asked for."""


def annotate(
    examined: Examined,
    settings: Settings,
    perf: str = "",
    of: str | None = None,
    processor: str | None = None,
) -> Annotated:
    """Return what is known of each line of a source, or of the file ``of`` that it includes.

    ``perf`` is what perf script wrote of a run. ``processor`` is the one whose costs are wanted,
    as LLVM calls it. The findings are those of ``examined``, with those of the checks of machine
    code in full. Raises ObjectError for a damaged object, and ToolError where costs cannot be
    had.
    """
    shown = of or examined.source
    text = Path(shown).read_text(encoding="utf-8", errors="replace")
    lines = [Line(number, text) for number, text in enumerate(text.splitlines(), 1)]
    code = read(examined.source, elf.read(examined.object.path), settings)
    listing = Listing(examined.listing, examined.source, examined.object.options.include_dirs)
    numbers = dict(_numbers(code, listing, shown, len(lines)))
    samples = _samples(perf, code.image)
    for section in code.sections.values():
        for each in section.instructions:
            if each.address in numbers:
                line = lines[numbers[each.address] - 1]
                line.instructions.append(each)
                line.samples += samples[each.address]
                goals = [numbers[goal] for goal in each.goals if goal in numbers]
                line.jumps += [goal for goal in dict.fromkeys(goals) if goal not in line.jumps]
    for row in listing.rows:
        if row.line.file == shown and not lines[row.line.number - 1].instructions:
            lines[row.line.number - 1].data += _size(row)
    for at, remark in code.remarks:
        if at in numbers:
            lines[numbers[at] - 1].remarks.append(remark)
    annotated = Annotated(shown, lines)
    _add_findings(annotated, examined, code, numbers)
    if processor is not None:
        _add_costs(annotated, code, numbers, processor)
    return annotated


def _add_costs(annotated: Annotated, code: Code, numbers: dict[int, int], processor: str) -> None:
    instructions = [each for section in code.sections.values() for each in section.instructions]
    annotated.costs = found = costs(instructions, processor)
    for at, cycles in found.turns.items():
        if at in numbers:
            remark = f"a turn of this loop: {cycles:.1f} cycles, with all data in the first cache"
            annotated.lines[numbers[at] - 1].remarks.append(remark)


def _add_findings(
    annotated: Annotated, examined: Examined, code: Code, numbers: dict[int, int]
) -> None:
    for finding in examined.findings:
        if finding.rule not in CODE_RULES:
            _put(annotated, finding)
    for found in code.findings:
        finding = found.finding
        if found.address in numbers:
            finding = finding._replace(file=annotated.source, line=numbers[found.address])
        _put(annotated, finding)
        passed = [numbers[at] for at in found.way if at in numbers]
        # Consecutive instructions of one line are one station.
        stations = tuple(number for number, _ in groupby(passed))
        if len(stations) > 1:
            annotated.ways.setdefault(finding, Way(stations))


def _put(annotated: Annotated, finding: Finding) -> None:
    numbers = [number for number in (finding.line, *finding.also) if number is not None]
    known = [number for number in numbers if number <= len(annotated.lines)]
    if not known or finding.file != annotated.source:
        annotated.elsewhere.append(finding)
        return
    for number in known:
        annotated.lines[number - 1].findings.append(finding)


def _numbers(code: Code, listing: Listing, source: str, last: int) -> Iterator[tuple[int, int]]:
    """Yield each instruction's address with the number of the source's line that it is from."""
    for section in code.sections.values():
        places = _Places(listing.rows, section)
        for each in section.instructions:
            line = places.line_at(each.offset)
            if line is not None and line.file == source and line.number <= last:
                yield each.address, line.number


class _Places:
    """The source line of each instruction of a section of code.

    Sections that macros open are not named in the listing. So a row belongs to the section
    when its bytes are there, from the beginning of an instruction to the end of one. What is
    between two such rows is from the line between them, if there is just one with bytes: a
    .nolist macro that writes to several sections is one row. Of two rows at one place the one
    that the listing has in this section is right, or else the longer one.
    """

    def __init__(self, rows: Sequence[Row], section: Section) -> None:
        content, code = section.content, section.instructions
        edges = {each.offset for each in code} | {each.offset + len(each.content) for each in code}
        found: dict[int, int] = {}
        rank: dict[int, tuple[bool, int]] = {}
        for index, row in enumerate(rows):
            ends = {row.offset, row.offset + _size(row)}
            if row.content and ends <= edges and row.agrees(content):
                rank[index] = row.section == section.name, _size(row)
                found[row.offset] = max(found.get(row.offset, index), index, key=rank.__getitem__)
        self._rows = rows
        self._offsets = sorted(found)
        self._found = [found[offset] for offset in self._offsets]

    def line_at(self, offset: int) -> SourceLine | None:
        """Return the line that the instruction at an offset is from, None when it is not known."""
        at = bisect_right(self._offsets, offset) - 1
        index = self._found[at] if at >= 0 else -1
        if at >= 0 and offset < self._offsets[at] + _size(self._rows[index]):
            return self._rows[index].line
        end = self._found[at + 1] if at + 1 < len(self._found) else len(self._rows)
        between = {row.line for row in self._rows[index + 1 : end] if row.content}
        return between.pop() if len(between) == 1 else None


def _size(row: Row) -> int:
    return len(row.content) * row.repeats


def _samples(perf: str, image: Image) -> Counter[int]:
    """Return how often perf script names each address, the innermost call counted."""
    labels = {symbol.name: symbol.address for symbol in image.symbols}
    found = Counter[int]()
    # Without call graphs a sample is a line; with them a paragraph, the innermost frame first.
    paragraphs = re.split(r"\n\s*\n", perf.strip())
    samples = paragraphs if len(paragraphs) > 1 else perf.splitlines()
    for match in filter(None, map(_SAMPLE.search, samples)):
        if match[1] in labels:
            found[labels[match[1]] + int(match[2], 16)] += 1
    return found

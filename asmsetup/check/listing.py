"""Finds the source line of a place in an object, in the listing nasm writes with ``-l``.

A listing shows each source line with its offset and bytes, the relocated ones in brackets,
and how deep in macros and includes it is (checked with nasm 2.15 to 3.01: the format did not
change). That is more than DWARF knows: data sections have lines, too, and a macro's
instructions lead to the line that used it. Nothing of it touches the released object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_ROW = re.compile(
    r" *(?P<line>\d+) "
    r"(?:(?P<offset>[0-9A-F]{8}) (?P<data>(?:<[a-z]+ [0-9A-Fa-f]+h?>|[^\s<])+))?"
    r" *(?:<(?P<level>\d+)>)?(?: (?P<text>.*))?$"
)
_REPEAT = re.compile(r"<rep ([0-9A-Fa-f]+)h?>")
_DATA = re.compile(
    r"\[(?P<absolute>[0-9A-F]+)\]|\((?P<relative>[0-9A-F]+)\)|(?P<plain>[0-9A-F]{2})"
)
_INCLUDE = re.compile(r"\s*%(?:include|require)\s+[\"'<]?([^\"'>\s]+)", re.IGNORECASE)
_SECTION = re.compile(r"\s*\[?\s*(?:section|segment)\s+([^\s\]]+)", re.IGNORECASE)
_MACRO = re.compile(r"\s*%i?macro\s+([^\s,]+)", re.IGNORECASE)
_STUBS = re.compile(r"\s*_py_stubs\s+\w+,\s*(\w.*)")
"""The lines by which python.inc makes a macro of each of its names."""
_WORD = re.compile(r"\s*(?:[\w.$@?~#]+:\s*)?([\w.$@?~#]+)")
_DIRECTIVE = r"\s*\[?\s*(?:{})\s+.*(?<![\w.$@?~#]){}(?![\w.$@?~#])"
_LABEL = r"\s*{}(?::|\s|$)"


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of the user's source."""

    file: str
    number: int
    text: str
    direct: bool
    """The text is the instruction itself, and not the use of a macro that holds it."""


@dataclass(slots=True)
class Row:
    """One source line of the listing, with what it put into a section."""

    line: SourceLine
    section: str | None
    """The name in the last section directive; None when a macro computed it."""
    offset: int
    content: bytearray
    fields: list[tuple[int, int]]
    """(position in content, width) of what is relocated."""
    repeats: int = 1

    @property
    def end(self) -> int:
        """The offset behind its last byte."""
        return self.offset + len(self.content) * self.repeats

    def has_field(self, offset: int, width: int) -> bool:
        within = offset - self.offset
        if not self.content or not 0 <= within < len(self.content) * self.repeats:
            return False
        return (within % len(self.content), width) in self.fields

    def agrees(self, section: bytes, until: int | None = None) -> bool:
        """Return whether ``section`` holds this row's bytes, the relocated ones aside.

        Those from ``until`` on do not count: a macro may have put them into another section.
        """
        size = len(self.content)
        if until is not None:
            size = min(size, max(0, until - self.offset))
        actual = bytearray(section[self.offset : self.offset + size])
        expected = self.content[:size]
        for position, width in self.fields:
            if position >= size:
                break
            actual[position : position + width] = bytes(width)
            expected[position : position + width] = bytes(width)
        return actual == expected


@dataclass(slots=True)
class _Frame:
    """The source of the rows of one nesting level."""

    file: str
    use: SourceLine | None
    """The outermost macro use this level is inside; None outside of macros."""
    last: tuple[int, str] = (0, "")
    opened_at: int = 0
    """For an include that has no row yet: the line of its %include."""
    ahead: int = 0
    """The number of lines by which the listing's numbers run ahead."""


class Listing:
    """A parsed listing of ``source``."""

    def __init__(self, text: str, source: str, include_dirs: Sequence[str] = ()) -> None:
        self._search = (str(Path(source).parent), *include_dirs)
        self.lines: list[SourceLine] = []
        """All lines, in the order of the listing."""
        self._macros: set[str] = set()
        self._by_offset: dict[int, list[Row]] = {}
        self._repeated: list[Row] = []
        self.rows = list(self._rows(text, source))
        """The bytes that each line put into a section, in the order of the listing."""
        for row in self.rows:
            if row.repeats > 1:
                self._repeated.append(row)
            for position, _ in row.fields:
                self._by_offset.setdefault(row.offset + position, []).append(row)

    def at(
        self, section: str, content: bytes, offset: int, width: int, name: str = ""
    ) -> SourceLine | None:
        """Return the line whose relocated field of ``width`` bytes is at ``offset`` of ``section``.

        ``content`` is the section's, and ``name`` the symbol's when it has one: they decide
        between lines of several sections that have such a field at the same offset.
        """
        rows = [
            row
            for row in (*self._by_offset.get(offset, ()), *self._repeated)
            if row.has_field(offset, width) and row.agrees(content, offset + width)
        ]

        def likelihood(row: Row) -> tuple[bool, bool, bool]:
            return (
                row.section == section,
                row.section is None,
                bool(name) and name in row.line.text,
            )

        return max(rows, key=likelihood).line if rows else None

    def declaration(self, name: str, *directives: str) -> SourceLine | None:
        """Return the line with one of ``directives`` ("global", "extern") for ``name``."""
        return self._first(_DIRECTIVE.format("|".join(directives), re.escape(name)))

    def label(self, name: str) -> SourceLine | None:
        """Return the line that defines ``name``."""
        return self._first(_LABEL.format(re.escape(name)))

    def use(self, macro: str, argument: str) -> SourceLine | None:
        """Return the line that uses ``macro`` with ``argument`` as its first one."""
        return self._first(rf"\s*{re.escape(macro)}\s+{re.escape(argument)}(?![\w.$@?~#])")

    def section(self, name: str) -> SourceLine | None:
        """Return the line that opens section ``name``."""
        return self._first(r"\s*\[?\s*(?:section|segment)\s+" + re.escape(name) + r"(?![\w.$-])")

    def _first(self, pattern: str) -> SourceLine | None:
        expression = re.compile(pattern, re.IGNORECASE)
        return next((line for line in self.lines if expression.match(line.text)), None)

    def _rows(self, text: str, source: str) -> Iterator[Row]:
        frames = [_Frame(source, None)]
        section: str | None = ".text"
        row: Row | None = None
        for match in filter(None, map(_ROW.match, text.splitlines())):
            number, offset, data, level, line_text = match.groups()
            if line_text is not None and line_text.lstrip().startswith("*" * 18):
                continue  # a warning repeated inside the listing
            if line_text is None or (data is not None and not line_text.strip()):
                if row is not None and data is not None:
                    here = int(offset, 16)
                    if row.end != here and not data.startswith("<rep"):
                        # A macro has changed the section, as PyRaise does for its format.
                        yield row
                        row = Row(row.line, None, here, bytearray(), [])
                    _add(row, data)
                continue
            if row is not None:
                yield row
                row = None
            if defined := _MACRO.match(line_text):
                self._macros.add(defined[1].lower())
            elif made := _STUBS.match(line_text):
                self._macros.update(re.findall(r"\w+", made[1].lower()))
            line = self._enter(frames, int(level or 0), int(number), line_text)
            self.lines.append(line)
            if named := _SECTION.match(line_text):
                section = None if "%" in named[1] else named[1]
            if data is not None:
                row = Row(line, section, int(offset, 16), bytearray(), [])
                _add(row, data)
        if row is not None:
            yield row

    def _enter(self, frames: list[_Frame], level: int, number: int, text: str) -> SourceLine:
        """Go to ``level`` and say whose line this is."""
        del frames[level + 1 :]
        while len(frames) <= level:
            frames.append(self._inner(frames[-1]))
        frame = frames[-1]
        if frame.opened_at:
            # nasm 2.15 counts on from the line of the %include, in its own messages as well.
            frame.ahead = frame.opened_at if number == frame.opened_at + 1 else 0
            frame.opened_at = 0
        frame.last = (number, text)
        if frame.use is not None:
            return frame.use
        # The instructions of a .nolist macro stand in the row of its use.
        word = _WORD.match(text)
        direct = word is None or word[1].lower() not in self._macros
        return SourceLine(frame.file, number - frame.ahead, text.strip(), direct)

    def _inner(self, outer: _Frame) -> _Frame:
        """The frame of what the last row of ``outer`` opened: a repetition, an include, a macro."""
        number, text = outer.last
        if outer.use is not None or text.lstrip().lower().startswith("%endrep"):
            return _Frame(outer.file, outer.use, ahead=outer.ahead)
        if include := _INCLUDE.match(text):
            return _Frame(self._find(include[1]), None, opened_at=number)
        return _Frame(
            outer.file, SourceLine(outer.file, number - outer.ahead, text.strip(), direct=False)
        )

    def _find(self, include: str) -> str:
        """Return the path of an include as the user would write it from where the build runs."""
        if Path(include).is_file():
            return include
        for folder in self._search:
            if (path := Path(folder, include)).is_file():
                return str(path)
        return include


def _add(row: Row, data: str) -> None:
    """Append one line's worth of the listing's byte column."""
    if repeat := _REPEAT.search(data):
        row.repeats = int(repeat[1], 16)
        data = data[: repeat.start()]
    for match in _DATA.finditer(data.partition("<")[0]):
        field = bytes.fromhex(match["absolute"] or match["relative"] or match["plain"])
        if match["plain"] is None:
            row.fields.append((len(row.content), len(field)))
        row.content += field

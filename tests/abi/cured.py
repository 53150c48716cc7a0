"""Mistakes in sources, the messages that they get, and their cures, from the tables beside this file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_TABLES = ("cures.txt", "argument-cures.txt", "signature-cures.txt")
_NAME = re.compile(r"(?<![\w.$%])([fgTBEOPQ])(?=(?:_size)?(?![\w$]))")
"""The labels of a row, which get its number, as many rows are in one module."""
_HOLE = re.compile(r"\\\{(\d)\\\}")
_BEFORE = ('%include "python.inc"', "PyModule m", "section .text")
_BEFORE_MODULE = ('%include "python.inc"', "", "section .text")


class Row(NamedTuple):
    """A piece of a source, with a mistake and without."""

    number: int
    holds: str
    """An expression of Python, true when the module with the cured piece is imported."""
    lines: tuple[str, ...]
    """As in the table, each with its mark."""

    @property
    def is_module(self) -> bool:
        """Whether it opens a module itself."""
        return any(line[1:].startswith("PyModule ") for line in self.lines)

    @property
    def broken(self) -> str:
        """The source with the mistake."""
        lines = [line[1:] for line in self.lines if line[0] in " -"]
        if self.is_module:
            return "\n".join((*_BEFORE_MODULE, *lines))
        return "\n".join((*_BEFORE, *lines, "PyEndModule"))

    @property
    def message(self) -> tuple[int, str]:
        """The line of the source at which the message is printed, and its text."""
        line = len(_BEFORE)
        for text in self.lines:
            if text[0] == "!":
                return line, text[2:]
            line += text[0] in " -"
        raise AssertionError(self.lines)

    def found_in(self, printed: str) -> re.Match[str] | None:
        """Return the match of the message in what was printed, with a group for each hole."""
        line, text = self.message
        text = _HOLE.sub(r"(?P<_\1>.+?)", re.escape(text)) + "$" * text.endswith("}")
        return re.search(f":{line}: (?:fatal|error): {text}", printed, re.MULTILINE)

    def cured(self, printed: re.Match[str]) -> str:
        """Return the piece with the cure that was printed, its names numbered."""
        text = "\n".join(line[1:] for line in self.lines if line[0] in " +")
        for name, cure in printed.groupdict().items():
            text = text.replace(f"{{{name[1:]}}}", cure)
        return _NAME.sub(rf"\g<1>_{self.number}", text)


class Module(NamedTuple):
    """The source of a module, and the rows that it shows the cures of."""

    source: str
    rows: list[Row]


def read_rows() -> list[Row]:
    """Return the rows of all tables."""
    rows: list[Row] = []
    for table in _TABLES:
        text = Path(__file__).with_name(table).read_text(encoding="utf-8")
        for part in text.split("\n== ")[1:]:
            holds, *lines = part.split("\n")
            kept = tuple(line for line in lines if line and line[0] != "#")
            rows.append(Row(len(rows), holds, kept))
    return rows


def modules_of(cured: Mapping[Row, str]) -> dict[str, Module]:
    """Return modules by name: one of all pieces that can be in one, and one for each other."""
    include, opened, text = _BEFORE
    shared = {row: piece for row, piece in cured.items() if not row.is_module}
    pieces = (f"{text}\n{piece}" for piece in shared.values())
    modules = {"m": Module("\n".join((include, opened, *pieces, "PyEndModule\n")), [*shared])}
    for row in cured.keys() - shared.keys():
        name = f"m{row.number}"
        piece = cured[row].replace("PyModule m", f"PyModule {name}")
        modules[name] = Module("\n".join((include, text, piece, "")), [row])
    return modules

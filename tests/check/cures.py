"""Faults in machine code with their cures, from cures.txt beside this file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_WORD = re.compile(r"(?<![\w.$])f(?![\w$])")
_NAME = re.compile(r"\[rel (_?Py\w+) wrt \.\.got\]")


class Cured(NamedTuple):
    """A piece of a module: with the fault, and with the cure that its rule prints."""

    rule: str
    number: int
    broken: tuple[str, ...]
    cured: tuple[str, ...]
    added: str
    """The lines that the cure adds."""
    taken: str
    """Those that it takes out."""
    holds: str
    """An expression of Python, true of the cured function ``f``; empty where it is not called."""

    @property
    def name(self) -> str:
        """The name of the function in a module that has all of them."""
        return f"{self.rule.replace('-', '_')}_{self.number}"


def read_cures() -> list[Cured]:
    """Return all faults of cures.txt."""
    text = Path(__file__).with_name("cures.txt").read_text(encoding="utf-8")
    return [_cured(number, part) for number, part in enumerate(text.split("\n== ")[1:])]


def _cured(number: int, part: str) -> Cured:
    title, *lines = part.rstrip().split("\n")
    rule, _, holds = title.partition("|")
    assert all(line[:1] in ("+", "-", " ", "") for line in lines), part
    broken = tuple(line[1:] for line in lines if line[:1] != "+")
    cured = tuple(line[1:] for line in lines if line[:1] != "-")
    added = "\n".join(line[1:] for line in lines if line[:1] == "+")
    taken = "\n".join(line[1:] for line in lines if line[:1] == "-")
    return Cured(rule.strip(), number, broken, cured, added, taken, holds.strip())


def module(name: str, *functions: tuple[str, tuple[str, ...]]) -> str:
    """Return the source of a module with functions, each under a name of its own."""
    bodies = "\n".join(
        _WORD.sub(function, "\n".join(("section .text", *lines))) for function, lines in functions
    )
    names = "".join(
        f"extern {each}\n" for each in sorted(set(_NAME.findall(bodies)) - {"PyLong_FromInt64"})
    )
    return f'default rel\n%include "python.inc"\n{names}PyModule {name}\n{bodies}\nPyEndModule\n'

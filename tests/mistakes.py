"""The table of mistakes (mistakes.txt) as projects: each mistake, and its twin that keeps the rule."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = Path(__file__).parent / "packages"
SAMPLE = PACKAGES / "sample"
TABLE = Path(__file__).with_name("mistakes.txt")
KEPT = "-kept"
"""Behind a mistake's name: its twin."""


@dataclass(frozen=True)
class Mistake:
    """One mistake of the table."""

    name: str
    outcome: str
    """The outcome for the project without the checks."""
    broken: str
    kept: str
    """The two sources."""
    other: str
    """A second source, other.asm; empty without one."""
    settings: str
    """Further lines of pyproject.toml."""
    report: str


def write_package(name: str, folder: Path) -> None:
    """Write a project of tests/packages, or one of the table by a mistake's name (with KEPT: its twin)."""
    mistake = MISTAKES.get(name.removesuffix(KEPT))
    shutil.copytree(SAMPLE if mistake else PACKAGES / name, folder, dirs_exist_ok=True)
    if mistake is None:
        return
    source = mistake.kept if name.endswith(KEPT) else mistake.broken
    (folder / "sample.asm").write_text(source)
    project = (folder / "pyproject.toml").read_text() + mistake.settings
    if mistake.other:
        (folder / "other.asm").write_text(mistake.other)
        project = project.replace('["sample.asm"]', '["sample.asm", "other.asm"]')
    (folder / "pyproject.toml").write_text(project)


def _read_table() -> Iterator[Mistake]:
    sample = (SAMPLE / "sample.asm").read_text().splitlines()
    for entry in re.split(r"^## ", TABLE.read_text(), flags=re.MULTILINE)[1:]:
        head, *lines = entry.rstrip("\n").split("\n")
        name, _, outcome = head.partition(": ")
        change = [line for line in lines if line[:1] in " -+!="]
        yield Mistake(
            name,
            outcome.partition(" (")[0],
            broken=_text(_changed(sample, change, "!")),
            kept=_text(_changed(sample, change, "=")),
            other=_text(_marked("*", lines)),
            settings=_text(_marked("@", lines)),
            report=_text(line.removeprefix(" ") for line in _marked(">", lines)),
        )


def _changed(sample: list[str], change: list[str], mark: str) -> list[str]:
    """Return the sample's lines with the change, of the two variants the one that has this mark."""
    done: list[str] = []
    rest = sample
    for line in change:
        kind, text = line[:1], line[1:]
        if kind in " -":
            # Forward to the line named: each is looked for behind the one before.
            place = rest.index(text) + (kind == " ")
            done += rest[:place]
            rest = rest[place + (kind == "-") :]
        elif kind in ("+", mark):
            done.append(text)
    return done + rest


def _marked(mark: str, lines: list[str]) -> list[str]:
    return [line[1:] for line in lines if line.startswith(mark)]


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


MISTAKES = {mistake.name: mistake for mistake in _read_table()}

"""A module with some forty planted faults: each is found at its line, and nothing else is.

tests/build/test_machine_code.py has the same module refused by a build.
"""

from __future__ import annotations

from pathlib import Path

from asmsetup.check.code.levels import faults_of, needs_of
from asmsetup.check.code.verdicts import entries_of, findings_of
from tests.check.assembled import verdict_of

PLANTED = Path(__file__).with_name("planted.asm").read_text(encoding="utf-8")


def planted() -> list[tuple[int, str]]:
    """Return the lines with faults, and the rules that they break."""
    marked = (
        (number, line.partition(";")[2].split())
        for number, line in enumerate(PLANTED.splitlines()[1:], 2)
    )
    return [(number, rule) for number, rules in marked for rule in sorted(rules)]


def test_each_is_found_at_its_line(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, PLANTED)
    verdict.faults += faults_of(verdict, needs_of(verdict.engine, verdict.roots), "x86-64")
    found = findings_of(verdict, "planted.asm", lambda path: ())

    assert sorted((each.line or 0, each.rule) for each in found) == planted()
    assert verdict.gaps == []
    assert [entry for entry in entries_of(verdict) if entry.reason] == []

"""Each way out that a rule prints is followed: the fault is found, and with the cure it is gone.

tests/build/test_machine_code.py builds and imports a module of all that is cured here.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asmsetup.check.code import levels
from asmsetup.check.code.rules import RULES
from asmsetup.check.code.verdicts import findings_of
from tests.check.assembled import verdict_of
from tests.check.cures import Cured, module, read_cures

CURES = read_cures()


@pytest.mark.parametrize("row", CURES, ids=lambda row: row.name)
def test_the_cure_mends_the_fault(row: Cured, tmp_path: Path) -> None:
    assert broken_by(row, row.broken, tmp_path) == {row.rule}
    assert broken_by(row, row.cured, tmp_path) == set()


def broken_by(row: Cured, lines: tuple[str, ...], folder: Path) -> set[str]:
    """Return the rules that a function breaks; the level is judged where the row is about it."""
    verdict = verdict_of(folder, module("sample", ("f", lines)))
    if row.rule == "cpu-level":
        needs = levels.needs_of(verdict.engine, verdict.roots)
        verdict.faults += levels.faults_of(verdict, needs, "x86-64")
    return {found.rule for found in findings_of(verdict, "sample.o", lambda path: ())}


# These write the tables, and refuse the faults themselves: tests/abi/test_macros_misused.py.
OF_TABLES = {"PyTypeSlot", "PyMember", "Py_T_"}
CODE = re.compile(
    r"\bPy\w+|\b(?:cld|emms|vzeroupper|ret|push|pop|stmxcsr|movups|xmm)\b"
    r"|\b(?:sub|add|and|xor|mov|movsxd|test)(?= (?:[re]\w[px]|rdi)\b)"
)


# python.inc refuses these names itself: applied to another source in tests/cli/test_check_command.py.
ELSEWHERE = {"outside-stable-abi"}


@pytest.mark.parametrize("rule", sorted(RULES.keys() - ELSEWHERE))
def test_everything_that_a_cure_names_is_applied(rule: str) -> None:
    rows = [row for row in CURES if row.rule == rule]
    done = "\n".join(row.added for row in rows)
    if "take " in RULES[rule].cure:
        done += "\n".join(row.taken for row in rows)

    assert done
    missing = [word for word in CODE.findall(RULES[rule].cure) if word not in done]
    assert set(missing) <= OF_TABLES

"""Each way out that a rule prints is followed: the fault is found, and with the cure it is gone.

tests/build/test_machine_code.py builds and imports a module of all that is cured here.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asmsetup.check.code.rules import RULES
from tests.check.assembled import rules
from tests.check.cures import Cured, module, read_cures

CURES = read_cures()


@pytest.mark.parametrize("row", CURES, ids=lambda row: row.name)
def test_the_cure_mends_the_fault(row: Cured, tmp_path: Path) -> None:
    assert rules(tmp_path, module("sample", ("f", row.broken))) == {row.rule}
    assert rules(tmp_path, module("sample", ("f", row.cured))) == set()


# Of the last ones the macros of types refuse what breaks the rule; see test_rules.py. That of
# cpu-level is in tests/build/test_machine_code.py, that of the stable ABI in tests/cli.
ELSEWHERE = {"slot-twice", "gc-without-traverse", "member-outside", "cpu-level"}
ELSEWHERE |= {"outside-stable-abi"}
CODE = re.compile(
    r"\bPy\w+|\b(?:cld|emms|vzeroupper|ret|push|pop|stmxcsr|movups|xmm)\b"
    r"|\b(?:sub|add|and|xor|mov|movsxd|test)(?= (?:[re]\w[px]|rdi)\b)"
)


@pytest.mark.parametrize("rule", sorted(RULES.keys() - ELSEWHERE))
def test_everything_that_a_cure_names_is_applied(rule: str) -> None:
    added = "\n".join(row.added for row in CURES if row.rule == rule)

    assert added
    missing = [word for word in CODE.findall(RULES[rule].cure) if word not in added]
    assert missing == []

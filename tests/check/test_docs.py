"""docs/reference/checks.md has a section for each rule, with what the rule says of itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asmsetup.check.code.rules import RULES, Rule, explain

PAGE = (Path(__file__).parents[2] / "docs/reference/checks.md").read_text()
SECTIONS = dict(re.findall(r"^### (\S+)\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S))


def test_the_sections_are_the_rules() -> None:
    assert list(SECTIONS) == list(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_a_section_says_what_the_rule_says(rule: Rule) -> None:
    section = SECTIONS[rule.name]

    assert f"*{rule.severity.capitalize()}.* {rule.about}" in section
    assert f"Cure: {rule.cure}" in section
    assert rule.otherwise[1:] in section
    assert rule.about in explain(rule)

"""docs/errors.md has each message under its name, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mistakes import MISTAKES

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "errors.md").read_text()
SECTIONS = dict(re.findall(r"^### (\S+)\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S))
# A rule's name stands in front of the severity wherever a finding or a verdict is made.
NAMES = re.compile(r'"([a-z]+(?:-[a-z]+)+)",\s*(?:ERROR|WARNING)')


def names_in_the_code() -> set[str]:
    sources = (ROOT / "asmsetup" / "check").glob("*.py")
    return {name for source in sources for name in NAMES.findall(source.read_text())}


def test_every_rule_is_explained() -> None:
    assert set(SECTIONS) == names_in_the_code()


MESSAGES = [
    match.groups()
    for mistake in MISTAKES.values()
    for match in re.finditer(r"^\S+: (?:error|warning): (.*) \[(\S+)\]$", mistake.report, re.M)
]


@pytest.mark.parametrize(("message", "rule"), MESSAGES)
def test_the_page_has_the_text_of_the_message(message: str, rule: str) -> None:
    quoted = re.findall(r"^> (.+)$", SECTIONS[rule], re.M)
    patterns = [re.escape(text).replace(r"\.\.\.", ".+") for text in quoted]
    # "is called" and "is jumped to" are one message.
    said = message.replace("jumped to", "called")
    assert any(re.fullmatch(pattern, said) for pattern in patterns), quoted

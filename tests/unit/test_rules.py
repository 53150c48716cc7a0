"""[tool.asmsetup.check]: rules are switched off by name, for the project or a source."""

from __future__ import annotations

from pathlib import Path

import pytest

from asmsetup import config, rules
from asmsetup.check.findings import RULES, Finding, as_project_wants
from asmsetup.errors import ConfigError
from asmsetup.rules import RuleSettings
from tests.unit.test_check_docs import names_in_the_code


def test_the_rules_are_those_in_the_code() -> None:
    assert names_in_the_code() == RULES


SETTINGS = rules.parse(
    {
        "ignore": {"private-name": "only 3.12"},
        "severity": {"absolute-address": "error"},
        "sources": {"asm/*.asm": ["code-not-executable"], "x.asm": {"got-called": "tried"}},
    }
)


@pytest.mark.parametrize(
    ("rule", "source", "ignored"),
    [
        ("private-name", "any.asm", True),
        ("code-not-executable", "asm/table.asm", True),
        ("code-not-executable", "./asm/table.asm", True),
        ("code-not-executable", "table.asm", False),
        ("got-called", "x.asm", True),
        ("got-called", "asm/x.asm", False),
        ("absolute-address", "x.asm", False),
    ],
)
def test_ignored(rule: str, source: str, ignored: bool) -> None:
    assert SETTINGS.is_ignored(rule, source) == ignored


def test_severity() -> None:
    finding = Finding("absolute-address", "warning", "x.asm", 1, "what")

    (judged,) = as_project_wants([finding], SETTINGS)

    assert judged == finding._replace(severity="error")
    assert list(as_project_wants([finding], RuleSettings())) == [finding]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('check = "yes"', 'must be true, false, "errors", or a table of rules'),
        ('[tool.asmsetup.check]\nmachine-code = "true"', 'is true, false or "errors"'),
        ('check = "x"', 'must be true, false, "errors", or a table of rules'),
        (
            '[tool.asmsetup.check]\nignored = ["x"]',
            "a table with the keys machine-code, select, ignore, severity, sources",
        ),
        ('[tool.asmsetup.check]\nignore = "x"', "a list of rules, or a table of rules and reasons"),
        ("[tool.asmsetup.check]\nignore = [1]", "holds names of rules"),
        ("[tool.asmsetup.check.ignore]\nx = 1", "and reasons in quotes"),
        ('[tool.asmsetup.check.severity]\nx = "off"', 'says "error" or "warning" of x'),
        ('[tool.asmsetup.check]\nsources = ["x"]', "whose key `sources' holds a table"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, said: str) -> None:
    table = text if text.startswith("[") else f"[tool.asmsetup]\n{text}"
    (tmp_path / "pyproject.toml").write_text(table)

    with pytest.raises(ConfigError) as refused:
        config.load(str(tmp_path), {})

    assert said in str(refused.value)

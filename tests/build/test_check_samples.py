"""Each mistake of the table breaks one rule, and its twin none.

The table has the whole report. That it says the truth about what would happen is shown as well: the
project is linked without the checks, and imported.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from asmsetup.check import report
from tests.checking import Sample, module_findings
from tests.mistakes import KEPT, MISTAKES, Mistake

PYTHON = (3, 11)


each_mistake = pytest.mark.parametrize("mistake", MISTAKES.values(), ids=lambda each: each.name)


@each_mistake
def test_the_message(mistake: Mistake, tmp_path: Path, nasm: str) -> None:
    findings = Sample.of(mistake.name, tmp_path, nasm).findings(PYTHON)

    assert report(findings) + "\n" == mistake.report
    assert len({finding.rule for finding in findings}) == 1
    # What works is a warning; a promise about other systems than this one is an error, too.
    promises = ("needs-a-library", "outside-stable-abi")
    broken = mistake.outcome != "works" or mistake.name in promises
    assert [finding.severity for finding in findings] == ["error" if broken else "warning"] * len(
        findings
    )


@each_mistake
def test_what_the_message_says_is_true(mistake: Mistake, tmp_path: Path) -> None:
    assert Sample.of(mistake.name, tmp_path).outcome() == mistake.outcome


@each_mistake
def test_the_kept_rule(mistake: Mistake, tmp_path: Path, nasm: str) -> None:
    sample = Sample.of(f"{mistake.name}{KEPT}", tmp_path, nasm)

    assert report(sample.findings(PYTHON)) == ""
    assert sample.outcome() == "works"
    assert report(module_findings(sample)) == ""


@pytest.mark.parametrize("project", ["absolute-address", "entry-point-untyped", "writable-code"])
def test_strict_makes_warnings_errors(project: str, tmp_path: Path) -> None:
    findings = Sample.of(project, tmp_path).findings(PYTHON, strict=True)

    assert [finding.severity for finding in findings] == ["error"]

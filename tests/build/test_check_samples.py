"""Each sample project breaks one rule, and its twin ``-kept`` none.

The message is in the project's findings.txt, whole. That it says the truth about what would
happen is shown as well: the project is linked without the checks, and imported.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from asmsetup.check import report
from tests.checking import PACKAGES, TOOLS, Sample, module_findings

MISTAKES = [
    # (project, what becomes of it without the checks)
    ("absolute-address", "works"),
    ("absolute-address-external", "works"),
    ("call-without-plt", "does not link"),
    ("code-in-data", "crashes"),
    ("code-not-executable", "crashes"),
    ("code-not-executable-hot", "works"),  # with GNU ld
    ("data-without-got", "does not link"),
    ("data-without-got-memory", "does not link"),
    ("duplicate-name", "does not link"),
    ("entry-point-hidden", "does not import"),
    ("entry-point-local", "does not import"),
    ("entry-point-misspelt", "does not import"),
    ("entry-point-missing", "does not import"),
    ("entry-point-not-code", "crashes"),
    ("entry-point-other-module", "does not import"),
    ("entry-point-untyped", "works"),
    ("executable-stack-request", "works"),
    ("got-called", "crashes"),
    ("got-without-rel", "crashes"),
    ("narrow-address-memory", "does not link"),
    ("narrow-address-register", "does not link"),
    ("narrow-address-table", "does not link"),
    ("needs-a-library", "works"),  # here; not on musl
    ("outside-stable-abi", "works"),  # where it was built; not on 3.10
    ("pointer-in-code", "works"),
    ("pointer-in-read-only", "works"),
    ("private-name", "works"),  # on 3.11
    ("read-only-module-definition", "crashes"),
    ("unknown-c-name", "does not import"),
    ("unknown-name", "does not import"),
    ("unknown-weak-name", "works"),
    ("writable-code", "works"),
]
PYTHON = (3, 11)


@pytest.fixture(params=["nasm", "nasm-2.15.05", "nasm-3.01"])
def nasm(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "nasm":
        return name
    path = TOOLS / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return str(path)


def test_every_sample_has_a_row() -> None:
    projects = {path.parent.name for path in PACKAGES.glob("*/findings.txt")}
    assert projects == {project for project, _ in MISTAKES}


@pytest.mark.parametrize(("project", "outcome"), MISTAKES)
def test_the_message(project: str, outcome: str, tmp_path: Path, nasm: str) -> None:
    findings = Sample.of(project, tmp_path, nasm).findings(PYTHON)

    assert report(findings) + "\n" == (PACKAGES / project / "findings.txt").read_text()
    assert len({finding.rule for finding in findings}) == 1
    # What works is a warning; a promise about other systems than this one is an error, too.
    promises = ("needs-a-library", "outside-stable-abi")
    broken = outcome != "works" or project in promises
    assert [finding.severity for finding in findings] == ["error" if broken else "warning"] * len(
        findings
    )


@pytest.mark.parametrize(("project", "outcome"), MISTAKES)
def test_what_the_message_says_is_true(project: str, outcome: str, tmp_path: Path) -> None:
    assert Sample.of(project, tmp_path).outcome() == outcome


@pytest.mark.parametrize("project", [project for project, _ in MISTAKES])
def test_the_kept_rule(project: str, tmp_path: Path, nasm: str) -> None:
    sample = Sample.of(f"{project}-kept", tmp_path, nasm)

    assert report(sample.findings(PYTHON)) == ""
    assert sample.outcome() == "works"
    assert report(module_findings(sample)) == ""


@pytest.mark.parametrize("project", ["absolute-address", "entry-point-untyped", "writable-code"])
def test_strict_makes_warnings_errors(project: str, tmp_path: Path) -> None:
    findings = Sample.of(project, tmp_path).findings(PYTHON, strict=True)

    assert [finding.severity for finding in findings] == ["error"]

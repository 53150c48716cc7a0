"""No test is lost without a word, and no workflow says what cannot be run."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tools import collected
from tools.matrix.interpreters import REPOSITORY

COLLECTED = (
    "tests/unit/test_a.py::test_one\ntests/unit/test_a.py::test_two[x]\n\n2 tests collected\n"
)


def test_counting() -> None:
    assert collected.counted(COLLECTED) == {"tests/unit": 2}


def test_a_test_counts_once_for_all_pythons() -> None:
    ids = ("3.11", "3.13t", "3.14-debug", "3.13-glibc2.31", "limited 3.12", "limited 3.13", "row")
    names = "".join(f"tests/abi/test_a.py::test_one[{each}]\n" for each in ids)

    assert collected.counted(names) == {"tests/abi": 3}


@pytest.mark.parametrize(
    ("counts", "floors", "wrong"),
    [
        ({"tests/unit": 2, "tests/build": 1}, {"tests/unit": 2}, []),
        ({"tests/unit": 2, "tests/build": 1}, {"tests/unit": 3}, ["has 2 tests, and had 3"]),
        # pytest skips folders named build by itself
        ({"tests/unit": 2}, {}, ["tests/build holds test modules"]),
        ({"tests/unit": 2, "tests/build": 1}, {"tests/gone": 1}, ["tests/gone has 0 tests"]),
    ],
)
def test_a_loss_is_an_error(
    counts: Mapping[str, int], floors: Mapping[str, int], wrong: list[str]
) -> None:
    found = collected.problems(["tests/build", "tests/unit"], counts, floors)

    assert len(found) == len(wrong)
    assert all(text in line for text, line in zip(wrong, found, strict=True))


def test_folders_with_tests_are_found() -> None:
    assert {"tests/build", "tests/unit"} <= set(collected.folders_with_tests(REPOSITORY))


def run_steps() -> Iterator[tuple[str, str]]:
    """Yield the commands of each workflow, with the file's name."""
    for path in sorted((REPOSITORY / ".github" / "workflows").glob("*.yml")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            match = re.match(r"^(\s*)(- )?run: (.*)$", line)
            if match is None:
                continue
            indent = len(match[1]) + len(match[2] or "")
            block = lines[number + 1 :]
            inner = _while_deeper(block, indent)
            yield path.name, "\n".join(inner) if match[3] == "|" else match[3]


def _while_deeper(lines: list[str], indent: int) -> Iterator[str]:
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            return
        yield line


STEPS = list(run_steps())


def test_workflows_have_steps() -> None:
    assert {name for name, _ in STEPS} >= {"ci.yml", "release.yml"}


@pytest.mark.parametrize(("workflow", "commands"), STEPS)
def test_a_step_is_shell_and_names_targets_that_exist(
    workflow: str, commands: str, tmp_path: Path
) -> None:
    # GitHub puts values in the place of ${{ }} before a shell sees them.
    text = re.sub(r"\$\{\{.*?\}\}", "value", commands)
    done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr

    targets = re.findall(
        r"(?:^|&& )\s*(?:make|sh tools/make\.sh) ([a-z][a-z-]*)", text, re.MULTILINE
    )
    known = re.findall(r'say "make ([a-z-]+) ', (REPOSITORY / "tools" / "make.sh").read_text())
    assert set(targets) <= set(known)

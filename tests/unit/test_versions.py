"""The supported CPython versions stand in asmsetup/versions.py; what cannot read it agrees with it."""

from __future__ import annotations

import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from asmsetup.versions import ABI3T_SINCE, FREE_THREADED_SINCE, NEWEST, OLDEST, VERSIONS
from tests.build.test_matrix import TABLE
from tools.abi_tables import FULL_TARGETS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]


def dotted(version: tuple[int, int]) -> str:
    return "{}.{}".format(*version)


def test_there_is_no_gap() -> None:
    assert all(later == (3, earlier + 1) for (_, earlier), later in pairwise(VERSIONS))
    assert {FREE_THREADED_SINCE, ABI3T_SINCE} <= set(VERSIONS)


def test_the_metadata() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = re.findall(r"Python :: (3\.\d+)$", "\n".join(project["classifiers"]), re.MULTILINE)
    assert named == [dotted(version) for version in VERSIONS]
    assert project["requires-python"] == f">={dotted(OLDEST)}"


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_the_pages_that_promise_a_range(page: str) -> None:
    ranges = set(re.findall(r"CPython (3\.\d+ to 3\.\d+)", (ROOT / page).read_text()))
    assert ranges == {f"{dotted(OLDEST)} to {dotted(NEWEST)}"}


def test_the_newest_is_in_the_matrix() -> None:
    assert dotted(NEWEST) in TABLE
    range_ = f"`{dotted(OLDEST)}` ... `{dotted(NEWEST)}`"
    assert range_ in (ROOT / "docs" / "testing.md").read_text()
    assert dotted(NEWEST) in (ROOT / ".github" / "workflows" / "ci.yml").read_text()


@pytest.mark.parametrize("target", FULL_TARGETS)
def test_each_version_has_facts(target: str) -> None:
    assert (ROOT / "tools" / "abi" / f"{target}.txt").is_file()

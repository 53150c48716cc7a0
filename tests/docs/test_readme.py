"""The README: short enough to be read, its project builds as it says."""

from __future__ import annotations

import re

import pytest

from tests.cli.running import asmsetup
from tests.conftest import MakeProject
from tests.projects import REPOSITORY, Project, run

README = (REPOSITORY / "README.md").read_text()


def test_it_fits_three_screens() -> None:
    assert len(README.splitlines()) <= 120


@pytest.fixture
def by_hand(project: MakeProject) -> Project:
    """The project of three files that the README shows."""
    made = project()
    for path in made.folder.iterdir():
        path.unlink()
    shown = re.findall(r"```\w+\n[#;] (\S+)\n(.*?)```", README, re.DOTALL)
    assert [name for name, _ in shown] == ["pyproject.toml", "setup.py", "sayit.asm"]
    return made.write(dict(shown))


def test_the_project_by_hand_gives_the_wheel_that_is_shown(by_hand: Project) -> None:
    wheel = by_hand.wheel()

    assert wheel.path.name in README
    assert round(wheel.path.stat().st_size / 1000) == 2
    said = run(by_hand.python.path, "-c", "import sayit; sayit.sayit()", cwd=wheel.unpacked())
    assert said.output == "Assembly is great fun! :)\n"


def test_the_page_in_the_picture_is_what_annotate_writes(by_hand: Project) -> None:
    assert asmsetup("annotate", "sayit.asm", cwd=by_hand.folder).stdout == "sayit.html\n"

"""Files are put in place whole, or not at all."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from asmsetup.files import placed, same_content, sweep


def test_a_file_takes_its_place(tmp_path: Path) -> None:
    with placed(str(tmp_path / "new" / "file")) as partial:
        Path(partial).write_text("whole")

    assert (tmp_path / "new" / "file").read_text() == "whole"
    assert os.listdir(tmp_path / "new") == ["file"]


def test_until_the_end_the_old_file_is_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    with placed(str(path)) as partial:
        Path(partial).write_text("ne")
        assert path.read_text() == "old"

    assert path.read_text() == "ne"


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def interrupted() -> None:
        with placed(str(path)) as partial:
            Path(partial).write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_block_that_writes_nothing_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    with placed(str(path)):
        pass

    assert path.read_text() == "old"


def test_who_has_the_old_file_open_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    with path.open() as reader:
        with placed(str(path)) as partial:
            Path(partial).write_text("new")
        assert reader.read() == "old"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("x", "x", True), ("x", "y", False), ("x", None, False), (None, "x", False)],
)
def test_same_content(tmp_path: Path, one: str | None, other: str | None, same: bool) -> None:
    for name, text in (("one", one), ("other", other)):
        if text is not None:
            (tmp_path / name).write_text(text)

    assert same_content(str(tmp_path / "one"), str(tmp_path / "other")) == same


def test_what_killed_builds_left_is_swept_away(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    theirs = [f"x.o.{gone.pid}-7.tmp", f"x.o.{gone.pid}-7.tmp.d", f"m.exports.{gone.pid}-7.tmp"]
    ours = [f"x.o.{os.getpid()}-7.tmp", "x.o", "x.o.json", "notes.tmp"]
    for name in (*theirs, *ours):
        (tmp_path / name).touch()

    sweep(str(tmp_path))
    sweep(str(tmp_path / "not there"))

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(ours)

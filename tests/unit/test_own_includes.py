"""A project's own files of the names of asmsetup's includes, and a copy with names of its own."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from asmsetup.assemble import own
from asmsetup.assemble.includes import INCLUDE_DIR

THEIRS = Path("lists", "python", "type.inc")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory is empty but for a folder python/ with a file that is no name of ours."""
    monkeypatch.chdir(tmp_path)
    for name in ("python/own.inc", "lists/python/more.inc"):
        Path(name).parent.mkdir(parents=True)
        Path(name).touch()


def folder() -> str:
    return own.include_dir(["lists", "gone"], "build")


def test_without_files_of_these_names_the_includes_are_read_where_they_are() -> None:
    assert folder() == INCLUDE_DIR
    assert not Path("build").exists()
    assert own.is_ours(os.path.join(INCLUDE_DIR, "python.inc"))
    assert not own.is_ours("lists/python/type.inc")


@pytest.mark.parametrize("name", ["lists/python/type.inc", "python/type.inc"])
def test_the_copy_reads_nothing_of_theirs(name: str) -> None:
    Path(name).symlink_to("gone")  # NASM fails with it, rather than passing it over
    copy = folder()

    assert re.fullmatch(r"build/asmsetup-[0-9a-f]{16}", copy)
    ours = sorted(path.relative_to(INCLUDE_DIR) for path in Path(INCLUDE_DIR).rglob("*.inc"))
    renamed = [str(path).replace("python/", "asmsetup-python/") for path in ours]
    assert sorted(str(path.relative_to(copy)) for path in Path(copy).rglob("*.inc")) == sorted(
        renamed
    )
    assert '"python/' not in "".join(path.read_text() for path in Path(copy).rglob("*.inc"))
    assert own.is_ours(f"{copy}/asmsetup-python/type.inc")
    assert sorted(os.listdir("build")) == [os.path.basename(copy)]
    made = os.stat(copy)
    assert folder() == copy
    assert os.stat(copy).st_ino == made.st_ino


def test_two_builds_that_copy_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    THEIRS.touch()
    real = shutil.copytree

    def copy_twice(*arguments: Any, **keywords: Any) -> None:
        monkeypatch.setattr(shutil, "copytree", real)
        folder()  # the other build, which is quicker
        real(*arguments, **keywords)

    monkeypatch.setattr(shutil, "copytree", copy_twice)
    copy = folder()
    assert os.listdir("build") == [os.path.basename(copy)]


def test_a_file_in_the_place_of_the_copy() -> None:
    THEIRS.touch()
    copy = Path(folder())
    shutil.rmtree(copy)
    copy.touch()
    with pytest.raises(NotADirectoryError):
        folder()

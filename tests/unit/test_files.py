"""Files are put in place whole, or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from asmsetup.errors import FileError
from asmsetup.files import atomic_write, same_content, sweep, unreadable


def test_a_file_takes_its_place(tmp_path: Path) -> None:
    with atomic_write(str(tmp_path / "new" / "file")) as partial:
        Path(partial).write_text("whole")

    assert (tmp_path / "new" / "file").read_text() == "whole"
    assert os.listdir(tmp_path / "new") == ["file"]


def test_until_the_end_the_old_file_is_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    with atomic_write(str(path)) as partial:
        Path(partial).write_text("ne")
        assert path.read_text() == "old"

    assert path.read_text() == "ne"


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def interrupted() -> None:
        with atomic_write(str(path)) as partial:
            Path(partial).write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_block_that_writes_nothing_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    with atomic_write(str(path)):
        pass

    assert path.read_text() == "old"


def test_who_has_the_old_file_open_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    with path.open() as reader:
        with atomic_write(str(path)) as partial:
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
    killed = ["x.o.5-7.tmp", "x.o.5-7.tmp.d", "m.exports.5-7.tmp"]
    others = ["x.o", "x.o.json", "notes.tmp"]
    for name in (*killed, *others):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1, 1))
    # One that is still being written, and one that cannot be removed.
    (tmp_path / "x.o.6-7.tmp").touch()
    (tmp_path / "x.o.4-7.tmp").mkdir()
    os.utime(tmp_path / "x.o.4-7.tmp", (1, 1))

    sweep(str(tmp_path))
    sweep(str(tmp_path / "not there"))

    left = [*others, "x.o.6-7.tmp", "x.o.4-7.tmp"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(left)


ELSEWHERE = "or build elsewhere:   python setup.py build --build-base=FOLDER"


def refused(path: str, number: int | None = None, named: str | None = None) -> str:
    """The message when writing ``path`` fails, by itself or with the error ``number``."""
    with pytest.raises(FileError) as error:
        _write(path, number, named)
    return str(error.value)


def _write(path: str, number: int | None, named: str | None) -> None:
    with atomic_write(path) as partial:
        if number is not None:
            raise OSError(number, os.strerror(number), *([partial] if named is None else []))
        Path(partial).write_text("new")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, f"Permission denied\n  make the folder b writable, {ELSEWHERE}"),
        (errno.EROFS, f"Read-only file system\n  make the folder b writable, {ELSEWHERE}"),
        (errno.ENOSPC, f"No space left on device\n  make room on the disk of b, {ELSEWHERE}"),
        (
            errno.EFBIG,
            "File too large\n  raise the limit on the size of files:   ulimit -f unlimited",
        ),
        (errno.EIO, "Input/output error"),
    ],
)
@pytest.mark.parametrize("named", [None, "nothing"])
def test_what_cannot_be_written(
    number: int, said: str, named: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert refused("b/x.o", number, named) == f"cannot write b/x.o: {said}"


def test_the_folder_that_is_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("b").mkdir()

    def no_folders(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "b/c")

    monkeypatch.setattr(os, "makedirs", no_folders)

    assert refused("b/c/d/x.o") == (
        f"cannot write b/c/d/x.o: Permission denied\n  make the folder b writable, {ELSEWHERE}"
    )


@pytest.mark.parametrize("path", ["b/x.o", "b/c/x.o"])
def test_a_file_where_a_folder_belongs(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("b").write_text("")

    first, way = refused(path).split("\n")
    assert first in (f"cannot write {path}: File exists", f"cannot write {path}: Not a directory")
    assert way == "  b is a file where a folder belongs: remove or rename it"


def test_a_folder_where_a_file_belongs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("b/x.o").mkdir(parents=True)

    assert refused("b/x.o") == (
        "cannot write b/x.o: Is a directory\n"
        "  b/x.o is a folder where a file belongs: remove or rename it"
    )
    assert os.listdir("b") == ["x.o"]


def test_an_error_about_another_file_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"), atomic_write(str(tmp_path / "file")):
        Path("gone").read_text()


def test_what_can_be_read(tmp_path: Path) -> None:
    file, loop, dangling = tmp_path / "file", tmp_path / "loop", tmp_path / "dangling"
    file.write_text("")
    loop.symlink_to(loop)
    dangling.symlink_to("gone")

    paths = (file, tmp_path / "gone", tmp_path, loop, dangling, "/dev/null", "a\0b")
    assert [unreadable(str(path)) for path in paths] == [
        None,
        "it does not exist",
        "it is a folder",
        "it is a symbolic link that leads back to itself",
        "it is a symbolic link to gone, which does not exist",
        "it is a device",
        "no file can have this name",
    ]

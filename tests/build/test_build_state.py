"""The build state: nothing is read again whose status is the same, and nothing changed goes unnoticed.

Every row changes a built project, mostly so that sizes and times lie, and must have exactly those
sources assembled that the change concerns; their objects are compared with NASM's own. The files
count as settled here whatever their age: the rows of test_incremental.py are read again, being
too young.
"""

from __future__ import annotations

import mmap
import os
import shutil
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import pytest

from asmsetup import files
from asmsetup.assemble import includes, state
from asmsetup.assemble.nasm import AssemblerOptions
from asmsetup.assemble.scan import Text, scan
from tests.building import assembled, build_objects

SOURCES = {
    "plain.asm": "section .data\n db 1\n",
    "one.asm": '%include "common.inc"\n db 1\n',
    "two.asm": '%include "outer.inc"\nsection .data\n incbin "table.bin"\n',
    "computed.asm": '%define NAME "chosen.inc"\n%include NAME\n',
}
FILES = {
    "inc/common.inc": "section .data\n db 3\n",
    "inc/outer.inc": '%include "common.inc"\n',
    "inc/chosen.inc": "section .data\n db 5\n",
    "inc/table.bin": "0123456789",
    "twin/common.inc": "section .data\n db 4\n",
}
EVERYTHING = sorted(SOURCES)
COMMON = ["one.asm", "two.asm"]


def build(folder: str = "build") -> list[str]:
    """Build; return which sources were assembled."""
    options = AssemblerOptions(include_dirs=("inc",))
    return assembled(build_objects(tuple(SOURCES), options, folder=folder))


def objects_in(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).glob("*.o")}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_COARSEST_CLOCK", 0)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    for name, text in {**SOURCES, **FILES}.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    assert build() == EVERYTHING
    assert build() == []


def times(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_atime_ns, found.st_mtime_ns


def edit(path: str, old: str = "3", new: str = "7", when: tuple[int, int] | None = None) -> None:
    """Change a file in place, to the same size and, unless told otherwise, the same time."""
    when = when or times(path)
    Path(path).write_text(Path(path).read_text().replace(old, new))
    os.utime(path, ns=when)


def replace(path: str, by: str) -> None:
    """Put another file in the place of one, with the same size and time."""
    shutil.copyfile(by, "new")
    os.utime("new", ns=times(path))
    os.replace("new", path)


def map_and_edit(path: str) -> None:
    when = times(path)
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[mapped.find(b"3")] = ord("7")
        mapped.flush()
    os.utime(path, ns=when)


def edit_by_hard_link() -> None:
    os.link("inc/common.inc", "another-name")
    edit("another-name")


def hard_link_to_another() -> None:
    os.utime("twin/common.inc", ns=times("inc/common.inc"))
    os.unlink("inc/common.inc")
    os.link("twin/common.inc", "inc/common.inc")


def symbolic_link_to_another() -> None:
    os.utime("twin/common.inc", ns=times("inc/common.inc"))
    os.unlink("inc/common.inc")
    os.symlink("../twin/common.inc", "inc/common.inc")


def another_folder() -> None:
    """Rename a folder over another one: no time of a file changes, not even that of change."""
    for name in ("outer.inc", "chosen.inc", "table.bin"):
        shutil.copy2(f"inc/{name}", "twin")
    os.utime("twin/common.inc", ns=times("inc/common.inc"))
    os.rename("inc", "old")
    os.rename("twin", "inc")


def swap(one: str, other: str) -> None:
    os.rename(one, "third")
    os.rename(other, one)
    os.rename("third", other)


def there_and_back(path: str) -> None:
    text = Path(path).read_text()
    Path(path).write_text("something else")
    Path(path).write_text(text)


def edit_twice(path: str) -> None:
    edit(path, "1", "7")
    edit(path, "7", "1")


def copied_and_changed() -> None:
    moved(shutil.copytree)
    edit("inc/common.inc")


def without_end(path: str) -> None:
    Path(path).touch()
    os.truncate(path, 1 << 40)


def built(source: str) -> str:
    (path,) = Path("build").glob(f"{source}.*.o")
    return str(path)


def damage(path: str) -> None:
    data = bytearray(Path(path).read_bytes())
    data[-1] ^= 1
    when = times(path)
    Path(path).write_bytes(data)
    os.utime(path, ns=when)


def older_state() -> None:
    """A state from before the last build, as one that was restored from a backup."""
    shutil.copy2("build/state", "kept")
    edit("inc/common.inc")
    assert build() == COMMON
    edit("inc/common.inc", "7", "8")
    shutil.copy2("kept", "build/state")


def older_objects() -> None:
    shutil.copytree("build", "kept")
    edit("inc/common.inc")
    assert build() == COMMON
    for path in Path("kept").glob("one.asm*.o"):
        shutil.copy2(path, "build")


def moved(copy: Callable[..., object]) -> None:
    """The whole project is somewhere else."""
    copy(os.getcwd(), "../elsewhere")
    os.chdir("../elsewhere")


def state_of(text: bytes) -> None:
    Path("build/state").write_bytes(text)


def state_is(make: Callable[[str], object]) -> None:
    os.unlink("build/state")
    make("build/state")


NEVER, LATER = (0, 0), (1 << 61, 1 << 61)

CHANGES: dict[str, tuple[Callable[[], object], list[str]]] = {
    "nothing": (lambda: None, []),
    "an include, same size and time": (lambda: edit("inc/common.inc"), COMMON),
    "a source, same size and time": (lambda: edit("plain.asm", "1"), ["plain.asm"]),
    "a blob, same size and time": (lambda: edit("inc/table.bin"), ["two.asm"]),
    "a computed include, same": (lambda: edit("inc/chosen.inc", "5"), ["computed.asm"]),
    "set back to 1970": (lambda: edit("inc/common.inc", when=NEVER), COMMON),
    "set to the future": (lambda: edit("inc/common.inc", when=LATER), COMMON),
    "whole seconds": (lambda: edit("inc/common.inc", when=(10**18, 10**18)), COMMON),
    "written through a map": (lambda: map_and_edit("inc/common.inc"), COMMON),
    "through another name": (edit_by_hard_link, COMMON),
    "replaced by rename": (lambda: replace("inc/common.inc", "twin/common.inc"), COMMON),
    "replaced by a hard link": (hard_link_to_another, COMMON),
    "replaced by a symbolic link": (symbolic_link_to_another, COMMON),
    "the folder replaced": (another_folder, COMMON),
    "two files swapped": (
        lambda: swap("inc/common.inc", "inc/chosen.inc"),
        ["computed.asm", *COMMON],
    ),
    "found earlier": (lambda: shutil.copy2("twin/common.inc", "common.inc"), COMMON),
    "found earlier, computed": (
        lambda: Path("chosen.inc").write_text("section .data\n db 6\n"),
        ["computed.asm"],
    ),
    "an empty file found earlier": (lambda: Path("common.inc").touch(), COMMON),
    "found later": (lambda: Path("twin/table.bin").touch(), []),
    # Changed and the same.
    "touched": (lambda: os.utime("inc/common.inc"), []),
    "a mode": (lambda: os.chmod("inc/common.inc", 0o600), []),
    "a copy in its place": (lambda: replace("inc/common.inc", "inc/common.inc"), []),
    "linked twice": (lambda: os.link("inc/common.inc", "another-name"), []),
    "there and back": (lambda: there_and_back("inc/common.inc"), []),
    "twice in one tick": (lambda: edit_twice("plain.asm"), []),
    # The project is another one.
    "copied": (lambda: moved(shutil.copytree), []),
    "moved": (lambda: moved(os.rename), []),
    "copied, then changed": (copied_and_changed, COMMON),
    # Objects.
    "an object gone": (lambda: os.unlink(built("one.asm")), ["one.asm"]),
    "an object damaged": (lambda: damage(built("one.asm")), ["one.asm"]),
    "an object cut off": (lambda: os.truncate(built("one.asm"), 99), ["one.asm"]),
    "objects swapped": (lambda: swap(built("one.asm"), built("two.asm")), COMMON),
    "an object copied": (lambda: replace(built("one.asm"), built("one.asm")), []),
    "older objects": (older_objects, ["one.asm"]),
    # The state itself.
    "an older state": (older_state, COMMON),
    "no state": (lambda: os.unlink("build/state"), EVERYTHING),
    "an empty state": (lambda: state_of(b""), EVERYTHING),
    "a state cut off": (lambda: os.truncate("build/state", 200), EVERYTHING),
    "a state damaged": (lambda: damage("build/state"), EVERYTHING),
    "a state of nonsense": (lambda: state_of(os.urandom(5000)), EVERYTHING),
    "another version's state": (
        lambda: state_of(b"asmsetup state 0 " + Path("build/state").read_bytes()[17:]),
        EVERYTHING,
    ),
    "the state a folder": (lambda: state_is(os.mkdir), EVERYTHING),
    "the state a pipe": (lambda: state_is(os.mkfifo), EVERYTHING),
    "the state a device": (
        lambda: state_is(lambda path: os.symlink("/dev/zero", path)),
        EVERYTHING,
    ),
    "the state a link to itself": (
        lambda: state_is(lambda path: os.symlink("state", path)),
        EVERYTHING,
    ),
    "the state without end": (
        lambda: state_is(without_end),
        EVERYTHING,
    ),
}


@pytest.mark.parametrize("title", CHANGES)
def test_exactly_what_a_change_concerns_is_assembled_again(title: str) -> None:
    change, assembled = CHANGES[title]
    change()

    assert build() == assembled

    assert objects_in("build") == objects_in_a_fresh_build()
    if title != "the state a folder":  # not ours to remove: every build is a full one
        assert build() == []


def objects_in_a_fresh_build() -> dict[str, bytes]:
    assert build("fresh") == EVERYTHING
    return objects_in("fresh")


def test_what_is_unchanged_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def noting(path: str) -> FileIO:
        opened.append(path)
        return files.open_regular(path)

    monkeypatch.setattr(includes, "open_regular", noting)
    assert build() == []
    assert opened == []
    edit("inc/common.inc")
    build()
    assert opened == ["inc/common.inc"]


def test_what_is_too_young_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_COARSEST_CLOCK", 3600 * 10**9)
    edit("inc/common.inc")
    assert build() == COMMON
    status = state.Status.of(os.stat("inc/common.inc"))
    # Changed in the same tick of a coarse clock, its status would be the same: it is not kept.
    assert state.BuildState("build/state").file("inc/common.inc", status) is None
    assert state.BuildState("build/state").file("inc/outer.inc", status) is None


@pytest.mark.parametrize(
    ("change", "searched"),
    [
        (lambda: None, []),
        (lambda: os.utime("inc/common.inc"), []),
        (lambda: there_and_back("plain.asm"), []),
        (lambda: moved(shutil.copytree), []),
        (lambda: edit("inc/common.inc"), ["section .data\n db 7\n"]),
    ],
)
def test_a_text_that_was_too_young_is_read_again_and_not_searched_again(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[], object], searched: list[str]
) -> None:
    """A first build follows the checkout: to search all texts twice costs more than all else."""
    monkeypatch.setattr(state, "_COARSEST_CLOCK", 3600 * 10**9)
    for name in (*SOURCES, *FILES):
        Path(name).touch()
    build()
    change()
    texts: list[str] = []

    def noting(data: bytes) -> Text:
        texts.append(data.decode())
        return scan(data)

    monkeypatch.setattr(includes, "scan", noting)
    build()
    assert texts == searched


def test_two_builds_in_one_folder_keep_what_each_has_found_out() -> None:
    first, second = state.BuildState("build/state"), state.BuildState("build/state")
    first.set_module("a.so", ["1"])
    second.set_module("b.so", ["2"])
    first.save()
    second.save()
    third = state.BuildState("build/state")
    assert (third.module("a.so"), third.module("b.so")) == (["1"], ["2"])
    assert build() == []


@pytest.mark.parametrize(
    "entry", [None, 1, "x", [], [1], {}, [1, 2, 3, 4, 5, "digest", [[["a"]]]], [[]] * 9]
)
def test_an_entry_of_another_shape_is_absent(entry: object) -> None:
    status = state.Status.of(os.stat("plain.asm"))
    table = {"plain.asm": entry, "x.o": entry}
    Path("build/state").write_bytes(
        state._dump({"files": table, "objects": table, "modules": table})
    )
    found = state.BuildState("build/state")
    assert found.file("plain.asm", status) is None
    assert found.record("x.o") is None

"""A cache that other builds, killed ones, odd files or a full disk have disturbed."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import socket
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asmsetup.assemble import cache
from asmsetup.assemble.cache import Cache
from asmsetup.config import Settings
from tests.building import build_objects
from tests.unit.caching import KEY, entry, flipped, key, no_warning, project


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes()[:20]),
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        lambda path: path.write_bytes(flipped(path.read_bytes(), 0)),
        lambda path: path.write_bytes(flipped(path.read_bytes(), 30)),
        lambda path: path.write_bytes(flipped(path.read_bytes(), -1)),
        # A good entry under another's name.
        lambda path: path.write_bytes(cache._entry(key(2), b"another object")),
    ],
)
def test_a_damaged_entry_is_noticed_and_makes_room(
    store: Cache, damage: Callable[[Path], None]
) -> None:
    store.put(KEY, b"an object")
    damage(entry(store))
    assert store.get(KEY) is None
    store.put(KEY, b"an object")
    assert store.get(KEY) == b"an object"
    store.close()
    assert store.statistics().damaged == 1


def test_what_is_not_the_caches_stays(store: Cache, tmp_path: Path) -> None:
    """Somebody may name a folder that has more in it."""
    store.put(KEY, b"an object")
    theirs = [
        *("go/keep", "ab/thesis.txt", f"ab/{'f' * 62}/deep", f"{KEY[:2]}/{'F' * 62}"),
        *("linked/other", "note"),
    ]
    for name in theirs:
        path = Path(store.folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("precious")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ("a" * 62)).write_text("precious")
    Path(store.folder, "ee").symlink_to(elsewhere)

    assert store.statistics().entries == 1
    Cache(store.folder, 0, no_warning).put(key(3), b"too much")
    store.clear()

    assert all(Path(store.folder, name).read_text() == "precious" for name in theirs)
    assert (elsewhere / ("a" * 62)).exists()
    assert store.get(KEY) is None


def start(work: Callable[..., None], *arguments: Any) -> int:
    """Call a function in a process of its own; return the process's number."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        signal.alarm(120)
        work(*arguments)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def exit_code(child: int) -> int:
    """Wait for a process; return its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def work_on(folder: str, numbers: range) -> None:
    store = Cache(folder, 16 << 10, no_warning)
    for number in numbers:
        content = store.get(key(number))
        assert content in (None, str(number).encode() * 50), number
        store.put(key(number), str(number).encode() * 50)
        if number % 16 == 0:
            store.close()
    store.close()


def test_builds_that_run_at_once_see_whole_entries_only(tmp_path: Path) -> None:
    builds = [start(work_on, str(tmp_path), range(first, 120)) for first in (0, 1, 2, 30)]
    assert [exit_code(build) for build in builds] == [0] * 4


def write_for_ever(store: Cache, started: int) -> None:
    os.write(started, b"1")
    while True:
        for number in range(64):
            store.put(key(number), str(number).encode() * 100_000)


def test_a_killed_writer_leaves_whole_entries_only(store: Cache) -> None:
    for pause in (0.01, 0.013, 0.017, 0.019, 0.023):
        reading, writing = os.pipe()
        writer = start(write_for_ever, store, writing)
        assert os.read(reading, 1) == b"1"
        time.sleep(pause)
        os.kill(writer, signal.SIGKILL)
        assert exit_code(writer) == -signal.SIGKILL
        os.close(reading)
        os.close(writing)
        for number in range(64):
            assert store.get(key(number)) in (None, str(number).encode() * 100_000)
    store.close()
    assert store.statistics().damaged == 0
    assert store.statistics().entries > 0


def as_nobody(work: Callable[[], None]) -> None:
    """Do the work without the rights of root, which may write everywhere."""
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    work()


def test_a_read_only_folder_is_read_and_complained_of_once(
    build: Callable[[], list[str]], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    build()
    Path("b.asm").write_text("section .data\n db 'changed'\n")
    Path("c.asm").write_text("section .data\n db 'new'\n")
    for path in (tmp_path / "cache", *(tmp_path / "cache").glob("??")):
        path.chmod(0o555)
    for path in (*tmp_path.parents, tmp_path):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    output = tmp_path / "nobody"
    output.mkdir()
    output.chmod(0o777)
    warnings: list[str] = []

    def work() -> None:
        done = build_objects(
            ["a.asm", "b.asm", "c.asm"],
            settings=Settings(),
            folder=str(output),
            warn=warnings.append,
        )
        assert done == ["cached a.asm", "nasm b.asm", "nasm c.asm"]
        (warning,) = warnings
        assert f"cannot write to the object cache {tmp_path / 'cache'}" in warning

    assert exit_code(start(as_nobody, work)) == 0


@pytest.mark.parametrize(
    ("folder", "verb"),
    [("file", "read"), ("/proc/nothing", "write to")],
)
def test_a_folder_that_can_be_none_is_complained_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, verb: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    monkeypatch.setenv("ASMSETUP_CACHE_DIR", folder)
    warnings: list[str] = []
    build = project(tmp_path / "build", warnings.append)
    assert build() == ["nasm a.asm", "nasm b.asm"]
    assert len(warnings) == 1
    what = f"warning: cannot {verb} the object cache {os.path.abspath(folder)}: "
    assert warnings[0].startswith(what)


def test_a_full_disk_costs_the_entry_and_no_more(store: Cache) -> None:
    store.put(KEY, b"an object")
    warnings: list[str] = []
    full = Cache(store.folder, store.limit, warnings.append)

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        full.put(key(2), bytes(100_000))
        full.put(key(3), bytes(100_000))
        assert full.get(KEY) == b"an object"
        assert full.get(key(2)) is None
        assert len(warnings) == 1
        assert os.strerror(errno.EFBIG) in warnings[0]
        assert not list(Path(store.folder).glob("??/*.tmp"))

    # The limit is a process's own, and stays.
    assert exit_code(start(work)) == 0


def misshapen(path: Path, shape: str) -> None:
    """Put something else in the place of an entry."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    match shape:
        case "folder":
            (path / "deep").mkdir(parents=True)
        case "pipe":
            os.mkfifo(path)
        case "link to a pipe":
            os.mkfifo(path.with_name("pipe"))
            path.symlink_to("pipe")
        case "link to a device":
            path.symlink_to("/dev/zero")
        case "link to nothing":
            path.symlink_to("gone")
        case "link to itself":
            path.symlink_to(path.name)
        case "huge":
            with open(path, "wb") as file:
                file.truncate(1 << 40)
        case "socket":
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(str(path))


SHAPES = [
    *("folder", "pipe", "link to a pipe", "link to a device", "link to nothing"),
    *("link to itself", "huge", "socket"),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_an_entry_of_any_shape_is_absent_or_repaired(shape: str) -> None:
    # Below /tmp and short: the name of a socket has 108 bytes at most.
    with tempfile.TemporaryDirectory() as folder:
        store = Cache(folder, cache.DEFAULT_SIZE, no_warning)
        store.put(KEY, b"an object")
        misshapen(entry(store), shape)
        assert store.get(KEY) is None
        store.put(KEY, b"an object")
        assert store.get(KEY) == (None if shape == "folder" else b"an object")
        store.put(key(2), b"another")
        assert store.get(key(2)) == b"another"
        store.close()
        store.clear()


@pytest.mark.parametrize("shape", SHAPES)
def test_statistics_of_any_shape_are_none(shape: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Cache(folder, cache.DEFAULT_SIZE, lambda text: None)
        misshapen(Path(folder, "statistics"), shape)
        store.count(hit=True)
        store.close()
        assert store.statistics().hits in (0, 1)


@pytest.mark.parametrize("text", ["9" * 5000 + " 1 1", "\0", "a b c", "1 1", "-1 0 0"])
def test_statistics_that_say_anything_are_passed_over(store: Cache, text: str) -> None:
    Path(store.folder).mkdir()
    Path(store.folder, "statistics").write_text(f"{text}\n1 2 3\n")
    assert store.statistics()[-3:] == (1, 2, 3)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{}", b"{}\n", b"null\n", b"[]\n", b'"x"\nELF', b"{" * 100_000),
        b'{"warnings": "", "seconds": 1}\nno object',
        b'{"warnings": "", "seconds": "x"}\n\x7fELF',
        b'{"warnings": ""}\n\x7fELF',
        b"\xff\n\x7fELF",
        b"1" * 5000 + b"\n\x7fELF",
    ],
)
def test_an_entry_with_a_right_digest_and_no_object_is_absent(
    store: Cache, build: Callable[[], list[str]], content: bytes
) -> None:
    assert build() == ["nasm a.asm", "nasm b.asm"]
    entries = list(Path(store.folder).glob("??/*"))
    for path in entries:
        store.put(path.parent.name + path.name, content)
    shutil.rmtree("build")
    assert build() == ["nasm a.asm", "nasm b.asm"]
    shutil.rmtree("build")
    assert build() == ["cached a.asm", "cached b.asm"]


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[[]]", b"[[1, 2]]", b"[[1, 2, 3]]", b"[" * 99_999]
)
def test_answers_of_another_shape_are_absent(
    store: Cache, build: Callable[[], list[str]], content: bytes
) -> None:
    Path("a.asm").write_text('%define NAME "b.asm"\n%include NAME\n')
    build()
    for path in Path(store.folder).glob("??/*"):
        store.put(path.parent.name + path.name, content)
    shutil.rmtree("build")
    assert build() == ["nasm a.asm", "nasm b.asm"]


def clear_often(folder: str) -> None:
    store = Cache(folder, 64 << 20, no_warning)
    for _ in range(10):
        store.clear()


def fill_often(folder: str) -> None:
    store = Cache(folder, 64 << 20, no_warning)
    for number in range(200):
        store.put(key(number % 60), b"an object")
    store.clear()
    store.put(KEY, b"an object")
    assert store.get(KEY) in (b"an object", None)


def test_clearing_at_once_and_during_builds(tmp_path: Path) -> None:
    tasks = [*[clear_often] * 3, *[fill_often] * 2]
    children = [start(task, str(tmp_path)) for task in tasks]
    assert [exit_code(child) for child in children] == [0] * 5

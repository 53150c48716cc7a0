from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from asmsetup.assemble import cache
from asmsetup.assemble.cache import Cache
from asmsetup.errors import ConfigError
from tests.building import build_objects
from tests.unit.caching import KEY, entry, flipped, key, no_warning


def test_what_was_put_is_got_by_any_other_build(store: Cache) -> None:
    store.put(KEY, b"an object")
    assert store.get(KEY) == b"an object"
    assert Cache(store.folder, store.limit, no_warning).get(KEY) == b"an object"
    assert store.get(key(2)) is None


def test_the_least_recently_used_entries_go_when_it_is_full(tmp_path: Path) -> None:
    keys = [f"aa{number:062x}" for number in range(8)]
    small = Cache(str(tmp_path), 7300, no_warning)
    for number, name in enumerate(keys):
        small.put(name, bytes(900))
        os.utime(small._path(name), (number, number))
    assert small.get(keys[0]) is not None
    small.close()
    assert [name for name in keys if small.get(name)] == [keys[0], *keys[3:]]


def test_it_never_holds_more_than_its_limit(tmp_path: Path) -> None:
    small = Cache(str(tmp_path), 256 << 10, no_warning)
    for number in range(2000):
        small.put(key(number), bytes(400))
    small.close()
    statistics = small.statistics()
    assert 0 < statistics.bytes <= small.limit


@pytest.mark.parametrize("when", [0, 2**31 - 1, 2**33])
def test_a_clock_that_jumps_costs_at_most_an_entry(store: Cache, when: int) -> None:
    store.put(KEY, b"an object")
    os.utime(entry(store), (when, when))
    store.put(key(2), b"another object")
    store.close()
    assert store.get(KEY) == b"an object"
    assert store.get(key(2)) == b"another object"


def test_what_killed_builds_left_is_cleared_away(store: Cache) -> None:
    store.put(KEY, b"an object")
    old, young = (entry(store).with_name(f"{'a' * 62}.{name}.tmp") for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"half an entr")
    os.utime(old, (0, 0))
    store.put(KEY, b"an object")
    store.close()
    assert (old.exists(), young.exists()) == (False, True)
    assert store.statistics().entries == 1
    store.clear()
    assert not young.exists()


def test_statistics_add_up_over_builds_and_stay_small(
    store: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_STATISTICS_LIMIT", 1 << 12)
    for _ in range(800):
        build = Cache(store.folder, store.limit, no_warning)
        Path(store.folder).mkdir(exist_ok=True)
        build.count(hit=True)
        build.count(hit=False)
        build.count(hit=False)
        build.close()
    statistics = store.statistics()
    assert (statistics.hits, statistics.misses) == (800, 1600)
    assert Path(store.folder, "statistics").stat().st_size < 2 * cache._STATISTICS_LIMIT


def test_statistics_alone_make_the_folder(tmp_path: Path) -> None:
    """As after a first build that failed: nothing was put, and nothing is to be warned of."""
    store = Cache(str(tmp_path / "new"), cache.DEFAULT_SIZE, no_warning)
    store.count(hit=False)
    store.close()
    assert store.statistics().misses == 1


def test_no_home_folder_is_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert cache.folder({}) is None
    assert cache.open_cache({}, no_warning) is None
    assert cache.folder({"ASMSETUP_CACHE_DIR": "/somewhere"}) == "/somewhere"


def test_clear_leaves_nothing(store: Cache) -> None:
    for number in range(50):
        store.put(key(number), b"an object")
    store.count(hit=True)
    store.close()
    store.clear()
    statistics = store.statistics()
    assert (statistics.entries, statistics.bytes, statistics.hits) == (0, 0, 0)
    assert list(Path(store.folder).iterdir()) == []


def test_a_cache_that_does_not_exist_is_empty(store: Cache) -> None:
    store.clear()
    assert store.statistics().entries == 0
    assert store.get(KEY) is None


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"ASMSETUP_CACHE_DIR": "/a/b", "XDG_CACHE_HOME": "/x"}, "/a/b"),
        ({"ASMSETUP_CACHE_DIR": "", "XDG_CACHE_HOME": "/x"}, "/x/asmsetup"),
        # The XDG specification: a relative path is to be ignored.
        ({"XDG_CACHE_HOME": "x"}, os.path.expanduser("~/.cache/asmsetup")),
        ({}, os.path.expanduser("~/.cache/asmsetup")),
    ],
)
def test_where_the_cache_is(environ: dict[str, str], folder: str) -> None:
    assert cache.folder(environ) == folder


@pytest.mark.parametrize(
    ("said", "limit"),
    [("", 1 << 30), ("4096", 4096), ("10K", 10 << 10), ("500m", 500 << 20), ("2G", 2 << 30)],
)
def test_how_big_it_may_grow(said: str, limit: int) -> None:
    assert cache.size_limit({"ASMSETUP_CACHE_SIZE": said}) == limit


@pytest.mark.parametrize("said", ["big", "-1", "1.5G", "G", "1T"])
def test_a_size_that_is_none(said: str) -> None:
    with pytest.raises(ConfigError, match=f"ASMSETUP_CACHE_SIZE is '{said}'"):
        cache.size_limit({"ASMSETUP_CACHE_SIZE": said})


def test_a_clean_build_takes_its_objects_out_of_the_cache(build: Callable[[], list[str]]) -> None:
    assert build() == ["nasm a.asm", "nasm b.asm"]
    assert build() == ["cached a.asm", "cached b.asm"]


def test_a_damaged_object_is_assembled_again(
    build: Callable[[], list[str]], tmp_path: Path
) -> None:
    build()
    for path in (tmp_path / "cache").glob("??/*"):
        path.write_bytes(flipped(path.read_bytes(), -1))
    assert build() == ["nasm a.asm", "nasm b.asm"]
    assert build() == ["cached a.asm", "cached b.asm"]


def test_the_cache_can_be_turned_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASMSETUP_CACHE_DIR", str(tmp_path / "cache"))
    Path("a.asm").write_text("")
    assert build_objects(["a.asm"], warn=no_warning) == ["nasm a.asm"]
    assert not (tmp_path / "cache").exists()


def test_a_large_object_is_kept_up_to_an_eighth_of_the_cache(tmp_path: Path) -> None:
    warnings: list[str] = []
    store = Cache(str(tmp_path), 80 << 20, warnings.append)
    store.put(KEY, bytes(9 << 20))
    store.close()
    assert len(store.get(KEY) or b"") == 9 << 20
    store.put(key(2), bytes(11 << 20))
    assert store.get(key(2)) is None
    assert warnings == [
        "an object of 11 MB is too large for the object cache, and is not kept\n"
        "  ASMSETUP_CACHE_SIZE=89M makes room for it"
    ]

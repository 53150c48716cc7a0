from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from asmsetup.assemble.cache import Cache
from tests.cli.running import asmsetup
from tests.projects import REPOSITORY, environment


def with_cache(folder: Path, *args: str, size: str = "1G") -> subprocess.CompletedProcess[str]:
    return asmsetup(*args, ASMSETUP_CACHE_DIR=str(folder), ASMSETUP_CACHE_SIZE=size)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    store = Cache(str(folder), 1 << 30, pytest.fail)
    for number in range(3):
        store.put(f"{number:064x}", bytes(1000))
    for hit in (True, True, True, False):
        store.count(hit=hit)
    store.close()
    return folder


def test_what_the_cache_holds_and_was_good_for(filled: Path) -> None:
    done = with_cache(filled, "cache")
    assert (done.returncode, done.stderr) == (0, "")
    assert dict(line.split(maxsplit=1) for line in done.stdout.splitlines()) == {
        "folder": str(filled),
        "entries": "3",
        "size": "3.1 KiB of 1.0 GiB",
        "hits": "3 of 4 (75%)",
        "damaged": "0",
    }


def test_the_same_for_programs(filled: Path) -> None:
    done = with_cache(filled, "cache", "--json", size="2M")
    said = json.loads(done.stdout)
    assert (said["version"], said["entries"], said["hits"], said["limit"]) == (1, 3, 3, 2 << 20)


def test_clearing(filled: Path) -> None:
    done = with_cache(filled, "cache", "--clear")
    assert done.stdout == f"removed 3 entries, 3.1 KiB, from {filled}\n"
    assert list(filled.iterdir()) == []
    assert json.loads(with_cache(filled, "cache", "--json").stdout)["entries"] == 0


def test_there_is_a_cache_before_the_first_build(tmp_path: Path) -> None:
    for args in (("cache",), ("cache", "--clear")):
        assert with_cache(tmp_path / "none", *args).returncode == 0


@pytest.mark.parametrize("args", [(), ("cash",), ("cache", "--everything")])
def test_a_wrong_command_line(tmp_path: Path, args: tuple[str, ...]) -> None:
    done = with_cache(tmp_path, *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: asmsetup")


def test_what_cannot_be_done_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    done = with_cache(file, "cache")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"error: {file}: {os.strerror(20)}\n"
    done = with_cache(tmp_path, "cache", size="big")
    assert done.returncode == 3
    assert done.stderr.startswith("error: ASMSETUP_CACHE_SIZE is 'big'")


@pytest.mark.parametrize("args", [("cache",), ("cache", "--json"), ("--version",)])
def test_output_that_cannot_be_written(filled: Path, args: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "asmsetup", *args],
            env=environment(PYTHONPATH=str(REPOSITORY), ASMSETUP_CACHE_DIR=str(filled)),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )

    assert (done.returncode, done.stderr) == (
        3,
        "error: standard output: No space left on device\n",
    )


def test_the_version(tmp_path: Path) -> None:
    done = with_cache(tmp_path, "--version")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"asmsetup {metadata.version('asmsetup')}\n"

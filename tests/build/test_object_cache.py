from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from asmsetup.assemble.nasm import AssemblerOptions
from asmsetup.config import Settings
from asmsetup.facts import target
from tests.building import build_objects

PLAIN = '%include "a.inc"\nsection .text\n ret\n'
NEXT_VERSION = target.running()._replace(version_hex=0x03FF00F0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("ASMSETUP_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that goes to a fresh checkout of a given name."""

    def go(name: str) -> Path:
        folder = tmp_path / name
        (folder / "inc").mkdir(parents=True)
        monkeypatch.chdir(folder)
        for include in ("a.inc", "b.inc"):
            (folder / "inc" / include).write_text(f"; {include}\n")
        return folder

    return go


def build(
    text: str,
    options: AssemblerOptions | None = None,
    settings: Settings | None = None,
    python: target.Target | None = None,
) -> str:
    """Build m.asm with this text from scratch; return what was done for it."""
    Path("m.asm").write_text(text)
    options = options or AssemblerOptions(include_dirs=("inc",))
    (done,) = build_objects(["m.asm"], options, settings or Settings(), python=python, afresh=True)
    return done.split()[0]


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        (PLAIN, True),
        ('%define NAME "a.inc"\n%include NAME\n', True),
        # The path is in the object.
        ("db __?FILE?__\n", False),
    ],
)
def test_checkouts_in_two_folders_share_what_does_not_name_them(
    checkout: Callable[[str], Path], text: str, shared: bool
) -> None:
    checkout("one")
    assert build(text) == "nasm"
    there = checkout("two")
    # Spelt in full, as setup.py often does: the folder is another one, what is in it is not.
    options = AssemblerOptions(include_dirs=(str(there / "inc"),))
    assert build(text, options) == ("cached" if shared else "nasm")


def test_debug_information_names_the_folder(checkout: Callable[[str], Path]) -> None:
    options = AssemblerOptions(include_dirs=("inc",), debug=True)
    checkout("one")
    assert build(PLAIN, options) == "nasm"
    assert build(PLAIN, options) == "cached"
    checkout("two")
    assert build(PLAIN, options) == "nasm"


@pytest.mark.parametrize(
    ("text", "shared"),
    [(PLAIN, True), ("%if PY_VERSION_HEX >= 0x030d0000\n%endif\n", False)],
)
def test_pythons_share_what_does_not_ask_which_one_it_is(
    checkout: Callable[[str], Path], text: str, shared: bool
) -> None:
    checkout("one")
    assert build(text) == "nasm"
    assert build(text, python=NEXT_VERSION) == ("cached" if shared else "nasm")


@pytest.mark.parametrize("text", ["db __?DATE?__\n", "dd __?POSIX_TIME?__\n", "db __TIME__\n"])
def test_what_reads_the_clock_is_not_kept(checkout: Callable[[str], Path], text: str) -> None:
    checkout("one")
    assert [build(text), build(text)] == ["nasm", "nasm"]


@pytest.mark.parametrize("args", [("-l", "m.lst"), ("-MD", "m.d"), ("-Zerrors",)])
def test_what_writes_another_file_is_assembled(
    checkout: Callable[[str], Path], args: tuple[str, ...]
) -> None:
    checkout("one")
    options = AssemblerOptions(include_dirs=("inc",), args=args)
    assert [build(PLAIN, options), build(PLAIN, options)] == ["nasm", "nasm"]


@pytest.mark.parametrize("change", ["inc/a.inc", "m.asm"])
def test_another_content_is_another_object(checkout: Callable[[str], Path], change: str) -> None:
    checkout("one")
    build(PLAIN)
    if change == "m.asm":
        assert build(PLAIN + " ret\n") == "nasm"
    else:
        Path(change).write_text("; changed\n")
        assert build(PLAIN) == "nasm"
        Path(change).write_text("; a.inc\n")
    assert build(PLAIN) == "cached"


def test_a_computed_include_is_followed_in_the_cache_too(
    checkout: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "%defstr NAME %!WHICH\n%include NAME\nsection .data\n db 'x'\n"
    checkout("one")
    done = []
    for which in ("a.inc", "b.inc", "a.inc", "b.inc"):
        monkeypatch.setenv("WHICH", which)
        done.append(build(text))
    assert done == ["nasm", "nasm", "cached", "cached"]
    Path("inc/b.inc").write_text("; changed\n")
    assert build(text) == "nasm"
    # Found before the one in inc/.
    Path("b.inc").write_text("; b.inc\n")
    assert build(text) == "nasm"
    assert build(text) == "cached"
    Path("b.inc").unlink()
    assert build(text) == "cached"


def test_a_computed_include_with_two_answers_for_one_text(checkout: Callable[[str], Path]) -> None:
    # What the first include says decides which file the second one is.
    text = '%define FIRST "a.inc"\n%include FIRST\n%include SECOND\nsection .data\n db value\n'
    checkout("one")
    Path("inc/x.inc").write_text("%define value 1\n")
    Path("inc/y.inc").write_text("%define value 2\n")
    done = []
    for second in ("x", "y", "x", "y"):
        Path("inc/a.inc").write_text(f'%define SECOND "{second}.inc"\n')
        done.append(build(text))
    assert done == ["nasm", "nasm", "cached", "cached"]


def test_a_text_that_may_read_more_and_does_not_has_one_entry(
    checkout: Callable[[str], Path], cache: Path
) -> None:
    """NASM is asked which files it reads, as a macro pastes names together: none, as with most."""
    text = '%include "a.inc"\n%define two(name) name %+ _2\nsection .data\ntwo(a): db 1\n'
    done = []
    for folder in ("one", "two"):
        checkout(folder)
        done.append(build(text))
    assert done == ["nasm", "cached"]
    assert len(list(cache.glob("*/*"))) == 1


def test_warnings_come_back_with_the_object(checkout: Callable[[str], Path]) -> None:
    checkout("one")
    Path("m.asm").write_text("section .data\n resb 1\n")
    warned: list[list[str]] = []
    for _ in range(2):
        warned.append([])
        build_objects(["m.asm"], settings=Settings(), warn=warned[-1].append, afresh=True)
    assert warned[0] == warned[1]
    assert "m.asm:2: warning: uninitialized" in warned[0][0]


def test_a_launcher_is_put_in_front_of_nasm(
    checkout: Callable[[str], Path], tmp_path: Path
) -> None:
    launcher = tmp_path / "launcher"
    launcher.write_text('#!/bin/sh\necho "$@" >> "$1"\nshift\nexec "$@"\n')
    launcher.chmod(0o755)
    checkout("one")
    settings = Settings()._replace(launcher=(str(launcher), "log"), cache=False)
    assert build(PLAIN, settings=settings) == "nasm"
    (line,) = Path("log").read_text().splitlines()
    assert "/nasm -f elf64 " in line
    # What is in front of it does not make another object.
    assert build(PLAIN) == "nasm"
    assert build(PLAIN, settings=settings._replace(cache=True)) == "cached"


def test_a_launcher_that_does_not_run_nasm_is_named(
    checkout: Callable[[str], Path],
) -> None:
    checkout("one")
    with pytest.raises(Exception, match="left no object\n  the command in ASMSETUP_LAUNCHER"):
        build(PLAIN, settings=Settings()._replace(launcher=("true",), cache=False))

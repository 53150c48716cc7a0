"""The matrix's interpreters: discovery, the inventory, and a cache that trusts only what works."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tools.matrix.interpreters import (
    Interpreter,
    InterpreterError,
    Inventory,
    all_interpreters,
    cache_folder,
    cached,
    candidates,
    installed,
    load_inventory,
    probe,
    replace_text,
    save_inventory,
    tools,
)

BASE = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
LOADER = Path("/lib64/ld-linux-x86-64.so.2")


def runs(script: Path, log: Path, program: str) -> None:
    """A program that notes each start in `log`, then becomes `program`."""
    replace_text(script, f'#!/bin/sh\necho >> "{log}"\nexec {program} "$@"\n', mode=0o755)


@pytest.fixture(scope="module")
def own() -> Interpreter:
    """The interpreter below the one that runs the tests."""
    return probe((str(BASE),))


def starts(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0


# Discovery.


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A pyenv root without versions, and no PATH but its shims."""
    root = tmp_path / "pyenv"
    (root / "shims").mkdir(parents=True)
    monkeypatch.setenv("PYENV_ROOT", str(root))
    monkeypatch.setenv("PATH", str(root / "shims"))
    return root


def test_the_running_interpreter_describes_itself(own: Interpreter) -> None:
    assert own.version == sys.version_info[:3]
    assert own.name.startswith(f"3.{sys.version_info[1]}")
    assert own.ext_suffix == sysconfig.get_config_var("EXT_SUFFIX")
    assert own.include_dir == Path(sysconfig.get_path("include"))
    assert own.debug == hasattr(sys, "gettotalrefcount")


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({}, "3.13"),
        ({"free_threaded": True}, "3.13t"),
        ({"free_threaded": True, "debug": True}, "3.13t-debug"),
        ({"libc": "musl 1.2.5"}, "3.13-musl"),
        ({"libc": "glibc 2.17"}, "3.13-glibc2.17"),
        ({"libc": "glibc 2.999"}, "3.13"),
    ],
)
@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="no glibc to compare")
def test_names_say_what_is_special(
    facts: dict[str, object], name: str, own: Interpreter, tmp_path: Path
) -> None:
    plain = dataclasses.asdict(own)
    plain = {key: value for key, value in plain.items() if key not in ("name", "command")}
    plain |= {"version": [3, 13, 0], "free_threaded": False, "debug": False} | facts
    said = json.dumps({**plain, "implementation": "cpython"}, default=str)
    replace_text(tmp_path / "python", f"#!/bin/sh\necho {shlex.quote(said)}\n", mode=0o755)
    assert probe((str(tmp_path / "python"),)).name == name


@pytest.fixture(params=all_interpreters(), ids=lambda each: each.name)
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    """Every interpreter the tests can use, installed or cached."""
    assert isinstance(request.param, Interpreter)
    return request.param


def test_what_is_recalled_is_still_true(interpreter: Interpreter) -> None:
    assert probe(interpreter.command) == interpreter


def test_library_exports_the_c_api(interpreter: Interpreter) -> None:
    listing = ["nm", "--dynamic", "--defined-only", str(interpreter.library)]
    symbols = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    assert " T PyModuleDef_Init\n" in symbols
    assert (" T PyUnstable_Module_SetGIL\n" in symbols) == interpreter.free_threaded


def test_headers_are_the_interpreters(interpreter: Interpreter) -> None:
    if not interpreter.has_headers or shutil.which("gcc") is None:
        pytest.skip("needs headers and gcc")
    major, minor, micro = interpreter.version
    gil, debug = (
        "defined" if each else "!defined" for each in (interpreter.free_threaded, interpreter.debug)
    )
    code = f"""
        #include <Python.h>
        #if PY_VERSION_HEX >> 8 != {major << 16 | minor << 8 | micro}
        #error version
        #endif
        #if !({gil}(Py_GIL_DISABLED) && {debug}(Py_DEBUG))
        #error flavour
        #endif
    """
    command = ["gcc", "-M", "-x", "c", "-I", str(interpreter.include_dir), "-"]
    run = subprocess.run(command, input=code, capture_output=True, text=True)
    assert run.stderr == ""


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("echo", "not Python"),
        ("false", "exit status 1"),
        ("/nonexistent", "No such file"),
    ],
)
def test_other_programs_are_no_interpreters(program: str, says: str) -> None:
    with pytest.raises(InterpreterError, match=says):
        probe((program,))


def test_pyenv_versions_are_found(bare_machine: Path) -> None:
    program = bare_machine / "versions/3.13.9/bin/python3.13"
    replace_text(program, "", mode=0o755)
    assert program in candidates()


@pytest.mark.parametrize("name", ["python3.9", "python3.16", "python3.12-config", "python3"])
def test_other_files_are_no_candidates(bare_machine: Path, name: str) -> None:
    program = bare_machine / "versions/any/bin" / name
    replace_text(program, "", mode=0o755)
    assert program not in candidates()


def test_pyenv_shims_are_not_started(bare_machine: Path, tmp_path: Path) -> None:
    runs(bare_machine / "shims/python3.12", tmp_path / "log", str(BASE))
    installed(tmp_path / "cache")
    assert starts(tmp_path / "log") == 0


def test_links_to_one_interpreter_are_one_candidate(bare_machine: Path) -> None:
    folder = bare_machine / "versions/linked/bin"
    folder.mkdir(parents=True)
    for name in ("python3.10", "python3.11", "python3.12"):
        (folder / name).symlink_to(BASE)
    assert list(candidates()).count(BASE) == 1


def test_the_running_interpreter_is_preferred(bare_machine: Path, tmp_path: Path) -> None:
    copy = bare_machine / f"versions/copy/bin/python3.{sys.version_info[1]}"
    runs(copy, tmp_path / "log", str(BASE))
    found = installed(tmp_path / "cache")
    assert starts(tmp_path / "log") == 1
    assert (str(BASE),) in [each.command for each in found]
    assert len({each.name for each in found}) == len(found)


def test_a_probe_is_kept_until_the_file_changes(bare_machine: Path, tmp_path: Path) -> None:
    program, log = bare_machine / "versions/any/bin/python3.12", tmp_path / "log"
    runs(program, log, str(BASE))
    installed(tmp_path / "cache")
    installed(tmp_path / "cache")
    assert starts(log) == 1
    os.utime(program, (1, 1))
    installed(tmp_path / "cache")
    assert starts(log) == 2


def test_what_does_not_start_is_left_out_and_not_asked_again(
    bare_machine: Path, tmp_path: Path
) -> None:
    program, log = bare_machine / "versions/any/bin/python3.12", tmp_path / "log"
    runs(program, log, "false")
    for _ in range(2):
        assert (str(program),) not in [each.command for each in installed(tmp_path / "cache")]
    assert starts(log) == 1


# The inventory.


def test_inventory_round_trip(own: Interpreter, tmp_path: Path) -> None:
    inventory = Inventory(
        (own,),
        {"nasm-2.15.05": tmp_path / "nasm"},
        {"3.14t": "refused", "3.13-musl": "no gcc"},
    )
    save_inventory(inventory, tmp_path)
    assert load_inventory(tmp_path) == inventory


def test_without_an_inventory_nothing_is_cached(tmp_path: Path) -> None:
    assert cached(tmp_path) == []
    assert tools(cache=tmp_path) == {}


def test_the_installed_interpreter_is_taken_before_the_cached(
    own: Interpreter, bare_machine: Path, tmp_path: Path
) -> None:
    special = dataclasses.replace(own, name="3.15t", command=("/special",))
    fetched = dataclasses.replace(own, command=("/fetched",))
    save_inventory(Inventory((fetched, special)), tmp_path)
    commands = [each.command for each in all_interpreters(tmp_path)]
    assert own.command in commands
    assert special.command in commands
    assert fetched.command not in commands


def test_tools_are_selected_by_prefix(tmp_path: Path) -> None:
    paths = {"nasm-3.01": tmp_path / "nasm", "ld-2.47": tmp_path / "ld"}
    save_inventory(Inventory(tools=paths), tmp_path)
    assert tools("nasm-", tmp_path) == {"nasm-3.01": tmp_path / "nasm"}


def test_the_cache_folder_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASMSETUP_TEST_CACHE", "here")
    assert cache_folder() == tmp_path / "here"


def test_interpreters_are_hashable_values(own: Interpreter) -> None:
    # pytest parametrizes with them, and caches by them.
    assert {own, probe((str(BASE),))} == {own}

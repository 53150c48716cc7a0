"""A module is linked and judged again exactly when something that decides it has changed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.projects import Project

LINKED = "\nld "


def is_linked(project: Project, **env: str) -> bool:
    return LINKED in project.build_ext(ok=True, **env).output


def edit(name: str, old: str, new: str) -> Callable[[Project], dict[str, str]]:
    def change(project: Project) -> dict[str, str]:
        path = project.folder / name
        path.write_text(path.read_text().replace(old, new))
        return {}

    return change


def built(project: Project) -> Path:
    (path,) = project.folder.glob("build/lib.*/*.so")
    return path


def damaged(project: Project) -> dict[str, str]:
    data = bytearray(built(project).read_bytes())
    data[100] ^= 1
    built(project).write_bytes(data)
    return {}


def gone(project: Project) -> dict[str, str]:
    built(project).unlink()
    return {}


def another_ld(project: Project) -> dict[str, str]:
    script = project.folder.parent / "ld-of-mine"
    script.write_text(f'#!/bin/sh\nexec {shutil.which("ld")} "$@"\n')
    script.chmod(0o755)
    return {"LD": str(script)}


@pytest.mark.parametrize(
    "change",
    [
        edit("hello.asm", "42", "43"),
        edit("setup.py", '["hello.asm"]', '["hello.asm"], extra_link_args=["-Wl,-O1"]'),
        another_ld,
        damaged,
        gone,
        lambda project: {"LDFLAGS": "-Wl,--as-needed"},
        lambda project: {"ASMSETUP_DEBUG": "1"},
        lambda project: {"ASMSETUP_STRICT": "1"},
    ],
    ids=["source", "arguments", "ld", "damaged", "gone", "LDFLAGS", "debug", "strict"],
)
def test_what_decides_a_module_has_it_linked_again(
    hello: Project, change: Callable[[Project], dict[str, str]]
) -> None:
    assert is_linked(hello)
    assert not is_linked(hello)

    env = change(hello)

    assert is_linked(hello, **env)
    assert hello.answer() in ("42", "43")
    assert not is_linked(hello, **env)


def test_what_was_found_is_reported_each_time(hello: Project) -> None:
    text = (hello.folder / "hello.asm").read_text()
    hello.write(
        {"hello.asm": text + "\nsection .rodata\n times 3 dq 0\nsection code write exec\n ret\n"}
    )
    first, second = hello.build_ext().output, hello.build_ext().output
    assert "warning: " in first
    assert "warning: " in second
    assert LINKED in second


def test_a_module_with_a_library_is_linked_each_time(hello: Project) -> None:
    edit("setup.py", '["hello.asm"]', '["hello.asm"], libraries=["m"]')(hello)
    assert is_linked(hello)
    assert is_linked(hello)


def test_a_build_folder_that_was_copied_is_as_good(hello: Project) -> None:
    hello.build_ext()
    shutil.copytree(hello.folder, hello.folder.parent / "copy")
    os.rename(hello.folder, hello.folder.parent / "before")
    os.rename(hello.folder.parent / "copy", hello.folder)
    assert not is_linked(hello)
    assert hello.answer() == "42"

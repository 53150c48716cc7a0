"""A project's own folder python/ replaces nothing of asmsetup's, and is not missed by rebuilds and the cache."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import asmsetup
from tests.projects import ANSWERING, Project


def own_names() -> list[str]:
    folder = Path(asmsetup.include_dir())
    return [str(path.relative_to(folder)) for path in folder.rglob("*.inc")]


@pytest.mark.parametrize("place", ["", "src/", "lists/"])
def test_a_projects_own_files_replace_nothing(hello: Project, place: str) -> None:
    hello.write({"src/hello.asm": ANSWERING.format("hello")})
    hello.extension("hello", ["src/hello.asm"], include_dirs=["lists"])
    (hello.folder / "cache").mkdir()
    env = {"ASMSETUP_CACHE": "1", "ASMSETUP_CACHE_DIR": str(hello.folder / "cache")}
    hello.build_ext(ok=True, **env)
    before = hello.module().read_bytes()

    for name in own_names():
        if "/" in name:
            hello.write({f"{place}{name}": '%error "the project\'s own"\n'})

    assert hello.answer() == "42"
    hello.build_ext(ok=True, **env)
    assert hello.module().read_bytes() == before
    shutil.rmtree(hello.folder / "build")
    hello.build_ext(ok=True, **env)
    assert hello.module().read_bytes() == before

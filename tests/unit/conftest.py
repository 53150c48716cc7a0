"""A cache of its own for each test, and builds that use it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from asmsetup.assemble import cache
from asmsetup.assemble.cache import Cache
from tests.projects import tool
from tests.unit.caching import no_warning, project


@pytest.fixture
def store(tmp_path: Path) -> Cache:
    return Cache(str(tmp_path / "cache"), cache.DEFAULT_SIZE, no_warning)


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASMSETUP_CACHE_DIR", str(tmp_path / "cache"))
    return project(tmp_path / "build", no_warning)


@pytest.fixture(params=["nasm", "nasm-2.15.05", "nasm-3.01"])
def nasm(request: pytest.FixtureRequest) -> str:
    """Each version of NASM that is here."""
    if request.param == "nasm":
        return os.environ.get("NASM", "nasm")
    return tool(request.param)

"""A cache of its own for each test, and builds that use it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from asmsetup.assemble import cache
from asmsetup.assemble.cache import Cache
from tests.unit.caching import no_warning, project


@pytest.fixture
def store(tmp_path: Path) -> Cache:
    return Cache(str(tmp_path / "cache"), cache.DEFAULT_SIZE, no_warning)


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASMSETUP_CACHE_DIR", str(tmp_path / "cache"))
    return project(tmp_path / "build", no_warning)

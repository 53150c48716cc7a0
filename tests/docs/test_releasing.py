"""docs/how-to/releasing.md: what it says to run builds the same files twice, and they can be published."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.cli.running import asmsetup
from tests.projects import REPOSITORY, Python, Run, environment, run

PAGE = (REPOSITORY / "docs" / "how-to" / "releasing.md").read_text()
COMMANDS = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    asmsetup("new", "fast-sum", cwd=tmp_path)
    return tmp_path / "fast-sum"


def test_what_is_built_can_be_published_and_tested(
    new: Path, python: Python, asmsetup_installed: Path, tmp_path: Path
) -> None:
    # tests/examples has uv make environments to build in.
    there = {"UV_NO_BUILD_ISOLATION": "1", "PYTHONPATH": str(asmsetup_installed)}
    env = environment(UV_CACHE_DIR=str(tmp_path / "cache"), **there)
    dist = new / "dist"

    def uv(command: str, *more: str, **changed: str) -> Run:
        assert any(known.endswith(command) for known in COMMANDS), command
        words = command.removeprefix("uv ").removesuffix(" dist/*").split()
        files = sorted(dist.glob("*-*")) if command.endswith(" dist/*") else []
        program = Path(sys.executable).with_name("uv")
        return run(program, *words, *more, *files, cwd=new, env={**env, **changed})

    where = ("--python", str(python.path))
    epoch = {"SOURCE_DATE_EPOCH": "1700000000"}
    uv("uv build", *where, **epoch)
    first = {path.name: path.read_bytes() for path in dist.glob("*-*")}
    assert sorted(name.rpartition(".")[2] for name in first) == ["gz", "whl"]
    uv("uv build", *where, **epoch)
    assert {name: (dist / name).read_bytes() for name in first} == first
    uv("uv publish --dry-run dist/*", "--token", "none")

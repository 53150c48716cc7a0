"""Functions with ``*rest``, with sequences, and methods in shared slots, on every interpreter."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.abi.assembling import INTERPRETERS, TYPED, UNIVERSAL, build, python, target_of
from tests.cli.running import asmsetup


@pytest.mark.parametrize("name", INTERPRETERS)
@pytest.mark.parametrize("universal", [True, False], ids=["universal", "one"])
def test_more(name: str, universal: bool, tmp_path: Path) -> None:
    target = UNIVERSAL if universal else target_of(INTERPRETERS[name])
    build(TYPED / "more.asm", tmp_path / "more.so", target)
    python(INTERPRETERS[name], tmp_path, str(TYPED / "check_more.py"))


def test_the_checker_finds_nothing() -> None:
    done = asmsetup("check", TYPED / "more.asm")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout

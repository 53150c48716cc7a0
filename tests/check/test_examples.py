"""The examples keep every rule, and each of their functions is checked to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from asmsetup.cli import main
from tools.matrix.interpreters import REPOSITORY

SOURCES = sorted((REPOSITORY / "examples").glob("*/*.asm"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_nothing_is_found(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["check", str(source)])
    said = capsys.readouterr()

    assert status == 0, said.out + said.err
    assert "incomplete" not in said.out

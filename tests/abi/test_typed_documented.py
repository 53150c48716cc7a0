"""The sources in docs/reference/typed-functions.md assemble, and link without a warning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.abi.assembling import ASSEMBLERS, build
from tools.matrix.interpreters import REPOSITORY

PAGE = REPOSITORY / "docs" / "reference" / "typed-functions.md"
SOURCES = re.findall(r"```nasm\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_there_are_sources() -> None:
    assert len(SOURCES) == 2


@pytest.mark.parametrize("nasm", ASSEMBLERS)
@pytest.mark.parametrize(
    "source", SOURCES, ids=lambda source: source.split("PyModule")[1].split()[0]
)
def test_source(source: str, nasm: str, tmp_path: Path) -> None:
    file = tmp_path / "page.asm"
    file.write_text(source)
    build(file, tmp_path / "page.so", nasm=ASSEMBLERS[nasm])

"""The references a debug build counts in all stay as many, whatever is called and however."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.abi.assembling import (
    INTERPRETERS,
    MODULES,
    UNIVERSAL,
    build,
    build_typed,
    python,
    target_of,
)

CHECKS = Path(__file__).with_name("check_totals.py")
DEBUG = [name for name, each in INTERPRETERS.items() if each.debug]


@pytest.mark.skipif(not DEBUG, reason="no debug build was fetched: see docs/testing.md")
@pytest.mark.parametrize("universal", [True, False], ids=["universal", "specific"])
@pytest.mark.parametrize("name", DEBUG)
def test_totals(name: str, universal: bool, tmp_path: Path) -> None:
    interpreter = INTERPRETERS[name]
    defines = UNIVERSAL if universal else target_of(interpreter)
    build(MODULES / "macros.asm", tmp_path / "macros.so", defines)
    build_typed(tmp_path, defines)
    python(interpreter, tmp_path, str(CHECKS))

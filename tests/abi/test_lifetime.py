"""Objects, types, state and modules end when nothing needs them, in every interpreter at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.abi.assembling import INTERPRETERS, MODULES, UNIVERSAL, build, python, target_of

CHECKS = Path(__file__).with_name("check_lifetime.py")


@pytest.mark.parametrize("universal", [True, False], ids=["universal", "specific"])
@pytest.mark.parametrize("name", INTERPRETERS)
def test_lifetime(name: str, universal: bool, tmp_path: Path) -> None:
    defines = UNIVERSAL if universal else target_of(INTERPRETERS[name])
    build(MODULES / "lifetime.asm", tmp_path / "lifetime.so", defines)
    python(INTERPRETERS[name], tmp_path, str(CHECKS))

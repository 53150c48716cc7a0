"""A thousand random signatures against a model: values, errors and leaks, on every interpreter."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.abi.assembling import INTERPRETERS, TYPED, UNIVERSAL, Defines, build, python, target_of
from tests.abi.typed.signatures import declarations
from tools.matrix.interpreters import ALL


def build_random(folder: Path, defines: Defines) -> None:
    """randomized.so in the folder."""
    text = (TYPED / "random.asm").read_text()
    source = folder / "randomized.asm"
    source.write_text(text.replace('%include "random.inc"', declarations()))
    build(source, folder / "randomized.so", defines)


@pytest.fixture(scope="module")
def universal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("random")
    build_random(folder, UNIVERSAL)
    return folder


@pytest.mark.parametrize("name", INTERPRETERS)
def test_one_module_on_every_interpreter(name: str, universal: Path) -> None:
    python(INTERPRETERS[name], universal, str(TYPED / "check_random.py"))


# The oldest and the newest: such a module takes other ways than one for all, and long to assemble.
@pytest.mark.parametrize(
    "name", [*([next(iter(INTERPRETERS))] if ALL else []), next(reversed(INTERPRETERS))]
)
def test_a_module_for_one_version(name: str, tmp_path: Path) -> None:
    build_random(tmp_path, target_of(INTERPRETERS[name]))
    python(INTERPRETERS[name], tmp_path, str(TYPED / "check_random.py"))

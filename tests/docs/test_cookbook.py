"""Every source of the cookbook is built, for all CPythons and for one, and its Python is run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.abi.assembling import INTERPRETERS, UNIVERSAL, build, python, target_of
from tools.matrix.interpreters import REPOSITORY

PAGE = (REPOSITORY / "docs" / "how-to" / "cookbook.md").read_text(encoding="utf-8")
RECIPES = re.findall(
    r"^## ([^\n]+)\n.*?^```nasm\n(.*?)^```\n.*?^```python\n(.*?)^```\n",
    PAGE,
    re.MULTILINE | re.DOTALL,
)


def test_every_block_belongs_to_a_recipe() -> None:
    assert len(RECIPES) == PAGE.count("```nasm") == PAGE.count("```python") == PAGE.count("\n## ")


@pytest.mark.parametrize("name", INTERPRETERS)
@pytest.mark.parametrize(("title", "source", "code"), RECIPES, ids=[title for title, *_ in RECIPES])
def test_recipe(title: str, source: str, code: str, name: str, tmp_path: Path) -> None:
    interpreter = INTERPRETERS[name]
    if "import numpy" in code:
        code = WITHOUT_NUMPY  # which is there for the interpreter of the tests only
    (declared,) = re.findall(r"^PyModule +(\w+)", source, re.MULTILINE)
    path = tmp_path / f"{declared}.asm"
    path.write_text(source)
    libraries = [Path("-lm")] if "libraries" in PAGE.partition(f"## {title}")[2][:400] else []
    for defines in (UNIVERSAL, target_of(interpreter)):
        build(path, tmp_path / f"{declared}.so", defines, "nasm", *libraries)
        python(interpreter, tmp_path, "-c", code)


def test_with_numpy(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    (_, source, code) = RECIPES[0]
    (tmp_path / "scaling.asm").write_text(source)
    build(tmp_path / "scaling.asm", tmp_path / "scaling.so")
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


WITHOUT_NUMPY = """
from array import array
from scaling import scale

numbers = array("d", [1.0, 2.0, 3.0])
scale(numbers, 2.5)
assert numbers.tolist() == [2.5, 5.0, 7.5]
for wrong in (array("l", [1]), b"read-only"):
    try:
        scale(wrong, 2)
    except (TypeError, BufferError):
        pass
    else:
        raise AssertionError(wrong)
"""

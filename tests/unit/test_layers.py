"""Imports go down the layers only, and only the plugin knows setuptools."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import asmsetup

ROOT = Path(asmsetup.__file__).parent

CONTRIBUTING = ROOT.parent / "CONTRIBUTING.md"


def layers() -> dict[str, int]:
    """The layer of each module or folder of asmsetup, from the table in CONTRIBUTING.md."""
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", CONTRIBUTING.read_text(), re.MULTILINE)
    return {name: int(layer) for layer, names in rows for name in re.findall(r"`(\w+)`", names)}


LAYERS = layers()

SETUPTOOLS = {"setuptools", "distutils", "pkg_resources"}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def part(path: Path) -> str:
    """The module of LAYERS that a file is or belongs to."""
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports(path: Path) -> Iterator[str]:
    """The full name of each module a file imports when it is loaded or run."""
    package = ["asmsetup", *path.relative_to(ROOT).parts[:-1]]
    for node in _running(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _running(child)


def test_each_module_has_a_layer() -> None:
    assert {part(path) for path in modules()} == LAYERS.keys()


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    own = part(path)
    for name in imports(path):
        other = name.removeprefix("asmsetup.").partition(".")[0]
        if name.startswith("asmsetup.") and other in LAYERS and other != own:
            on_demand = (own, other) == ("hook", "plugin")
            assert LAYERS[other] < LAYERS[own] or on_demand, f"{own} imports {other}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_plugin_knows_setuptools(path: Path) -> None:
    known = {name.partition(".")[0] for name in imports(path)} & SETUPTOOLS

    assert not known or part(path) == "plugin"

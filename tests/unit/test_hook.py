"""The hook that runs in every setuptools build: it imports one leaf and knows assembly by its name."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from asmsetup import hook, suffixes

LOADED = """
import sys
before = set(sys.modules)
import asmsetup.hook
print(sorted(set(sys.modules) - before))
"""


def test_loading_it_loads_nothing_else() -> None:
    run = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "['asmsetup', 'asmsetup.hook']"


@pytest.mark.parametrize(("module", "imports"), [(hook, []), (suffixes, [])])
def test_modules_loaded_in_every_build_import_next_to_nothing(
    module: ModuleType, imports: list[str]
) -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text())

    imported = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    future, *others = map(ast.unparse, imported)
    assert future == "from __future__ import annotations"
    assert others == imports


@pytest.mark.parametrize(
    ("source", "ours"),
    [
        ("x.asm", True),
        ("x.nasm", True),
        ("x.ASM", True),
        ("x.nas", True),
        ("x.Yasm", True),
        (Path("a/x.asm"), True),
        ("x.c", False),
        ("x.s", False),
        ("x.S", False),
        ("x.asm.c", False),
        ("asm", False),
    ],
)
def test_sources_of_ours(source: object, ours: bool) -> None:
    assert suffixes.is_assembly(source) == ours


def extension(*sources: object) -> Any:
    return SimpleNamespace(sources=list(sources))


@pytest.mark.parametrize(
    ("extensions", "has"),
    [
        (None, False),
        ([], False),
        ([extension("x.c")], False),
        ([extension("x.c"), extension("y.c", "y.asm")], True),
        ([extension("x.c", "y.S")], True),
        ([extension(Path("y.s"))], True),
        ([SimpleNamespace(sources=[], of_asmsetup=True)], True),
        ([("x", {"sources": ["x.asm"]})], True),
        ([("x", {})], False),
        # Something of another plugin's.
        ([SimpleNamespace(sources=None)], False),
        ([object()], False),
    ],
)
def test_has_assembly(extensions: Any, has: bool) -> None:
    distribution: Any = SimpleNamespace(ext_modules=extensions, libraries=None)

    assert suffixes.has_assembly(distribution) == has


@pytest.mark.parametrize(
    ("text", "required"),
    [
        (None, False),
        ("", False),
        ('[build-system]\nrequires = ["setuptools", "asmsetup"]', True),
        ("[build-system]\nrequires = [\"ASMSETUP[nasm] ~= 1.0; sys_platform == 'linux'\"]", True),
        ('[build-system]\nrequires = ["asmsetup @ https://example.org/a.whl"]', True),
        ('[build-system]\nrequires = ["asmsetup-nasm", "not-asmsetup"]', False),
        ('[project]\ndependencies = ["asmsetup"]', False),
        ('[tool.asmsetup]\ndebug = true\n[build-system]\nrequires = "asmsetup"', False),
        ('build-system = "asmsetup"', False),
        ("asmsetup [", False),
        ("\xff asmsetup", False),
    ],
)
def test_a_project_that_requires_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, required: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("pyproject.toml").write_bytes(text.encode("latin-1"))

    assert hook.is_required() == required


@pytest.mark.parametrize(
    ("sources", "has"), [(["x.c"], False), (["x.c", "y.asm"], True), ([], False), (None, False)]
)
def test_a_library_may_have_assembly(sources: list[str] | None, has: bool) -> None:
    distribution: Any = SimpleNamespace(
        ext_modules=None, libraries=[("k", {"sources": sources}), ("other", {})]
    )

    assert suffixes.has_assembly(distribution) == has

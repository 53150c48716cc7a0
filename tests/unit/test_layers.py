"""The structure: imports go down the layers only, only the plugin knows setuptools, nothing is long."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import generate_abi
from tools.architecture import (
    PACKAGE,
    PAGE,
    imports,
    layers,
    modules,
    outline,
    part,
    with_drawing,
)
from tools.matrix.interpreters import REPOSITORY

LAYERS = layers()
SETUPTOOLS = {"setuptools", "distutils", "pkg_resources"}


def test_each_module_has_a_layer() -> None:
    assert {part(path) for path in modules()} == LAYERS.keys()


def test_imports_go_down() -> None:
    up = set()
    for path in modules():
        own = part(path)
        for name in imports(path):
            other = name.removeprefix("asmsetup.").partition(".")[0]
            if name.startswith("asmsetup.") and other in LAYERS and other != own:
                on_demand = (own, other) == ("hook", "plugin")
                if LAYERS[other] >= LAYERS[own] and not on_demand:
                    up.add(f"{path.relative_to(PACKAGE)} imports {other}")
    assert up == set()


def test_only_the_plugin_knows_setuptools() -> None:
    others = [path for path in modules() if part(path) != "plugin"]
    assert [
        str(path.relative_to(PACKAGE))
        for path in others
        if {name.partition(".")[0] for name in imports(path)} & SETUPTOOLS
    ] == []


def test_the_drawing_is_of_these_imports() -> None:
    page = PAGE.read_text()
    assert page == with_drawing(page), "write it anew:   python tools/architecture.py"


@pytest.mark.parametrize(
    ("folder", "above"),
    [
        ("tools", {"tests", "bench"}),
        # What is measured is tested, too, in a folder of its own.
        ("tests", {"bench"}),
    ],
)
def test_tools_tests_and_bench_import_only_what_stands_below(folder: str, above: set[str]) -> None:
    found = {
        f"{path.relative_to(REPOSITORY)} imports {name}"
        for path in (REPOSITORY / folder).rglob("*.py")
        if not {"packages", "bench"} & set(path.parts[len(REPOSITORY.parts) :])
        for name in imports(path)
        if name.partition(".")[0] in above
    }
    assert not found


def test_a_build_without_typed_functions_does_not_import_what_writes_bindings() -> None:
    code = "import sys, asmsetup.plugin.run; print(*(n for n in sys.modules if '.bind' in n))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) == {"asmsetup.bind", "asmsetup.bind.macros"}


def test_named_tuples_are_those_that_cost_little_to_make() -> None:
    takes = re.compile(r"from typing import [^\n]*\bNamedTuple\b")
    users = {path.name for path in modules() if takes.search(path.read_text())}
    assert users == {"named.py"}, "write:   from .named import NamedTuple"


LONGEST_FILE, LONGEST_FUNCTION = 450, 40


def sources() -> list[Path]:
    """Return every Python file of ours: sample projects and templates are not."""
    folders = ("asmsetup", "bench", "nasm", "tests", "tools")
    found = (path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))
    return [path for path in found if not {"packages", "templates"} & set(path.parts)]


def test_no_file_and_no_function_is_long() -> None:
    long, count = [], 0
    for path in sources():
        place, functions = path.relative_to(REPOSITORY), outline(path).functions
        count += len(functions)
        if len(path.read_text().splitlines()) > LONGEST_FILE:
            long.append(str(place))
        long += [f"{place}:{name}" for name, lines in functions.items() if lines > LONGEST_FUNCTION]
    assert count > 1000
    assert long == []


def test_what_the_macros_mention_is_listed() -> None:
    """Else builds lack it: python tools/generate_abi.py --tables-only writes the list anew."""
    folder = generate_abi.ROOT / generate_abi.INCLUDE
    tables = {
        path.relative_to(generate_abi.ROOT): path.read_text()
        for part in ("layout", "symbols", "absent")
        for path in (folder / part).glob("*.inc")
    }
    assert generate_abi.own_names(tables) == (folder / "own-names.txt").read_text()

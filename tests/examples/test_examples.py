"""Every example builds as a user builds it and passes its own tests, on each CPython of the machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.interpreters import REPOSITORY, Interpreter, cached, pytest_path
from tests.projects import Project, Python, environment, installed_aside, run

EXAMPLES = sorted(path.parent.name for path in REPOSITORY.glob("examples/*/pyproject.toml"))
UNIVERSAL = [
    name
    for name in EXAMPLES
    if "universal = true" in (REPOSITORY / "examples" / name / "pyproject.toml").read_text()
]
FETCHED = {each.name: each for each in cached()}
BUILT = shutil.ignore_patterns(
    "build", "dist", "*.egg-info", "*.so", "__pycache__", ".pytest_cache"
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, each_python: Python, asmsetup_installed: Path, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(REPOSITORY / "examples" / name, folder, ignore=BUILT)
    project = Project(folder, each_python, (asmsetup_installed,))
    wheel = project.wheel()
    assert "manylinux" in wheel.tag
    installed = project.beside(wheel.unpacked(), installed_aside(each_python, "pytest"))
    said = installed.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests").output
    assert " passed" in said


@pytest.fixture(scope="module", params=UNIVERSAL)
def universal(
    request: pytest.FixtureRequest,
    python: Python,
    asmsetup_installed: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The folder of an example with its one module for every CPython beside its tests."""
    folder: Path = tmp_path_factory.mktemp("universal") / request.param
    shutil.copytree(REPOSITORY / "examples" / request.param, folder, ignore=BUILT)
    wheel = Project(folder, python, (asmsetup_installed,)).wheel()
    shutil.copytree(wheel.unpacked(), folder.with_name("installed"))
    return folder.parent


@pytest.mark.skipif(not FETCHED, reason="no CPython was fetched: see docs/testing.md")
@pytest.mark.parametrize("interpreter", list(FETCHED.values()), ids=list(FETCHED))
def test_one_module_on_every_cpython(universal: Path, interpreter: Interpreter) -> None:
    """On what was fetched: newer, free-threaded, debug, on musl, on an old glibc."""
    (tests,) = universal.glob("*/tests")
    path = os.pathsep.join(map(str, (universal / "installed", pytest_path())))
    options = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    env = environment(PYTHONPATH=path)
    said = run(*interpreter.command, *options, tests, cwd=tests, env=env).output
    assert " passed" in said

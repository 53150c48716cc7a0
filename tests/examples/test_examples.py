"""Every example builds as a user builds it, and passes its own tests on each CPython of the machine."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.projects import Project, Python, environment, installed_aside, run
from tools.matrix.interpreters import REPOSITORY, Interpreter, cached, pytest_path

EXAMPLES = sorted(path.parent.name for path in REPOSITORY.glob("examples/*/pyproject.toml"))
FOR_ONE_VERSION = {"mixed"}
"""Those with C; the others are built once for all versions."""
FETCHED = {each.name: each for each in cached()}
BUILT = shutil.ignore_patterns(
    "build", "dist", "*.egg-info", "*.so", "__pycache__", ".pytest_cache"
)
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


def copied(name: str, python: Python, asmsetup: Path, folder: Path) -> Project:
    """Copy an example, which is built with this Python and the asmsetup of that folder."""
    shutil.copytree(REPOSITORY / "examples" / name, folder / name, ignore=BUILT)
    return Project(folder / name, python, (asmsetup,))


def passed(project: Project) -> bool:
    """Return whether the example passes its own tests with what is on its path."""
    tried = project.beside(installed_aside(project.python, "pytest")).run(*PYTEST, "tests")
    return " passed" in tried.output


@pytest.mark.parametrize("name", sorted(FOR_ONE_VERSION))
def test_example(name: str, each_python: Python, asmsetup_installed: Path, tmp_path: Path) -> None:
    project = copied(name, each_python, asmsetup_installed, tmp_path)
    wheel = project.wheel()
    assert "manylinux" in wheel.tag
    assert passed(project.beside(wheel.unpacked()))


@pytest.fixture(scope="module")
def universal(
    python: Python, asmsetup_installed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """The examples with one module for every CPython, built once, as a project with all their tests."""
    folder = tmp_path_factory.mktemp("universal")
    for name in sorted({*EXAMPLES} - FOR_ONE_VERSION):
        project = copied(name, python, asmsetup_installed, folder)
        wheel = project.wheel()
        assert "manylinux" in wheel.tag
        shutil.copytree(wheel.unpacked(), folder / "installed", dirs_exist_ok=True)
        shutil.copytree(project.folder / "tests", folder / "tests", dirs_exist_ok=True)
    return Project(folder, python, (folder / "installed", asmsetup_installed))


def test_one_module_on_each_python(universal: Project, each_python: Python) -> None:
    universal.python = each_python
    assert passed(universal)


@pytest.mark.skipif(not FETCHED, reason="no CPython was fetched: see docs/testing.md")
@pytest.mark.parametrize("interpreter", list(FETCHED.values()), ids=list(FETCHED))
def test_one_module_on_every_cpython(universal: Project, interpreter: Interpreter) -> None:
    """On what was fetched: newer, free-threaded, debug, on musl, on an old glibc."""
    tests, path = universal.folder / "tests", (universal.folder / "installed", pytest_path())
    env = environment(PYTHONPATH=os.pathsep.join(map(str, path)))
    assert " passed" in run(*interpreter.command, *PYTEST, tests, cwd=tests, env=env).output


@pytest.mark.parametrize(
    ("name", "sources"), [("crc32c", ["crc32c.asm"]), ("mixed", ["mixed.c", "dot.asm"])]
)
def test_what_an_older_processor_runs(
    name: str, sources: list[str], python: Python, asmsetup_installed: Path, tmp_path: Path
) -> None:
    """The first routine of each PyDispatch passes the same tests."""
    project = copied(name, python, asmsetup_installed, tmp_path)
    project.extension(name, sources, define_macros=[("PY_CPU_WITHOUT", "-1")]).build_ext()
    assert passed(project.beside(project.folder))


CRC32C_OF_SIZES = """
import hashlib, json, sys, crc32c
data = hashlib.shake_128(b"peers").digest(100_000)
print(json.dumps([crc32c.crc32c(data[:size]) for size in json.loads(sys.argv[1])]))
"""


@pytest.mark.parametrize(("peer", "function"), [("crc32c", "crc32c"), ("google_crc32c", "value")])
def test_crc32c_of_others(
    peer: str, function: str, python: Python, asmsetup_installed: Path, tmp_path: Path
) -> None:
    package = pytest.importorskip(
        peer, reason=f"{peer} is not installed: only who measures (make bench) has it"
    )
    project = copied("crc32c", python, asmsetup_installed, tmp_path)
    project.build_ext()
    sizes = [*range(300), 1535, 1536, 12_287, 12_288, 14_025, 65_535, 65_536, 100_000]
    said = project.run("-c", CRC32C_OF_SIZES, json.dumps(sizes)).output
    data = hashlib.shake_128(b"peers").digest(100_000)
    assert json.loads(said) == [getattr(package, function)(data[:size]) for size in sizes]

"""Every example builds as a user builds it and passes its own tests, on each CPython of the machine."""

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


@pytest.mark.parametrize(
    ("name", "sources"), [("crc32c", ["crc32c.asm"]), ("mixed", ["mixed.c", "dot.asm"])]
)
def test_what_an_older_processor_runs(
    name: str, sources: list[str], python: Python, asmsetup_installed: Path, tmp_path: Path
) -> None:
    """The first routine of each PyDispatch passes the same tests."""
    folder = tmp_path / name
    shutil.copytree(REPOSITORY / "examples" / name, folder, ignore=BUILT)
    project = Project(folder, python, (asmsetup_installed,))
    project.extension(name, sources, define_macros=[("PY_CPU_WITHOUT", "-1")]).build_ext()
    installed = project.beside(folder, installed_aside(python, "pytest"))
    said = installed.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests").output
    assert " passed" in said


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
    folder = tmp_path / "example"
    shutil.copytree(REPOSITORY / "examples" / "crc32c", folder, ignore=BUILT)
    project = Project(folder, python, (asmsetup_installed,))
    project.build_ext()
    sizes = [*range(300), 1535, 1536, 12_287, 12_288, 14_025, 65_535, 65_536, 100_000]
    said = project.run("-c", CRC32C_OF_SIZES, json.dumps(sizes)).output
    data = hashlib.shake_128(b"peers").digest(100_000)
    assert json.loads(said) == [getattr(package, function)(data[:size]) for size in sizes]


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

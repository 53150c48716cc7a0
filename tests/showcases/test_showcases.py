"""Packages from PyPI, moved over to asmsetup: they build, and their own test suites pass.

They are fetched and take minutes, so they run only where ASMSETUP_TEST_SHOWCASES is set (make showcases).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.projects import CACHE, Project, Python, environment, installed_aside, run

pytestmark = pytest.mark.skipif(
    "ASMSETUP_TEST_SHOWCASES" not in os.environ, reason="ASMSETUP_TEST_SHOWCASES is not set"
)

HERE = Path(__file__).parent


class Showcase(NamedTuple):
    """A package, and how it is moved over."""

    version: str
    sha256: str
    requires: tuple[str, ...]
    """What its build and its tests need."""
    move: Callable[[Path], None]
    """Edits its unpacked sdist."""
    tests: str
    lines: tuple[int, int]
    """The lines of its setup.py, before and after."""
    passed: int
    """How many of its tests pass."""
    data: str | None = None
    """The folder that its tests read, beside them."""


def _isal(folder: Path) -> None:
    shutil.copytree(HERE / "isal", folder, dirs_exist_ok=True)


def _numcodecs(folder: Path) -> None:
    """Its .S sources become sources; what compiled them, named their objects and removed them goes."""
    setup = folder / "setup.py"
    text = setup.read_text()
    for pattern, new in [
        (r"(?s) {4}# include assembly files\n.*?\n\n(?= {4}(?:sources|#))", ""),
        (r" {12}extra_objects=extra_objects,\n", ""),
        (
            r"( {4}sources = \['numcodecs/(?:blosc|zstd).pyx'\]\n)",
            rf"\1    sources += {_ASSEMBLY}\n",
        ),
        (r"(?s) {12}if cpuinfo.platform.machine.*?\n\n(?= {12}build_ext)", ""),
        (r"(?s)class Sclean.*?(?=def run_setup)", ""),
        (r", 'clean': Sclean", ""),
        (r"from distutils.*\n", ""),
    ]:
        text, count = re.subn(pattern, new, text)
        assert count, pattern
    setup.write_text(text)


_ASSEMBLY = "glob('c-blosc/internal-complibs/zstd*/decompress/*amd64.S')"

SHOWCASES = {
    "isal": Showcase(
        "1.9.1",
        "d210dca02a689ef2af709d2c62d2daac2e36b5d2fa06e6dc0d023c83fee77e91",
        ("setuptools-scm>=8", "pytest"),
        _isal,
        "tests",
        (147, 44),
        9765,
    ),
    "numcodecs": Showcase(
        "0.15.1",
        "eeed77e4d6636641a2cc605fbc6078c7a8f2cc40f3dfa2b3f61e52e6091b04ff",
        (
            "setuptools-scm>=8",
            "Cython<3.1",
            "py-cpuinfo",
            "numpy>2",
            "deprecated",
            "msgpack",
            "pytest",
        ),
        _numcodecs,
        "numcodecs/tests",
        (369, 331),
        714,
        "fixture",
    ),
}


def sdist(name: str, python: Python) -> Path:
    """The sdist of a showcase, fetched into the cache when it is not there."""
    showcase = SHOWCASES[name]
    folder = CACHE / "sdists"
    path = folder / f"{name}-{showcase.version}.tar.gz"
    if not path.exists():
        run(
            *(python.path, "-m", "pip", "-q", "download", "--no-deps", "--no-binary", name),
            *("--dest", folder, f"{name}=={showcase.version}"),
            cwd=CACHE,
            env=environment(),
            timeout=900,
        )
    assert hashlib.sha256(path.read_bytes()).hexdigest() == showcase.sha256
    return path


@pytest.mark.parametrize("name", SHOWCASES)
def test_showcase(name: str, python: Python, asmsetup_installed: Path, tmp_path: Path) -> None:
    showcase = SHOWCASES[name]
    shutil.unpack_archive(sdist(name, python), tmp_path)
    folder = tmp_path / f"{name}-{showcase.version}"
    before = len((folder / "setup.py").read_text().splitlines())
    showcase.move(folder)
    after = len((folder / "setup.py").read_text().splitlines())
    needed = [installed_aside(python, each) for each in showcase.requires]
    project = Project(folder, python, (asmsetup_installed, *needed))
    project.timeout = 1800
    project.env["SETUPTOOLS_SCM_PRETEND_VERSION"] = showcase.version

    wheel = project.wheel()

    assert (before, after) == showcase.lines
    assert "manylinux" in wheel.tag
    if showcase.data is not None:
        shutil.move(folder / showcase.data, tmp_path / showcase.data)
    elsewhere = tmp_path / "tests"
    shutil.move(folder / showcase.tests, elsewhere)
    said = run(
        *(python.path, "-m", "pytest", "-q", "-p", "no:cacheprovider", elsewhere),
        cwd=tmp_path,
        env={**project.env, "PYTHONPATH": os.pathsep.join(map(str, (wheel.unpacked(), *needed)))},
        timeout=1800,
    ).output
    assert (passed := re.search(r"(\d+) passed", said))
    assert int(passed[1]) == showcase.passed

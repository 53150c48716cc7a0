"""Every example builds as a user builds it and passes its own tests, on each CPython of the machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.interpreters import REPOSITORY
from tests.projects import Project, Python, installed_aside

EXAMPLES = sorted(path.parent.name for path in REPOSITORY.glob("examples/*/pyproject.toml"))
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

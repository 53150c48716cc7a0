"""The ways users go: pip and build with build isolation, asmsetup's own wheel offered by find-links."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.projects import Project
from tools.matrix.interpreters import REPOSITORY


@pytest.fixture
def sayit(project: MakeProject, wheelhouse: Path) -> Project:
    """The example, in an environment without asmsetup, which the front end is to fetch."""
    copy = project(without_asmsetup=True, folder="sayit")
    shutil.rmtree(copy.folder)
    shutil.copytree(REPOSITORY / "examples" / "sayit", copy.folder)
    del copy.env["PYTHONPATH"]
    links = " ".join(filter(None, [os.environ.get("PIP_FIND_LINKS"), str(wheelhouse)]))
    copy.env["PIP_FIND_LINKS"] = links
    return copy


def test_build_makes_an_sdist_and_from_it_the_wheel(sayit: Project) -> None:
    sayit.run("-m", "build", ".")

    assert len(list((sayit.folder / "dist").glob("sayit-1.0.tar.gz"))) == 1
    wheel = sayit.built_wheel()
    assert "manylinux1_x86_64.manylinux_2_5_x86_64" in wheel.tag
    # auditwheel's command judges a wheel for the one C library that its name speaks of.
    name = wheel.name.rpartition("-")[0] + "-manylinux_2_5_x86_64.whl"
    copy = shutil.copy(wheel.path, sayit.folder / name)
    said = sayit.run("-m", "auditwheel", "show", copy).output
    assert '"manylinux_2_5_x86_64"' in said
    assert len(wheel.payload) == 1


def test_pip_installs_it(sayit: Project, tmp_path: Path) -> None:
    sayit.run("-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    sayit.run("-m", "pip", "--python", python, "install", ".")

    sayit.folder.rename(tmp_path / "moved")
    (tmp_path / "sayit").mkdir()

    said = sayit.run(
        "-c",
        f"import subprocess; subprocess.run([{str(python)!r}, '-c', "
        "'import sayit; print(sayit.sayit())'], check=True)",
    )
    assert said.output == "Assembly is great fun! :)\nNone\n"

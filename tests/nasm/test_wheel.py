"""The wheel asmsetup-nasm, as ``make nasm`` leaves it in the cache: what is in it, and that it runs."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

from asmsetup.assemble import nasm
from tests.projects import Project, path_of
from tools.matrix.interpreters import cache_folder

WHEELS = sorted((cache_folder() / "nasm" / "wheel").glob("asmsetup_nasm-*.whl"))

pytestmark = pytest.mark.skipif(not WHEELS, reason="make nasm has not been run")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as pip installs it, which keeps a file executable."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(WHEELS[0]) as wheel:
        for member in wheel.infolist():
            path = Path(wheel.extract(member, folder))
            path.chmod(stat.S_IMODE(member.external_attr >> 16) | 0o600)
    return folder


def test_tags() -> None:
    parse_wheel_filename(WHEELS[0].name, validate_order=True)
    assert WHEELS[0].name == (
        "asmsetup_nasm-3.1-py3-none-manylinux1_x86_64.manylinux_2_5_x86_64.musllinux_1_1_x86_64.whl"
    )


def test_what_is_in_it() -> None:
    names = zipfile.ZipFile(WHEELS[0]).namelist()

    assert {name for name in names if ".dist-info/" not in name} == {
        "asmsetup_nasm/__init__.py",
        "asmsetup_nasm/__main__.py",
        "asmsetup_nasm/nasm",
        "asmsetup_nasm/py.typed",
    }
    assert any(name.endswith("licenses/LICENSE.nasm") for name in names)


def test_it_runs_by_itself(site: Path) -> None:
    """No interpreter of any C library is asked for: it is the kernel alone that loads it."""
    program = site / "asmsetup_nasm" / "nasm"
    headers = subprocess.run(["readelf", "-lW", program], capture_output=True, text=True).stdout

    assert "INTERP" not in headers
    assert "DYNAMIC" not in headers
    assert nasm.find(str(program)).version == (3, 1, 0)


def test_as_a_module_of_python(site: Path, tmp_path: Path) -> None:
    (tmp_path / "one.asm").write_text("ret\n")
    subprocess.run(
        [sys.executable, "-m", "asmsetup_nasm", "-felf64", "one.asm"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        check=True,
    )
    assert (tmp_path / "one.o").read_bytes()[:4] == b"\x7fELF"


def test_a_build_with_nothing_else(hello: Project, site: Path, tmp_path: Path) -> None:
    hello.beside(site).build_ext(PATH=path_of(tmp_path / "bin", "ld"))

    assert hello.answer() == "42"

"""Compile NASM from its source, which is named by ASMSETUP_NASM_SOURCE, into a wheel for every Linux.

A build downloads nothing: ``make nasm`` fetches the source into the cache, and then builds.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
SHA256 = "b7324cbe86e767b65f26f467ed8b12ad80e124e3ccb89076855c98e43a9eddd4"
"""The SHA-256 of nasm-3.01.tar.xz, NASM's own, which Debian has as nasm_3.01.orig.tar.xz."""

PLATFORMS = "manylinux1_x86_64.manylinux_2_5_x86_64.musllinux_1_1_x86_64"
"""The program is linked statically with musl, and needs nothing but the kernel."""

TARGET = ("-target", "x86_64-linux-musl", "-mcpu=x86_64")
CFLAGS = (
    "-O3",
    "-fno-sanitize=undefined",
    # What it says of its compilation must not change from day to day.
    "-Wno-builtin-macro-redefined",
    "-D__DATE__='\"release\"'",
)


def source() -> tarfile.TarFile:
    """Open NASM's source. Exits with a message when it is not the one that is wanted."""
    path = Path(os.environ.get("ASMSETUP_NASM_SOURCE") or "?")
    if not path.is_file():
        sys.exit("error: ASMSETUP_NASM_SOURCE does not name NASM's source\n  run:   make nasm")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        sys.exit(f"error: {path} is not the source of this NASM: its SHA-256 is {found}")
    return tarfile.open(path)


def take_license() -> None:
    """Put NASM's license where setuptools looks for it, before it does."""
    with source() as archive:
        name = next(each for each in archive.getnames() if each.endswith("/LICENSE"))
        file = archive.extractfile(name)
        assert file
        (HERE / "LICENSE.nasm").write_bytes(file.read())


def compile_nasm(program: Path) -> None:
    """Compile NASM to the file ``program``."""
    with tempfile.TemporaryDirectory() as folder, source() as archive:
        archive.extractall(folder, filter="data")
        (tree,) = Path(folder).iterdir()
        _make(tree)
        shutil.copyfile(tree / "nasm", program)


def _make(tree: Path) -> None:
    compiler = f"{sys.executable} -m ziglang cc {' '.join(TARGET)}"
    # ziglang keeps what it has compiled of musl where that variable says.
    environment = {
        **os.environ,
        "ZIG_GLOBAL_CACHE_DIR": str(tree / "zig-cache"),
        "ZIG_LOCAL_CACHE_DIR": str(tree / "zig-cache"),
        "CC": compiler,
        "CFLAGS": " ".join(CFLAGS),
        "LDFLAGS": "-static -s",
    }
    log = tree / "build.log"
    for command in (["./configure"], ["make", f"-j{os.cpu_count() or 1}", "nasm"]):
        with log.open("ab") as file:
            done = subprocess.run(command, cwd=tree, env=environment, stdout=file, stderr=file)
        if done.returncode:
            sys.exit(
                f"error: {' '.join(command)} failed\n{log.read_text(errors='replace')[-4000:]}"
            )


class BuildPy(build_py):
    """Adds the program to the package."""

    def run(self) -> None:
        """Compile NASM, then copy as ever."""
        super().run()
        program = Path(self.build_lib) / "asmsetup_nasm" / "nasm"
        if not program.exists():
            compile_nasm(program)
        program.chmod(0o755)


class BdistWheel(bdist_wheel):
    """Names the wheel for what runs it: no Python in particular, any Linux on x86-64."""

    def get_tag(self) -> tuple[str, str, str]:
        """Return Python, ABI and platforms."""
        return "py3", "none", PLATFORMS


class BinaryDistribution(Distribution):
    """Belongs into the folder for what is made for a machine."""

    def has_ext_modules(self) -> bool:
        """Return True, for the program."""
        return True


take_license()
setup(
    cmdclass={"build_py": BuildPy, "bdist_wheel": BdistWheel},
    distclass=BinaryDistribution,
)

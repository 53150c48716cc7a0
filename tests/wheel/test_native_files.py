"""Native files in a wheel, whoever made them: firmware, modules of others, sanitizers."""

from __future__ import annotations

import os

import pytest

from tests.projects import Project
from tests.unit.test_wheel import AARCH64

PACKAGE = """\
from setuptools import Extension, setup

setup(
    packages=["p"],
    package_data={"p": ["*"]},
    ext_modules=[Extension("hello", ["hello.asm"])],
)
"""


@pytest.fixture
def package(hello: Project) -> Project:
    """A project with package data."""
    return hello.write({"p/__init__.py": "", "setup.py": PACKAGE})


@pytest.mark.parametrize("content", [AARCH64, b"\x7fELF"])
@pytest.mark.parametrize("mode", ["repair", "check"])
def test_firmware(package: Project, content: bytes, mode: str) -> None:
    package.settings(f'auditwheel = "{mode}"')
    (package.folder / "p/firmware.bin").write_bytes(content)

    wheel = package.wheel()

    assert wheel.tag.endswith("-manylinux1_x86_64.manylinux_2_5_x86_64")
    assert wheel.files["p/firmware.bin"] == content


@pytest.mark.parametrize("time", [0, 2**33])
def test_a_time_that_archives_cannot_hold(package: Project, time: int) -> None:
    package.build_ext()
    module = package.module()
    os.rename(module, package.folder / "p" / "libold.so")
    os.utime(package.folder / "p" / "libold.so", (time, time))
    package.settings('auditwheel = "check"')

    assert package.wheel().tag.endswith("-manylinux1_x86_64.manylinux_2_5_x86_64")


def test_universal_looks_at_every_module(package: Project) -> None:
    package.build_ext()
    package.settings("universal = true")
    module = package.module()
    os.rename(module, package.folder / "p" / module.name)

    error = package.setup("bdist_wheel", ok=False).error

    assert error.startswith(f"p/{module.name} is named for some Pythons only (.cpython-3")
    assert "universal = true promises a wheel for every CPython" in error
    assert not list(package.folder.glob("dist/*.whl"))


def test_a_module_named_for_another_machine(hello: Project) -> None:
    error = hello.backend(
        "build_wheel",
        "dist",
        ok=False,
        SETUPTOOLS_EXT_SUFFIX=".cpython-312-aarch64-linux-gnu.so",
    ).error

    assert "the module is named for aarch64 and built for x86-64 Linux" in error


def test_a_sanitizers_runtime_is_not_grafted(hello: Project) -> None:
    hello.env["PATH"] = f"{hello.python.path.parent}:{hello.env['PATH']}"
    hello.write({"more.c": "int more_of_it(int *x) { return x[1]; }\n"})
    hello.extension("hello", ["hello.asm", "more.c"])
    flags = "-fsanitize=address"

    said = hello.backend("build_wheel", "dist", CFLAGS=flags, LDFLAGS=flags).output

    wheel = hello.built_wheel()
    assert not [name for name in wheel.files if "libasan" in name]
    assert "LD_PRELOAD=$(gcc -print-file-name=libasan.so) python" in said


@pytest.mark.parametrize("universal", [False, True])
def test_packed_relocations(hello: Project, universal: bool) -> None:
    if universal:
        hello.settings("universal = true")

    wheel = hello.wheel(LDFLAGS="-Wl,-z,pack-relative-relocs")

    assert wheel.tag.split("-")[2] == "manylinux_2_36_x86_64"

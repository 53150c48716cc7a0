"""What is in a wheel: the module, and no assembly source unless the user wants it there."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.conftest import MakeProject
from tests.projects import Project

SETUP = """\
from setuptools import Extension, setup

setup(
    packages=["greetings"],
    package_data={package_data},
    ext_modules=[Extension("greetings.hello", ["greetings/hello.asm"], include_dirs=["greetings"])],
)
"""


@pytest.fixture
def packaged(hello: Project) -> Project:
    """A package with its assembly beside its Python."""
    return hello.write(
        {
            "greetings/__init__.py": "",
            "greetings/hello.asm": '%include "module.inc"\n%include "number.inc"\n'
            "MODULE hello, NUMBER\n",
            "greetings/number.inc": "%define NUMBER 42\n",
            "greetings/words.txt": "",
            "MANIFEST.in": "include greetings/words.txt\n",
            "setup.py": SETUP.format(package_data={}),
        }
    )


def without_module(names: list[str]) -> list[str]:
    return [name for name in names if not name.endswith(".so")]


def test_sources_do_not_leak(packaged: Project) -> None:
    wheel = packaged.wheel()

    assert without_module(wheel.payload) == ["greetings/__init__.py", "greetings/words.txt"]
    assert packaged.answer("greetings.hello", wheel.unpacked()) == "42"


@pytest.mark.parametrize(
    ("package_data", "kept"),
    [
        ({"greetings": ["*.inc"]}, ["greetings/number.inc"]),
        ({"greetings": ["*.asm", "*.inc"]}, ["greetings/hello.asm", "greetings/number.inc"]),
        ({"": ["*.asm"]}, ["greetings/hello.asm"]),
    ],
)
def test_package_data_keeps_them(
    packaged: Project, package_data: dict[str, list[str]], kept: list[str]
) -> None:
    packaged.write({"setup.py": SETUP.format(package_data=package_data)})

    names = without_module(packaged.wheel().payload)

    assert names == sorted(["greetings/__init__.py", "greetings/words.txt", *kept])


def test_the_same_bytes_from_another_folder_with_another_umask(project: MakeProject) -> None:
    wheels = []
    for folder, umask, mode in (("one", 0o022, 0o644), ("another/deeper", 0o077, 0o600)):
        built = project(folder=folder)
        built.write({"data/__init__.py": "", "data/words.txt": "words"})
        built.write(
            {
                "setup.py": "from setuptools import Extension, setup\n"
                "setup(packages=['data'], package_data={'data': ['*.txt']},"
                " ext_modules=[Extension('hello', ['hello.asm', 'more.c'])])\n",
                "hello.asm": (built.folder / "hello.asm").read_text()
                + "section .rodata\nname: db __?FILE?__\n",
                "more.c": "const char *file(void) { return __FILE__; }\n",
            }
        )
        for path in built.folder.rglob("*"):
            if path.is_file():
                os.chmod(path, mode)
        before = os.umask(umask)
        try:
            wheels.append(built.wheel(SOURCE_DATE_EPOCH="1700000000"))
        finally:
            os.umask(before)

    assert wheels[0].name == wheels[1].name
    assert wheels[0].files == wheels[1].files
    assert wheels[0].path.read_bytes() == wheels[1].path.read_bytes()


def test_the_same_bytes_with_and_without_what_was_built_before(hello: Project) -> None:
    first = hello.wheel(SOURCE_DATE_EPOCH="1700000000").path.read_bytes()
    shutil.rmtree(hello.folder / "dist")

    again = hello.wheel(SOURCE_DATE_EPOCH="1700000000").path.read_bytes()
    shutil.rmtree(hello.folder / "dist")
    shutil.rmtree(hello.folder / "build")
    afresh = hello.wheel(SOURCE_DATE_EPOCH="1700000000", ASMSETUP_CACHE="0").path.read_bytes()

    assert first == again == afresh


def test_exactly_one_wheel_is_left(hello: Project) -> None:
    hello.wheel()

    assert len(os.listdir(hello.folder / "dist")) == 1

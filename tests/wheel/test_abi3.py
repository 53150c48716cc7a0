"""py_limited_api on all extensions is the one switch for the stable ABI."""

from __future__ import annotations

import sys

import pytest

from tests.conftest import MakeProject
from tests.projects import Project, Python

BOTH = "manylinux1_x86_64.manylinux_2_5_x86_64.musllinux_1_1_x86_64"


def stable(project: Project, requires_python: str = "", settings: str = "") -> Project:
    project.extension("hello", ["hello.asm"], py_limited_api=True)
    project.settings(settings)
    text = (project.folder / "pyproject.toml").read_text()
    if requires_python:
        text = text.replace("[project]\n", f'[project]\nrequires-python = "{requires_python}"\n')
    return project.write({"pyproject.toml": text})


@pytest.mark.parametrize(
    ("requires_python", "settings", "tag"),
    [
        (">=3.10", "", "cp310"),
        (">=3.9,<4", "", "cp39"),
        ("~=3.10", "", "cp310"),
        (">=3.10", 'limited-api = "3.11"', "cp311"),
        ("", 'limited-api = "3.10"', "cp310"),
    ],
)
def test_tag_and_name(hello: Project, requires_python: str, settings: str, tag: str) -> None:
    wheel = stable(hello, requires_python, settings).wheel()

    assert wheel.tag == f"{tag}-abi3-{BOTH}"
    assert wheel.payload == ["hello.abi3.so"]
    assert hello.answer(path=wheel.unpacked()) == "42"


@pytest.mark.parametrize(
    ("requires_python", "settings", "what"),
    [
        (">=3.90", "", "the lower bound of requires-python is 3.90"),
        ("", 'limited-api = "3.15"', "limited-api is 3.15"),
    ],
)
@pytest.mark.skipif(sys.version_info >= (3, 15), reason="this Python is the newest known")
def test_not_older_than_the_one_it_is_built_by(
    hello: Project, requires_python: str, settings: str, what: str
) -> None:
    stable(hello, requires_python, settings)
    running = "{}.{}".format(*sys.version_info)
    message = f"{what}, and this is Python {running}\n  a module for the stable ABI is built by"

    for command in ("bdist_wheel", "build_ext"):
        assert message in hello.setup(command, ok=False).error


def test_without_a_bound_it_is_the_running_version(hello: Project) -> None:
    assert stable(hello).wheel().tag == f"{hello.python.tag}-abi3-{BOTH}"


def test_both_c_libraries_in_the_wheels_own_words(hello: Project) -> None:
    wheel = stable(hello, ">=3.10").wheel()

    assert wheel.wheel_tags == [f"cp310-abi3-{platform}" for platform in sorted(BOTH.split("."))]


def test_one_that_needs_a_library_is_for_one_c_library(hello: Project) -> None:
    source = (hello.folder / "hello.asm").read_text()
    hello.write(
        {
            "hello.asm": f"{source}extern getpid\nglobal unused:function\nunused: call getpid wrt ..plt\n"
        }
    )

    wheel = stable(hello, ">=3.10").wheel()

    assert wheel.tag == "cp310-abi3-manylinux1_x86_64.manylinux_2_5_x86_64"


@pytest.mark.parametrize(
    ("settings", "value"), [("", 0x030A0000), ('limited-api = "3.11"', 0x030B0000)]
)
def test_nasm_is_told(hello: Project, settings: str, value: int) -> None:
    hello.write({"hello.asm": '%include "module.inc"\nMODULE hello, Py_LIMITED_API\n'})

    stable(hello, ">=3.10", settings).build_ext()

    assert hello.answer() == str(value)


def test_nasm_is_told_nothing_otherwise(hello: Project) -> None:
    hello.write(
        {
            "hello.asm": '%include "module.inc"\n%ifdef Py_LIMITED_API\n%error stable\n%endif\n'
            "MODULE hello, 42\n"
        }
    )

    hello.build_ext()

    assert hello.answer() == "42"


def test_some_extensions_are_not_all(hello: Project) -> None:
    hello.write({"other.asm": '%include "module.inc"\nMODULE other, 43\n'})
    hello.extensions(
        ("hello", ["hello.asm"], {"py_limited_api": True}), ("other", ["other.asm"], {})
    )

    wheel = hello.wheel()

    tag = hello.python.tag
    assert wheel.tag.startswith(f"{tag}-{tag}-")
    assert wheel.payload[0] == "hello.abi3.so"


def test_one_module_for_every_python(project: MakeProject, each_python: Python) -> None:
    # Built by one interpreter, imported by each.
    built = stable(project(), ">=3.10").wheel()

    other = project(folder="other", python=each_python)

    assert other.answer(path=built.unpacked()) == "42"


def test_setuptools_own_option_is_kept(hello: Project) -> None:
    stable(hello, ">=3.10").setup("bdist_wheel", "--py-limited-api", "cp311")

    assert hello.built_wheel().tag.startswith("cp311-abi3-")

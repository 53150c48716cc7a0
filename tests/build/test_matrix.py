"""On the Pythons of the matrix: newer, free-threaded, debug builds, on musl and on an old glibc."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.projects import Project, Python, installed_aside
from tools.matrix.interpreters import all_interpreters

GLIBC, MUSL = "manylinux1_x86_64.manylinux_2_5_x86_64", "musllinux_1_2_x86_64"
BOTH = f"{GLIBC}.musllinux_1_1_x86_64"

TABLE = {
    # name: (tag of a wheel, tag of one whose extensions have py_limited_api, its module)
    "3.13-glibc2.31": (f"cp313-cp313-{GLIBC}", "cp310-abi3-", "hello.abi3.so"),
    "3.13-musl": (f"cp313-cp313-{MUSL}", "cp310-abi3-", "hello.abi3.so"),
    "3.13t": (f"cp313-cp313t-{GLIBC}", "cp313-cp313t-", "hello.cpython-313t-x86_64-linux-gnu.so"),
    "3.14": (f"cp314-cp314-{GLIBC}", "cp310-abi3-", "hello.abi3.so"),
    "3.14-debug": (f"cp314-cp314d-{GLIBC}", "cp310-abi3-", "hello.abi3.so"),
    "3.14t": (f"cp314-cp314t-{GLIBC}", "cp314-cp314t-", "hello.cpython-314t-x86_64-linux-gnu.so"),
    "3.15": (f"cp315-cp315-{GLIBC}", "cp310-abi3-", "hello.abi3.so"),
    "3.15-debug": (f"cp315-cp315d-{GLIBC}", "cp310-abi3-", "hello.abi3.so"),
    "3.15t": (f"cp315-cp315t-{GLIBC}", "cp315-abi3.abi3t-", "hello.abi3t.so"),
}


@pytest.fixture(scope="module", params=TABLE)
def matrix_python(request: pytest.FixtureRequest) -> Python:
    commands = {each.name: each.command for each in all_interpreters()}
    if request.param not in commands:
        pytest.skip(f"no CPython {request.param}: see docs/testing.md")
    return Python(request.param, Path(commands[request.param][0]))


@pytest.fixture
def hello_there(project: MakeProject, python: Python, matrix_python: Python) -> Project:
    """The plain project; what builds it is pure Python, and comes by PYTHONPATH."""
    requirements = installed_aside(python, "setuptools==84.2.1", "auditwheel==6.8.2")
    return project(python=matrix_python).beside(requirements)


def test_a_wheel_of_its_own(hello_there: Project) -> None:
    wheel = hello_there.wheel()

    assert wheel.tag == TABLE[hello_there.python.name][0]
    assert hello_there.answer(path=wheel.unpacked()) == "42"


def test_the_stable_abi(hello_there: Project) -> None:
    hello_there.extension("hello", ["hello.asm"], py_limited_api=True)
    text = (hello_there.folder / "pyproject.toml").read_text()
    hello_there.write({"pyproject.toml": text + 'requires-python = ">=3.10"\n'})

    wheel = hello_there.wheel()

    _, tag, module = TABLE[hello_there.python.name]
    assert wheel.tag.startswith(tag)
    assert wheel.payload == [module]
    assert hello_there.answer(path=wheel.unpacked()) == "42"

"""The same source builds and imports on every CPython there is."""

from __future__ import annotations

from tests.conftest import MakeProject
from tests.projects import Python


def test_built_in_place_and_imported(project: MakeProject, each_python: Python) -> None:
    hello = project(python=each_python)

    hello.build_ext()

    assert hello.answer() == "42"


def test_built_as_a_wheel(project: MakeProject, each_python: Python) -> None:
    wheel = project(python=each_python).wheel()

    tag = each_python.tag
    assert wheel.name == f"hello-1.0-{tag}-{tag}-manylinux1_x86_64.manylinux_2_5_x86_64.whl"

"""The compiler object that setuptools gets is the wrapped one in everything but its four methods."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from setuptools._distutils.ccompiler import new_compiler

from asmsetup.plugin.compiler import Compiler


def not_building() -> NoReturn:
    raise AssertionError("nothing is built")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_wraps_a_copy(copied: Callable[[Any], Any]) -> None:
    below: Any = new_compiler()

    twin: Any = copied(Compiler(below, not_building))
    twin.compiler_so = ["another"]

    assert type(twin) is Compiler
    assert isinstance(twin, type(below))
    assert twin.asmsetup_wraps.compiler_so == ["another"] != below.compiler_so


def test_attributes_are_those_of_the_wrapped_object() -> None:
    below: Any = new_compiler()
    wrapped: Any = Compiler(below, not_building)

    wrapped.of_a_project = 1
    assert below.of_a_project == 1
    del wrapped.of_a_project
    assert not hasattr(below, "of_a_project")
    assert not hasattr(wrapped, "of_a_project")

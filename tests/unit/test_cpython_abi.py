"""asmsetup.facts.cpython_abi against what is documented of single names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from asmsetup.facts import cpython_abi
from asmsetup.versions import Version
from tests.projects import run

REPOSITORY = str(Path(__file__).parents[2])


@pytest.mark.parametrize(
    ("name", "version", "free_threaded", "expected"),
    [
        ("PyLong_FromLong", (3, 10), False, True),
        ("PyLong_FromLong", (3, 15), True, True),
        ("PyLong_AsInt64", (3, 13), False, False),
        ("PyLong_AsInt64", (3, 14), False, True),
        ("PyLong_AsInt64", (3, 14), True, True),
        ("_PyLong_AsInt", (3, 12), False, True),
        # Only the build that can do without the GIL lets a module ask for it.
        ("PyUnstable_Module_SetGIL", (3, 13), False, False),
        ("PyUnstable_Module_SetGIL", (3, 13), True, True),
        ("Py_ThisIsNoName", (3, 12), False, None),
        ("PyLong_FromLong", (3, 9), False, None),
        ("PyLong_FromLong", (3, 16), False, None),
        ("PyLong_FromLong", (3, 12), True, None),
        # The heading of the table is no name, nor is a part of one.
        ("name", (3, 12), False, None),
        ("PyLong_From", (3, 12), False, None),
    ],
)
def test_exported(name: str, version: Version, free_threaded: bool, expected: bool | None) -> None:
    assert cpython_abi.exported(name, version, free_threaded) is expected


@pytest.mark.parametrize(
    ("name", "since"),
    [
        ("PyDict_New", (3, 10)),
        ("PyModule_Create2", (3, 10)),
        ("PyObject_GetBuffer", (3, 11)),  # exported by 3.10 as well, but not promised
        ("PyType_FromMetaclass", (3, 12)),
        ("PyModule_Add", (3, 13)),
        ("PyIter_NextItem", (3, 14)),
        ("PyABIInfo_Check", (3, 15)),
        ("_Py_NoneStruct", (3, 10)),
        ("PyUnicode_AsUTF8", None),
        ("Py_ThisIsNoName", None),
    ],
)
def test_stable_since(name: str, since: Version | None) -> None:
    assert cpython_abi.stable_since(name) == since


@pytest.mark.parametrize(
    ("name", "is_function", "is_public"),
    [
        ("PyLong_FromLong", True, True),
        ("PyLong_Type", False, True),
        ("PyExc_ValueError", False, True),
        ("_PyLong_New", True, False),
        ("Py_ThisIsNoName", None, None),
    ],
)
def test_kinds(name: str, is_function: bool | None, is_public: bool | None) -> None:
    assert cpython_abi.is_function(name) is is_function
    assert cpython_abi.is_public(name) is is_public


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("PyLong_FromLng", "PyLong_FromLong"),
        ("pylong_fromlong", "PyLong_FromLong"),
        ("PyErr_SetSting", "PyErr_SetString"),
        ("PyExc_ValuError", "PyExc_ValueError"),
        ("_PyLong_AsInt", "PyLong_AsInt"),
    ],
)
def test_near_misses(written: str, meant: str) -> None:
    assert cpython_abi.near_misses(written)[0] == meant


def test_near_misses_of_something_else() -> None:
    assert cpython_abi.near_misses("sqrtf") == []


def test_private_names_are_not_suggested() -> None:
    assert not [name for name in cpython_abi.near_misses("PyLong_Neww") if name[0] == "_"]


def test_importing_it_imports_nothing_slow() -> None:
    """It stands on the path of every build; pathlib and difflib alone would double its cost."""
    code = "import asmsetup, sys; before = set(sys.modules); import asmsetup.facts.cpython_abi; "
    code += "print(*sorted(set(sys.modules) - before))"
    code = f"import sys; sys.path.insert(0, {REPOSITORY!r}); {code}"
    imported = run(sys.executable, "-I", "-S", "-c", code).output.split()
    assert {"difflib", "pathlib", "importlib.resources"}.isdisjoint(imported)

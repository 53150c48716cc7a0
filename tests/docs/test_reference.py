"""Each public macro stands in the reference: what it clobbers, its errors, an example that assembles."""

from __future__ import annotations

import re

import pytest

from tests.abi.assembling import INCLUDE
from tests.docs.test_examples_assemble import SOURCES
from tools.matrix.interpreters import REPOSITORY

PAGES = {path.name: path.read_text() for path in (REPOSITORY / "docs" / "reference").glob("*.md")}
INCLUDES = "".join(path.read_text() for path in sorted(INCLUDE.glob("**/*.inc")))
MACROS = sorted(re.findall(r"^%macro _py_(Py\w+) ", INCLUDES, re.MULTILINE))
EXAMPLES = "".join(text for place, text in SOURCES.items() if "docs/reference/" in place)
SECTION = r"^## ([^\n]*\n.*?)(?=^## |\Z)"

each_macro = pytest.mark.parametrize("macro", MACROS)


def where(macro: str) -> tuple[str, str]:
    """The page with a macro's heading, and the text below that."""
    found = [
        (page, section)
        for page in PAGES.values()
        for section in re.findall(SECTION, page, re.MULTILINE | re.DOTALL)
        if macro in re.findall(r"\w+", section.partition("\n")[0])
    ]
    assert len(found) == 1, f"{macro} has {len(found)} headings in docs/reference"
    return found[0]


def test_macros_are_found() -> None:
    assert {"PyCall", "PyModule", "PyType", "PyDispatch", "PyTypedFunction"} < set(MACROS)


@each_macro
def test_clobbers(macro: str) -> None:
    page, section = where(macro)
    assert "Clobbers" in section or re.search("Clobbers of all|clobber nothing", page)


def has_errors_of_its_own(macro: str) -> bool:
    """Besides those of all macros: a wrong number of arguments, and a wrong place."""
    (body,) = re.findall(rf"^%macro _py_{macro} .*?^%endmacro", INCLUDES, re.MULTILINE | re.DOTALL)
    return bool(re.search(r"_py_misuse|_py_expect_(register|object|signature|api_name)", body))


@each_macro
def test_errors(macro: str) -> None:
    _, section = where(macro)
    assert "Errors" in section or not has_errors_of_its_own(macro)


@each_macro
def test_example(macro: str) -> None:
    assert re.search(rf"^ *{macro}\b", EXAMPLES, re.MULTILINE)


@each_macro
def test_in_the_list_of_macros(macro: str) -> None:
    assert f"`{macro}`" in PAGES["python-inc.md"]

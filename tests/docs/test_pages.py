"""The documentation holds: its projects build and do what it says, its settings exist, its links lead somewhere.

A block with a title is a file of a project. `<!-- test: expression -->` builds the project as it stands
at that point of the page and holds the expression against its modules; `<!-- project -->` begins another.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from setuptools import Extension

from asmsetup import config
from tests.projects import PYPROJECT, Project, Python, installed_aside
from tools.matrix.interpreters import REPOSITORY

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGES = sorted(
    path.relative_to(REPOSITORY)
    for pattern in ("*.md", "docs/**/*.md", "examples/*/README.md")
    for path in REPOSITORY.glob(pattern)
)
each_page = pytest.mark.parametrize("page", PAGES, ids=str)

_PIECE = re.compile(
    r"^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$"
    r"|^<!-- (?P<project>project) -->$"
    r"|^<!-- test: (?P<test>.*?) -->$",
    re.DOTALL | re.MULTILINE,
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SETTING = re.compile(r"^\| `([a-z-]+)` \|", re.MULTILINE)


@dataclass
class Trial:
    """A project of a page as it stands where the page says that something holds."""

    page: Path
    expression: str
    files: dict[str, str] = field(default_factory=dict)


def text_of(page: Path) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> Iterator[str]:
    for piece in _PIECE.finditer(text_of(page)):
        if piece["language"] == language:
            yield piece["text"]


def trials(page: Path) -> Iterator[Trial]:
    files: dict[str, str] = {}
    for piece in _PIECE.finditer(text_of(page)):
        if piece["project"]:
            files = {}
        elif piece["test"]:
            yield Trial(page, piece["test"], dict(files))
        elif piece["title"]:
            files[piece["title"]] = piece["text"]


TRIALS = [trial for page in PAGES for trial in trials(page)]


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: f"{trial.page}:{trial.expression}")
def test_project(trial: Trial, python: Python, asmsetup_installed: Path, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", python, (asmsetup_installed,))
    project.folder.mkdir()
    if not trial.files.get("pyproject.toml", "").startswith("[build-system]"):
        trial.files["pyproject.toml"] = PYPROJECT + "\n" + trial.files.get("pyproject.toml", "")
    project.write(trial.files)
    if any(name.endswith(".pyx") for name in trial.files):
        project = project.beside(installed_aside(python, "Cython"))
    if any("import cffi" in text for text in trial.files.values()):
        project = project.beside(installed_aside(python, "cffi"))
    wheel = project.wheel()
    # Of a library in a package, the package is imported.
    named = (name.split(".")[0].partition("/lib")[0] for name in wheel.payload if ".so" in name)
    modules = sorted(set(named))
    project.run(
        "-c",
        f"import sys; sys.path.insert(0, {str(wheel.unpacked())!r})\n"
        f"wheel = {wheel.name!r}\n"
        f"import {', '.join(modules)}\n"
        f"assert {trial.expression}, ({trial.expression.split(' == ')[0]}, wheel)",
    )


@each_page
def test_python_blocks_are_python(page: Path) -> None:
    for block in blocks(page, "python"):
        ast.parse(block)


@each_page
def test_settings_shown_are_settings(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "toml"):
        tomllib.loads(block)
        (tmp_path / "pyproject.toml").write_text(block, encoding="utf-8")
        config.load(str(tmp_path), {})


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(text_of(page)):
        if not link.startswith(("http://", "https://")):
            path, _, anchor = link.partition("#")
            target = (REPOSITORY / page).parent / path if path else REPOSITORY / page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """The names GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_index() -> None:
    index = REPOSITORY / "docs" / "index.md"
    linked = {(index.parent / link).resolve() for link in _LINK.findall(index.read_text())}
    pages = {path.resolve() for path in REPOSITORY.glob("docs/**/*.md")}
    assert pages - linked == {index.resolve()}


def test_the_settings_page_has_every_setting() -> None:
    documented = _SETTING.findall(text_of(Path("docs/reference/settings.md")))
    # LDFLAGS is read from the environment alone, and debug = "split" sets two fields.
    others = {"ldflags", "split-debug"}
    settings = {name.replace("_", "-") for name in config.Settings._fields} - others
    assert sorted(documented) == sorted(settings)


def test_the_extension_page_has_every_keyword() -> None:
    table = text_of(Path("docs/reference/extension-options.md")).partition("\n## ")[0]
    documented = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(documented) == sorted(Extension("x", []).__dict__)

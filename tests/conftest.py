"""Fixtures: asmsetup as a user has it installed, the interpreters, and copies of the sample projects."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import prepared
from tests.mistakes import PACKAGES, write_package
from tests.projects import (
    Project,
    Python,
    environment,
    made_once,
    run,
    tool,
    virtual_environment,
)
from tools.matrix.interpreters import REPOSITORY, for_tests, installed

MakeProject = Callable[..., Project]

_THERE = installed()
_INSTALLED = {each.name: each.command for each in for_tests(_THERE)}
_LEFT_OUT = {each.name for each in _THERE} - {*_INSTALLED}
_MAIN = "{}.{}".format(*sys.version_info[:2])


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of this run, which the processes of pytest-xdist share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def wheelhouse(shared: Path) -> Path:
    """A folder with asmsetup's own wheel, built from this tree."""
    folder = shared / "wheelhouse"
    with made_once(folder) as missing:
        if missing:
            _build_wheel(folder)
    return folder


def _build_wheel(folder: Path) -> None:
    tree = folder / "tree"
    tree.mkdir(parents=True)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, tree)
    shutil.copytree(
        REPOSITORY / "asmsetup", tree / "asmsetup", ignore=shutil.ignore_patterns("__pycache__")
    )
    # asmsetup itself asks for a newer setuptools than it works with: the one beside pytest.
    run(
        *(sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", "--no-build-isolation"),
        *("--wheel-dir", folder, tree),
        cwd=folder,
        env=environment(),
    )


@pytest.fixture(scope="session")
def asmsetup_installed(wheelhouse: Path, shared: Path) -> Path:
    """A folder for PYTHONPATH with asmsetup as its wheel installs it, entry points and all."""
    folder = shared / "installed"
    (wheel,) = wheelhouse.glob("asmsetup-*.whl")
    with made_once(folder) as missing:
        if missing:
            shutil.unpack_archive(wheel, folder, "zip")
    prepared.IMPORTED_FROM.append(folder)
    return folder


@pytest.fixture(scope="session")
def python() -> Python:
    """The interpreter most tests build with: the version that runs the tests."""
    return virtual_environment(_MAIN, _INSTALLED[_MAIN])


@pytest.fixture(
    scope="session", params=sorted({f"3.{minor}" for minor in range(10, 14)} - _LEFT_OUT)
)
def each_python(request: pytest.FixtureRequest) -> Python:
    """Each supported interpreter of this machine in turn."""
    if request.param not in _INSTALLED:
        pytest.skip(f"no CPython {request.param} here: see docs/testing.md")
    return virtual_environment(request.param, _INSTALLED[request.param])


@pytest.fixture
def project(tmp_path: Path, python: Python, asmsetup_installed: Path) -> MakeProject:
    """Copy a sample project (tests/packages) to a folder of this test.

    Without a name: one with a module hello, whose answer() is 42.
    """

    def make(
        name: str = "hello",
        *,
        folder: str = "project",
        python: Python = python,
        without_asmsetup: bool = False,
    ) -> Project:
        target = tmp_path / folder
        write_package(name, target)
        shutil.copy(PACKAGES / "module.inc", target)
        return Project(target, python, () if without_asmsetup else (asmsetup_installed,))

    return make


@pytest.fixture
def hello(project: MakeProject) -> Project:
    """The plain sample project: a module hello, whose answer() is 42."""
    return project()


@pytest.fixture(params=["nasm", "nasm-2.15.05", "nasm-3.01"])
def nasm(request: pytest.FixtureRequest) -> str:
    """Each version of NASM that is here."""
    if request.param == "nasm":
        return os.environ.get("NASM", "nasm")
    return tool(request.param)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was not run, and why, at the end of the run; in CI also on its own page."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(_reason(report) for report in skipped)
    if not reasons:
        return
    title = f"NOT RUN: {len(skipped)} tests"
    lines = [f"{count} x {reason}" for reason, count in reasons.most_common()]
    terminalreporter.write_sep("=", title, yellow=True, bold=True)
    for line in lines:
        terminalreporter.write_line(line)
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        with open(page, "a", encoding="utf-8") as file:
            file.write("\n".join([f"### {title}", "", *(f"- {line}" for line in lines), "", ""]))


def _reason(report: pytest.TestReport) -> str:
    place = report.longrepr
    return str(place[2] if isinstance(place, tuple) else place).removeprefix("Skipped: ")


@pytest.fixture
def shown_by_browser(tmp_path: Path) -> Callable[[str], str]:
    """A function that returns the document a browser makes of a page, after its scripts."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("no chromium on this machine")

    def shown(address: str) -> str:
        return run(
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            *("--virtual-time-budget=10000", f"--user-data-dir={tmp_path / 'browser'}", address),
            cwd=tmp_path,
            env=dict(os.environ),
        ).output

    return shown


@pytest.fixture(scope="session")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH that holds the decoder alone."""
    found = importlib.util.find_spec("iced_x86")
    assert found is not None
    assert found.origin is not None
    folder = tmp_path_factory.mktemp("decoder")
    (folder / "iced_x86").symlink_to(Path(found.origin).parent)
    prepared.IMPORTED_FROM.append(folder)
    return folder

"""PDM, Hatch, tox and nox, as people run them: isolated builds, installs, editable installs, a test run.

Each is fetched with all it needs, so they run only where ASMSETUP_TEST_ALL is set (make test-matrix).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.projects import PYPROJECT, Project, Python, Run, installed_aside, run
from tools.matrix.interpreters import ALL

pytestmark = pytest.mark.skipif(not ALL, reason="ASMSETUP_TEST_ALL is not set (make test-matrix)")

ASK = "import hello; print('answer', hello.answer())"
NO_INDEX = re.compile(
    "No matching distribution|Could not find a version|Max retries|ConnectError|Failed to fetch"
    "|Name or service not known|error sending request"
)
TOOLS = {
    "pdm": ("pdm==2.29.4", "hishel<2"),
    "hatch": ("hatch==1.18.2",),
    "tox": ("tox==4.67.15",),
    "nox": ("nox==2026.10.20",),
}
NOXFILE = f"""\
import nox

@nox.session
def tests(session):
    session.install("--no-deps", ".")
    session.run("python", "-c", "{ASK}")
"""
TOX = f"""\
[testenv]
commands = python -c "{ASK}"
[testenv:dev]
package = editable
"""
Tool = Callable[..., Run]


@pytest.fixture
def tool(hello: Project, python: Python, wheelhouse: Path) -> Callable[[str], Tool]:
    """A function that runs a tool in the project; asmsetup comes from a folder of wheels."""
    scratch = hello.folder.parent
    links = " ".join([str(wheelhouse), os.environ.get("PIP_FIND_LINKS", "")])
    source = (
        f'\n[[tool.pdm.source]]\nname = "w"\nurl = "{wheelhouse.as_uri()}"\ntype = "find_links"\n'
    )
    hello.write({"pyproject.toml": f'{PYPROJECT}requires-python = ">=3.10"\n{source}'})

    def named(name: str) -> Tool:
        try:
            folder = installed_aside(python, *TOOLS[name])
        except AssertionError:
            pytest.skip(f"pip cannot install {name}")
        env = {
            **hello.env,
            "PYTHONPATH": str(folder),
            "PIP_FIND_LINKS": links.strip(),
            "UV_FIND_LINKS": str(wheelhouse),
            "HATCH_ENV_TYPE_VIRTUAL_UV_PATH": str(folder / "bin" / "uv"),
            "HATCH_DATA_DIR": str(scratch / "hatch"),
            "HATCH_CACHE_DIR": str(scratch / "hatch-cache"),
            "HATCH_PYTHON": os.path.realpath(python.path),
            "PDM_CACHE_DIR": str(scratch / "pdm-cache"),
            "PDM_CONFIG_FILE": str(scratch / "pdm.toml"),
            "PDM_CHECK_UPDATE": "0",
        }

        def call(*arguments: str) -> Run:
            program = folder / "bin" / name
            done = run(program, *arguments, cwd=hello.folder, env=env, ok=None)
            if done.status and NO_INDEX.search(done.output):
                pytest.skip(f"no package index for {name}")
            assert done.status == 0, str(done)
            return done

        return call

    return named


def test_pdm(tool: Callable[[str], Tool], hello: Project) -> None:
    pdm = tool("pdm")

    pdm("build")
    assert hello.answer(path=hello.built_wheel().unpacked()) == "42"
    assert len(list((hello.folder / "dist").glob("*.tar.gz"))) == 1

    pdm("install")  # editable, as PDM does it
    assert "answer 42" in pdm("run", "python", "-c", ASK).output


def test_hatch(tool: Callable[[str], Tool], hello: Project) -> None:
    hatch = tool("hatch")

    hatch("build")
    assert hello.answer(path=hello.built_wheel().unpacked()) == "42"
    assert len(list((hello.folder / "dist").glob("*.tar.gz"))) == 1

    assert "answer 42" in hatch("run", "python", "-c", ASK).output


def test_tox(tool: Callable[[str], Tool], hello: Project) -> None:
    hello.write({"tox.ini": TOX})

    done = tool("tox")("run", "-e", "py,dev")

    assert done.output.count("answer 42") == 2


def test_nox(tool: Callable[[str], Tool], hello: Project) -> None:
    hello.write({"noxfile.py": NOXFILE})

    assert "answer 42" in tool("nox")().output

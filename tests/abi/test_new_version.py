"""A CPython that is added in one place reaches the tables, the checks and python.inc."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from asmsetup.versions import NEWEST, VERSIONS
from tests.projects import run
from tools.matrix.interpreters import REPOSITORY

NEW = (3, NEWEST[1] + 1)
SOURCE = """\
%include "python.inc"
PyModule invented
    PyFunction answer, METH_NOARGS
        PyDoc "Return 42."
        mov edi, 42
        PyCall PyLong_FromLong
        PyReturn rax
    PyEndFunction
PyEndModule
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project with one version more, as docs/new-python.md tells to add it."""
    for folder in ("asmsetup", "tools", "tests"):
        shutil.copytree(
            REPOSITORY / folder,
            tmp_path / folder,
            ignore=shutil.ignore_patterns("__pycache__", "packages"),
        )
    versions = tmp_path / "asmsetup" / "versions.py"
    versions.write_text(versions.read_text().replace(f"{VERSIONS}", f"{(*VERSIONS, NEW)}"))
    newest, new = ("{}.{}".format(*each) for each in (NEWEST, NEW))
    # What the headers would say: here, that nothing has changed.
    for facts in (tmp_path / "tools" / "abi").glob(f"{newest}*"):
        facts.with_name(facts.name.replace(newest, new)).write_text(facts.read_text())
    return tmp_path


def test_a_version_is_added_in_one_place(tree: Path) -> None:
    run(sys.executable, "tools/generate_abi.py", "--tables-only", cwd=tree)

    exported = "from asmsetup.facts import cpython_abi; import sys;"
    exported += f"print(cpython_abi.exported('PyLong_FromLong', {NEW}, True))"
    assert run(sys.executable, "-c", exported, cwd=tree).output == "True\n"
    (tree / "invented.asm").write_text(SOURCE)
    include = f"-I{tree}/asmsetup/include/"
    version = "-DPY_VERSION_HEX=0x{:02x}{:02x}00f0".format(*NEW)
    assert run("nasm", "-felf64", include, version, "invented.asm", cwd=tree).output == ""

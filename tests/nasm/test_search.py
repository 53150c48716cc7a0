"""Which NASM a build takes: the setting, NASM, PATH where it is new enough, the wheel asmsetup-nasm."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from asmsetup.assemble import nasm
from asmsetup.errors import ToolError
from tests.conftest import MakeProject
from tests.projects import Project


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder for PATH with a linker and no NASM."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ld").symlink_to(_program("ld"))
    return folder


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH with a package as asmsetup-nasm's."""
    folder = tmp_path / "site"
    package = folder / "asmsetup_nasm"
    package.mkdir(parents=True)
    shutil.copy(_source("__init__.py"), package)
    (package / "nasm").symlink_to(_program("nasm"))
    return folder


def _source(name: str) -> Path:
    return Path(__file__).parents[2] / "nasm" / "src" / "asmsetup_nasm" / name


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found
    return found


def _script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_the_wheel_where_no_nasm_is(hello: Project, path: Path, wheel: Path) -> None:
    hello.beside(wheel).build_ext(PATH=str(path))

    assert hello.answer() == "42"


def test_the_wheel_where_nasm_is_too_old(hello: Project, path: Path, wheel: Path) -> None:
    _script(path / "nasm", "echo NASM version 2.14.02")

    hello.beside(wheel).build_ext(PATH=str(path))

    assert hello.answer() == "42"


def test_path_before_the_wheel(hello: Project, path: Path, wheel: Path) -> None:
    (path / "nasm").symlink_to(_program("nasm"))
    (wheel / "asmsetup_nasm" / "nasm").unlink()

    hello.beside(wheel).build_ext(PATH=str(path))

    assert hello.answer() == "42"


@pytest.mark.parametrize("old", [True, False])
def test_what_is_named_is_what_is_taken(
    old: bool, hello: Project, path: Path, wheel: Path, tmp_path: Path
) -> None:
    named = tmp_path / "named"
    if old:
        _script(named, "echo NASM version 2.14.02")

    error = hello.beside(wheel).refused(PATH=str(path), NASM=str(named))

    assert str(named) in error


TOO_NEW = "/x/nasm: /lib/libc.so.6: version `GLIBC_2.99' not found (required by /x/nasm)"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            b"#!/no/such/loader\n",
            "cannot run {}: its loader does not exist here: it is for another C library or system\n",
        ),
        (
            b'#!/bin/sh\necho "' + TOO_NEW.encode().replace(b"`", b"\\`") + b'" >&2; exit 1\n',
            f"`{{}} -v' failed with exit code 1\n{TOO_NEW}\n",
        ),
        (b"\x7fELF", "cannot run {}: Exec format error\n"),
        (b"#!/bin/sh\nkill -11 $$\n", "`{} -v' was killed by signal 11 (SIGSEGV)\n"),
        (None, "cannot find nasm: {} is not a program that can be run\n"),
    ],
    ids=["another loader", "libc too new", "damaged", "crashing", "missing"],
)
def test_a_wheel_that_is_of_no_use_here(
    content: bytes | None, why: str, path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = wheel / "asmsetup_nasm" / "nasm"
    program.unlink()
    if content is not None:
        program.write_bytes(content)
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.syspath_prepend(str(wheel))

    try:
        with pytest.raises(ToolError) as caught:
            nasm.find(None)
    finally:
        del sys.modules["asmsetup_nasm"]

    first, _, rest = str(caught.value).partition("\n  it is damaged, or for another system;")
    expected = "NASM of the wheel asmsetup-nasm cannot be used: " + why.format(program).rstrip()
    assert first == expected
    assert rest.startswith(" a NASM on PATH is taken before it\n  Debian, Ubuntu:")


def test_neither(hello: Project, path: Path) -> None:
    assert "cannot find nasm" in hello.refused(PATH=str(path))


@pytest.fixture
def asking(asmsetup_installed: Path, tmp_path: Path) -> Path:
    """A folder for PYTHONPATH with an asmsetup that asks for NASM."""
    folder = tmp_path / "asking"
    shutil.copytree(asmsetup_installed, folder)
    file = folder / "asmsetup" / "plugin" / "requirements.py"
    text = file.read_text()
    assert "ASKS_FOR_NASM = False" in text
    file.write_text(text.replace("ASKS_FOR_NASM = False", "ASKS_FOR_NASM = True"))
    return folder


def required(project: Project, path: Path, *beside: Path) -> list[str]:
    """What setuptools' backend asks the front end to install for a wheel."""
    code = (
        "import json; from setuptools import build_meta;"
        "print(json.dumps(build_meta.get_requires_for_build_wheel()))"
    )
    made = Project(project.folder, project.python, beside)
    answer = made.run("-c", code, PATH=str(path)).output.splitlines()[-1]
    found: list[str] = json.loads(answer)
    return found


def test_a_build_without_nasm_asks_for_it(hello: Project, path: Path, asking: Path) -> None:
    assert required(hello, path, asking) == ["asmsetup-nasm>=3.1"]


def test_a_build_with_nasm_does_not(hello: Project, path: Path, asking: Path, wheel: Path) -> None:
    assert required(hello, path, asking, wheel) == []


def test_nobody_asks_yet(hello: Project, path: Path, asmsetup_installed: Path) -> None:
    assert required(hello, path, asmsetup_installed) == []


def test_a_project_without_assembly_does_not_ask(
    project: MakeProject, path: Path, asking: Path
) -> None:
    plain = project()
    (plain.folder / "setup.py").write_text("from setuptools import setup\nsetup()\n")

    assert required(plain, path, asking) == []

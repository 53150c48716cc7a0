"""What asmsetup new writes builds and passes its own tests as it stands: with pip, build and uv."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from asmsetup.cli.new import KINDS
from tests.cli.running import asmsetup
from tests.conftest import MakeProject
from tests.projects import Project, Run, Wheel, environment, installed_aside, run
from tools.matrix.interpreters import ALL

PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


@pytest.fixture(scope="session")
def uv_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for uv that holds no asmsetup of an earlier run, which has the same version."""
    return tmp_path_factory.mktemp("uv")


@pytest.fixture(params=KINDS)
def new(
    request: pytest.FixtureRequest,
    project: MakeProject,
    wheelhouse: Path,
    uv_cache: Path,
    tmp_path: Path,
) -> Project:
    """A new project, in an environment where front ends find asmsetup's wheel."""
    asmsetup("new", "fast-sum", "--kind", request.param, cwd=tmp_path)
    made = project(without_asmsetup=True)
    made.folder = tmp_path / "fast-sum"
    made.env["PYTHONPATH"] = ""
    links = filter(None, [os.environ.get("PIP_FIND_LINKS"), str(wheelhouse)])
    made.env["PIP_FIND_LINKS"] = " ".join(links)
    made.env["UV_FIND_LINKS"] = str(wheelhouse)
    made.env["UV_CACHE_DIR"] = str(uv_cache)
    return made


def is_library(project: Project) -> bool:
    return not list(project.folder.glob("src/*/_core.*"))


def own_tests(project: Project, *folders: Path) -> Run:
    """Run the project's tests with these folders to import from."""
    return project.beside(*folders, installed_aside(project.python, "pytest")).run(*PYTEST)


# An environment for each build takes long: pip and uv make some, for a kind or two.
@pytest.mark.parametrize("new", KINDS if ALL else ["module"], indirect=True)
def test_pip_builds_it(new: Project) -> None:
    new.run("-m", "pip", "wheel", "-q", "--no-deps", "-w", "dist", ".")
    require_complete(new, new.built_wheel())


@pytest.mark.parametrize("new", sorted({*KINDS} - {"module"}), indirect=True)
def test_setuptools_builds_it(new: Project, asmsetup_installed: Path) -> None:
    require_complete(new, new.beside(asmsetup_installed).wheel())


def require_complete(new: Project, wheel: Wheel) -> None:
    assert "manylinux" in wheel.tag
    module = [name for name in wheel.payload if name.endswith(".so")]
    assert len(module) == 1
    assert {*wheel.payload} - {*module} == {
        "fast_sum/__init__.py",
        "fast_sum/py.typed",
        "fast_sum/kernel.h" if is_library(new) else "fast_sum/_core.pyi",
    }
    assert " passed" in own_tests(new, wheel.unpacked()).output


@pytest.fixture(scope="module")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a project of each kind, fast-KIND."""
    folder = tmp_path_factory.mktemp("kinds")
    for kind in KINDS:
        asmsetup("new", f"fast-{kind}", "--kind", kind, cwd=folder)
    return folder


def test_the_checks_find_nothing(every_kind: Path) -> None:
    done = asmsetup("check", *(f"fast-{kind}" for kind in KINDS), cwd=every_kind)

    assert done.returncode == 0, done.stderr
    assert " 0 findings" in done.stdout
    assert "incomplete" not in done.stdout


# With C beside the assembly, and with a header: the others are like them to these two.
@pytest.mark.parametrize("new", KINDS if ALL else ["mixed", "library"], indirect=True)
def test_build_makes_both(new: Project, asmsetup_installed: Path) -> None:
    """In an environment that is there: tests/wheel/test_end_to_end.py has build make its own."""
    new.beside(asmsetup_installed).run("-m", "build", "--no-isolation", ".")

    (sdist,) = (new.folder / "dist").glob("*.tar.gz")
    assert sdist.name == "fast_sum-0.1.0.tar.gz"
    assert " passed" in own_tests(new, new.built_wheel().unpacked()).output


def uv(project: Project, *arguments: str) -> Run:
    program = Path(sys.executable).with_name("uv")
    return run(program, *arguments, cwd=project.folder, env=project.env)


@pytest.mark.parametrize("new", KINDS if ALL else ["mixed", "library"], indirect=True)
def test_uv_tests_it_and_sees_changes(new: Project) -> None:
    python = ("--python", str(new.python.path))
    assert " passed" in uv(new, "run", *python, "pytest", "-q", "-p", "no:cacheprovider").output
    code = "import fast_sum._core as m; print(m.__doc__)"
    if is_library(new):
        code = "import fast_sum; print(fast_sum.count_byte(b'', 1) and 'Changed')"
    assert "Changed" not in uv(new, "run", *python, "python", "-c", code).output

    for source in (*new.folder.glob("src/*/*.asm"), *new.folder.glob("src/*/_core.c")):
        text = source.read_text()
        for words in ('"Functions of', '"Types'):
            text = text.replace(words, '"Changed')
        source.write_text(text.replace("xor         eax, eax                ;", "mov eax, 1 ;"))
    assert "Changed" in uv(new, "run", *python, "python", "-c", code).output


@pytest.mark.parametrize("new", KINDS if ALL else ["simd"], indirect=True)
def test_uv_builds_it(new: Project) -> None:
    uv(new, "build", "-q", "--python", str(new.python.path))
    assert "manylinux" in new.built_wheel().tag


def test_type_checkers_accept_them(every_kind: Path) -> None:
    folders = [f"fast-{kind}/{folder}" for kind in KINDS for folder in ("src", "tests")]
    said = run(
        *(sys.executable, "-m", "mypy", "--strict", *folders),
        cwd=every_kind,
        env=environment(MYPYPATH=os.pathsep.join(folders[::2])),
    ).output
    assert said.startswith("Success")

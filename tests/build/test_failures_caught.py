"""Where projects catch a build that fails: each kind of failure, and a package that then does without."""

from __future__ import annotations

import pytest

from tests.build.hooks import MIXED, write
from tests.conftest import MakeProject

FAILURES = {
    "an error of NASM's": ({"bad.asm": "bogus eax\n"}, ["bad.asm"], {}),
    "a source that is missing": ({}, ["gone.asm"], {}),
    "a source listed twice": ({"bad.asm": ""}, ["bad.asm", "bad.asm"], {}),
    "an include that is missing": ({"bad.asm": '%include "gone.inc"\n'}, ["bad.asm"], {}),
    "a module that would not import": ({"bad.asm": "section .text\n ret\n"}, ["bad.asm"], {}),
    "a library that is missing": (
        {"bad.asm": '%include "module.inc"\nMODULE bad, 1\n'},
        ["bad.asm"],
        {"libraries": ["no-such-library"]},
    ),
    "a library that is missing, mixed": (
        {"bad.c": MIXED.format(name="bad")},
        ["bad.c", "number.asm"],
        {"libraries": ["no-such-library"]},
    ),
    "an error of C": ({"bad.c": "int bad(\n"}, ["bad.c", "number.asm"], {}),
    "an option that must be a list": ({}, ["number.asm"], {"extra_objects": "x.o"}),
    "an unknown language": ({}, ["number.asm"], {"extra_compile_args": {"nsam": []}}),
    "a name of no module": ({}, ["number.asm"], {"export_symbols": ["x"]}),
}
OF_C = MIXED.format(name="hello").replace(
    "extern long number(void);", "static long number(void) { return 42; }"
)
FALLBACK = """
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from {home} import {names}

class Own(build_ext):
    def {method}
        except ({names}) as error:
            print("falls back:", str(error).splitlines()[0])

setup(
    py_modules=[],
    cmdclass={{"build_ext": Own}},
    ext_modules=[
        Extension("first", ["first.asm"]),
        Extension({name!r}, {sources}, **{keywords}),
        Extension("hello", ["plain.asm"]),
    ],
)
"""
COPY = """
from copy import copy
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

class Own(build_ext):
    def build_extensions(self):
        for ext in self.extensions:
            try:
                self.build_extension(ext)
            except CompileError as error:
                other = copy(ext)
                other.sources = {sources}
                self.build_extension(other)
                print("falls back:", error)

setup(
    py_modules=[],
    cmdclass={{"build_ext": Own}},
    ext_modules=[Extension("hello", ["bad.asm"])],
)
"""
ONE = """build_extension(self, ext):
        try:
            super().build_extension(ext)"""
ALL = """build_extensions(self):
        try:
            super().build_extensions()"""


@pytest.mark.parametrize("kind", FAILURES)
def test_each_kind_of_failure_is_caught_where_projects_catch_it(
    project: MakeProject, kind: str
) -> None:
    files, sources, keywords = FAILURES[kind]
    built = write(project(), "compile replaced, and the old one called").write(files)
    name = "a/../../b" if kind == "a name of no module" else "bad"
    setup = FALLBACK.format(
        home="setuptools.errors",
        names="CompileError, PlatformError",
        method=ONE,
        name=name,
        sources=sources,
        keywords=keywords,
    )
    built.write({"setup.py": setup})

    said = built.setup("build_ext", "--build-lib", ".").output

    assert said.count("falls back:") == 1
    assert [built.answer(each) for each in ("first", "hello")] == ["1", "42"]
    assert not list(built.folder.rglob("b.exports"))


@pytest.mark.parametrize(
    ("home", "names"),
    [
        ("setuptools.errors", "CompileError, PlatformError"),
        ("distutils.errors", "CompileError, DistutilsPlatformError"),
        ("setuptools.errors", "CCompilerError, ExecError, PlatformError"),
    ],
)
@pytest.mark.parametrize(
    "environment",
    [{"NASM": "/no/nasm"}, {"LD": "/no/ld"}, {"ASMSETUP_STRICT": "perhaps"}],
    ids=lambda env: next(iter(env)),
)
def test_a_package_with_a_fallback_installs_without_the_tools(
    project: MakeProject, home: str, names: str, environment: dict[str, str]
) -> None:
    built = write(project(), "compile replaced, and the old one called")
    setup = FALLBACK.format(
        home=home, names=names, method=ALL, name="also", sources=["plain.asm"], keywords={}
    )
    built.write({"setup.py": setup})

    said = built.setup("build_ext", ok=True, **environment).output

    assert said.count("falls back:") == 1
    assert not list(built.folder.rglob("*.so"))


@pytest.mark.parametrize("sources", [["plain.c"], ["plain.asm"]], ids=["of C", "of assembly"])
def test_a_copy_with_other_sources_is_built_in_the_place_of_one_that_failed(
    project: MakeProject, sources: list[str]
) -> None:
    built = write(project(), "compile replaced, and the old one called")
    setup = COPY.format(sources=sources)
    built.write({"setup.py": setup, "bad.asm": "bogus eax\n", "plain.c": OF_C})

    assert "falls back: bad.asm:1" in built.setup("build_ext", "--build-lib", ".").output
    assert built.answer("hello") == "42"

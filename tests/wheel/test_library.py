"""Libraries without Python in them: their names, exports and wheels, and what they refuse."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.conftest import MakeProject
from tests.projects import PYPROJECT, Project, run
from tools.matrix.interpreters import installed

KERNEL = """\
global twice:function
global helper:function
section .text
twice: lea rax, [rdi + rdi]
helper: ret
"""
BINDING = """\
import ctypes, pathlib
library = ctypes.CDLL(str(pathlib.Path(__file__).with_name("libkernel.so")))
library.twice.argtypes = [ctypes.c_long]
library.twice.restype = ctypes.c_long
def answer(): return library.twice(21)
"""
SETUP = """\
from setuptools import Extension, setup
import asmsetup
setup(packages=["pkg"], ext_modules=[
    asmsetup.Library("pkg.libkernel", **{options!r}),{others}
])
"""
OPTIONS: dict[str, object] = {"sources": ["kernel.asm"], "export_symbols": ["twice"]}
HELLO = 'Extension("hello", ["hello.asm"], py_limited_api={})'
ANY_LINUX = "manylinux1_x86_64.manylinux_2_5_x86_64.musllinux_1_1_x86_64"


@pytest.fixture
def kernel(project: MakeProject) -> Project:
    """A package with a library."""
    package: Project = project()
    package.write({"kernel.asm": KERNEL, "pkg/__init__.py": BINDING, "pyproject.toml": PYPROJECT})
    return declare(package)


def declare(project: Project, others: str = "", **options: Any) -> Project:
    return project.write({"setup.py": SETUP.format(options={**OPTIONS, **options}, others=others)})


def test_a_wheel_of_libraries_alone(kernel: Project) -> None:
    wheel = kernel.wheel()

    assert wheel.tag == f"py3-none-{ANY_LINUX}"
    assert wheel.payload == ["pkg/__init__.py", "pkg/libkernel.so"]
    facts = wheel.module("pkg/libkernel")
    assert [symbol.name for symbol in facts.exported] == ["twice"]
    assert (facts.needed, facts.stack_flags, facts.relro) == ((), "RW", True)


def test_errors_about_the_name_and_the_exports(kernel: Project) -> None:
    text = (kernel.folder / "setup.py").read_text()
    kernel.write({"setup.py": text.replace("pkg.libkernel", "pkg.libkernel.so")})
    assert kernel.refused() == (
        "Library 'pkg.libkernel.so' has .so in its name, which its file gets anyway\n"
        "  write:   asmsetup.Library('pkg.libkernel', ...)"
    )
    kernel.write({"setup.py": text.replace("'export_symbols': ['twice']", "")})
    assert kernel.refused().startswith(
        "Library 'pkg.libkernel' has an empty list of export_symbols"
    )


@pytest.mark.parametrize(
    "other",
    [
        'asmsetup.Library("pkg.libkernel", ["more.asm"], export_symbols=["more"])',
        'asmsetup.Extension("pkg.libkernel", ["more.asm"])',
        # Whichever is built first: only an optional one's own mistakes are warnings.
        'asmsetup.Extension("pkg.libkernel", ["more.asm"], optional=True)',
    ],
)
def test_two_that_make_the_same_file(kernel: Project, other: str) -> None:
    declare(kernel.write({"more.asm": KERNEL.replace("twice", "more")}), other)
    kind = "Extension" if "Extension" in other else "Library"

    assert kernel.refused() == (
        f"{kind} 'pkg.libkernel' and Library 'pkg.libkernel' both make pkg/libkernel.so\n"
        "  give one of them another name, or put all sources into one"
    )


def test_importing_its_package_builds_it_again(kernel: Project) -> None:
    kernel.settings("editable-rebuild = true")
    site = kernel.folder.parent / "site"
    pip = ("-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", site)
    kernel.run(*pip, "-e", ".")
    code = f"import site; site.addsitedir({str(site)!r}); import pkg; print(pkg.answer())"
    before = kernel.run("-c", code).output
    kernel.write({"kernel.asm": KERNEL.replace("[rdi + rdi]", "[rdi + rdi + 1]")})

    assert (before, kernel.run("-c", code).output) == ("42\n", "43\n")


def test_every_python_loads_it(kernel: Project) -> None:
    folder = kernel.wheel().unpacked()
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import pkg; print(pkg.answer())"

    for python in installed():
        said = run(*python.command, "-c", code, cwd=folder, env=kernel.env).output
        assert said.splitlines()[-1] == "42", python.name


@pytest.mark.parametrize("mode", ["inplace", "lenient", "strict"])
def test_in_place_and_editable(kernel: Project, mode: str) -> None:
    kernel.write({"include/kernel.h": "long twice(long);\n", "pkg/own.h": ""})
    declare(kernel, headers=["include/kernel.h", "pkg/own.h"])
    if mode == "inplace":
        kernel.build_ext()
    else:
        kernel.backend("build_editable", "dist", {"editable_mode": mode})

    folders = [*kernel.folder.glob("build/__editable__*/pkg"), kernel.folder / "pkg"]
    assert len(folders) == (2 if mode == "strict" else 1)
    for folder in folders:
        assert {"libkernel.so", "kernel.h", "own.h"} <= {path.name for path in folder.iterdir()}
    assert kernel.answer("pkg", folders[0].parent) == "42"


def test_pypy_loads_it(kernel: Project) -> None:
    pypy = shutil.which("pypy3")
    if pypy is None:
        pytest.skip("no PyPy here")
    folder = kernel.wheel().unpacked()
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import pkg; print(pkg.answer())"

    assert run(pypy, "-c", code, cwd=folder, env=kernel.env).output == "42\n"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("kernel.c", "long helper(void) { return 1; } long twice(long n) { return 2 * n; }"),
        ("kernel.S", ".globl twice, helper\ntwice: leaq (%rdi,%rdi), %rax\nhelper: ret\n"),
    ],
)
def test_of_other_sources_without_nasm(kernel: Project, source: str, text: str) -> None:
    declare(kernel.write({source: text}), sources=[source])

    wheel = kernel.wheel(NASM="/nowhere/nasm")

    assert wheel.tag.startswith("py3-none-manylinux")
    assert [symbol.name for symbol in wheel.module("pkg/libkernel").exported] == ["twice"]
    assert kernel.answer("pkg", wheel.unpacked()) == "42"


def test_one_that_needs_a_libc_is_for_that_one(kernel: Project) -> None:
    kernel.write(
        {
            "kernel.asm": "extern labs\nglobal twice:function\nsection .text\n"
            "twice: push rdi\ncall labs wrt ..plt\npop rdi\nadd rax, rdi\nret\n"
        }
    )

    wheel = kernel.wheel()

    assert wheel.module("pkg/libkernel").needed == ("libc.so.6",)
    assert "musllinux" not in wheel.tag
    assert kernel.answer("pkg", wheel.unpacked()) == "42"


@pytest.mark.parametrize(
    ("others", "settings", "tag"),
    [
        (HELLO.format(False), "", "cp{0}-cp{0}-"),
        (HELLO.format(True), 'limited-api = "3.10"', "cp310-abi3-"),
        ("", "universal = true", "py3-none-"),
    ],
)
def test_the_tag_beside_other_modules(
    kernel: Project, others: str, settings: str, tag: str
) -> None:
    declare(kernel.settings(settings), others)

    wheel = kernel.wheel()

    version = kernel.python.name.replace(".", "")
    assert wheel.tag.startswith(tag.format(version))
    assert kernel.answer("pkg", wheel.unpacked()) == "42"


OF_DISTUTILS = """\
import setuptools
from distutils.command.build_ext import build_ext
class Own(build_ext):
    pass
"""


def test_a_command_class_of_distutils_and_a_module_of_the_same_name(kernel: Project) -> None:
    source = kernel.folder / "hello.asm"
    source.write_text(source.read_text().replace("MODULE hello", "MODULE libkernel"))
    declare(kernel, 'Extension("libkernel", ["hello.asm"])')
    setup = OF_DISTUTILS + (kernel.folder / "setup.py").read_text()
    kernel.write({"setup.py": setup.replace("setup(", "setup(cmdclass={'build_ext': Own}, ")})

    wheel = kernel.wheel()

    names = [name for name in wheel.payload if name.endswith(".so")]
    assert names[1] == "pkg/libkernel.so"
    assert names[0].startswith("libkernel.cpython-")
    assert kernel.answer("pkg", wheel.unpacked()) == "42"
    kernel.backend("build_editable", "editable")


def test_headers_and_stubs_are_shipped(kernel: Project) -> None:
    kernel.write({"include/kernel.h": "long twice(long);\n", "pkg/__init__.pyi": "", "k.inc": ""})
    kernel.write({"kernel.asm": '%include "k.inc"\n' + KERNEL})
    declare(kernel, headers=["include/kernel.h"])

    assert {"pkg/kernel.h", "pkg/__init__.pyi"} <= {*kernel.wheel().payload}
    assert {"include/kernel.h", "kernel.asm", "k.inc"} <= kernel.sdist().files()


ENTRY = "global PyInit_libkernel:function\n" + KERNEL + "PyInit_libkernel: ret\n"
USE = KERNEL.replace("helper: ret", "extern PyErr_Clear\nhelper: jmp PyErr_Clear wrt ..plt")


@pytest.mark.parametrize(
    ("text", "options", "error"),
    [
        (
            ENTRY,
            {},
            "kernel.asm:1: error: `PyInit_libkernel' makes a module that Python imports, and this"
            " is a library [python-in-library]\n"
            "    global PyInit_libkernel:function\n"
            "  a module that Python imports:   asmsetup.Extension(...)\n"
            "  a library for ctypes or cffi:   take it out",
        ),
        (
            USE,
            {},
            "kernel.asm:6: error: `PyErr_Clear' is CPython's, and a library runs in any Python, or"
            " in none [python-in-library]\n    helper: jmp PyErr_Clear wrt ..plt\n",
        ),
        (
            KERNEL,
            {"sources": ["kernle.asm"]},
            "kernle.asm: there is no such source file\n  Library 'pkg.libkernel' names it;",
        ),
        (
            KERNEL,
            {"sources": "kernel.asm"},
            "Library 'pkg.libkernel': sources must be a list of strings, and is 'kernel.asm'",
        ),
        (
            KERNEL,
            {"export_symbols": []},
            "Library 'pkg.libkernel' has an empty list of export_symbols, so nobody could call"
            " anything in it\n",
        ),
        (
            KERNEL,
            {"export_symbols": "twice"},
            "Library 'pkg.libkernel': export_symbols must be a list of strings, and is 'twice'",
        ),
        (
            KERNEL,
            {"export_symbols": ["thrice"]},
            "export_symbols names `thrice', but the library does not export it [missing-export]",
        ),
        (
            KERNEL,
            {"headers": ["kernel.h"]},
            "Library 'pkg.libkernel' names the header kernel.h: ",
        ),
        (
            KERNEL,
            {"sources": []},
            "Library 'pkg.libkernel' has an empty list of sources",
        ),
    ],
)
def test_what_is_no_library(
    kernel: Project, text: str, options: dict[str, Any], error: str
) -> None:
    refused = declare(kernel.write({"kernel.asm": text}), **options).refused()

    assert error in refused

"""Debug files beside the wheel, levels of stripping, sanitizers and coverage."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from asmsetup.facts import elf
from tests.conftest import MakeProject
from tests.projects import PYPROJECT, Project, path_of, run

BINDING = """\
#include <Python.h>
extern long number(void);
static PyObject *answer(PyObject *module, PyObject *unused)
{
    return PyLong_FromLong(number());
}
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "hello", NULL, 0, methods};
PyMODINIT_FUNC PyInit_hello(void) { return PyModuleDef_Init(&definition); }
"""
PURE = """\
%include "module.inc"
MODULE hello, ask
ask:
    mov         edi, 42
    jmp         PyLong_FromLong wrt ..plt
"""
ASM = "global number:function\nsection .text\nnumber:\n    mov eax, 40\n    add eax, 2\n    ret\n"
KINDS = pytest.mark.parametrize("kind", ["pure", "mixed"])


@pytest.fixture
def make(project: MakeProject) -> MakeProject:
    """A package with a module of one kind."""

    def made(kind: str) -> Project:
        package: Project = project()
        package.write({"pyproject.toml": PYPROJECT, "pkg/__init__.py": ""})
        package.write({"hello.asm": PURE})
        sources = ["hello.asm"]
        if kind == "mixed":
            package.write({"hello.c": BINDING, "number.asm": ASM})
            sources = ["hello.c", "number.asm"]
        return package.write(
            {
                "setup.py": "from setuptools import Extension, setup\n"
                f"setup(packages=['pkg'], ext_modules=[Extension('pkg.hello', {sources})])\n"
            }
        )

    return made


def build_id(path: Path) -> str:
    said = subprocess.run(["readelf", "-n", path], capture_output=True, text=True, check=True)
    (found,) = re.findall(r"Build ID: (\w{40})", said.stdout)
    return str(found)


@KINDS
def test_the_debug_file_is_beside_the_wheel(make: MakeProject, kind: str) -> None:
    package = make(kind).settings('debug = "split"')

    wheel = package.wheel()

    (module,) = (wheel.unpacked() / "pkg").glob("*.so")
    assert wheel.payload == ["pkg/__init__.py", f"pkg/{module.name}"]
    (debug,) = (package.folder / "dist").glob("*.debug")
    assert debug.name == f"{wheel.path.stem}.debug"
    (file,) = (each for each in debug.rglob("*") if each.is_file())
    assert file == debug / "pkg" / f"{module.name}.debug"
    facts = elf.read(str(module))
    assert facts.section(".symtab") is None
    assert facts.section(".debug_line") is None
    assert file.name.encode() in module.read_bytes()
    assert build_id(module) == build_id(file)
    assert package.answer("pkg.hello", wheel.unpacked()) == "42"


@pytest.mark.skipif(shutil.which("gdb") is None, reason="no gdb on this machine")
@KINDS
def test_gdb_finds_it(make: MakeProject, kind: str) -> None:
    package = make(kind).settings('debug = "split"')
    package.build_ext()
    label = "hello.asm:4" if kind == "pure" else "number"

    shown = run(
        *("gdb", "-nx", "-batch", "-ex", "set breakpoint pending on"),
        *("-ex", f"break {label}", "-ex", "run", "-ex", "info source", "-ex", "backtrace 2"),
        *("--args", package.python.path, "-c", "import pkg.hello as h; h.answer()"),
        cwd=package.folder,
        env=package.env,
        ok=None,  # assembly without a macro has no frame that can be unwound
    ).output

    assert "Current source file is " + ("hello" if kind == "pure" else "number") in shown, shown
    if kind == "mixed":
        assert re.search(r"#1 .* answer .* at hello.c:5", shown), shown


@KINDS
@pytest.mark.parametrize(
    ("level", "symbols", "lines"),
    [("all", False, False), ("debug", True, False), ("none", True, True)],
)
def test_levels_of_stripping(
    make: MakeProject, kind: str, level: str, symbols: bool, lines: bool
) -> None:
    package = make(kind).settings(f'strip = "{level}"\nnasm-args = ["-g"]')
    package.build_ext()

    (module,) = (package.folder / "pkg").glob("*.so")
    facts = elf.read(str(module))
    assert (facts.section(".symtab") is not None) == symbols
    assert (facts.section(".debug_line") is not None) == lines
    assert package.answer("pkg.hello") == "42"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (
            'debug = "splt"',
            "debug in pyproject.toml is 'splt', and must be true, false or \"split\"",
        ),
        (
            'debug = "true"',
            "debug in pyproject.toml is 'true', and must be true, false or \"split\"",
        ),
        ("strip = true", 'strip in pyproject.toml is True, and must be "all", "debug" or "none"'),
    ],
)
def test_wrong_values(make: MakeProject, setting: str, said: str) -> None:
    assert make("pure").settings(setting).refused() == f"[tool.asmsetup] {said}"


def test_a_debug_file_of_a_module_that_has_none_now_goes(hello: Project) -> None:
    hello.settings('debug = "split"').build_ext()
    assert [*hello.folder.glob("hello*.so.debug")]

    hello.settings("debug = false").build_ext()

    assert not [*hello.folder.glob("hello*.so.debug")]
    assert hello.answer() == "42"


def test_split_without_objcopy(make: MakeProject) -> None:
    package = make("pure").settings('debug = "split"')
    path = path_of(package.folder.parent / "bin", "nasm", "ld")

    refused = package.refused(PATH=path)
    assert refused.startswith("cannot find objcopy: no objcopy on PATH")
    assert refused.endswith("elsewhere, or another one: set OBJCOPY=/path/to/objcopy")
    # The cure, applied.
    package.build_ext(PATH=path, OBJCOPY=str(shutil.which("objcopy")))
    assert [*package.folder.rglob("*.so.debug")]


OVERFLOW = BINDING.replace(
    "    return PyLong",
    "    volatile char *all = malloc(8);\n    all[number() - 34] = 1;\n    return PyLong",
)


def test_address_sanitizer(make: MakeProject) -> None:
    package = make("mixed").write(
        {"hello.c": OVERFLOW.replace("#include", "#include <stdlib.h>\n#include", 1)}
    )
    flags = "-fsanitize=address -g -O1"
    package.build_ext(CFLAGS=flags, LDFLAGS="-fsanitize=address", ASMSETUP_STRIP="none")

    found = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not Path(found).is_absolute():
        pytest.skip("no libasan on this machine")
    code = "import pkg.hello as h; h.answer()"
    run = package.run("-c", code, ok=False, LD_PRELOAD=found, ASAN_OPTIONS="detect_leaks=0")

    assert "heap-buffer-overflow" in run.output
    assert re.search(r"in answer .*hello\.c:7", run.output), run.output


def test_coverage_with_gcov(make: MakeProject) -> None:
    package = make("mixed")
    package.build_ext(CFLAGS="--coverage -O0", LDFLAGS="--coverage")

    assert package.answer("pkg.hello") == "42"

    (counts,) = package.folder.rglob("*.gcda")
    assert counts.with_suffix(".gcno").exists()
    said = subprocess.run(
        ["gcov", "-t", counts], cwd=package.folder, capture_output=True, text=True, check=True
    ).stdout
    assert re.search(r"^ +1\*?: +5:    return PyLong_FromLong", said, re.MULTILINE), said

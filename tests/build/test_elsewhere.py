"""Machines that assembly is not for, simulated: Python says that it runs on another one, and is named so.

The tools are this machine's, so what is compiled is for it, and can be imported.
"""

from __future__ import annotations

import shutil

import pytest

from tests.build.test_flags_per_source import made
from tests.conftest import MakeProject
from tests.projects import ANSWERING, PYPROJECT, Project

BINDING = """\
#include <Python.h>
#ifdef ASMSETUP
extern long number(void);
#else
static long number(void) { return 21; }
#endif
static PyObject *answer(PyObject *module, PyObject *unused)
{ return PyLong_FromLong(number()); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "hello", NULL, 0, methods};
PyMODINIT_FUNC PyInit_hello(void) { return PyModuleDef_Init(&definition); }
"""
ASM = "global number:function\nsection .text\nnumber: mov eax, 42\nret\n"
# As an assembler for another machine takes it, and this one's: our checks would find an error.
GAS = '#include "value.h"\n.globl number\nnumber: movl $VALUE, %eax\nret\n.section .rodata\n.quad number\n'
SETUP = """\
from setuptools import setup
from asmsetup import Extension, Library, Sources
setup(py_modules=[], ext_modules=[{}])
"""
MIXED = "Extension('hello', ['hello.c', 'number.asm'])"
PURE = "Extension('pure', ['pure.asm'])"


@pytest.fixture
def both(project: MakeProject) -> Project:
    """A mixed module with a portable path in C; another may be pure assembly."""
    made: Project = project()
    (made.folder / "hello.asm").rename(made.folder / "pure.asm")
    made.write(
        {"hello.c": BINDING, "number.asm": ASM, "number.S": GAS, "value.h": "#define VALUE 63\n"}
    )
    made.write({"pyproject.toml": PYPROJECT})
    return declare(made, MIXED)


def declare(project: Project, *extensions: str) -> Project:
    return project.write({"setup.py": SETUP.format(", ".join(extensions))})


def on(project: Project, machine: str, system: str = "linux") -> Project:
    """The same project, built by a Python that says it runs on another machine."""
    site = project.folder.parent / f"{machine}-{system}"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(
        f"import platform; platform.machine = lambda: {machine!r}\n"
    )
    there = project.beside(site)
    there.env["_PYTHON_HOST_PLATFORM"] = f"{system}-{machine}"
    there.env["SETUPTOOLS_EXT_SUFFIX"] = f".cpython-311-{machine}-linux-gnu.so"
    return there


def imported(project: Project) -> str:
    """The answer of the module that was built in place for another machine."""
    (path,) = project.folder.glob("hello.*.so")
    shutil.copy(path, project.folder / "hello.so")
    return project.answer()


def test_without_skip_it_is_an_error(both: Project) -> None:
    error = on(both, "aarch64").refused()

    assert error == (
        "asmsetup builds modules for x86-64 only, and this machine is aarch64\n"
        '  leave the assembly out here:   elsewhere = "skip"   in [tool.asmsetup]'
    )


def test_an_unknown_value(both: Project) -> None:
    assert both.settings('elsewhere = "ignore"').refused() == (
        '[tool.asmsetup] elsewhere in pyproject.toml is \'ignore\', and must be "error" or "skip"'
    )


def test_c_takes_the_portable_path(both: Project) -> None:
    both.settings('elsewhere = "skip"')
    both.build_ext()
    assert both.answer() == "42"
    both.module().unlink()

    there = on(both, "aarch64")
    there.build_ext(NASM="/nowhere/nasm")

    assert imported(there) == "21"


def test_pure_extensions_are_left_out(both: Project) -> None:
    both.settings('elsewhere = "skip"\nuniversal = true')
    declare(both, PURE, MIXED, "Library('pkg.libk', ['number.asm'], export_symbols=['number'])")
    there = on(both, "aarch64")

    output = there.build_ext().output
    wheel = there.wheel()

    assert "leaving out pure: its assembly is not for aarch64-linux" in output
    assert [name.partition(".")[0] for name in wheel.payload] == ["hello"]
    assert wheel.tag == "cp311-cp311-linux_aarch64"


def test_flags_and_groups_hold_there_as_well(both: Project) -> None:
    both.settings('elsewhere = "skip"')
    binding = BINDING.replace("{ return 21; }", "{ return one_1() + 10 * one_2(); }")
    binding = binding.replace("#ifdef", "extern long one_1(void), one_2(void);\n#ifdef")
    kernel = "#define P(a, b) a##b\n#define Q(a, b) P(a, b)\nlong Q(one_, N)(void) { return N; }\n"
    both.write({"hello.c": binding, "k.c": kernel})
    declare(
        both,
        "Extension('hello', ['hello.c', 'number.asm'], extra_compile_args={'nasm': ['-Ox']},"
        "groups=[Sources(['k.c'], define_macros=[('N', n)]) for n in '12'])",
    )
    there = on(both, "aarch64")

    there.build_ext()

    assert imported(there) == "21"


def test_a_library_has_its_name_and_its_exports(both: Project) -> None:
    both.settings('elsewhere = "skip"')
    both.write(
        {"k.c": "long helper(void) { return 1; }\nlong portable(void) { return helper(); }\n"}
    )
    declare(both, "Library('libk', ['k.c', 'number.asm'], export_symbols=['portable'])")

    on(both, "aarch64").build_ext()

    assert [path.name for path in both.folder.glob("lib*.so")] == ["libk.so"]
    names = "import ctypes; k = ctypes.CDLL('./libk.so'); print(k.portable(), hasattr(k, 'helper'))"
    assert both.run("-c", names).output.split() == ["1", "False"]


PER_PLATFORM = (
    "Extension('hello', ['hello.c'], sources_for="
    "{'x86_64-linux': ['number.asm'], 'aarch64-*': ['number.S']})"
)


def test_sources_for_each_platform(both: Project) -> None:
    declare(both.settings('elsewhere = "skip"\nstrict = true'), PER_PLATFORM)

    assert made(both.build_ext().output) == {"hello.c", "number.asm"}
    assert both.answer() == "42"
    both.module().unlink()
    arm, other = on(both, "aarch64"), on(both, "riscv64")
    arm.build_ext("--build-temp=arm", "--build-lib=arm")
    arm.build_ext()
    assert imported(arm) == "63"
    (both.folder / "hello.cpython-311-aarch64-linux-gnu.so").unlink()
    other.build_ext()
    assert imported(other) == "21"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64"])
def test_the_sdist_holds_what_all_need(both: Project, machine: str) -> None:
    declare(both.settings('elsewhere = "skip"'), PER_PLATFORM)
    held = on(both, machine).sdist().files()

    assert {"hello.c", "number.asm", "number.S", "value.h"} <= held


@pytest.mark.parametrize(
    ("platforms", "error"),
    [
        (
            "{'x86-64-linux': ['number.asm']}",
            "Extension 'hello': sources_for has the key 'x86-64-linux', which is not a platform\n"
            "  did you mean 'x86_64-linux'?\n  a platform is a machine and a system, such as",
        ),
        (
            "{'x86_64': []}",
            "Extension 'hello': sources_for has the key 'x86_64', which is not a platform\n"
            "  did you mean 'x86_64-*'?\n",
        ),
        (
            "{'linux': []}",
            "Extension 'hello': sources_for has the key 'linux', which is not a platform\n"
            "  did you mean '*-linux'?\n",
        ),
        (
            "{'amd64': []}",
            "Extension 'hello': sources_for has the key 'amd64', which is not a platform",
        ),
        (
            "{'x86_64-*': 'number.asm'}",
            "Extension 'hello': sources_for['x86_64-*'] must be a list of strings, and is 'number.asm'",
        ),
        (
            "['number.asm']",
            "Extension 'hello': sources_for must be a dictionary of lists, and is ['number.asm']",
        ),
    ],
)
def test_bad_platforms(both: Project, platforms: str, error: str) -> None:
    declare(both, f"Extension('hello', ['hello.c', 'number.asm'], sources_for={platforms})")

    assert both.refused().startswith(error)


@pytest.mark.parametrize(
    ("platforms", "error"),
    [
        (
            "{'x86_64-linux': ['./number.asm']}",
            "Extension 'hello' names ./number.asm in sources and in sources_for['x86_64-linux'] as well\n"
            "  name it in one of them: both are for x86_64-linux",
        ),
        (
            "{'aarch64-linux': ['number.asm']}",
            "Extension 'hello' names number.asm in sources and in sources_for['aarch64-linux'] as well\n"
            "  name it in one of them: both are for aarch64-linux",
        ),
        (
            "{'x86_64-*': ['k.asm'], '*-linux': ['k.asm']}",
            "Extension 'hello' names k.asm in sources_for['x86_64-*'] and in sources_for['*-linux'] as well\n"
            "  name it in one of them: both are for x86_64-linux",
        ),
        (
            "{'x86_64-linux': ['k.asm', './k.asm']}",
            "Extension 'hello' lists ./k.asm twice\n  name it once",
        ),
    ],
)
def test_a_source_in_two_places(both: Project, platforms: str, error: str) -> None:
    declare(both, f"Extension('hello', ['hello.c', 'number.asm'], sources_for={platforms})")

    assert both.refused() == error


def test_one_source_for_two_platforms(both: Project) -> None:
    keys = "{'x86_64-linux': ['number.asm'], 'x86_64-windows': ['number.asm']}"
    declare(both, f"Extension('hello', ['hello.c'], sources_for={keys})")

    both.build_ext()

    assert both.answer() == "42"


def test_no_sources_for_this_platform(both: Project) -> None:
    declare(both, "Extension('hello', sources_for={'aarch64-*': ['number.S']})")

    assert both.refused() == (
        "Extension 'hello' has no sources for x86_64-linux\n"
        "  it has some for aarch64-*\n"
        "  name some for it:   sources_for={'x86_64-linux': [...]}"
    )
    declare(both, "Extension('hello', sources_for={'x86_64-linux': ['number.asm']})")
    there = on(both, "aarch64")
    assert there.refused().splitlines()[2:] == [
        "  name some for it:   sources_for={'aarch64-linux': [...]}",
        '  leave it out here:   elsewhere = "skip"   in [tool.asmsetup]',
    ]
    there.settings('elsewhere = "skip"').build_ext()


TARGET = {"asmsetup.target": "x86_64-linux"}


@pytest.mark.parametrize("ld", ["ld", "ld.lld"])
def test_a_universal_wheel_built_on_another_machine(
    both: Project, ld: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shutil.which(ld) or shutil.which(f"{ld}-14")
    if path is None:
        pytest.skip(f"no {ld} on this machine")
    monkeypatch.setitem(both.env, "LD", path)
    (both.folder / "pure.asm").write_text(ANSWERING.format("pure"))
    declare(
        both.settings("universal = true"),
        "Extension('pure', ['pure.asm'])",
        "Library('libk', sources_for={'x86_64-linux': ['number.asm']}, export_symbols=['number'])",
    )
    here = {name: data for name, data in both.wheel().files.items() if name.endswith(".so")}
    tag = both.built_wheel().tag
    shutil.rmtree(both.folder / "dist")
    shutil.rmtree(both.folder / "build")

    wheel = on(both, "aarch64").wheel(TARGET)

    assert wheel.tag == tag
    assert {name: data for name, data in wheel.files.items() if name.endswith(".so")} == here
    assert both.answer("pure", wheel.unpacked()) == "42"


@pytest.mark.parametrize(
    ("extension", "universal", "error"),
    [
        (
            PURE,
            "false",
            "Extension 'pure' is for this machine's Python, and target = 'x86_64-linux' on aarch64-linux\n"
            "  universal = true in [tool.asmsetup], or an asmsetup.Library, is for every Python",
        ),
        (
            "Library('libk', ['number.S'], export_symbols=['number'])",
            "false",
            "Library 'libk' has sources besides NASM's, and target = 'x86_64-linux' on aarch64-linux: number.S\n"
            "  this machine's C compiler makes objects for this machine alone",
        ),
    ],
)
def test_what_cannot_be_built_for_another_machine(
    both: Project, extension: str, universal: str, error: str
) -> None:
    declare(both.settings(f"universal = {universal}"), extension)

    assert on(both, "aarch64").refused(ASMSETUP_TARGET="x86_64-linux") == error


def test_a_linker_for_another_machine(both: Project) -> None:
    (both.folder / "pure.asm").write_text(ANSWERING.format("pure"))
    declare(both.settings("universal = true"), PURE)
    ld = both.folder / "other-ld"
    ld.write_text(
        "#!/bin/sh\necho 'ld: unrecognised emulation mode: elf_x86_64' >&2\n"
        "echo 'Supported emulations: aarch64linux aarch64elf' >&2\nexit 1\n"
    )
    ld.chmod(0o755)

    error = on(both, "aarch64").refused(ASMSETUP_TARGET="x86_64-linux", LD=str(ld))

    assert error.splitlines()[-2:] == [
        "  this linker is for another machine; name one for x86-64:   LD=x86_64-linux-gnu-ld",
        "  or one for all:   LD=ld.lld",
    ]


def test_a_target_that_does_not_exist(both: Project) -> None:
    error = both.refused(ASMSETUP_TARGET="aarch64-linux")

    assert error == "ASMSETUP_TARGET is 'aarch64-linux', and must be \"x86_64-linux\""

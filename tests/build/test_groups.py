"""Groups of an extension's sources: the same source twice with other macros, folders and flags."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import asmsetup
from tests.build.test_flags_per_source import made
from tests.conftest import MakeProject
from tests.projects import PYPROJECT, Project, Python, installed_aside

KERNEL = """\
%include "depth.inc"
%macro NAMED 1
global depth_%1:function
depth_%1: mov eax, DEPTH * SCALE
ret
%endmacro
section .text
NAMED BIT_DEPTH
"""
C_KERNEL = """\
#include "scale.h"
#define NAME2(depth) c_##depth
#define NAME(depth) NAME2(depth)
long NAME(BIT_DEPTH)(void) { return BIT_DEPTH * SCALE; }
"""
MODULE = """\
#include <Python.h>
extern long depth_8(void), depth_10(void), c_8(void), c_10(void);
static PyObject *answer(PyObject *module, PyObject *unused)
{ return Py_BuildValue("llll", depth_8() & 0xffff, depth_10() & 0xffff, c_8(), c_10()); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "hello", NULL, 0, methods};
PyMODINIT_FUNC PyInit_hello(void) { return PyModuleDef_Init(&definition); }
"""
FILES = {
    "hello.c": MODULE,
    "k/depth.asm": KERNEL,
    "k/depth.c": C_KERNEL,
    "k/eight/depth.inc": "%define DEPTH 8\n",
    "k/ten/depth.inc": "%define DEPTH 10\n",
    "k/scale.h": "",
}
GROUPS = """[
    Sources(["k/*.asm", "k/*.c"], define_macros=[("BIT_DEPTH", "8")], include_dirs=["k/eight"]),
    Sources(["k/*.asm", "k/*.c"], define_macros=[("BIT_DEPTH", "10")], include_dirs=["k/ten"],
            extra_compile_args={"c": TEN_C, "nasm": ["-DSCALE=10"]}),
]"""
ALL = ["hello.c", "k/depth.asm", "k/depth.asm", "k/depth.c", "k/depth.c"]


@pytest.fixture
def depths(project: MakeProject) -> Project:
    """A module of one kernel in assembly and one in C, each built for two depths."""
    two: Project = project()
    for path in two.folder.glob("hello*"):
        path.unlink()
    return declare(two.write({**FILES, "pyproject.toml": PYPROJECT}))


def declare(project: Project, groups: str = GROUPS, options: str = "", **changed: str) -> Project:
    options = options or 'sources=["hello.c"], define_macros=[("SCALE", "1")]'
    groups = groups.replace("TEN_C", changed.get("ten_c", '["-USCALE", "-DSCALE=10"]'))
    return project.write(
        {
            "setup.py": "import os\nfrom setuptools import setup\nfrom asmsetup import Extension, Sources\n\n"
            f"setup(py_modules=[], ext_modules=[Extension('hello', {options}, groups={groups})])\n"
        }
    )


def all_made(output: str) -> list[str]:
    """The sources that were assembled or compiled, each as often as it was."""
    assembled = re.findall(r"^\[\d+/\d+\] nasm (\S+)$", output, re.MULTILINE)
    return sorted([*assembled, *re.findall(r" -c (\S+) ", output)])


def test_one_source_twice(depths: Project) -> None:
    run = depths.build_ext()

    assert depths.answer() == "(8, 100, 8, 100)"
    assert all_made(run.output) == ALL
    assert all_made(depths.build_ext().output) == []


def test_changed_flags_rebuild_the_group_alone(depths: Project) -> None:
    depths.build_ext()

    declare(depths, GROUPS.replace("DSCALE=10", "DSCALE=3"))
    assert all_made(depths.build_ext().output) == ["k/depth.asm"]
    declare(depths, GROUPS.replace("DSCALE=10", "DSCALE=3"), ten_c='["-USCALE", "-DSCALE=2"]')
    assert all_made(depths.build_ext().output) == ["k/depth.c"]
    depths.write({"k/ten/depth.inc": "%define DEPTH 11\n"})
    assert all_made(depths.build_ext().output) == ["k/depth.asm"]

    assert depths.answer() == "(8, 33, 8, 20)"


def test_a_group_has_its_own_value_of_a_macro(depths: Project) -> None:
    one = '[Sources(["k/depth.asm"], define_macros=[("SCALE", "5"), ("BIT_DEPTH", "8")], include_dirs=["k/eight"]),'
    declare(depths, GROUPS.replace("[\n", one, 1).replace('["k/*.asm", "k/*.c"]', '["k/*.c"]', 1))

    output = depths.build_ext().output

    assert "redefined" not in output
    assert depths.answer() == "(40, 100, 8, 100)"


def test_the_objects_have_the_same_names_in_every_build(depths: Project) -> None:
    def objects() -> set[str]:
        depths.setup("build_ext", "--build-temp=t", "--build-lib=l", "--force")
        return {path for path in depths.files() if path.startswith("t/") and path.endswith(".o")}

    first = objects()
    names = sorted(Path(path).name.partition(".")[0] for path in first)
    depths.run("-c", "import shutil; shutil.rmtree('t'); shutil.rmtree('l')")

    assert names == ["depth", "depth", "depth", "depth", "hello"]
    assert objects() == first


def test_sdist_holds_what_all_groups_read(depths: Project) -> None:
    depths.write({"MANIFEST.in": "include k/*.h\n"})

    twin = depths.sdist()

    assert twin.files() >= {*FILES}
    twin.build_ext()
    assert twin.answer() == "(8, 100, 8, 100)"


def test_groups_of_c_alone(depths: Project) -> None:
    """No assembly shows that the extension is asmsetup's, but its class does."""
    groups = GROUPS.replace('"k/*.asm", ', "")
    stub = "long depth_8(void) { return 1; }\nlong depth_10(void) { return 2; }\n"
    options = 'sources=["hello.c", "stub.c"], define_macros=[("SCALE", "1")]'
    declare(depths.write({"stub.c": stub}), groups, options)

    depths.build_ext()

    assert depths.answer() == "(1, 2, 8, 100)"


def test_a_group_of_pure_assembly(hello: Project) -> None:
    hello.write(
        {
            "hello.asm": '%include "module.inc"\nextern n_1, n_2\nMODULE hello, sum\nsum:\npush rbx\n'
            "call n_1 wrt ..plt\nmov ebx, eax\ncall n_2 wrt ..plt\nlea edi, [rax+rbx]\npop rbx\n"
            "jmp PyLong_FromLong wrt ..plt\n",
            "n.asm": "%macro N 1\nglobal n_%1:function\nsection .text\nn_%1: mov eax, %1\nret\n%endmacro\nN NUMBER\n",
        }
    )
    groups = ", ".join(f'Sources(["n.asm"], extra_compile_args=["-DNUMBER={n}"])' for n in (1, 2))
    declare(hello, f"[{groups}]", 'sources=["hello.asm"]')

    assert made(hello.build_ext().output) == {"hello.asm", "n.asm"}
    assert hello.answer() == "3"


@pytest.mark.parametrize(
    ("groups", "options", "error"),
    [
        (
            '[Sources(["k/*.nasm"])]',
            "",
            "Extension 'hello', groups[0] has the pattern 'k/*.nasm', which matches no file\n"
            "  patterns start from FOLDER",
        ),
        (
            '[Sources(["k/depht.asm"])]',
            "",
            "k/depht.asm: there is no such source file\n"
            "  Extension 'hello' names it; paths start from FOLDER",
        ),
        (
            '[Sources(["k/*.asm"])]',
            'sources=["hello.c", "./k/depth.asm"]',
            "Extension 'hello' names ./k/depth.asm in sources and in a group as well\n"
            "  name it in one of them; what stands in two groups is built once for each",
        ),
        (
            '[Sources(["k/*.asm"], define_macros=[("A", None)])] * 2',
            "",
            "Extension 'hello' names k/depth.asm in two groups with the same macros, folders and flags\n"
            '  name it once, or tell them apart:   Sources([...], define_macros=[("NAME", "1")])',
        ),
        (
            "[]",
            "sources=['hello.c', 'k/depth.asm'], define_macro=[('A', '1')]",
            "Extension 'hello' has the option 'define_macro', which does not exist\n"
            "  did you mean define_macros?\n  the options are: include_dirs,",
        ),
        (
            '["k/depth.asm"]',
            "",
            "Extension 'hello': groups must be a list of asmsetup.Sources, and is ['k/depth.asm']",
        ),
        (
            'Sources(["k/*.asm"])',
            "",
            "Extension 'hello': groups must be a list of asmsetup.Sources, and is Sources(['k/*.asm'])",
        ),
        (
            '[Sources("k/depth.asm")]',
            "",
            "Extension 'hello', groups[0]: sources must be a list of strings, and is 'k/depth.asm'",
        ),
        (
            "[Sources([])]",
            "",
            "Extension 'hello', groups[0] has an empty list of sources\n"
            '  name at least one:   asmsetup.Sources(["k/*.asm"])',
        ),
        (
            '[Sources(["k/*.asm"], macros=[("A", "1")])]',
            "",
            "Extension 'hello', groups[0] has the option 'macros', which does not exist\n"
            "  did you mean define_macros?\n  the options are: define_macros, include_dirs,",
        ),
        (
            "[Sources([None, 3])]",
            "sources=[]",
            "Extension 'hello', groups[0]: sources must be a list of strings, and is [None, 3]",
        ),
        (
            '[["k/depth.asm"]]',
            "sources=[]",
            "Extension 'hello': groups must be a list of asmsetup.Sources, and is [['k/depth.asm']]",
        ),
        (
            '[Sources("k/depth.asm")]',
            "sources=[]",
            "Extension 'hello', groups[0]: sources must be a list of strings, and is 'k/depth.asm'",
        ),
        (
            '[Sources(["k/*.nasm"])]',
            "sources=[]",
            "Extension 'hello', groups[0] has the pattern 'k/*.nasm', which matches no file\n",
        ),
        (
            '[Sources(["k/*.asm"])]',
            "sources='hello.c'",
            "Extension 'hello': sources must be a list of strings, and is 'hello.c'",
        ),
        (
            "None",
            "sources=iter(['hello.c', 'k/depth.asm', './k/depth.asm'])",
            "Extension 'hello' lists ./k/depth.asm twice\n  name it once",
        ),
        (
            '[Sources(["k/*.asm"])]',
            'sources=["hello.c"], sources_for={"x86_64-*": ["./k/depth.asm"]}',
            "Extension 'hello' names ./k/depth.asm in sources_for['x86_64-*'] and in a group as well\n",
        ),
        (
            '[Sources([os.path.abspath("k/depth.asm")])]',
            'sources=["hello.c", "k/depth.asm"]',
            "Extension 'hello' names k/depth.asm in sources and in a group as well\n",
        ),
        (
            '[Sources(["k/*.asm"], include_dirs="k")]',
            "",
            "Extension 'hello', groups[0]: include_dirs must be a list of strings, and is 'k'",
        ),
        (
            '[Sources(["k/*.asm"], define_macros={"A": "1"})]',
            "",
            "Extension 'hello', groups[0]: define_macros has {'A': '1'}",
        ),
        (
            '[Sources(["k/*.asm"], extra_compile_args={"k/*.c": ["-O1"]})]',
            "",
            "Extension 'hello', groups[0]: extra_compile_args has the key 'k/*.c', which matches none of its sources\n"
            "  its sources are: k/depth.asm",
        ),
    ],
)
def test_bad_groups(depths: Project, groups: str, options: str, error: str) -> None:
    refused = declare(depths, groups, options).refused()

    assert refused.startswith(error.replace("FOLDER", str(depths.folder)))
    assert depths.setup("egg_info").status == 0


PYX = """\
# cython: language_level=3
cdef extern long depth_8(), depth_10(), c_8(), c_10()
def answer():
    return depth_8() & 0xffff, depth_10() & 0xffff, c_8(), c_10()
"""


@pytest.mark.parametrize("called", ["cythonize", "cythonize by a pattern", "list"])
def test_cython(depths: Project, python: Python, called: str) -> None:
    (depths.folder / "hello.c").unlink()
    declare(
        depths.write({"hello.pyx": PYX}), options='["hello.pyx"], define_macros=[("SCALE", "1")]'
    )
    text = (
        (depths.folder / "setup.py")
        .read_text()
        .replace("ext_modules=", f"ext_modules={called[:9]}(")
    )
    if "pattern" in called:
        text = text.replace("'hello'", "'*'").replace("hello.pyx", "*.pyx")
    depths.write({"setup.py": f"from Cython.Build import cythonize\n{text.rstrip()})\n"})
    built = depths.beside(installed_aside(python, "Cython==3.3.1"))

    built.build_ext()

    assert built.answer() == "(8, 100, 8, 100)"


def test_another_extension_of_the_same_name_takes_no_groups_over() -> None:
    group = asmsetup.Sources(["k.asm"], define_macros=[("BITS", "8")])
    first = asmsetup.Extension("hello", ["hello.asm"], groups=[group])
    second = asmsetup.Extension("hello", ["hello.asm", "k.asm", "more.asm"])

    assert first.groups == [group]
    assert second.groups == []


def test_a_source_by_two_spellings_is_in_the_same_group(depths: Project) -> None:
    paths = 'iter(["k/*.asm", "./k/depth.asm", os.path.abspath("k/depth.asm"), "k/*.c"])'
    declare(depths, GROUPS.replace('["k/*.asm", "k/*.c"]', paths))

    assert all_made(depths.build_ext().output) == ALL
    assert depths.answer() == "(8, 100, 8, 100)"


def test_a_pattern_that_the_locale_has_no_letters_for(depths: Project) -> None:
    declare(depths, '[Sources(["k\\xe9/*.asm"])]')

    error = depths.refused(LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")

    assert "which matches no file\n" in error


def test_groups_of_c_where_the_compiler_object_is_changed(depths: Project) -> None:
    text = (depths.folder / "setup.py").read_text()
    own = (
        "from setuptools.command.build_ext import build_ext\n"
        "class Own(build_ext):\n    def build_extensions(self):\n"
        "        self.compiler._compile = self.compiler._compile\n"
        "        super().build_extensions()\n"
    )
    depths.write({"setup.py": own + text.replace("setup(", "setup(cmdclass={'build_ext': Own}, ")})

    assert depths.refused().startswith(
        "Extension 'hello' has k/depth.c in a group, and a method of the compiler object is replaced\n"
    )

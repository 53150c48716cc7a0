"""Sources of any number, in any folder, beside any other: each has its own object, in the build folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.projects import Project

HELLO = '%include "module.inc"\nMODULE hello, NUMBER\n'

SUM = """\
%include "module.inc"
extern first, second
MODULE hello, sum
sum:
    push rbx
    call first
    mov ebx, eax
    call second
    lea edi, [rax + rbx]
    pop rbx
    jmp PyLong_FromLong wrt ..plt
"""

SUM_IN_C = """\
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#ifdef __cplusplus
extern "C" long first(void), second(void);
#else
extern long first(void), second(void);
#endif
static PyObject *answer(PyObject *module, PyObject *unused) {
    return PyLong_FromLong(first() + second());
}
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "hello", NULL, 0, methods};
PyMODINIT_FUNC PyInit_hello(void) { return PyModuleDef_Init(&definition); }
"""


def function(name: str, number: int) -> str:
    return f"global {name}:function hidden\nsection .text\n{name}: mov eax, {number}\nret\n"


def c_function(name: str, number: int) -> str:
    return f"long {name}(void) {{ return {number}; }}\n"


@pytest.mark.parametrize(
    "files",
    [
        {"hello.asm": SUM, "a/k.asm": function("first", 40), "b/k.asm": function("second", 2)},
        {"hello.nasm": SUM, "hello.asm": function("first", 40) + function("second", 2)},
        {"x.c": SUM_IN_C, "x.asm": function("first", 40) + function("second", 2)},
        {
            "src/x.c": SUM_IN_C,
            "x.nasm": function("first", 40),
            "other/x.asm": function("second", 2),
        },
        {"x.asm": SUM, "a.c": c_function("first", 40), "b.c": c_function("second", 2)},
        {
            "x.cpp": SUM_IN_C,
            "a.c": c_function("first", 40),
            "b.asm": function("second", 2),
        },
    ],
    ids=lambda files: " ".join(files),
)
@pytest.mark.parametrize("jobs", [(), ("-j", "2")], ids=["", "-j2"])
def test_sources_side_by_side(hello: Project, files: dict[str, str], jobs: tuple[str, ...]) -> None:
    hello.write(files).extension("hello", list(files))

    hello.build_ext(*jobs)

    assert hello.answer() == "42"


@pytest.mark.parametrize("jobs", [(), ("-j", "2")], ids=["", "-j2"])
def test_one_source_in_two_extensions(hello: Project, jobs: tuple[str, ...]) -> None:
    hello.write({"both.asm": '%include "module.inc"\nMODULE NAME, NUMBER\n'}).extensions(
        ("one", ["both.asm"], {"define_macros": [("NAME", "one"), ("NUMBER", "1")]}),
        ("two", ["both.asm"], {"define_macros": [("NAME", "two"), ("NUMBER", "2")]}),
    )

    hello.build_ext(*jobs)

    assert [hello.answer("one"), hello.answer("two")] == ["1", "2"]


def test_a_source_shared_as_it_is_is_assembled_once(hello: Project) -> None:
    shared = function("first", 40) + function("second", 2)
    hello.write({"hello.asm": SUM, "again.asm": SUM.replace("MODULE hello", "MODULE again")})
    hello.write({"shared.asm": shared}).extensions(
        ("hello", ["hello.asm", "shared.asm"], {}), ("again", ["again.asm", "shared.asm"], {})
    )

    said = hello.build_ext().output

    assert len(re.findall(r"nasm shared\.asm", said)) == 1
    assert [hello.answer("hello"), hello.answer("again")] == ["42", "42"]


def test_a_module_in_a_package(hello: Project) -> None:
    hello.write({"greetings/__init__.py": "", "greetings/hello.asm": HELLO})
    hello.extension("greetings.hello", ["greetings/hello.asm"], define_macros=[("NUMBER", "42")])

    hello.build_ext()

    assert hello.answer("greetings.hello") == "42"


def test_a_module_whose_name_is_not_ascii(hello: Project) -> None:
    # PEP 489: PyInitU_ and the name in punycode.
    entry = "PyInitU_" + "größe".encode("punycode").decode().replace("-", "_")
    source = (hello.folder / "hello.asm").read_text()
    hello.write({"hello.asm": f"{source}global {entry}:function\n{entry}: jmp PyInit_hello\n"})
    hello.extension("größe", ["hello.asm"])

    hello.build_ext()

    assert hello.answer("größe") == "42"


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_spaces_and_utf8_in_paths(project: MakeProject, locale: str) -> None:
    built = project(folder="Größe 42, 'quoted'")
    built.write(
        {"asm ü/hello world.asm": HELLO + '%include "zahl ß.inc"\n', "inc é/zahl ß.inc": ""}
    )
    built.extension(
        "hello",
        ["asm ü/hello world.asm"],
        include_dirs=["inc é"],
        define_macros=[("NUMBER", "42")],
    )

    built.build_ext(LC_ALL=locale)

    assert built.answer() == "42"


@pytest.mark.parametrize("way", ["absolute", "parent", "round about"])
def test_only_the_build_folder_and_the_module_are_written(hello: Project, way: str) -> None:
    outside = hello.folder.parent / "outside"
    outside.mkdir()
    (outside / "hello.asm").write_text((hello.folder / "hello.asm").read_text())
    (hello.folder / "asm").mkdir()
    source = {
        "absolute": str(outside / "hello.asm"),
        "parent": "../outside/hello.asm",
        "round about": "asm/../hello.asm",
    }[way]
    hello.extension("hello", [source])
    before = everything(hello.folder.parent)

    hello.build_ext()

    assert hello.answer() == "42"
    written = everything(hello.folder.parent) - before
    project = hello.folder.name
    module = f"{project}/{hello.module().name}"
    assert {path for path in written if not path.startswith((f"{project}/build/", "cache"))} == {
        module
    }


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_source_may_be_a_path_object(hello: Project) -> None:
    hello.write(
        {
            "setup.py": "from pathlib import Path\nfrom setuptools import Extension, setup\n"
            "setup(ext_modules=[Extension('hello', [Path('hello.asm')])])\n"
        }
    )

    hello.build_ext()

    assert hello.answer() == "42"


def test_a_hundred_sources(hello: Project) -> None:
    names = [f"part{number}" for number in range(100)]
    hello.write({f"{name}.asm": function(name, 1) for name in names})
    hello.write(
        {
            "hello.asm": '%include "module.inc"\nMODULE hello, sum\nsum: xor edi, edi\n'
            + "".join(f"extern {name}\ncall {name}\nadd edi, eax\n" for name in names)
            + "jmp PyLong_FromLong wrt ..plt\n"
        }
    )
    hello.extension("hello", ["hello.asm", *(f"{name}.asm" for name in names)])

    said = hello.build_ext().output

    assert hello.answer() == "100"
    counts = re.findall(r"^\[(\d+)/101\] nasm \S+\.asm", said, re.MULTILINE)
    assert [int(count) for count in counts] == list(range(1, 102))


def test_a_name_as_long_as_a_name_can_be(hello: Project) -> None:
    long = "界" * 83 + ".asm"  # 253 bytes
    (hello.folder / "hello.asm").rename(hello.folder / long)
    hello.extension("hello", [long])

    hello.build_ext()

    assert hello.answer() == "42"

"""extra_compile_args for single sources and for patterns of them, with nasm and the C compiler."""

from __future__ import annotations

import re

import pytest

from asmsetup.plugin.flags import matches
from tests.projects import Project

FUNCTION = "global {name}:function\nsection .text\n{name}: mov eax, NUMBER\nret\n"

KERNEL = """\
#ifdef __AVX2__
long {name}(void) {{ return 1; }}
#else
long {name}(void) {{ return 0; }}
#endif
"""

MODULE = """\
#include <Python.h>
extern long a(void), b(void), c_avx2(void), number(void);
static PyObject *answer(PyObject *module, PyObject *unused)
{ return Py_BuildValue("llll", a(), b(), c_avx2(), number()); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "hello", NULL, 0, methods};
PyMODINIT_FUNC PyInit_hello(void) { return PyModuleDef_Init(&definition); }
"""

SOURCES = ["hello.c", "src/a.c", "src/b.c", "src/c_avx2.c", "src/number.asm"]


@pytest.fixture
def four(hello: Project) -> Project:
    """A module of four C sources and one of assembly."""
    kernels = {f"src/{name}.c": KERNEL.format(name=name) for name in ("a", "b", "c_avx2")}
    return hello.write(
        {"hello.c": MODULE, "src/number.asm": FUNCTION.format(name="number"), **kernels}
    )


def with_flags(project: Project, flags: dict[str, list[str]]) -> Project:
    return project.extension("hello", SOURCES, extra_compile_args=flags)


def made(output: str) -> set[str]:
    """The sources that were assembled or compiled."""
    assembled = re.findall(r"^\[\d+/\d+\] nasm (\S+)$", output, re.MULTILINE)
    compiled = re.findall(r" -c (\S+) ", output)
    return {*assembled, *compiled}


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        ({"src/*_avx2.c": ["-mavx2", "-mbmi"]}, "(0, 0, 1, 7)"),
        ({"c": ["-O2"], "src/c_avx2.c": ["-mavx2"]}, "(0, 0, 1, 7)"),
        ({"./src/../src/c_avx2.c": ["-mavx2"]}, "(0, 0, 1, 7)"),
        ({"src/[ab].c": ["-mavx2"]}, "(1, 1, 0, 7)"),
        ({"**/*.c": ["-mavx2"]}, "(1, 1, 1, 7)"),
        # The language's first wherever it stands, then the patterns in order: the last one wins.
        ({"src/a.c": ["-mavx2"], "c": ["-mno-avx2"]}, "(1, 0, 0, 7)"),
        ({"src/*.c": ["-mavx2"], "src/b.c": ["-mno-avx2"]}, "(1, 0, 1, 7)"),
        ({"src/b.c": ["-mno-avx2"], "src/*.c": ["-mavx2"]}, "(1, 1, 1, 7)"),
        ({"src/*.asm": ["-DNUMBER=8"]}, "(0, 0, 0, 8)"),
        ({"src/*": ["-DNUMBER=9"]}, "(0, 0, 0, 9)"),
    ],
)
def test_flags_of_some_sources(four: Project, flags: dict[str, list[str]], answer: str) -> None:
    with_flags(four, {"nasm": ["-DNUMBER=7"], **flags})

    four.build_ext()

    assert four.answer() == answer


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        ({"c": ["-mavx2"]}, "(1, 1, 1, 7)"),
        ({"src/c_*.c": ["-mavx2"], "nasm": ["-g"]}, "(0, 0, 1, 7)"),
    ],
)
def test_an_extension_of_c_alone_beside_assembly(
    four: Project, flags: dict[str, list[str]], answer: str
) -> None:
    c_alone = [*SOURCES[:-1], "number.c"]
    four.write({"number.c": "long number(void) { return 7; }\n"})
    four.write({"one.asm": '%include "module.inc"\nMODULE one, 1\n'})
    four.extensions(("one", ["one.asm"], {}), ("hello", c_alone, {"extra_compile_args": flags}))

    for _ in range(2):
        four.build_ext()
        assert four.answer() == answer


def test_an_extension_of_c_alone_with_an_unknown_key(four: Project) -> None:
    four.write({"one.asm": '%include "module.inc"\nMODULE one, 1\n'})
    flags = {"cc": ["-O2"]}
    four.extensions(
        ("one", ["one.asm"], {}), ("hello", SOURCES[:-1], {"extra_compile_args": flags})
    )

    assert "extra_compile_args has the key 'cc'" in four.refused()


def test_changed_flags_rebuild_what_they_concern(four: Project) -> None:
    assert made(with_flags(four, {"nasm": ["-DNUMBER=7"]}).build_ext().output) == {*SOURCES}

    changed = {"nasm": ["-DNUMBER=7"], "src/*_avx2.c": ["-mavx2"]}
    assert made(with_flags(four, changed).build_ext().output) == {"src/c_avx2.c"}
    assert four.answer() == "(0, 0, 1, 7)"

    changed["src/number.asm"] = ["-UNUMBER", "-DNUMBER=8"]
    assert made(with_flags(four, changed).build_ext().output) == {"src/number.asm"}
    assert four.answer() == "(0, 0, 1, 8)"
    assert made(four.build_ext().output) == set()


def test_one_of_two_assembly_sources(hello: Project) -> None:
    hello.write(
        {
            "hello.asm": '%include "module.inc"\nextern number\nMODULE hello, call_number\n'
            "call_number:\npush rax\ncall number wrt ..plt\npop rdi\nadd eax, NUMBER\n"
            "mov edi, eax\njmp PyLong_FromLong wrt ..plt\n",
            "number.asm": FUNCTION.format(name="number"),
        }
    )
    flags = {"nasm": ["-DNUMBER=2"], "num*.asm": ["-DNUMBER=40"]}
    hello.extension("hello", ["hello.asm", "number.asm"], extra_compile_args=flags)

    hello.build_ext()

    assert hello.answer() == "42"


@pytest.mark.parametrize(
    ("key", "suggestions"),
    [
        ("src/*_avx.c", ["did you mean 'src/c_avx2.c'?"]),
        ("*_avx2.c", ["did you mean 'src/*_avx2.c'?"]),
        ("lib/*_avx2.c", ["did you mean 'src/*_avx2.c'?"]),
        ("src/C_AVX2.c", ["did you mean 'src/c_avx2.c'?"]),
        ("src/numbre.asm", ["did you mean 'src/number.asm'?"]),
        ("*.cu", []),
        ("src", None),
        ("", None),
    ],
)
def test_a_pattern_that_matches_nothing(
    four: Project, key: str, suggestions: list[str] | None
) -> None:
    first, *others = with_flags(four, {key: ["-mavx2"]}).refused().splitlines()

    if suggestions is None:
        assert first == f"Extension 'hello': extra_compile_args has the key {key!r}"
        assert others[-1].startswith("  the keys are: nasm, gas, c, cxx, and sources or patterns")
    else:
        assert (
            first == f"Extension 'hello': extra_compile_args has the key {key!r}, "
            "which matches none of its sources"
        )
        assert others == [
            *(f"  {line}" for line in suggestions),
            f"  its sources are: {', '.join(SOURCES)}",
        ]


def test_all_missing_sources_are_told_whatever_their_flags(hello: Project) -> None:
    sources = ["hello.asm", "x.asm", "y.asm"]
    hello.extension("hello", sources, extra_compile_args={"y.asm": ["-DX"]})

    assert hello.refused().splitlines()[:3] == [
        "x.asm: there is no such source file",
        "y.asm: there is no such source file",
        f"  Extension 'hello' names it; paths start from {hello.folder}",
    ]


@pytest.mark.parametrize(
    ("source", "pattern", "is_match"),
    [
        ("src/a.c", "src/*.c", True),
        ("src/deep/a.c", "src/*.c", False),
        ("src/deep/a.c", "src/**/*.c", True),
        ("src/a.c", "src/**/*.c", True),
        ("a.c", "**/a.c", True),
        ("src/a.c", "src/**", True),
        ("src/a[1].c", "src/a[1].c", True),
        ("src/A.c", "src/a.c", False),
        ("./src//a.c", "src/?.c", True),
        ("a.c", "", False),
    ],
)
def test_matching(source: str, pattern: str, is_match: bool) -> None:
    assert matches(source, pattern) is is_match

"""Sources for GAS (.S and .s): assembled by the C compiler, in the queue, and judged as NASM's are."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.build.test_flags_per_source import made
from tests.conftest import MakeProject
from tests.projects import PYPROJECT, Project, Wheel, made_once

DATA = """\
    .data
    .p2align 4
methods:
    .quad name, answer, 4, 0
    .quad 0, 0, 0, 0
def:
    .quad 1, 0, 0, 0, 0
    .quad mname, 0, 0, methods, 0, 0, 0, 0
table:
    .long 7, 42, 9
    .section .rodata
name: .asciz "answer"
mname: .asciz "hello"
"""
ENTRY = """\
    .text
    .globl PyInit_hello
    .type PyInit_hello, @function
PyInit_hello:
    leaq def(%rip), %rdi
    movl $1013, %esi
    jmp PyModule_Create2@PLT
"""
ANSWER = """\
answer:
    movl $VALUE, %edi
    jmp PyLong_FromLong@PLT
"""
BINDING = """\
#include <Python.h>
extern long number(void), half(void);
static PyObject *answer(PyObject *module, PyObject *unused)
{ return PyLong_FromLong(number() + half()); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "hello", NULL, 0, methods};
PyMODINIT_FUNC PyInit_hello(void) { return PyModuleDef_Init(&definition); }
"""
NUMBER = "    .text\n    .globl number\n    .type number, @function\nnumber:\n    movl $NUMBER, %eax\n    ret\n"
HALF = "global half:function\nsection .text\nhalf: mov eax, 2\nret\n"

MIXED = {"hello.c": BINDING, "k/number.S": '#include "number.h"\n' + NUMBER, "k/half.asm": HALF}


@pytest.fixture
def empty(project: MakeProject) -> Project:
    """A project with metadata and nothing else."""
    bare: Project = project()
    for path in bare.folder.glob("hello*"):
        path.unlink()
    return bare.write({"pyproject.toml": PYPROJECT})


@pytest.fixture
def gas(empty: Project) -> Project:
    """A module of one .S source."""
    empty.write({"hello.S": '#include "value.h"\n' + DATA + ENTRY + ANSWER})
    return empty.write({"value.h": "#define VALUE 42\n"}).extension("hello", ["hello.S"])


@pytest.fixture
def mixed(empty: Project) -> Project:
    """A module of C, NASM and GAS."""
    empty.write({**MIXED, "k/number.h": "#define NUMBER 40\n"})
    return empty.extension("hello", [*MIXED])


@pytest.fixture
def built(mixed: Project, shared: Path) -> Project:
    """The module of C, NASM and GAS, with what its build has left."""
    with made_once(shared / "gas") as missing:
        if missing:
            mixed.build_ext()
            shutil.copytree(mixed.folder, shared / "gas")
    shutil.copytree(shared / "gas", mixed.folder, dirs_exist_ok=True)
    return mixed


def test_a_module_of_gas_alone(gas: Project) -> None:
    gas.build_ext()

    assert gas.answer() == "42"
    facts = Wheel(gas.wheel().path).module("hello")
    assert facts.stack_flags == "RW"
    assert facts.needed == ()
    assert [symbol.name for symbol in facts.exported] == ["PyInit_hello"]


def test_c_and_nasm_and_gas(mixed: Project) -> None:
    assert made(mixed.build_ext().output) == {*MIXED}

    assert mixed.answer() == "42"
    assert made(mixed.build_ext().output) == set()


def test_clang(gas: Project) -> None:
    clang = shutil.which("clang") or shutil.which("clang-14")
    if clang is None:
        pytest.skip("no clang on this machine")

    assert "unused" not in gas.build_ext(CC=clang).output
    assert gas.answer() == "42"


@pytest.mark.parametrize("suffix", [".S", ".s"])
@pytest.mark.parametrize("compiler", ["gcc", "clang-14"])
def test_what_the_assembler_reads_rebuilds(mixed: Project, suffix: str, compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} on this machine")
    text = '.include "number.inc"\n' + NUMBER.replace("$NUMBER, %eax", "bytes(%rip), %eax")
    text += '    .section .rodata\nbytes:\n    .incbin "k/number.bin"\n    PADDED\n'
    mixed.write({f"k/n{suffix}": text, "k/number.inc": ".macro PADDED\n.byte 0, 0\n.endm\n"})
    mixed.write({"k/number.bin": "(\0"})
    sources = ["hello.c", f"k/n{suffix}", "k/half.asm"]
    mixed.extension("hello", sources, include_dirs=["k"])

    assert made(mixed.build_ext(CC=compiler).output) == {*sources}
    assert mixed.answer() == "42"
    assert made(mixed.build_ext(CC=compiler).output) == set()
    mixed.write({"k/number.bin": ")\0"})
    assert made(mixed.build_ext(CC=compiler).output) == {f"k/n{suffix}"}
    assert mixed.answer() == "43"
    mixed.write({"k/number.inc": ".macro PADDED\n.byte 1, 0\n.endm\n"})
    assert made(mixed.build_ext(CC=compiler).output) == {f"k/n{suffix}"}
    assert mixed.answer() == "65579"


READING = [
    "bytes: READ",
    ".globl bytes; bytes: READ",
    ".globl bytes; .p2align 2; bytes: READ; .byte 0",
    "/* the bytes */ bytes: /* here */ READ",
    "bytes: .INCBIN {}",
    "bytes:\n .IncBin\t{}, 0, 2",
    ".macro data\n bytes: READ\n .endm\n data",
    "#define BYTES bytes: READ\nBYTES",
    "#define BYTES READ\nbytes: BYTES",
    'bytes: .include "k/reading.inc"',
    ".set quote, '\"'\nbytes: READ // \"",
]


@pytest.mark.parametrize("reading", READING)
def test_a_directive_anywhere_in_a_line(built: Project, reading: str) -> None:
    name = '"k/number.bin"'
    text = reading.replace("READ", f".incbin {name}").replace("{}", name)
    text = NUMBER.replace("$NUMBER, %eax", "bytes(%rip), %eax") + f".section .rodata\n{text}\n"
    built.write({"k/number.S": text + ".byte 0, 0\n", "k/number.bin": "(\0"})
    built.write({"k/reading.inc": f"; .incbin {name}\n"})
    built.build_ext()
    assert "k/number.bin" in built.sdist().files()

    built.write({"k/number.bin": ")\0"})

    assert made(built.build_ext().output) == {"k/number.S"}
    assert built.answer() == "43"


@pytest.mark.parametrize(
    "text",
    [
        "# an .include NAME is one",
        "// as .incbin NAME",
        "/* the .include\n NAME or\n .incbin NAME */",
        '.section .rodata; .asciz ".incbin NAME \\" .include NAME"; .text',
        "no.include = 1\n.byte no.include",
    ],
)
def test_what_is_no_directive(built: Project, text: str) -> None:
    built.write({"k/number.S": f"{text}\n#define NUMBER 40\n" + NUMBER})
    built.build_ext()

    assert made(built.build_ext().output) == set()


def test_the_cache_has_it(mixed: Project) -> None:
    def built() -> str:
        shutil.rmtree(mixed.folder / "build", ignore_errors=True)
        return mixed.build_ext(ASMSETUP_CACHE="1").output

    assert "cached" not in built()
    again = built()
    assert "cached k/number.S" in again
    assert "k/number.S" not in made(again)
    assert mixed.answer() == "42"
    mixed.write({"k/number.h": "#define NUMBER 41\n"})
    assert "k/number.S" in made(built())
    mixed.write({"k/number.h": "#define NUMBER 40\n"})
    assert "cached k/number.S" in built()
    assert mixed.answer() == "42"


def test_a_header_rebuilds(built: Project) -> None:
    built.write({"k/number.h": "#define NUMBER 41\n"})

    assert made(built.build_ext().output) == {"k/number.S"}
    assert built.answer() == "43"


def test_where_a_macro_makes_the_name_it_is_built_each_time(built: Project) -> None:
    built.write({"k/empty.inc": ""})
    computed = '#define NAME "k/empty.inc"\n.include NAME\n#define NUMBER 40\n'
    built.write({"k/number.S": computed + NUMBER})
    built.build_ext()

    assert made(built.build_ext().output) == {"k/number.S"}


@pytest.mark.parametrize(
    "reading", ["#define NAME <number.h>\n#include NAME", '#define NAME "k/n.inc"\n.include NAME']
)
def test_an_sdist_says_that_a_name_is_made_by_a_macro(mixed: Project, reading: str) -> None:
    mixed.write({"k/number.S": f"{reading}\n" + NUMBER, "k/n.inc": ""})

    output = mixed.setup("sdist").output

    assert (
        "warning: a macro makes the name of a file that k/number.S reads, so that file is not"
        " included in the sdist unless MANIFEST.in names it\n"
    ) in output


def test_flags_and_macros(mixed: Project) -> None:
    mixed.write({"k/number.h": ""})
    mixed.extension("hello", [*MIXED], extra_compile_args={"gas": ["-DNUMBER=1"]})
    mixed.build_ext()
    assert mixed.answer() == "3"

    mixed.extension("hello", [*MIXED], extra_compile_args={"gas": ["-DNUMBER=2"]})
    assert made(mixed.build_ext().output) == {"k/number.S"}
    mixed.extension("hello", [*MIXED], define_macros=[("NUMBER", "3")])
    mixed.build_ext()
    assert mixed.answer() == "5"


def test_s_is_not_preprocessed(mixed: Project) -> None:
    mixed.write({"k/number.s": "# define NUMBER 5\n.set NUMBER, 40\n" + NUMBER})
    mixed.extension(
        "hello", ["hello.c", "k/number.s", "k/half.asm"], define_macros=[("NUMBER", "6")]
    )

    mixed.build_ext()

    assert mixed.answer() == "42"


def test_the_sdist_holds_what_is_read(mixed: Project) -> None:
    files = {
        "k/number.S": '#include "inc/number.h"\n.include "k/n.inc"\n' + NUMBER,
        "k/inc/number.h": '#include "deep.h"\n#undef VERSION\n',
        "k/inc/deep.h": "#define NUMBER 40\n",
        "k/n.inc": '.include "k/m.inc"\n',
        "k/m.inc": '.pushsection .rodata\n.incbin "k/blob"\n.popsection\n',
        "k/blob": '.include "k/secret"\n',
        "k/secret": "",
    }
    mixed.write(files)

    twin = mixed.sdist()

    assert twin.files() >= {*files} - {"k/secret"}
    assert "k/secret" not in twin.files()
    twin.build_ext()
    assert twin.answer() == "42"


OWN_SUFFIX = """\
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

class Own(build_ext):
    def build_extensions(self):
        self.compiler.src_extensions.append(".S")
        REPLACED
        super().build_extensions()

setup(py_modules=[], cmdclass={"build_ext": Own}, ext_modules=[Extension("hello", SOURCES)])
"""


@pytest.mark.parametrize(
    "replaced", ["", "self.compiler._compile = self.compiler._compile"], ids=["stock", "replaced"]
)
@pytest.mark.parametrize("appended", [True, False])
def test_a_project_that_appends_the_suffix_itself(
    mixed: Project, replaced: str, appended: bool
) -> None:
    text = OWN_SUFFIX.replace("SOURCES", repr([*MIXED])).replace("REPLACED", replaced)
    mixed.write({"setup.py": text if appended else re.sub(r".*append.*\n", "", text)})

    mixed.build_ext()

    assert mixed.answer() == "42"


def test_without_a_compiler(gas: Project) -> None:
    error = gas.refused(CC="/nowhere/cc")

    assert error.splitlines()[0] == (
        "cannot find the C compiler, which assembles hello.S: "
        "/nowhere/cc is not a program that can be run"
    )


def test_a_static_library(empty: Project) -> None:
    empty.write({"k/n.S": "#define NUMBER 40\n" + NUMBER, "hello.c": BINDING, "half.asm": HALF})
    empty.write(
        {
            "setup.py": "from setuptools import Extension, setup\n"
            "setup(py_modules=[], libraries=[('n', {'sources': ['k/n.S']})],\n"
            "    ext_modules=[Extension('hello', ['hello.c', 'half.asm'], libraries=['n'])])\n"
        }
    )

    empty.setup("build_clib", "build_ext", "--inplace")

    assert empty.answer() == "42"


MISTAKES = [
    # what stands in answer, the rule, what is to be written; %r11 and %rax are free there
    ("movq $table, %rax\n movl 4(%rax), %edi", "narrow-address", ["leaq table(%rip), %rax"]),
    ("movabsq $table, %rax\n movl 4(%rax), %edi", "absolute-address", ["leaq table(%rip), %rax"]),
    ("movl table+4, %edi", "narrow-address", None),
    (
        "movl $1, %ecx\n movl table(,%rcx,4), %edi",
        "narrow-address",
        ["leaq table(%rip), %r11", "movl (%r11,%rcx,4), %edi"],
    ),
    (
        "movl $4, %eax\n movl table(%rax), %edi",
        "narrow-address",
        ["leaq table(%rip), %r11", "movl (%r11,%rax), %edi"],
    ),
    (
        "leaq _Py_NoneStruct(%rip), %rax\n movl $42, %edi",
        "data-without-got",
        ["movq _Py_NoneStruct@GOTPCREL(%rip), %rax"],
    ),
    (
        "cmpq $0, PyExc_ValueError(%rip)\n movl $42, %edi",
        "data-without-got",
        ["movq PyExc_ValueError@GOTPCREL(%rip), %r11", "cmpq $0, (%r11)"],
    ),
    ("movl $42, %edi\n jmp PyLong_FromLnog@PLT", "unknown-name", None),
    ("movl $42, %edi\n .section .rodata\n .quad table\n .text", "pointer-in-read-only", None),
]


@pytest.mark.parametrize(("lines", "rule", "cure"), MISTAKES)
def test_mistakes_are_found_at_their_line_and_cured(
    gas: Project, lines: str, rule: str, cure: list[str] | None
) -> None:
    head, tail = ENTRY + "answer:\n", "    jmp PyLong_FromLong@PLT\n"
    gas.write({"hello.S": f"{DATA}{head} {lines}\n{tail}"})
    gas.settings("strict = true")
    at = f"hello.S:{len((DATA + head).splitlines()) + 1}"
    if lines.startswith("movl $") and "\n" in lines:
        number = int(at.partition(":")[2]) + (2 if ".section" in lines else 1)
        at = f"hello.S:{number}"

    _, report = gas.refused().split("\n", 1)

    assert report.startswith(f"{at}: error: ")
    assert f"[{rule}]" in report
    shown, *ways = [line.strip() for line in report.splitlines()[1:]]
    if cure is None:
        return
    assert [way.removeprefix("write:").strip() for way in ways] == cure
    text = (gas.folder / "hello.S").read_text()
    assert text.count(f" {shown}\n") == 1
    gas.write({"hello.S": text.replace(f" {shown}\n", "".join(f" {line}\n" for line in cure))})
    gas.build_ext()
    assert gas.answer() == "42"


INTEL = [
    (" mov rdi, offset def\n", "lea rdi, [rip + def]"),
    (" lea rdi, [rip + _Py_NoneStruct]\n", "mov rdi, [rip + _Py_NoneStruct@GOTPCREL]"),
]


@pytest.mark.parametrize(("line", "cure"), INTEL)
def test_hints_in_the_syntax_of_intel(gas: Project, line: str, cure: str) -> None:
    entry = ENTRY.replace("    leaq def(%rip), %rdi\n", line).replace(
        "movl $1013, %esi", "mov esi, 1013"
    )
    answer = ANSWER.replace("movl $VALUE, %edi", "mov edi, 42")
    text = ".intel_syntax noprefix\n" + DATA + entry + answer
    gas.write({"hello.S": text})

    assert f"  write:   {cure}" in gas.refused().splitlines()
    if "def" in cure:
        gas.write({"hello.S": text.replace(line, f" {cure}\n")}).build_ext()
        assert gas.answer() == "42"


GLOBAL = ".globl PyInit_hello\n"


@pytest.mark.parametrize(
    ("declared", "rule", "shown"),
    [
        ("", "entry-point-local", "PyInit_hello:"),
        (f"{GLOBAL}.hidden PyInit_hello\n", "entry-point-hidden", ".hidden PyInit_hello"),
        (GLOBAL, "entry-point-untyped", ".globl PyInit_hello"),
    ],
)
def test_an_entry_point_that_is_not_declared(
    gas: Project, declared: str, rule: str, shown: str
) -> None:
    entry = re.sub(r"    [.](globl|type) .*\n", "", ENTRY).replace(".text\n", f".text\n{declared}")
    gas.write({"hello.S": DATA + entry + ANSWER.replace("VALUE", "42")}).settings("strict = true")

    _, first, line, way = gas.refused().splitlines()[:4]

    assert f"[{rule}]" in first
    assert line.strip() == shown
    cure = ".globl PyInit_hello; .type PyInit_hello, @function"
    assert way == f"  write:   {cure}"
    text = (gas.folder / "hello.S").read_text()
    new = f"{cure}\n{shown}\n" if shown.endswith(":") else f"{cure}\n"
    gas.write({"hello.S": text.replace(f"{shown}\n", new, 1)})
    gas.build_ext()
    assert gas.answer() == "42"

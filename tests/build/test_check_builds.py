"""The checks in real builds: what stops one, what is only said, and all of it at once."""

from __future__ import annotations

import re
import shutil
import textwrap

import pytest

from tests.conftest import MakeProject
from tests.mistakes import MISTAKES
from tests.projects import CALLING, REPOSITORY, Project


def findings(package: str) -> str:
    return MISTAKES[package].report.strip()


@pytest.mark.parametrize(
    ("source", "way_out"),
    [
        ("answer:", "answer.asm has such a label; let the others see it:   global answer"),
        ("global answers:function\nanswers:", "name its library:   Extension("),
    ],
)
def test_what_c_calls_and_nobody_provides(hello: Project, source: str, way_out: str) -> None:
    code = f"section .text\n{source}\n mov eax, 42\n ret\n"
    hello.write({"binding.c": CALLING, "answer.asm": code})
    hello.extension("hello", ["binding.c", "answer.asm"])

    error = hello.refused()

    assert "nothing provides `answer'" in error
    assert way_out in error
    hello.write({"answer.asm": f"global answer:function\n{code.replace('answers', 'answer')}"})
    hello.build_ext()
    assert hello.answer() == "42"


def test_strict_makes_nasms_warnings_stop_the_build(hello: Project) -> None:
    source = (hello.folder / "hello.asm").read_text()
    hello.write({"hello.asm": f"{source}section .data\nresb 1\n"})
    assert "warning" in hello.build_ext().output

    hello.settings("strict = true")

    for _ in range(2):  # What stopped one build stops the next.
        assert re.match(r"hello\.asm:\d+: error: uninitialized space", hello.refused())
    hello.settings('strict = true\nnasm-args = ["-w-error=zeroing"]').build_ext()


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("and rax, 0x5555555555555555", "mov rcx, 0x5555555555555555", "exceeds bounds"),
        ("mov eax, 0x123456789", "mov rax, 0x123456789", "exceeds bounds"),
        ("rett", "ret", "alone on a line without a colon might be in error"),
        ("vzerouper", "vzerouper:", "alone on a line without a colon might be in error"),
    ],
)
def test_another_program_than_the_source_says_is_refused(
    wrong: str, right: str, said: str, hello: Project
) -> None:
    """nasm warns of it, and pip hides warnings; an argument takes the error back."""
    source = (hello.folder / "hello.asm").read_text()
    hello.write({"hello.asm": f"{source}section .text\n{wrong}\n"})
    line = source.count("\n") + 2
    assert re.match(rf"hello\.asm:{line}: error: .*{said}", hello.refused())

    kept = 'nasm-args = ["-w-error=number-overflow", "-w-error=label-orphan"]'
    assert "warning" in hello.settings(kept).build_ext().output

    hello.settings("")
    hello.write({"hello.asm": f"{source}section .text\n{right}\n"})
    hello.build_ext()


@pytest.mark.parametrize("package", ["call-without-plt", "got-without-rel", "entry-point-local"])
def test_an_error_stops_the_build(package: str, project: MakeProject) -> None:
    sample = project(package)
    assert sample.refused() == f"this would not work:\n{findings(package)}"
    assert not list(sample.folder.glob("*.so"))


@pytest.mark.parametrize("package", ["absolute-address", "entry-point-untyped"])
def test_a_warning_is_printed_and_the_module_works(package: str, project: MakeProject) -> None:
    sample = project(package)
    output = sample.build_ext().output
    assert findings(package) in output
    # ld would say it again, without the line.
    assert "TEXTREL" not in output
    assert "read-only section" not in output
    assert sample.answer("sample") == "42"


def test_strict_makes_a_warning_stop_the_build(project: MakeProject) -> None:
    sample = project("absolute-address")
    expected = findings("absolute-address").replace(": warning:", ": error:")
    assert sample.refused(ASMSETUP_STRICT="1") == f"this would not work:\n{expected}"


def test_the_kept_rule_is_silent(project: MakeProject) -> None:
    sample = project("absolute-address-kept")
    output = sample.build_ext(ASMSETUP_STRICT="1").output
    assert "warning:" not in output
    assert sample.answer("sample") == "42"


SEVERAL = """\
extern PyLong_FromLong, PyErr_Claer
global PyInit_{name}:function
section .text
PyInit_{name}:
    call PyErr_Claer wrt ..plt
    mov edi, 42
    call PyLong_FromLong
    ret
"""


def test_all_mistakes_of_all_sources_at_once(hello: Project) -> None:
    hello.write({f"{name}.asm": SEVERAL.format(name=name) for name in ("one", "two")})
    hello.extensions(("one", ["one.asm"], {}), ("two", ["two.asm"], {}))

    error = hello.refused()
    headings = [line.split(": ")[0] + " " + line.split("[")[-1] for line in error.splitlines() if "]" in line and ".asm:" in line]  # fmt: skip
    assert headings == [
        "one.asm:5 unknown-name]",
        "one.asm:7 call-without-plt]",
        "two.asm:5 unknown-name]",
        "two.asm:7 call-without-plt]",
    ]


PY_MODULE = """\
default rel
%include "python.inc"
PyModule {}
PyFunction answer, METH_NOARGS
    Py_RETURN_NONE
PyEndFunction
PyEndModule
"""


@pytest.mark.parametrize(
    ("name", "macro", "renamed"),
    [
        ("hello", "goodbye", "goodbye"),
        ("hello", "helo", "helo"),
        ("pkg.hello", "goodbye", "pkg.goodbye"),
    ],
)
def test_a_module_that_py_module_names_otherwise(
    name: str, macro: str, renamed: str, hello: Project
) -> None:
    hello.write({"hello.asm": PY_MODULE.format(macro)}).extension(name, ["hello.asm"])

    assert hello.refused() == (
        "this would not work:\n"
        f"hello.asm:3: error: `PyModule {macro}' makes a module called {macro}, and this one is"
        f" {name}: the import fails [entry-point-other-module]\n"
        f"    PyModule {macro}\n"
        "  write:   PyModule hello\n"
        f'  or name the extension after it:   Extension("{renamed}", ...)'
    )


@pytest.mark.parametrize(("name", "likely"), [("a b", "a_b"), ("p.a-b", "p.a_b"), ("2x", "_2x")])
def test_a_module_whose_name_cannot_be_imported(name: str, likely: str, hello: Project) -> None:
    hello.extension(name, ["hello.asm"])

    assert hello.refused() == (
        "this would not work:\n"
        f"hello.asm: error: the module is called `{name.removeprefix('p.')}', which is not a name"
        " that can be imported [entry-point-missing]\n"
        f'  use letters, digits and _:   Extension("{likely}", ...)'
    )


def test_an_error_in_a_macro_is_told_at_its_use(hello: Project) -> None:
    hello.write(
        {
            "inc/calls.inc": "%macro CALL_IT 1\n    nop\n    call %1\n%endmacro\n",
            "hello.asm": '%include "calls.inc"\nextern PyErr_Clear\nglobal PyInit_hello:function\n'
            "section .text\nPyInit_hello:\n    CALL_IT PyErr_Clear\n    ret\n",
        }
    ).extension("hello", ["hello.asm"], include_dirs=["inc"])

    assert hello.refused() == textwrap.dedent(
        """\
        this would not work:
        hello.asm:6: error: `PyErr_Clear' is outside this module and is called at a fixed distance, which is not known before the module is loaded: the linker refuses [call-without-plt]
            CALL_IT PyErr_Clear
          write:   call PyErr_Clear wrt ..plt"""
    )


# As the tutorials of old have it: absolute addresses, a hand-typed include, no type of symbol.
CLASSIC_INCLUDE = """\
extern PyModule_Create2
extern _Py_NoneStruct
%define Py_None _Py_NoneStruct
%define METH_NOARGS 4
STRUC moduledef
.object:        resq 2
.m_init:        resq 1
.m_index:       resq 1
.m_copy:        resq 1
.m_name:        resq 1
.m_doc:         resq 1
.m_size:        resq 1
.m_methods:     resq 1
.m_slots:       resq 4
ENDSTRUC
"""
CLASSIC = """\
bits 64
%include "python.inc.txt"
global PyInit_hello
section .data
modulename: db "hello", 0
methodname: db "answer", 0
methods:
    dq methodname, answer, METH_NOARGS, 0
    dq 0, 0, 0, 0
module:
ISTRUC moduledef
    at moduledef.object, dq 1, 0
    at moduledef.m_name, dq modulename
    at moduledef.m_size, dq -1
    at moduledef.m_methods, dq methods
IEND
section .text
answer:
    mov rax, Py_None
    inc qword [rax]
    ret
PyInit_hello:
    mov rdi, module
    mov esi, 1013
    call PyModule_Create2 wrt ..plt
    ret
"""


def test_a_classic_source_still_builds_and_its_author_learns(hello: Project) -> None:
    # The stack is aligned at no call here, as in the originals.
    source = CLASSIC.replace("    call PyModule", "    sub rsp, 8\n    call PyModule").replace(
        "..plt\n    ret", "..plt\n    add rsp, 8\n    ret"
    )
    hello.write({"python.inc.txt": CLASSIC_INCLUDE, "hello.asm": source})
    hello.extension("hello", ["hello.asm"])

    output = hello.build_ext().output
    said = [line.split(": ")[0] + " " + line.split("[")[-1] for line in output.splitlines() if "warning: " in line and "[" in line]  # fmt: skip
    assert said == [
        "hello.asm:3 entry-point-untyped]",
        "hello.asm:19 absolute-address]",
        "hello.asm:23 absolute-address]",
    ]
    assert "  write:   mov rax, [rel Py_None wrt ..got]\n" in output
    assert "  write:   lea rdi, [rel module]\n" in output
    assert hello.answer() == "None"


def test_what_nasm_says_has_its_line_and_a_hint(hello: Project) -> None:
    hello.write({"hello.asm": "extern foo\nsection .text\n    mov rax, [rel foo wrt ..gotpcrel]\n"})
    hello.extension("hello", ["hello.asm"])

    assert "    mov rax, [rel foo wrt ..gotpcrel]\n  NASM spells it:   [rel name wrt ..got]" in (
        hello.refused()
    )


def test_a_plain_library_for_ctypes_needs_no_entry_point(hello: Project) -> None:
    source = "global answer:function\nsection .text\nanswer: mov eax, 42\nret\n"
    hello.write({"hello.asm": source})
    hello.extension("hello", ["hello.asm"], export_symbols=["answer"])
    hello.build_ext()
    code = f"import ctypes; print(ctypes.CDLL({str(hello.module())!r}).answer())"
    assert hello.run("-c", code).output.strip() == "42"


def test_c_and_assembly_with_one_name_twice(hello: Project) -> None:
    hello.write(
        {
            "hello.c": "#include <Python.h>\nint number(void) { return 1; }\n"
            'static struct PyModuleDef m = {PyModuleDef_HEAD_INIT, "hello"};\n'
            "PyMODINIT_FUNC PyInit_hello(void) { return PyModule_Create(&m); }\n",
            "kernel.asm": "global number\nsection .text\nnumber: ret\n",
        }
    ).extension("hello", ["hello.c", "kernel.asm"])

    error = hello.refused()
    assert "`number' is defined GLOBAL both here and in kernel.asm" in error


EXAMPLES = sorted(path.parent.name for path in (REPOSITORY / "examples").glob("*/setup.py"))


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_are_in_order(example: str, hello: Project) -> None:
    shutil.rmtree(hello.folder)
    shutil.copytree(REPOSITORY / "examples" / example, hello.folder)
    # Not strict: an interpreter's own -rpath is reported in a module that a C compiler links.
    output = hello.build_ext().output
    assert not [line for line in output.splitlines() if "asm:" in line and "warning:" in line]

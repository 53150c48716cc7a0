"""Every cure that is printed leads to a module that builds and imports."""

from __future__ import annotations

import pytest

from tests.cures import apply_cures
from tests.projects import Project

HELLO = """\
%include "module.inc"
MODULE hello, answer
answer:
    push rbx
{}
    mov edi, 42
    pop rbx
    jmp PyLong_FromLong wrt ..plt
section .data
number: dd 42
table: dq 1, 2, 3
"""

MISTAKES = [
    "    call PyErr_Clear wrt ..plt",
    "extern PyErr_Clear\n    call PyErr_Clear",
    "    mov rax, number",
    "    mov eax, [abs number]",
    "    xor ecx, ecx\n    mov rax, [table + rcx*8]",
    "extern _Py_NoneStruct\n    lea rax, [rel _Py_NoneStruct]",
    "    inc [rel number]",
    # Foreign syntax.
    "    lea rdi, [rip + number]",
    "    mov eax, DWORD PTR number[rip]",
    "    mov rax, QWORD PTR PyExc_ValueError@GOTPCREL[rip]",
    "    call PyErr_Clear@PLT",
    "    movq $5, %rax",
    "    mov %rax, %rcx",
    "    movabs rax, 5",
    "    mov edi, OFFSET FLAT:number",
    "    movups xmm0, XMMWORD PTR table[rip]",
    "    xor eax, eax // zero",
    "    # a comment",
    "// a comment",
    "    .p2align 4",
    ".intel_syntax noprefix",
    "    .cfi_startproc",
    '    jmp over\ntext:\n.asciz "x"\nover:',
    "    jmp over\ntext:\n.quad 1\nover:",
    # CPython's exceptions are pointers.
    "extern PyExc_ValueError, PyErr_SetNone\n    mov rdi, PyExc_ValueError\n"
    "    call PyErr_SetNone wrt ..plt\nextern PyErr_Clear\n    call PyErr_Clear wrt ..plt",
    "extern PyExc_ValueError, PyErr_SetNone\n    lea rdi, [PyExc_ValueError]\n"
    "    call PyErr_SetNone wrt ..plt\nextern PyErr_Clear\n    call PyErr_Clear wrt ..plt",
    # A macro that the build is to define.
    "%if BIT_DEPTH == 1\n    nop\n%endif",
    "    mov eax, BIT_DEPTH\n    mov ecx, BIT_DEPTH",
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_module_works_with_the_cure(hello: Project, mistake: str) -> None:
    hello.write({"hello.asm": HELLO.format(mistake)}).extension("hello", ["hello.asm"])

    printed = hello.build_ext(ok=None, ASMSETUP_STRICT="1")
    assert printed.status != 0, str(printed)
    apply_cures(hello.folder, printed.output)
    # A line in another syntax may hide the next mistake.
    again = hello.build_ext(ok=None, ASMSETUP_STRICT="1")
    if again.status:
        apply_cures(hello.folder, again.output)
        hello.build_ext(ASMSETUP_STRICT="1")

    assert hello.answer() == "42"


SETS_AN_ERROR = """\
default rel
%include "python.inc"
PyModule hello
  PyMethod "fail", fail, METH_NOARGS
PyEndModule
PyRoutine fail
    {}
    call PyErr_SetNone wrt ..plt
PyReturn 0
PyEndRoutine
"""


@pytest.mark.parametrize("line", ["lea rdi, [PyExc_ValueError]", "mov rdi, PyExc_ValueError"])
def test_the_exception_is_loaded_by_the_macro(hello: Project, line: str) -> None:
    hello.write({"hello.asm": SETS_AN_ERROR.format(line)})

    printed = hello.build_ext(ok=None, ASMSETUP_STRICT="1").output
    assert "write:   PyLoad rdi, PyExc_ValueError" in printed
    apply_cures(hello.folder, printed)
    hello.build_ext(ASMSETUP_STRICT="1")

    said = hello.run("-c", "import hello; hello.fail()", ok=False).output
    assert said.splitlines()[-1] == "ValueError"

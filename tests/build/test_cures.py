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
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_module_works_with_the_cure(hello: Project, mistake: str) -> None:
    hello.write({"hello.asm": HELLO.format(mistake)})

    printed = hello.build_ext(ok=None, ASMSETUP_STRICT="1")
    assert printed.status != 0, str(printed)
    apply_cures(hello.folder, printed.output)
    hello.build_ext(ASMSETUP_STRICT="1")

    assert hello.answer() == "42"

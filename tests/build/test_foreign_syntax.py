"""A line in another assembler's syntax: the hint is NASM's line for the same bytes, as GAS itself shows."""

from __future__ import annotations

import pytest

from asmsetup.check import foreign
from tests.cures import apply_cures
from tests.projects import Project

AROUND = """\
.data
table: dd 1
words WORD 1, 2, 3, 4, 5
text BYTE "a, b", 10, 0
.text
start: ret
.globl seen
.hidden seen
.macro known first second
"""


@pytest.mark.parametrize(
    ("line", "written"),
    [
        (".p2align 4", "align 16"),
        (".p2align 4,,15", "align 16"),
        (".align 16", "align 16"),
        (".balign 8", "align 8"),
        (".text", "section .text"),
        ('.section .rodata,"a",@progbits', "section .rodata"),
        ('.section .note.GNU-stack,"",@progbits', ""),
        (".intel_syntax noprefix", ""),
        (".cfi_startproc", ""),
        (".type start, @function", ""),
        (".size start, .-start", ""),
        (".extern puts", "extern puts"),
        (".globl start", "global start:function"),
        (".globl table", "global table:data"),
        (".hidden start", "global start:function hidden"),
        (".hidden seen", ""),
        (".globl seen", "global seen:function hidden"),
        (".if SIZE > 8", "%if SIZE > 8"),
        (".ifdef SIZE", "%ifdef SIZE"),
        (".endif", "%endif"),
        (".elseif SIZE > 4", "%elif SIZE > 4"),
        (".ifeq SIZE - 8", "%if (SIZE - 8) == 0"),
        (".ifc rax, rbx", "%ifidn rax, rbx"),
        (".lcomm buffer, 64", "[section .bss]\nbuffer: resb 64\n__?SECT?__"),
        (".lcomm buffer, 8, 16", "[section .bss]\nalignb 16\nbuffer: resb 8\n__?SECT?__"),
        (".pushsection .rodata", "[section .rodata]"),
        (".popsection", "__?SECT?__"),
        (".macro load x", "%macro load 1"),
        (".macro load x:req, y=5", "%macro load 1-2 5"),
        (".macro load x y", "%macro load 2"),
        (".macro load", "%macro load 0"),
        (".macro load x, rest:vararg", "%macro load 1-*"),
        (".purgem known", "%unmacro known 2"),
        (".endm", "%endmacro"),
        ("mov rax, QWORD PTR [\\second+8]", "mov rax, qword [%2 + 8]"),
        ("add rax, \\first", "add rax, %1"),
        ("mov \\first\\()d, 5 # five", "mov %{1}d, 5  ; five"),
        ("invoke start", "call start"),
        ("INVOKE puts, ADDR table", "lea rdi, [rel table]\ncall puts wrt ..plt"),
        ("invoke start, rax, 5, ecx", "mov rdi, rax\nmov rsi, 5\nmov edx, ecx\ncall start"),
        ("invoke start, rdi", "call start"),
        ("mov eax, SIZEOF table", "mov eax, 4"),
        ("mov eax, SIZEOF words", "mov eax, 10"),
        ("mov eax, LENGTHOF words", "mov eax, 5"),
        ("mov eax, TYPE words", "mov eax, 2"),
        ("mov eax, sizeof text", "mov eax, 6"),
        ("IFDEF SIZE", "%IFDEF SIZE"),
        ("puts PROTO :PTR", "extern puts"),
        ("SIZE EQU <8>", "%define SIZE 8"),
        (".endprolog", ""),
        ("callq puts@PLT", "call puts wrt ..plt"),
        ("jmp NEAR PTR start", "jmp start"),
        ("jmp SHORT PTR start", "jmp SHORT start"),
        ("ASSUME cs:code", ""),
        ("TITLE kernels", ""),
        ("OPTION casemap:none", ""),
        (".comm buffer, 64, 16", "common buffer 64:16"),
        (".equ SIZE, 8", "SIZE equ 8"),
        (".set SIZE, 8", "SIZE equ 8"),
        ("SIZE = 8", "SIZE equ 8"),
        ('.include "x.inc"', '%include "x.inc"'),
        ("movq $msg, %rdi", "lea rdi, [rel msg]"),
        ("mov edi, OFFSET FLAT:msg", "lea rdi, [rel msg]"),
        ("mov rdi, OFFSET msg", "lea rdi, [rel msg]"),
        ("movl table(,%rcx,4), %eax", "lea r11, [rel table]\nmov dword eax, dword [rcx*4 + r11]"),
        ("mov eax, DWORD PTR table[0+rcx*4]", "lea r11, [rel table]\nmov eax, dword [r11 + rcx*4]"),
        ("// comment", "; comment"),
        ("/* comment */", "; comment"),
        ("# comment", "; comment"),
        ("xor eax, eax // zero", "xor eax, eax  ; zero"),
        ("mov %rax, %rbx # copy", "mov rbx, rax  ; copy"),
        ("start PROC", "start:"),
        ("start ENDP", ""),
        ("END", ""),
        (".code", "section .text"),
        (".data?", "section .bss"),
        ("_TEXT SEGMENT", "section .text"),
        ("EXTERN puts:PROC", "extern puts"),
        ("EXTRN puts:NEAR", "extern puts"),
        ("PUBLIC start", "global start:function"),
        ('text BYTE "x", 0', 'text: db "x", 0'),
        ("number DWORD 5", "number: dd 5"),
        ("number QWORD ?", "number: dq 0"),
        ("buffer DB 5 DUP (0)", "buffer: times 5 DB 0"),
        ("mov rax, QWORD PTR [rcx]", "mov rax, qword [rcx]"),
        ("label: movq %rax, %rbx", "label: mov rbx, rax"),
    ],
)
def test_the_line_that_nasm_writes(line: str, written: str) -> None:
    source = f"{AROUND}{line}\n.endm\n".splitlines()

    found = foreign.in_nasm(line, source)

    assert found is not None
    assert found.lines is not None
    assert "\n".join(found.lines) == written.replace("mov dword eax", "mov eax")


@pytest.mark.parametrize(
    "line",
    [
        "mov rax, [rel x]",
        "lea rdi, [rel msg]  ; # no comment",
        'db "// no comment", 0',
        "call PyErr_Clear wrt ..plt",
        "mov rax, [rel x wrt ..got]",
        "%define X 5",
        "times 5 db 0",
        "mov eax, dword [table + rcx*4]",
        ".local: ret",
        "x: dq 5",
        "mov qword [rdi + rcx*8], 5",
        "%if x == 5",
        "mov rax, $",
        "mov rax, $ - start",
        "global start:function",
    ],
)
def test_nasms_own_syntax_is_left_alone(line: str) -> None:
    assert foreign.in_nasm(line) is None


def test_a_name_that_is_declared_already() -> None:
    line = "call PyErr_Clear@PLT"

    assert foreign.in_nasm(line) == foreign.Foreign(
        "GAS", ("call PyErr_Clear wrt ..plt",), "extern PyErr_Clear"
    )
    declared = foreign.in_nasm(line, ["extern PyErr_Clear"])
    assert declared is not None
    assert declared.above is None


@pytest.mark.parametrize(
    "line",
    [
        *(".irp x, rax, rbx", "movq %rax, %cr0, 1f(%rip)", "fsub %st, %st(1)", ".lcomm buffer"),
        *(
            "invoke start, table",
            "invoke start, rsi, rdi",
            "invoke start, 1, 2, 3, 4, 5, 6, 7",
            ".macro load x=5, y",
            ".octa table",
            ".purgem load",
            ".while eax",
            ".if eax == 1",
            "mov eax, SIZEOF x",
            "mov eax, x(,%rcx,4)",
        ),
    ],
)
def test_what_is_not_understood_gets_no_line(line: str) -> None:
    found = foreign.in_nasm(line)

    assert found is not None
    assert found.lines is None


FOREIGN = """\
%include "python.inc"
.lcomm buffer, 8, 16
.macro load x, y=5
mov \\x, \\y
.endm
        section .data
wide: .octa 25
values DWORD 1, 2, 3
        section .text
PyModule hello
    PyFunction  answer, METH_NOARGS
        load        rdi
        add         edi, SIZEOF values
        invoke      labs, rdi
        add         rax, [rel wide]
        mov         [rel buffer], rax
        mov         rdi, [rel buffer]
        PyCall      PyLong_FromLong
        PyReturn
    PyEndFunction
PyEndModule
"""


def test_directives_and_macros_of_others(hello: Project) -> None:
    hello.write({"hello.asm": FOREIGN})
    apply_cures(hello.folder, hello.refused())

    hello.build_ext()

    assert hello.answer() == "42"


def test_parameters_whose_kind_att_does_not_tell() -> None:
    line = "movq \\x, %rax"

    assert foreign.in_nasm(line, [".macro load x", line]) == foreign.Foreign("AT&T", None)


def test_macros_are_in_no_syntax_of_others() -> None:
    assert foreign.in_nasm('PyConstant "LENGTH", $ - $$') is None


def test_an_own_label_is_not_reached_through_the_table_of_others(hello: Project) -> None:
    text = (hello.folder / "hello.asm").read_text()
    hello.write(
        {
            "hello.asm": f"section .data\nown: dq 42\nsection .text\nmov rax, QWORD PTR own@GOTPCREL[rip]\n{text}"
        }
    )
    for _ in range(2):
        apply_cures(hello.folder, hello.refused())

    hello.build_ext()

    assert "lea rax, [rel own]" in (hello.folder / "hello.asm").read_text()


def test_a_label_that_is_a_number(hello: Project) -> None:
    hello.write({"hello.asm": "section .text\n1:\n    nop\n"})

    assert "call it .l1, and jump to that in the place of 1b and 1f" in hello.refused()

"""A line in another assembler's syntax: the hint is NASM's line for the same bytes, as GAS itself shows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from asmsetup.check import foreign
from tests.cures import apply_cures
from tests.projects import Project

GAS_HEAD = """\
.globl start
.data
msg: .quad 1
x: .quad 2
.text
start: nop
"""
NASM_HEAD = """\
default rel
extern PyErr_Clear, PyExc_ValueError
section .data
msg: dq 1
x: dq 2
section .text
start: nop
"""

INTEL = """
lea rdi, [rip + msg]
lea rdi, msg[rip]
lea rdi, [rip+msg]
lea rdi, [msg+rip]
mov rax, QWORD PTR x[rip]
mov rax, qword ptr [rip + x]
mov eax, DWORD PTR x[rip+4]
mov eax, DWORD PTR [rip+x+4]
mov BYTE PTR x[rip], 5
add DWORD PTR [rbp-4], 1
mov eax, DWORD PTR [rbp-4]
mov eax, DWORD PTR -4[rbp]
mov rax, QWORD PTR 8[rdi+rcx*8]
movzx eax, BYTE PTR [rdi]
movsx rax, WORD PTR [rdi+2]
call PyErr_Clear@PLT
jmp PyErr_Clear@PLT
mov rax, QWORD PTR PyExc_ValueError@GOTPCREL[rip]
mov rax, QWORD PTR [rip + PyExc_ValueError@GOTPCREL]
call [QWORD PTR PyErr_Clear@GOTPCREL[rip]]
movabs rax, 81985529216486895
movaps xmm0, XMMWORD PTR [rdi]
movups XMMWORD PTR [rsi+16], xmm1
vmovdqu ymm0, YMMWORD PTR [rdi+rax]
movsd xmm0, QWORD PTR x[rip]
addss xmm1, DWORD PTR [rax]
fld TBYTE PTR [rsp+8]
fld QWORD PTR [rsp]
fld st(1)
faddp st(1), st
mov rax, QWORD PTR fs:40
sub rax, QWORD PTR fs:40
cmp QWORD PTR [rdi+8], 0
inc DWORD PTR [rax]
push QWORD PTR [rbx]
call [QWORD PTR [rax+16]]
nop # a comment
nop /* a comment */
mov eax, DWORD PTR [rdi] # load
lock xadd QWORD PTR [rdi], rax
lock; cmpxchg DWORD PTR [rdi], ecx
rep stos QWORD PTR es:[rdi], rax
rep movs BYTE PTR es:[rdi], BYTE PTR ds:[rsi]
repne scas al, BYTE PTR es:[rdi]
lods eax, DWORD PTR ds:[rsi]
vaddps zmm0, zmm1, DWORD BCST [rdi]
vaddpd ymm0, ymm1, QWORD BCST x[rip]
vmovdqu64 zmm0{k1}{z}, ZMMWORD PTR [rdi]
jmp SHORT start
""".strip().splitlines()

ATT = """
mov %rax, %rbx
movq %rax, %rbx
movl $1, %eax
movl $0x10, %ecx
movb $-1, %al
movq 8(%rdi), %rax
movq %rax, -16(%rbp)
movq (%rdi,%rcx,8), %rdx
movq 4(%rdi,%rcx), %rdx
movl (,%rcx,4), %edx
movq $0, (%rdi)
movb $5, 3(%rsp)
movw $5, (%rsp)
addl $1, 4(%rax)
addq %rsi, %rdi
subq $24, %rsp
cmpq $0, 8(%rdi)
cmpb $65, (%rsi)
testl %eax, %eax
leaq 8(%rsp), %rdi
leaq msg(%rip), %rdi
lea msg+8(%rip), %rdi
movq x(%rip), %rax
movl %eax, x(%rip)
movq PyExc_ValueError@GOTPCREL(%rip), %rax
call PyErr_Clear@PLT
call *%rax
callq *16(%rax)
jmp *%rdx
pushq %rbp
popq %rbx
push $5
imulq $3, %rax, %rbx
imull %ecx, %edx
shll %eax
shlq $3, %rdx
sarq %cl, %rax
shrl $1, (%rdi)
movzbl (%rdi), %eax
movzbl %al, %eax
movzwl 2(%rdi), %ecx
movsbq (%rdi), %rax
movslq %edi, %rdi
movslq 4(%rdi), %rax
cltq
cqto
cltd
cmovneq %rax, %rbx
cmovel %ecx, %edx
cmove %ecx, %edx
sete %al
movabsq $81985529216486895, %rax
xorl %eax, %eax
xchgq %rax, (%rdi)
lock cmpxchgq %rcx, (%rdi)
lock; incl (%rdi)
rep stosq
rep movsb
rep stosl
bswapq %rax
movq %xmm0, %rax
movd %eax, %xmm1
movaps (%rdi), %xmm0
movups %xmm0, 16(%rsi)
movdqu (%rdi,%rax), %xmm2
addsd x(%rip), %xmm0
mulss (%rdi), %xmm1
cvtsi2sdq %rax, %xmm0
cvtsi2sdl (%rdi), %xmm0
cvttsd2siq %xmm0, %rax
pshufd $0x1b, %xmm0, %xmm1
vaddps %ymm0, %ymm1, %ymm2
vmovdqu (%rdi), %ymm0
vpaddd (%rdi), %xmm1, %xmm2
fldl (%rdi)
flds 4(%rdi)
fldt (%rdi)
fstpl (%rdi)
fildq (%rdi)
fldcw (%rdi)
fld %st(1)
movq %fs:40, %rax
retq
leave
ret
nop # the end
popcntq %rdi, %rax
tzcntl (%rdi), %eax
crc32b %al, %ecx
prefetcht0 64(%rdi)
notq %rax
negl (%rdi)
mulq %rcx
divl 8(%rdi)
btq $3, %rax
jmp start
jne start
vmovdqu64 (%rdi), %zmm0{%k1}{z}
vmovdqu32 %zmm1, (%rdi){%k2}
vaddps %zmm0, %zmm1, %zmm2{%k1}
""".strip().splitlines()

DATA = """
.quad 1
.quad msg
.byte 1, 2, 3
.long 5
.int 6
.short 7
.word 8
.value 9
.ascii "x"
.asciz "x"
.string "a\\n"
.asciz "one", "two"
.zero 5
.skip 3
.space 4, 1
.fill 3
.fill 3, 2
.fill 3, 4, 7
.fill 2, 8, 0
.octa 5
.octa 0x0123456789abcdef0011223344556677, -1
.dc.w 7
.org 64
.tfloat 1.5
.double 1.5
.float 2.5
msg2: .asciz "hello"
""".strip().splitlines()


def disassembled(folder: Path, *command: str) -> list[str]:
    """The bytes and relocations that a command assembles, as text in which tools' tastes are alike."""
    subprocess.run(command, cwd=folder, check=True)
    dump = subprocess.run(
        ["objdump", "-Dr", "-M", "intel", "-j", ".text", command[-1]],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    dump = [line for line in dump if line.startswith(" ") or "R_X86" in line]
    return [re.sub(r"(REX_)?GOTPCRELX", "GOTPCREL", re.sub(r"\s+", " ", line)) for line in dump]


@pytest.mark.parametrize(
    ("syntax", "line"),
    [
        *(("GAS", line) for line in INTEL),
        *(("AT&T", line) for line in ATT),
        *(("GAS", line) for line in DATA),
    ],
)
def test_the_same_bytes(syntax: str, line: str, tmp_path: Path) -> None:
    text = ".intel_syntax noprefix\n" if line in INTEL else ""
    (tmp_path / "gas.s").write_text(f"{text}{GAS_HEAD}{line}\n")

    found = foreign.in_nasm(line)
    if found is None:
        # What is NASM's syntax as well needs no other.
        written = [line]
    else:
        assert found.lines is not None
        assert found.syntax in (syntax, "C", "GAS")
        written = list(found.lines)
    (tmp_path / "nasm.asm").write_text("\n".join((NASM_HEAD, *written, "")))

    gas = disassembled(tmp_path, "as", "gas.s", "-o", "gas.o")
    nasm = disassembled(tmp_path, "nasm", "-felf64", "nasm.asm", "-o", "nasm.o")
    assert gas == nasm


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

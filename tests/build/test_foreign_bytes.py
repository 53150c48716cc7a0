"""The line that is offered for GAS's and AT&T's syntax assembles to the same bytes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asmsetup.check import foreign
from tests.projects import run

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
    run(*command, cwd=folder)
    said = run("objdump", "-Dr", "-M", "intel", "-j", ".text", command[-1], cwd=folder)
    dump = [line for line in said.output.splitlines() if line.startswith(" ") or "R_X86" in line]
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

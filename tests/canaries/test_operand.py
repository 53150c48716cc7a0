"""The registers of a memory operand, from the bytes that nasm makes of an instruction."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from asmsetup.canaries.operand import address_registers
from asmsetup.canaries.trampoline import REGISTERS


@pytest.mark.parametrize(
    ("instruction", "registers"),
    [
        ("mov rax, [rdi + 8]", "rdi"),
        ("mov [r8], cl", "r8"),
        ("mov rax, [rsp + 16]", "rsp"),
        ("mov rax, [rbp]", "rbp"),
        ("mov eax, [r13 + rcx * 4]", "r13 rcx"),
        ("mov rax, [r12 * 8 + 64]", "r12"),
        ("add dword [rbx + r9 + 1000], 5", "rbx r9"),
        ("lock xadd [r15], rax", "r15"),
        ("movzx eax, byte [r10]", "r10"),
        ("movdqu xmm9, [rsi]", "rsi"),
        ("pshufb xmm1, [r11]", "r11"),
        ("palignr xmm1, [rdx], 5", "rdx"),
        ("vmovdqu ymm1, [rax]", "rax"),
        ("vmovdqu ymm1, [r14 + r8 * 2]", "r14 r8"),
        ("vpaddd ymm1, ymm2, [r9]", "r9"),
        ("vpshufb xmm1, xmm2, [rcx + rbx]", "rcx rbx"),
        ("vmovdqu64 zmm1, [r13]", "r13"),
        ("mov al, [fs:rcx]", "rcx"),
        ("jmp [rax]", "rax"),
        ("call [r9 + 8]", "r9"),
        ("push rbx", "rsp"),
        ("ret", "rsp"),
        ("rep movsb", "rsi rdi"),
        ("stosq", "rdi"),
        ("lodsd", "rsi"),
        # No register to blame.
        ("mov rax, rbx", ""),
        ("mov rax, [rel $]", ""),
        ("vpaddd ymm1, ymm2, ymm3", ""),
    ],
)
def test_address_registers(instruction: str, registers: str, tmp_path: Path) -> None:
    source, code = tmp_path / "one.asm", tmp_path / "one.bin"
    source.write_text(f"bits 64\n{instruction}\ntimes 16 nop\n")
    subprocess.run(["nasm", "-fbin", str(source), "-o", str(code)], check=True)

    found = address_registers(code.read_bytes())

    assert [REGISTERS[number] for number in found] == registers.split()

"""Switches whose number lies in memory: how far their table goes is what it was compared with."""

from __future__ import annotations

from pathlib import Path

import pytest

from asmsetup.check.code.function import UNKNOWN_JUMP
from tests.check.assembled import HEAD, function, verdict_of

TABLE = "section .rodata\ntable: dd f.zero - table, f.one - table, f.wrong - table\n"
JUMP = "lea rdx, [table] / {} / add rax, rdx / jmp rax"
ENDS = ".zero: pop rbp / ret / .one: pop rbp / ret / .wrong: ret / .end: pop rbp / ret / .over:"
EIGHT, FOUR = "movsxd rax, dword [rdx + rcx * 4]", "movsxd rax, dword [rdx + rax * 4]"
SCALED = "mov eax, [rcx + rdx] / cdqe"


@pytest.mark.parametrize(
    ("number", "is_followed"),
    [
        # As GCC writes it without optimization: an int, a long.
        (f"cmp dword [rbp - 8], 1 / ja .end / mov eax, [rbp - 8] / {JUMP.format(FOUR)}", True),
        (f"cmp qword [rbp - 8], 1 / ja .end / mov rcx, [rbp - 8] / {JUMP.format(EIGHT)}", True),
        (
            "cmp qword [rbp - 8], 1 / ja .end / mov rax, [rbp - 8] / lea rcx, [rax * 4] / "
            + JUMP.format(SCALED),
            True,
        ),
        # With it: a field, a byte.
        (f"cmp dword [rdi + 4], 1 / ja .end / mov eax, [rdi + 4] / {JUMP.format(FOUR)}", True),
        (
            f"cmp byte [rdi + 4], 1 / ja .end / movzx eax, byte [rdi + 4] / {JUMP.format(FOUR)}",
            True,
        ),
        (f"cmp qword [rdi], 2 / jae .end / mov rcx, [rdi] / {JUMP.format(EIGHT)}", True),
        # A copy, before or behind a number was subtracted; what stands between leaves the flags.
        (f"mov ecx, eax / sub eax, 1 / ja .end / {JUMP.format(EIGHT)}", True),
        (f"mov rcx, rax / sub rax, 1 / ja .end / {JUMP.format(EIGHT)}", True),
        (
            "mov [rbp - 8], rax / sub rax, 1 / ja .end / mov rcx, [rbp - 8] / "
            + JUMP.format(EIGHT),
            True,
        ),
        (
            "cmp byte [rdi], 1 / lea rsi, [rdi + 1] / ja .end / movzx eax, byte [rdi] / "
            + JUMP.format(FOUR),
            True,
        ),
        (
            "cmp byte [rdi], 1 / lea rdi, [rdi + 1] / ja .end / movzx eax, byte [rdi] / "
            + JUMP.format(FOUR),
            False,
        ),
        # Only the lower half was compared, and the copy was changed.
        (f"mov rcx, rax / sub eax, 1 / ja .end / {JUMP.format(EIGHT)}", False),
        (
            f"mov rcx, rax / sub rax, 1 / lea rcx, [rcx + 1] / ja .end / {JUMP.format(EIGHT)}",
            False,
        ),
        # Another place, one that was changed, one of which only a half was compared.
        (f"cmp dword [rdi + 4], 1 / ja .end / mov eax, [rdi + 8] / {JUMP.format(FOUR)}", False),
        (
            "cmp dword [rdi + 4], 1 / ja .end / mov rdi, [rdi] / mov eax, [rdi + 4] / "
            + JUMP.format(FOUR),
            False,
        ),
        (
            "cmp qword [rbp - 8], 1 / ja .end / mov [rbp - 8], rsi / mov rcx, [rbp - 8] / "
            + JUMP.format(EIGHT),
            False,
        ),
        (f"cmp dword [rbp - 8], 1 / ja .end / mov rcx, [rbp - 8] / {JUMP.format(EIGHT)}", False),
        (
            "cmp dword [rdi], 1 / mov rdi, rsi / ja .end / mov eax, [rdi] / " + JUMP.format(FOUR),
            False,
        ),
    ],
)
def test_a_switch_on_memory(number: str, is_followed: bool, tmp_path: Path) -> None:
    body = "push rbp / mov rbp, rsp / mov [rbp - 8], rdi / mov rax, [rsi] / xor rax, rdi"
    body += f" / {number} / {ENDS}"
    text = function(body).replace("global f:function", "global f:function (f.over - f)")
    verdict = verdict_of(tmp_path, text + TABLE)

    assert verdict.faults == []
    assert bool(verdict.gaps) != is_followed


BIASED = """
global f:function
global g:function
f:  lea rdx, [first - 2 * 4]
    movsxd rax, dword [rdx + rdi * 4]
    add rax, rdx
    push rbx
    jmp rax
.two: pop rbx
    ret
.three: pop rbx
    ret
.four: ret
g:  lea rdx, [second - 2 * 4]
    movsxd rax, dword [rdx + rdi * 4]
    add rax, rdx
    jmp rax
.two: ret
.three: ret
section .rodata
first: dd f.two - first + 8, f.three - first + 8, f.four - first + 8
second: dd g.two - second + 8, g.three - second + 8
"""


def test_tables_whose_numbers_begin_above_zero(tmp_path: Path) -> None:
    """The base of the second lies in the first, whose last item leads to a fault."""
    verdict = verdict_of(tmp_path, HEAD + BIASED)

    assert verdict.gaps == []
    assert [each.rule for each in verdict.faults] == ["stack-at-return"]
    assert verdict.image.name(verdict.faults[0].at) == "f.four"


def test_a_last_jump_into_the_module_is_not_passed_over(tmp_path: Path) -> None:
    text = function("lea rax, [rel one] / shl edi, 6 / add rax, rdi / jmp rax")

    assert [gap.why for gap in verdict_of(tmp_path, f"{text}one: ret\n").gaps] == [UNKNOWN_JUMP]

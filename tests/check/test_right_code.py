"""Code that is right, and hard to follow: it is followed, or incomplete, and nothing is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check.assembled import function, rules, verdict_of

CALL = "call [rel getpid wrt ..got]"
FOLLOWED = {
    "enter": f"enter 32, 0 / mov [rbp - 8], rdi / {CALL} / mov rdi, [rbp - 8] / leave / ret",
    "enter-0": f"enter 0, 0 / {CALL} / leave / ret",
    "enter-nested": "enter 16, 1 / mov [rsp], rdi / leave / ret",
    "return to what was pushed": "lea rax, [.g] / push rax / ret / .g: xor eax, eax / ret",
    "return to a function": "push rbx / lea rax, [f] / test rdi, rdi / jz .e / pop rbx / push rax"
    " / ret / .e: pop rbx / ret",
    "return to an import": "mov rax, [rel getpid wrt ..got] / push rax / ret",
    "return to a pushed offset": "mov rax, .g / push rax / ret / .g: xor eax, eax / ret",
    "takes what was pushed": "push rdi / call .own / ret / .own: pop rax / pop rcx / push rax / ret",
    "helpers that save and restore": "call .all / mov rbx, rdi / mov r15, rsi / call .back"
    " / xor eax, eax / ret / .all: pop rax / push rbx / push rbp / push r12 / push r15 / jmp rax"
    " / .back: pop rax / pop r15 / pop r12 / pop rbp / pop rbx / jmp rax",
    "helpers that return": "call .all / mov rbx, rdi / mov r12, rsi / call .back / xor eax, eax"
    " / ret / .all: pop rax / push rbx / push r12 / push rax / ret"
    " / .back: pop rax / pop r12 / pop rbx / push rax / ret",
    "saved in data": "mov [kept], rbx / mov rbx, rdi / lea rax, [rbx + rbx] / mov rbx, [kept] / ret"
    " / section .bss / kept: resq 1 / section .text",
    "saved in data through an address": "lea rdx, [kept] / mov [rdx + 8], r12 / mov r12, rdi"
    " / test rdi, rdi / jz .e / inc r12 / .e: mov r12, [rdx + 8] / ret"
    " / section .bss / kept: resq 2 / section .text",
    "saved on one path": "xor eax, eax / test rdi, rdi / jz .no / mov [rsp - 8], rbx / mov rbx, rdi"
    " / mov eax, 1 / .no: inc rsi / test eax, eax / jz .end / mov rbx, [rsp - 8] / .end: ret",
    "restored on one path": "sub rsp, 24 / mov [rsp], rbx / xor ecx, ecx / test rdi, rdi / jz .no"
    " / mov rbx, rdi / mov ecx, 7 / .no: cmp ecx, 7 / jne .end / mov rbx, [rsp]"
    " / .end: add rsp, 24 / ret",
    "pushed on one path": "xor ecx, ecx / test rdi, rdi / jz .no / push rbx / mov rbx, rdi"
    " / mov ecx, 1 / .no: test ecx, ecx / jz .end / pop rbx / .end: ret",
    "alloca in a loop": "push rbp / mov rbp, rsp / .l: lea rax, [rdi + 15] / and rax, -16"
    f" / sub rsp, rax / mov rdi, rsp / {CALL} / mov edi, eax / dec edi / jnz .l / leave / ret",
    "probed stack": "push rbp / mov rbp, rsp / lea rax, [rsp - 65536] / .p: sub rsp, 4096"
    f" / or qword [rsp], 0 / cmp rsp, rax / jne .p / {CALL} / leave / ret",
    "pushed in a loop": "push rbp / mov rbp, rsp / mov ecx, 5 / .l: push rdi / dec ecx / jnz .l"
    f" / {CALL} / leave / ret",
    "tests rsp": f"test spl, 15 / jz .a / sub rsp, 8 / {CALL} / add rsp, 8 / ret / .a: {CALL} / ret",
    "tests 8": f"test rsp, 8 / jnz .m / {CALL} / ret / .m: push rax / {CALL} / pop rcx / ret",
    "tests rsp where nobody knows it": "call .o / push rax / call .o / pop rax / ret"
    f" / .o: test esp, 15 / jnz .m / {CALL} / ret / .m: sub rsp, 8 / {CALL} / add rsp, 8 / ret",
    "own stack": "push rbp / mov rbp, rsp / push rdi / .n: pop rdi / mov rax, [rdi] / test rax, rax"
    " / jz .one / push rax / .one: mov rax, [rdi + 8] / test rax, rax / jz .two / push rax"
    " / .two: cmp rsp, rbp / jne .n / pop rbp / ret",
}
INCOMPLETE = {
    "digits": "push rbx / mov rax, rdi / mov r8, rsi / xor ecx, ecx / mov ebx, 10 / .d: xor edx, edx"
    " / div rbx / push rdx / inc ecx / test rax, rax / jnz .d / .p: pop rdx / mov [r8], dl / inc r8"
    " / dec ecx / jnz .p / pop rbx / ret",
    "digits to a mark": "mov r9, rsp / mov rax, rdi / mov r10d, 10 / .d: xor edx, edx / div r10"
    " / push rdx / test rax, rax / jnz .d / .p: pop rdx / mov [rsi], dl / inc rsi / cmp rsp, r9"
    " / jb .p / ret",
    "loop": "mov ecx, 4 / .l: push rdi / loop .l / mov ecx, 4 / .m: pop rdx / loop .m / ret",
    "test first": "push r12 / .l: test rdi, rdi / jz .m / push qword [rdi] / mov rdi, [rdi + 8]"
    " / inc esi / jmp .l / .m: test esi, esi / jz .e / pop rax / dec esi / jmp .m / .e: pop r12 / ret",
    "text behind a call": "call .over / db 'hello', 0 / .over: pop rax / ret",
    "text in a frame": "push rbx / call .over / db 'hello', 0 / .over: pop rdi / mov al, [rdi]"
    " / pop rbx / ret",
    "bytes that are a return": "push rbx / call .over / db 0x48, 0x31, 0xdb, 0xc3 / .over: pop rax"
    " / pop rbx / ret",
    "way out by a call": "push rbx / test rdi, rdi / jnz .ok / call .out / .ok: pop rbx / ret"
    " / .out: add rsp, 8 / pop rbx / ret",
    "switch of stacks": "push rbp / push rbx / push r12 / mov [rdi], rsp / mov rsp, rsi / pop r12"
    " / pop rbx / pop rbp / ret",
    "switch of stacks, loaded": "push rbp / push rbx / mov [rdi], rsp / mov rsp, [rsi] / pop rbx"
    " / pop rbp / ret",
    "sentinel": "push rbx / push 0 / mov rbx, rdi / .n: mov rax, [rbx] / test rax, rax / jz .one"
    " / push rax / .one: mov rax, [rbx + 8] / test rax, rax / jz .two / push rax / .two: pop rbx"
    " / test rbx, rbx / jnz .n / pop rbx / ret",
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_right_code_is_followed(name: str, tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, function(FOLLOWED[name], "getpid"))

    assert (verdict.faults, verdict.gaps) == ([], [])


@pytest.mark.parametrize("body", ["enter 8, 0 / {} / leave / ret", "enter 16, 0 / {} / ret"])
def test_a_frame_of_enter_is_checked(body: str, tmp_path: Path) -> None:
    assert rules(tmp_path, function(body.format(CALL), "getpid"))


@pytest.mark.parametrize("name", INCOMPLETE)
def test_what_cannot_be_followed_is_incomplete(name: str, tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, function(INCOMPLETE[name], "getpid"))

    assert verdict.faults == []
    assert verdict.gaps


@pytest.mark.parametrize(
    "body",
    [
        # What the helpers restore is not what they have saved.
        "call .all / mov rbx, rdi / call .back / ret / .all: pop rax / push rbx / push r12 / jmp rax"
        " / .back: pop rax / pop rbx / pop r12 / jmp rax",
        # The flag says nothing, or the contrary.
        "mov [rsp - 8], rbx / xor ecx, ecx / test rdi, rdi / jz .no / mov rbx, rdi / mov ecx, 1"
        " / .no: test ecx, ecx / jnz .end / mov rbx, [rsp - 8] / .end: ret",
        "xor ecx, ecx / test rdi, rdi / jz .no / mov rbx, rdi / mov ecx, 1 / .no: test esi, esi"
        " / jz .end / inc ecx / .end: ret",
        "xor ecx, ecx / .l: test rdi, rdi / jz .e / mov rbx, rdi / mov ecx, 1 / dec rdi / jmp .l"
        " / .e: ret",
        # Another register's, and none that was saved.
        "mov [kept], rbx / mov [kept + 8], r12 / mov rbx, rdi / mov rbx, [kept + 8] / ret"
        " / section .bss / kept: resq 2 / section .text",
        "mov rbx, rdi / mov rbx, [kept] / ret / section .bss / kept: resq 2 / section .text",
    ],
)
def test_what_is_restored_is_checked(body: str, tmp_path: Path) -> None:
    assert rules(tmp_path, function(body)) == {"kept-register"}

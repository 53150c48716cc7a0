"""Each rule: code that breaks only it, and the same with its cure, which keeps it.

Lines are separated by slashes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from asmsetup.check.code.rules import RULES
from tests.check.assembled import function, method, rules

CALL = "call [rel {} wrt ..got]"
STR, FORMAT, DECREF = (CALL.format(name) for name in ("PyObject_Str", "PyErr_Format", "Py_DecRef"))
SIZE = CALL.format("PyObject_Size")

# Of a pointer, a number of 64 bits, an int: what is used is too little, and what is enough.
HALVES = [
    ("PyErr_Occurred", "test eax, eax / jz .end", "test rax, rax / jz .end"),
    ("PyErr_Occurred", "cmp eax, 0 / je .end", "cmp rax, 0 / je .end"),
    ("PyErr_Occurred", "test ax, ax / jz .end", "test ax, 15 / jz .end"),
    ("PyErr_Occurred", "test al, al / jz .end", "test al, 15 / jz .end"),
    ("PyErr_Occurred", "mov rbx, rax / test ebx, ebx / jz .end", "mov rbx, rax / test rbx, rbx"),
    ("PyErr_Occurred", "mov ebx, eax / test rbx, rbx / jz .end", "mov ebx, eax / and ebx, 63"),
    ("PyErr_Occurred", "mov ebx, eax / test ebx, ebx / jz .end", "mov ebx, eax / shr ebx, 4"),
    ("PyErr_Occurred", f"mov edi, eax / {DECREF}", f"mov rdi, rax / {DECREF}"),
    ("PyErr_Occurred", "mov ebx, eax / mov rbx, [rbx + 8]", "mov ebx, eax / cmp ebx, 8"),
    ("PyObject_Size", "test eax, eax / js .end", "test rax, rax / js .end"),
    ("PyObject_Size", "cmp eax, -1 / je .end", "cmp rax, -1 / je .end"),
    ("PyObject_Size", "test al, al / jz .end", "cmp al, 7 / jz .end"),
    ("PyObject_Size", "mov ebx, eax / test rbx, rbx / js .end", "mov ebx, eax / test ebx, ebx"),
    ("PyLong_AsLong", "cmp eax, -1 / je .end", "cmp rax, -1 / je .end"),
    ("PyObject_IsTrue", "test al, al / jz .end", "test eax, eax / jz .end"),
    ("PyObject_IsTrue", "cmp al, -1 / je .end", "cmp eax, -1 / je .end"),
    ("PyObject_IsTrue", "test ah, ah / jz .end", "test eax, 0xff00 / jz .end"),
    ("PyObject_IsTrue", "cmp ah, 0 / jz .end", "cmp eax, 0 / jz .end"),
    (
        "PyObject_IsTrue",
        "mov edi, eax / test rdi, rdi / js .end",
        "movsxd rdi, eax / test rdi, rdi / js .end",
    ),
    (
        "PyObject_IsTrue",
        "mov eax, eax / test rax, rax / jle .end",
        "mov eax, eax / test rax, rax / jz .end",
    ),
    ("PyObject_IsTrue", "mov edi, eax / cmp rdi, -1 / je .end", "mov edi, eax / cmp edi, -1"),
]

FUNCTIONS = [
    (
        "reference-lost",
        "PyObject_Str, PyObject_Size",
        f"push rbx / {STR} / mov rbx, rax / test rax, rax / jz .end / mov rdi, rbx"
        f" / {SIZE} / .end: xor eax, eax / pop rbx / ret",
        f"push rbx / {STR} / mov rbx, rax / test rax, rax / jz .end / mov rdi, rbx"
        f" / {SIZE} / .end: mov rax, rbx / pop rbx / ret",
    ),
    # Where the second call fails, the result of the first is lost.
    (
        "reference-lost",
        "PyObject_Str, PyObject_Repr",
        f"push rbx / push r12 / push r12 / mov r12, rdi / {STR} / mov rbx, rax / test rax, rax"
        f" / jz .end / mov rdi, r12 / {CALL.format('PyObject_Repr')} / test rax, rax / jz .end"
        " / mov [r12 + 16], rax / mov [r12 + 24], rbx / mov rax, r12 / pop r12 / pop r12 / pop rbx"
        " / ret / .end: xor eax, eax / pop r12 / pop r12 / pop rbx / ret",
        f"push rax / {STR} / test rax, rax / jz .end / dec qword [rax] / .end: xor eax, eax"
        " / pop rcx / ret",
    ),
    ("kept-register", "", "xor ebx, ebx / ret", "push rbx / xor ebx, ebx / pop rbx / ret"),
    ("kept-register", "", "push rbx / push r12 / pop rbx / pop r12 / ret", "ret"),
    (
        "kept-register",
        "",
        "mov r15, rdi / ret",
        "movq xmm0, r15 / mov r15, rdi / movq r15, xmm0 / ret",
    ),
    ("stack-at-return", "", "push rax / ret", "push rax / pop rcx / ret"),
    ("stack-at-return", "", "sub rsp, 24 / add rsp, 16 / ret", "sub rsp, 24 / add rsp, 24 / ret"),
    ("stack-at-return", "", "pop rax / push rax / push rax / ret", "pop rax / jmp rax"),
    ("stack-at-return", "", "ret 8", "ret"),
    # One path of two.
    (
        "stack-at-return",
        "",
        "push rax / test rdi, rdi / jz .end / pop rcx / .end: ret",
        "push rax / test rdi, rdi / jz .end / nop / .end: pop rcx / ret",
    ),
    ("return-address", "", "mov [rsp], rdi / ret", "push rax / mov [rsp], rdi / pop rax / ret"),
    ("direction-flag", "", "std / ret", "std / cld / ret"),
    (
        "direction-flag",
        "",
        "std / test rdi, rdi / jz .e / cld / .e: ret",
        "std / test rdi, rdi / jz .e / nop / .e: cld / ret",
    ),
    (
        "direction-flag",
        "",
        "test rdi, rdi / jz .e / std / .e: ret",
        "test rdi, rdi / jz .e / std / .e: test rdi, rdi / jz .f / cld / .f: ret",
    ),
    ("direction-flag", "memcpy", "std / jmp [rel memcpy wrt ..got]", "jmp [rel memcpy wrt ..got]"),
    ("mmx-state", "", "pxor mm0, mm0 / ret", "pxor mm0, mm0 / emms / ret"),
    (
        "mxcsr",
        "",
        "push rdi / ldmxcsr [rsp] / pop rdi / ret",
        "push rdi / stmxcsr [rsp] / ldmxcsr [rsp] / ldmxcsr [rsp] / pop rdi / ret",
    ),
    # Loaded twice, overwritten where it was saved, and a constant.
    (
        "mxcsr",
        "",
        "sub rsp, 8 / stmxcsr [rsp] / ldmxcsr [rsp + 4] / ldmxcsr [rsp + 4] / add rsp, 8 / ret",
        "sub rsp, 8 / stmxcsr [rsp] / ldmxcsr [rsp + 4] / ldmxcsr [rsp] / add rsp, 8 / ret",
    ),
    (
        "mxcsr",
        "",
        "push rax / stmxcsr [rsp] / or dword [rsp], 0x8040 / ldmxcsr [rsp] / pop rax / ret",
        "push rax / stmxcsr [rsp] / or dword [rsp + 4], 0x8040 / ldmxcsr [rsp + 4]"
        " / ldmxcsr [rsp] / pop rax / ret",
    ),
    (
        "mxcsr",
        "",
        "ldmxcsr [.control] / ldmxcsr [.control] / ret / .control: dd 0x1f80",
        "stmxcsr [saved] / ldmxcsr [.control] / ldmxcsr [saved] / ret / .control: dd 0x1f80"
        " / section .bss / saved: resd 1",
    ),
    (
        "mxcsr",
        "",
        "push rdi / fldcw [rsp] / pop rdi / ret",
        "push rdi / fnstcw [rsp + 2] / fldcw [rsp] / fldcw [rsp + 2] / pop rdi / ret",
    ),
    ("mxcsr", "", "fldcw [rdi] / ret", "fldcw [rdi] / fninit / ret"),
    ("falls-off", "", "xor eax, eax", "xor eax, eax / ret"),
    ("vzeroupper", "", "vpxor ymm0, ymm0, ymm0 / ret", "vpxor ymm0, ymm0, ymm0 / vzeroupper / ret"),
    ("stack-alignment", "PyObject_Str", f"{STR} / ret", f"push rax / {STR} / pop rcx / ret"),
    (
        "stack-alignment",
        "PyObject_Str",
        f"sub rsp, 16 / {STR} / add rsp, 16 / ret",
        f"push rbp / mov rbp, rsp / and rsp, -32 / {STR} / leave / ret",
    ),
    (
        "variadic-al",
        "PyErr_Format",
        f"push rax / {FORMAT} / pop rcx / ret",
        f"push rax / xor eax, eax / {FORMAT} / pop rcx / ret",
    ),
    (
        "variadic-al",
        "PyErr_Format",
        f"push rax / mov al, 9 / {FORMAT} / pop rcx / ret",
        f"push rax / mov al, 8 / {FORMAT} / pop rcx / ret",
    ),
    (
        "data-called",
        "PyExc_TypeError",
        "push rax / call [rel PyExc_TypeError wrt ..got] / pop rcx / ret",
        "mov rax, [rel PyExc_TypeError wrt ..got] / mov rax, [rax] / ret",
    ),
    *(
        (
            "exception-address",
            f"PyExc_OSError, {name}",
            f"{before} / mov {register}, [rel PyExc_OSError wrt ..got] / jmp [rel {name} wrt ..got]",
            f"{before} / mov {register}, [rel PyExc_OSError wrt ..got]"
            f" / mov {register}, [{register}] / jmp [rel {name} wrt ..got]",
        )
        for name, register, before in (
            ("PyErr_SetNone", "rdi", "nop"),
            ("PyErr_SetObject", "rdi", "mov rsi, rdi"),
            ("PyErr_GivenExceptionMatches", "rsi", "nop"),
            ("PyErr_Format", "rdi", "xor eax, eax"),
        )
    ),
    (
        "exception-address",
        "PyExc_OSError, PyErr_SetNone, memcpy",
        "lea rdi, [rel PyExc_OSError wrt ..got] / mov rdi, [rdi] / jmp [rel PyErr_SetNone wrt ..got]",
        "mov rsi, [rel PyExc_OSError wrt ..got] / mov edx, 8 / jmp [rel memcpy wrt ..got]",
    ),
    (
        "weak-untested",
        "PyLong_FromInt64:weak",
        "jmp [rel PyLong_FromInt64 wrt ..got]",
        "cmp qword [rel PyLong_FromInt64 wrt ..got], 0 / jz .no / jmp [rel PyLong_FromInt64 wrt ..got]"
        " / .no: xor eax, eax / ret",
    ),
    (
        "argument-unset",
        "PyObject_Size, PyObject_Str",
        f"push rbx / {SIZE} / {STR} / pop rbx / ret",
        f"push rbx / mov rbx, rdi / {SIZE} / mov rdi, rbx / {STR} / pop rbx / ret",
    ),
    (
        "frame-passed",
        "PyObject_Str",
        "push rdi / mov rdi, rsp / pop rcx / jmp [rel PyObject_Str wrt ..got]",
        f"push rdi / mov rdi, rsp / {STR} / pop rcx / ret",
    ),
    (
        "clobbered-register",
        "PyObject_Str",
        f"push rbx / {STR} / mov rax, rsi / pop rbx / ret",
        f"push rbx / mov rbx, rsi / {STR} / mov rax, rbx / pop rbx / ret",
    ),
    # A helper of the module's own reads it.
    (
        "clobbered-register",
        "PyObject_Str",
        f"push rbx / {STR} / call .own / pop rbx / ret / .own: mov rax, [rsi] / ret",
        f"push rbx / {STR} / mov rsi, rax / call .own / pop rbx / ret / .own: mov rax, [rsi] / ret",
    ),
    (
        "int-result",
        "PyObject_IsTrue",
        f"push rbx / {CALL.format('PyObject_IsTrue')} / cmp rax, -1 / sete al / pop rbx / ret",
        f"push rbx / {CALL.format('PyObject_IsTrue')} / cmp eax, -1 / sete al / pop rbx / ret",
    ),
    *(
        (
            "half-result",
            f"{name}, Py_DecRef",
            *(
                f"push rbx / {CALL.format(name)} / {use} / xor eax, eax / .end: pop rbx / ret"
                for use in (broken, kept)
            ),
        )
        for name, broken, kept in HALVES
    ),
    # al is not what ah is.
    *(
        (
            "variadic-al",
            "PyErr_Format",
            f"push rax / {ah} / {FORMAT} / .end: pop rcx / ret",
            f"push rax / {al} / {FORMAT} / .end: pop rcx / ret",
        )
        for ah, al in (
            ("mov ah, 0", "mov al, 0"),
            ("mov rax, rdi / test ah, ah / jnz .end", "mov rax, rdi / test al, al / jnz .end"),
            ("sete ah", "sete al"),
        )
    ),
    (
        "null-untested",
        "PyObject_Str",
        f"push rbx / {STR} / mov rax, [rax + 16] / pop rbx / ret",
        f"push rbx / {STR} / test rax, rax / jz .end / mov rax, [rax + 16] / .end: pop rbx / ret",
    ),
    (
        "buffer-twice",
        "PyObject_GetBuffer, PyBuffer_Release",
        "push rbx / sub rsp, 96 / mov rbx, rdi / mov rsi, rsp / xor edx, edx"
        f" / {CALL.format('PyObject_GetBuffer')} / test eax, eax / jnz .end"
        " / mov rdi, rbx / mov rsi, rsp / xor edx, edx"
        f" / {CALL.format('PyObject_GetBuffer')} / test eax, eax / jnz .end"
        f" / mov rdi, rsp / {CALL.format('PyBuffer_Release')} / .end: add rsp, 96 / pop rbx / ret",
        "sub rsp, 88 / mov rsi, rsp / xor edx, edx"
        f" / {CALL.format('PyObject_GetBuffer')} / test eax, eax / jnz .end"
        f" / mov rdi, rsp / {CALL.format('PyBuffer_Release')} / .end: add rsp, 88 / ret",
    ),
    (
        "buffer-kept",
        "PyObject_GetBuffer, PyBuffer_Release",
        "sub rsp, 88 / mov rsi, rsp / xor edx, edx"
        f" / {CALL.format('PyObject_GetBuffer')} / test eax, eax / jnz .end"
        " / mov rax, [rsp + 16] / add rsp, 88 / ret / .end: add rsp, 88 / ret",
        "sub rsp, 88 / mov rsi, rsp / xor edx, edx"
        f" / {CALL.format('PyObject_GetBuffer')} / test eax, eax / jnz .end"
        f" / mov rdi, rsp / {CALL.format('PyBuffer_Release')} / add rsp, 88 / ret"
        " / .end: add rsp, 88 / ret",
    ),
    (
        "slot-unset",
        "",
        "sub rsp, 8 / test rdi, rdi / jz .end / mov [rsp], rbx / mov rbx, rdi"
        " / .end: mov rbx, [rsp] / add rsp, 8 / ret",
        "sub rsp, 8 / mov [rsp], rbx / test rdi, rdi / jz .end / mov rbx, rdi"
        " / .end: mov rbx, [rsp] / add rsp, 8 / ret",
    ),
    (
        "below-stack",
        "PyObject_Str",
        f"mov [rsp - 16], rsi / push rax / {STR} / pop rcx / mov rax, [rsp - 16] / ret",
        f"push rsi / {STR} / pop rax / ret",
    ),
    ("below-stack", "", "mov [rsp - 136], rdi / ret", "mov [rsp - 128], rdi / ret"),
    (
        "saved-overwritten",
        "",
        "push rbp / mov rbp, rsp / and rsp, -32 / movups [rsp], xmm0 / leave / ret",
        "push rbp / mov rbp, rsp / sub rsp, 32 / and rsp, -32 / movups [rsp], xmm0 / leave / ret",
    ),
    (
        "misaligned-move",
        "",
        "sub rsp, 16 / movaps [rsp], xmm0 / add rsp, 16 / ret",
        "sub rsp, 24 / movaps [rsp], xmm0 / add rsp, 24 / ret",
    ),
    (
        "misaligned-move",
        "",
        "sub rsp, 24 / addps xmm0, [rsp + 8] / add rsp, 24 / ret",
        "sub rsp, 24 / addps xmm0, [rsp] / vaddps xmm0, xmm0, [rsp + 8] / add rsp, 24 / ret",
    ),
    *(
        (
            "misaligned-move",
            "",
            f"{broken} / ret / section {section} / dd 0 / v: times 32 db 0",
            f"{broken} / ret / section {section} / align 32 / v: times 32 db 0",
        )
        for broken, section in (
            ("movaps xmm0, [v]", ".rodata"),
            ("movdqa xmm0, [v + 16]", ".rodata align=16"),
            ("lea rax, [v] / pshufb xmm0, [rax]", ".data"),
            ("movaps [v], xmm0", ".data align=64"),
            ("vmovaps ymm0, [v] / vzeroupper", ".rodata align=16"),
        )
    ),
    # 4 bytes are what .rodata is aligned to, and 16 what .text is.
    (
        "misaligned-move",
        "",
        "addpd xmm0, [v] / ret / section .rodata / v: dq 1, 2",
        "addpd xmm0, [v] / ret / align 16 / v: dq 1, 2",
    ),
    (
        "gil-released",
        "PyEval_SaveThread, PyEval_RestoreThread, PyObject_Str",
        f"push rbx / mov rbx, rdi / {CALL.format('PyEval_SaveThread')} / mov rdi, rbx / mov rbx, rax"
        f" / {STR} / mov rdi, rbx / {CALL.format('PyEval_RestoreThread')} / pop rbx / ret",
        f"push rbx / mov rbx, rdi / {CALL.format('PyEval_SaveThread')} / mov rdi, rax"
        f" / {CALL.format('PyEval_RestoreThread')} / mov rdi, rbx / {STR} / pop rbx / ret",
    ),
]


@pytest.mark.parametrize(("rule", "extern", "broken", "kept"), FUNCTIONS)
def test_function(rule: str, extern: str, broken: str, kept: str, tmp_path: Path) -> None:
    assert rules(tmp_path, function(broken, extern)) == {rule}
    assert rules(tmp_path, function(kept, extern)) == set()


BEGIN, END = "Py_BEGIN_ALLOW_THREADS", "Py_END_ALLOW_THREADS"
GET = "PyGetBuffer v, rbx, PyBUF_SIMPLE"
RELEASE = "lea rdi, [v] / PyCall PyBuffer_Release"
METHODS = [
    (
        "half-result",
        method("METH_O", "PyCall PyObject_Str / mov ebx, eax / PyReturn rbx", "-, object"),
        method("METH_O", "PyCall PyObject_Str / mov rbx, rax / PyReturn rbx", "-, object"),
    ),
    (
        "unset-register",
        method("METH_O", "mov rax, [rdx] / PyReturn"),
        method("METH_FASTCALL", "mov rax, [rsi] / PyReturn"),
    ),
    (
        "gil-released",
        method(
            "METH_O",
            "Py_BEGIN_ALLOW_THREADS / cmp rbx, 1 / jz .early / Py_END_ALLOW_THREADS"
            " / .early: PyReturn NULL",
            "-, object",
        ),
        method(
            "METH_O",
            "Py_BEGIN_ALLOW_THREADS / cmp rbx, 1 / jz .early / .early: / Py_END_ALLOW_THREADS"
            " / PyReturn NULL",
            "-, object",
        ),
    ),
    # A branch into the part without the GIL, from before and from behind.
    *(
        (
            "gil-released",
            method("METH_O", f"{broken} / PyReturn NULL", "-, object"),
            method("METH_O", f"{kept} / PyReturn NULL", "-, object"),
        )
        for broken, kept in (
            (
                f"cmp rsi, 1 / jz .in / {BEGIN} / nop / .in: {END}",
                f"cmp rsi, 1 / jz .in / .in: {BEGIN} / nop / {END}",
            ),
            (
                f"{BEGIN} / .in: nop / {END} / dec rbx / jnz .in",
                f".in: {BEGIN} / nop / {END} / dec rbx / jnz .in",
            ),
        )
    ),
    *(
        (
            "buffer-twice",
            method("METH_O", f"PyBuffer v / .next: {GET} / jnz .error / {again}", "-, object"),
            method("METH_O", f"PyBuffer v / .next: {GET} / jnz .error / {once}", "-, object"),
        )
        for again, once in (
            ("jmp .next / .error: PyReturn NULL", "jmp .error / .error: PyReturn NULL"),
            (
                "dec rbx / jnz .next / .error: PyReturn NULL",
                f"{RELEASE} / dec rbx / jnz .next / .error: PyReturn NULL",
            ),
        )
    ),
    # Emptied in each turn: the loop goes back to before PyBuffer.
    *(
        (
            "buffer-twice",
            method("METH_O", f".next: PyBuffer v / {GET} / jnz .error / {again}", "-, object"),
            method("METH_O", f".next: PyBuffer v / {GET} / jnz .error / {once}", "-, object"),
        )
        for again, once in (
            ("jmp .next / .error: PyReturn NULL", "jmp .error / .error: PyReturn NULL"),
            (
                "dec rbx / jnz .next / .error: PyReturn NULL",
                f"{RELEASE} / dec rbx / jnz .next / .error: PyReturn NULL",
            ),
        )
    ),
    # Asked for again where it was not given.
    (
        "buffer-twice",
        method("METH_O", f"PyBuffer v / .next: {GET} / jz .next / PyReturn NULL", "-, object"),
        method("METH_O", f"PyBuffer v / .next: {GET} / jnz .next / PyReturn NULL", "-, object"),
    ),
]


@pytest.mark.parametrize(("rule", "broken", "kept"), METHODS)
def test_method(rule: str, broken: str, kept: str, tmp_path: Path) -> None:
    assert rule in rules(tmp_path, broken)
    assert rules(tmp_path, kept) == set()


def test_each_rule_has_a_sample() -> None:
    sampled = {row[0] for row in FUNCTIONS} | {row[0] for row in METHODS}
    sampled |= {"member-outside", "slot-twice", "gc-without-traverse", "entry-not-code"}

    # Those of the last two are in test_levels.py and tests/cli/test_check_command.py.
    assert RULES.keys() - sampled == {"cpu-level", "outside-stable-abi"}

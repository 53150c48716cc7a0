"""What has to be given back: buffers and references, in loops and on paths of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check.assembled import function, method, rules

CALL = "call [rel {} wrt ..got]"
ASK, RELEASE = CALL.format("PyObject_GetBuffer"), CALL.format("PyBuffer_Release")
GET = "PyGetBuffer v, rbx, PyBUF_SIMPLE"
GIVE = "lea rdi, [v] / PyCall PyBuffer_Release"
BOTH = ".done: PyReturn NULL / .error: PyReturn NULL"

# Loops: one that asks anew for what it holds still, and one that does not.
LOOPS = [
    # The test comes first, last, or where the loop is entered.
    (
        f".next: test rbx, rbx / jz .done / {GET} / jnz .error / dec rbx / jmp .next",
        f".next: test rbx, rbx / jz .done / {GET} / jnz .error / {GIVE} / dec rbx / jmp .next",
    ),
    (
        f".next: cmp rbx, 9 / jae .done / {GET} / jnz .error / inc rbx / jmp .next",
        f".next: cmp rbx, 9 / jae .done / {GET} / jnz .error / inc rbx / {GIVE} / jmp .next",
    ),
    (
        f"jmp .test / .next: {GET} / jnz .error / .test: dec rbx / jnz .next",
        f"jmp .test / .next: {GET} / jnz .error / {GIVE} / .test: dec rbx / jnz .next",
    ),
    (
        f".next: PyCall PyErr_CheckSignals / test eax, eax / jnz .error / {GET} / jnz .error"
        " / jmp .next",
        f"{GET} / jnz .error / .next: PyCall PyErr_CheckSignals / test eax, eax / jz .next",
    ),
    # Released on one path only, and only where it was not given.
    (
        f".next: test rbx, rbx / jz .done / {GET} / jnz .error / test bl, 1 / jz .odd / {GIVE}"
        " / .odd: dec rbx / jmp .next",
        f".next: test rbx, rbx / jz .done / {GET} / jnz .error / test bl, 1 / jz .odd / nop"
        f" / .odd: {GIVE} / dec rbx / jmp .next",
    ),
    (
        f".next: test rbx, rbx / jz .done / {GET} / jz .got / {GIVE} / .got: dec rbx / jmp .next",
        f".next: test rbx, rbx / jz .done / {GET} / jnz .skip / {GIVE} / .skip: dec rbx"
        " / jmp .next",
    ),
    # A turn that goes on early; one that releases what the last one got.
    (
        f".next: test rbx, rbx / jz .done / {GET} / jnz .error / dec rbx / test bl, 1 / jz .next"
        f" / {GIVE} / jmp .next",
        f".next: test rbx, rbx / jz .done / {GIVE} / {GET} / jnz .error / dec rbx / jmp .next",
    ),
    # What only the first turn does depends on the turn.
    (
        f".next: dec rbx / jz .done / {GET} / jnz .error / .have: jmp .next",
        f".next: test rbx, rbx / jz .have / {GET} / jnz .error / xor ebx, ebx"
        " / .have: PyCall PyErr_CheckSignals / test eax, eax / jz .next",
    ),
]


@pytest.mark.parametrize(("broken", "kept"), LOOPS)
def test_a_loop_that_asks_for_a_buffer(broken: str, kept: str, tmp_path: Path) -> None:
    found, clean = (
        rules(tmp_path, method("METH_O", f"PyBuffer v / {body} / {BOTH}", "-, object"))
        for body in (broken, kept)
    )
    assert (found, clean) == ({"buffer-twice"}, set())


# The test for success, and what is forgotten behind it.
GOT = f"sub rsp, 88 / mov rsi, rsp / xor edx, edx / {ASK} / {{}}"
PATHS = [
    (test, "")
    for test in (
        "test eax, eax / js .end",
        "test eax, eax / jl .end",
        "test eax, eax / jnz .end",
        "cmp eax, 0 / jl .end",
        "cmp eax, -1 / je .end",
        "mov ecx, eax / test ecx, ecx / jnz .end",
    )
] + [
    ("test eax, eax / jnz .end", "cmp qword [rsp + 16], 0 / je .end"),
    ("test eax, eax / jnz .end", "mov rax, [rsp] / cmp byte [rax], 7 / jne .end"),
]


@pytest.mark.parametrize(("test", "early"), PATHS)
def test_a_buffer_that_is_kept(test: str, early: str, tmp_path: Path) -> None:
    end = ".end: add rsp, 88 / xor eax, eax / ret"
    released = f"mov rdi, rsp / {RELEASE} / {end}"
    names = "PyObject_GetBuffer, PyBuffer_Release"
    broken = f"{early} / {released}" if early else end

    assert rules(tmp_path, function(GOT.format(f"{test} / {broken}"), names)) == {"buffer-kept"}
    assert rules(tmp_path, function(GOT.format(f"{test} / {released}"), names)) == set()


STR, REPR, SIZE, NEXT, DECREF = (
    CALL.format(name)
    for name in ("PyObject_Str", "PyObject_Repr", "PyObject_Size", "PyIter_Next", "Py_DecRef")
)
REFERENCES = [
    # One object made of another, which is forgotten.
    (
        f"push rbx / {STR} / test rax, rax / jz .end / mov rdi, rax / {REPR} / .end: pop rbx / ret",
        f"push rbx / {STR} / test rax, rax / jz .end / mov rbx, rax / mov rdi, rax / {REPR}"
        f" / mov rdi, rbx / mov rbx, rax / {DECREF} / mov rax, rbx / .end: pop rbx / ret",
    ),
    # A failure behind it, and a loop that drops nothing.
    (
        f"push rbx / {STR} / mov rbx, rax / test rax, rax / jz .end / mov rdi, rbx / {SIZE}"
        " / test rax, rax / js .fail / mov rax, rbx / jmp .end / .fail: xor eax, eax"
        " / .end: pop rbx / ret",
        f"push rbx / {STR} / mov rbx, rax / test rax, rax / jz .end / mov rdi, rbx / {SIZE}"
        f" / test rax, rax / js .fail / mov rax, rbx / jmp .end / .fail: mov rdi, rbx / {DECREF}"
        " / xor eax, eax / .end: pop rbx / ret",
    ),
    (
        f"push rbx / mov rbx, rdi / .next: mov rdi, rbx / {NEXT} / test rax, rax / jz .end"
        f" / mov rdi, rax / {SIZE} / jmp .next / .end: xor eax, eax / pop rbx / ret",
        f"push rbx / mov rbx, rdi / .next: mov rdi, rbx / {NEXT} / test rax, rax / jz .end"
        f" / mov rdi, rax / {DECREF} / jmp .next / .end: xor eax, eax / pop rbx / ret",
    ),
]


@pytest.mark.parametrize(("broken", "kept"), REFERENCES)
def test_a_reference_that_is_lost(broken: str, kept: str, tmp_path: Path) -> None:
    names = "PyObject_Str, PyObject_Repr, PyObject_Size, PyIter_Next, Py_DecRef"

    assert rules(tmp_path, function(broken, names)) == {"reference-lost"}
    assert rules(tmp_path, function(kept, names)) == set()


SAVE, BACK = "push rbx / push r12 / push r13", "pop r13 / pop r12 / pop rbx / ret"
MAKE = CALL.format("PyLong_FromLong") + " / test rax, rax / jz .end"
GROW = f"add rsp, 960 / xor eax, eax / {BACK}"
WALK = (
    f"{SAVE} / sub rsp, 960 / mov rbx, rdi / mov r12, rsp / mov r13d, 12"
    f" / .next: mov rdi, [rbx] / mov rsi, r12 / xor edx, edx / {ASK} / test eax, eax / jnz .undo"
    " / add r12, 80 / add rbx, 8 / {} / jnz .next / .undo: cmp r12, rsp / je .end / sub r12, 80"
    f" / mov rdi, r12 / {RELEASE} / jmp .undo / .end: {GROW}"
)
ONE = f"{SAVE} / sub rsp, 960 / mov r12, rsi / mov rsi, rsp / xor edx, edx / {ASK}"
# A reference from before the loop, in what the loop writes.
TURNS = {
    "exchanged": f"xchg rbx, r12 / {CALL.format('getpid')} / xchg rbx, r12",
    "spilled": "mov r12, rbx / xor ebx, ebx / mov rbx, r12",
    "moved": "add rbx, 16 / sub rbx, 16",
    "in a slot": "mov [rsp], rbx / mov ebx, 1 / mov rbx, [rsp]",
}
RIGHT = {
    name: f"{SAVE} / mov r13, rdi / {MAKE} / mov rbx, rax / sub rsp, 16"
    f" / .next: {turn} / dec r13 / jnz .next / mov rax, rbx / add rsp, 16 / .end: {BACK}"
    for name, turn in TURNS.items()
} | {
    "in a vector register": f"push rbx / mov rbx, rdi / {MAKE} / movq xmm0, rax"
    " / .next: dec rbx / jnz .next / movq rax, xmm0 / .end: pop rbx / ret",
    # One Py_buffer after the other; the address is counted in another register, or compared.
    "buffers": WALK.format("dec r13d"),
    "buffers up to an end": WALK.format("lea rax, [rsp + 960] / cmp r12, rax"),
    # The buffer goes to code that may release it, or to where it lives on.
    "released by a routine": f"{ONE} / test eax, eax / jnz .end / mov rdi, rsp / call .give"
    f" / .end: {GROW} / .give: sub rsp, 8 / {RELEASE} / add rsp, 8 / ret",
    "copied": f"{ONE} / test eax, eax / jnz .end / mov rdi, r12 / mov rsi, rsp / mov edx, 80"
    f" / {CALL.format('memcpy')} / .end: {GROW}",
    "copied by words": f"{ONE} / test eax, eax / jnz .end / mov rdi, r12 / mov rsi, rsp"
    f" / mov ecx, 10 / rep movsq / .end: {GROW}",
    "copied where it is there": f"{SAVE} / sub rsp, 960 / mov r12, rsi / mov qword [rsp + 8], 0"
    " / test r12, r12 / jz .end"
    f" / mov rsi, rsp / xor edx, edx / {ASK} / test eax, eax / jnz .end / nop"
    f" / .end: mov rdi, r12 / mov rsi, rsp / mov edx, 80 / {CALL.format('memcpy')}"
    f" / mov qword [rsp + 8], 0 / {GROW}",
}


@pytest.mark.parametrize("body", RIGHT.values(), ids=RIGHT)
def test_what_lives_on(body: str, tmp_path: Path) -> None:
    names = "PyObject_GetBuffer, PyBuffer_Release, PyLong_FromLong, memcpy, getpid"

    assert rules(tmp_path, function(body, names)) == set()

"""Other ways to test or move half of a result, with what is written for all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check.assembled import function, rules

ROWS = [
    ("PyErr_Occurred", "or eax, eax / jz .end", "or rax, rax / jz .end"),
    ("PyErr_Occurred", "and eax, eax / jz .end", "and rax, rax / jz .end"),
    ("PyErr_Occurred", "xor ebx, ebx / cmp eax, ebx / je .end", "xor ebx, ebx / cmp rax, rbx"),
    ("PyErr_Occurred", "movsxd rdi, eax / mov rdi, [rdi]", "mov rdi, rax / mov rdi, [rdi]"),
    ("PyObject_Size", "or eax, eax / js .end", "or rax, rax / js .end"),
    ("PyObject_Size", "mov rcx, -1 / cmp eax, ecx / je .end", "cmp rax, -1 / je .end"),
    ("PyObject_IsTrue", "mov eax, eax / or rax, rax / js .end", "or eax, eax / js .end"),
]
SIZE = "test rax, rax / js .end / mov ebx, eax"
RIGHT = [
    # A number that is known to be small, behind the test for a failure.
    ("PyList_Size", f"{SIZE} / cmp rbx, 3 / jl .end"),
    ("PyList_Size", f"{SIZE} / test rbx, rbx / jle .end"),
    ("PyList_Size", "cmp rax, -1 / je .end / mov ebx, eax / test rbx, rbx / jg .end"),
    ("PyList_Size", "test rax, rax / jle .end / mov ebx, eax / cmp rbx, 100 / jg .end"),
    # A bit of the second byte, as compilers test it.
    ("PyType_GetFlags", "test ah, 2 / jz .end"),
]


@pytest.mark.parametrize(("name", "use"), RIGHT)
def test_a_part_that_is_enough(name: str, use: str, tmp_path: Path) -> None:
    body = f"push rbx / call [rel {name} wrt ..got] / {use} / xor eax, eax / .end: pop rbx / ret"

    assert rules(tmp_path, function(body, name)) == set()


@pytest.mark.parametrize(("name", "broken", "kept"), ROWS)
def test_half_of_a_result(name: str, broken: str, kept: str, tmp_path: Path) -> None:
    head, end = f"push rbx / call [rel {name} wrt ..got]", "xor eax, eax / .end: pop rbx / ret"
    found, clean = (
        rules(tmp_path, function(f"{head} / {use} / {end}", name)) for use in (broken, kept)
    )
    assert (found, clean) == ({"half-result"}, set())

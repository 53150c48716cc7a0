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


@pytest.mark.parametrize(("name", "broken", "kept"), ROWS)
def test_half_of_a_result(name: str, broken: str, kept: str, tmp_path: Path) -> None:
    head, end = f"push rbx / call [rel {name} wrt ..got]", "xor eax, eax / .end: pop rbx / ret"
    found, clean = (
        rules(tmp_path, function(f"{head} / {use} / {end}", name)) for use in (broken, kept)
    )
    assert (found, clean) == ({"half-result"}, set())

"""Each corrected line says what the wrong one meant, assembles, and breaks no rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from asmsetup.check import ModuleContext, check_objects, corrections, report
from asmsetup.facts import cpython_abi
from tests.checking import checked

LOCAL, EXTERNAL = False, True

ABSOLUTE = [
    ("mov rax, here", LOCAL, ["lea rax, [rel here]"]),
    ("start: mov rsi, strict qword here + 8 ; why", LOCAL, ["lea rsi, [rel here + 8]"]),
    ("mov rax, [qword here]", LOCAL, ["mov rax, [rel here]"]),
    ("mov rax, there", EXTERNAL, ["mov rax, [rel there wrt ..got]"]),
    ("mov rdi, there+16", EXTERNAL, ["mov rdi, [rel there wrt ..got]", "add rdi, 16"]),
    ("mov rdi, there - 8", EXTERNAL, ["mov rdi, [rel there wrt ..got]", "add rdi, -(8)"]),
    ("mov rax, [qword there]", EXTERNAL, ["mov rax, [rel there wrt ..got]", "mov rax, [rax]"]),
]
NARROW = [
    ("mov edi, here", LOCAL, ["lea rdi, [rel here]"]),
    ("mov r8d, here", LOCAL, ["lea r8, [rel here]"]),
    ("mov rax, [here]", LOCAL, ["mov rax, [rel here]"]),
    ("mov rax, [abs here]", LOCAL, ["mov rax, [rel here]"]),
    ("add dword [here + 4], 3", LOCAL, ["add dword [rel here + 4], 3"]),
    ("mov rdi, [here + rcx*8]", LOCAL, ["lea r11, [rel here]", "mov rdi, [r11 + rcx*8]"]),
    ("mov r11, [8 + here + rbx]", LOCAL, ["lea r10, [rel 8 + here]", "mov r11, [r10 + rbx]"]),
    ("movaps xmm0, [here + rcx]", LOCAL, ["lea r11, [rel here]", "movaps xmm0, [r11 + rcx]"]),
    ("push here", LOCAL, ["lea r11, [rel here]", "push r11"]),
    ("cmp rax, here", LOCAL, ["lea r11, [rel here]", "cmp rax, r11"]),
    ("mov qword [rax], here", LOCAL, ["lea r11, [rel here]", "mov qword [rax], r11"]),
    ("mov edi, there", EXTERNAL, ["mov rdi, [rel there wrt ..got]"]),
    ("mov rax, [there]", EXTERNAL, ["mov rax, [rel there wrt ..got]", "mov rax, [rax]"]),
    ("mov eax, [there]", EXTERNAL, ["mov r11, [rel there wrt ..got]", "mov eax, [r11]"]),
]
DATA = [
    ("lea rax, [rel there]", EXTERNAL, ["mov rax, [rel there wrt ..got]"]),
    ("lea rsi, [there + 8]", EXTERNAL, ["mov rsi, [rel there wrt ..got]", "add rsi, 8"]),
    (
        "cmp dword [rel there], 5",
        EXTERNAL,
        ["mov r11, [rel there wrt ..got]", "cmp dword [r11], 5"],
    ),
    (
        "vmovdqa ymm0, [rel there]",
        EXTERNAL,
        ["mov r11, [rel there wrt ..got]", "vmovdqa ymm0, [r11]"],
    ),
    ("call [rel there]", EXTERNAL, ["call [rel there wrt ..got]"]),
]
CALLS = [
    ("call there", EXTERNAL, ["call there wrt ..plt"]),
    ("jmp near there", EXTERNAL, ["jmp there wrt ..plt"]),
    (".loop: jnz there", EXTERNAL, ["jnz there wrt ..plt"]),
]
GOT = [
    ("mov rax, [there wrt ..got]", EXTERNAL, ["mov rax, [rel there wrt ..got]"]),
    ("mov rax, [abs there wrt ..got]", EXTERNAL, ["mov rax, [rel there wrt ..got]"]),
    ("mov rax, there wrt ..got", EXTERNAL, ["mov rax, [rel there wrt ..got]"]),
    ("call qword [there wrt ..got]", EXTERNAL, ["call qword [rel there wrt ..got]"]),
]
GOT_CALLED = [("call there wrt ..got", EXTERNAL, ["call [rel there wrt ..got]"])]

ROWS = [
    *((corrections.absolute_address, *row) for row in ABSOLUTE),
    *((corrections.narrow_address, *row) for row in NARROW),
    *((corrections.external_data, *row) for row in DATA),
    *((corrections.external_call, *row) for row in CALLS),
    *((corrections.got_without_rel, *row) for row in GOT),
    *((corrections.got_called, *row) for row in GOT_CALLED),
]


@pytest.mark.parametrize(("correct", "text", "external", "lines"), ROWS)
def test_the_corrected_line(
    correct: corrections.Correction, text: str, external: bool, lines: list[str]
) -> None:
    instruction = corrections.parse(text)
    assert instruction is not None
    assert list(correct(instruction, external)) == lines


def test_corrected_lines_assemble_and_are_clean(tmp_path: Path) -> None:
    source = [
        *("extern there", "global PyInit_x:function"),
        *("section .data", "here: dq 0", "section .text"),
        *(line for *_, lines in ROWS for line in lines),
        *("PyInit_x:", "ret"),
    ]
    context = ModuleContext("x", ("PyInit_x",), (3, 11), extra_objects=True)
    objects = [checked(tmp_path / "x.asm", "\n".join(source) + "\n")]
    assert report(check_objects(objects, context, cpython_abi)) == ""


@pytest.mark.parametrize(
    ("correct", "text"),
    [
        (corrections.absolute_address, "LOAD rax, there"),
        (corrections.absolute_address, "movabs there"),
        (corrections.narrow_address, "mov rax, [here - rcx]"),
        (corrections.narrow_address, "mov rax, [rbx + there wrt ..got]"),
        (corrections.narrow_address, "and rax, 7"),
        (corrections.external_data, "PyLoad rax, there"),
        (corrections.external_call, "call [there + rax]"),
        (corrections.got_without_rel, "mov rax, [rbx + there wrt ..got]"),
        (corrections.got_called, "CALL_IT there"),
    ],
)
def test_what_is_not_understood_is_not_corrected(
    correct: corrections.Correction, text: str
) -> None:
    instruction = corrections.parse(text)
    assert instruction is not None
    assert list(correct(instruction, EXTERNAL)) == []


@pytest.mark.parametrize("text", ["", "; call there", "label:", "ret", "dq there", "x: dd a, b"])
def test_what_is_no_instruction_with_operands(text: str) -> None:
    assert corrections.parse(text) is None

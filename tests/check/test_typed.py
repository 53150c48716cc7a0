"""The routines of typed functions are passed what their signatures say, and no more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asmsetup.cli import main
from tests.check.assembled import HEAD, rules

# Signature, what the routine reads, and whether it was passed.
ROUTINES = [
    ("(a: i64) -> i64", "mov rax, rdi", True),
    ("(a: i64) -> i64", "lea rax, [rsi + 1]", False),
    ("() -> i64", "lea rax, [rdi + 1]", False),
    ("(a: double) -> double", "addsd xmm0, xmm0", True),
    ("(a: double) -> double", "addsd xmm0, xmm1", False),
    ("(a: double, b: i64) -> i64", "lea rax, [rdi + 1]", True),
    ("(a: double, b: i64) -> i64", "lea rax, [rsi + 1]", False),
    ("(data: bytes) -> i64", "lea rax, [rsi + 1]", True),
    ("(data: double[:, :]) -> i64", "lea rax, [r8 + 1]", True),
    ("(data: double[:, ::1]) -> i64", "lea rax, [rcx + 1]", False),
    ("(a: i64 = None) -> i64", "mov rax, [rdi]", True),
    ("(a: object, *rest) -> object", "lea rax, [rdx + 1]", True),
    ("(a: object) -> object", "lea rax, [rsi + 1]", False),
    ("(a: i64) -> tuple[i64, i64]", "mov [rsi], rdi / mov [rsi + 8], rdi / xor eax, eax", True),
    # A register that is saved is not read.
    ("(a: i64) -> i64", "push rdx / mov rax, rdi / pop rdx", True),
]


def test_a_routine_gets_the_parameters_of_its_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pieces = []
    for number, (signature, body, _) in enumerate(ROUTINES):
        lines = "\n    ".join(body.split(" / "))
        pieces.append(f'PyTypedFunction "f{number}{signature}"\nf{number}:\n    {lines}\n    ret\n')
    text = f'default rel\n%include "python.inc"\nPyModule m\n{"".join(pieces)}PyEndModule\n'
    Path("m.asm").write_text(text)

    main(["check", "--json", "m.asm"])
    (target,) = json.loads(capsys.readouterr().out)["targets"]
    broken = {(found["function"], found["rule"]) for found in target["findings"]}
    assert broken == {
        (f"f{number}", "unset-register") for number, row in enumerate(ROUTINES) if not row[2]
    }


@pytest.mark.parametrize(
    ("signatures", "broken"),
    [
        (["f(a: i64) -> i64"], {"unset-register"}),
        # One routine of two functions; a damaged record.
        (["f(a: i64) -> i64", "g(a: i64, b: i64) -> i64"], set()),
        (["f(a: i64"], set()),
    ],
)
def test_what_the_records_say(signatures: list[str], broken: set[str], tmp_path: Path) -> None:
    text = f"{HEAD}global f:function\nf: lea rax, [rsi + 1]\n ret\n"
    text += "section .debug_asmsetup noalloc noexec nowrite progbits align=1\n db 0, 1, 0, 1\n"
    for signature in signatures:
        text += f" db 6\n dw {8 + len(signature) + 1}\n dq f\n db '{signature}', 0\n"

    assert rules(tmp_path, text) == broken

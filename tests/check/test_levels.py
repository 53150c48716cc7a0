"""What routines need of the processor, and where that is found out in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from asmsetup.check.code.levels import faults_of, needs_of, variant_of
from asmsetup.config import Level
from tests.check.assembled import HEAD, function, method, verdict_of


@pytest.mark.parametrize(
    ("instruction", "level", "features"),
    [
        ("pshufb xmm0, xmm1", "x86-64-v2", ("SSSE3",)),
        ("crc32 rax, rdi", "x86-64-v2", ("SSE42",)),
        ("popcnt rax, rdi", "x86-64-v2", ("POPCNT",)),
        ("vpaddd ymm0, ymm0, ymm1", "x86-64-v3", ("AVX2",)),
        ("andn rax, rdi, rsi", "x86-64-v3", ("BMI1",)),
        ("lzcnt rax, rdi", "x86-64-v3", ("LZCNT",)),
        ("vpaddd zmm0, zmm0, zmm1", "x86-64-v4", ("AVX512F",)),
        ("pclmulqdq xmm0, xmm1, 0", "beyond", ("PCLMULQDQ",)),
    ],
)
def test_of_an_instruction(
    instruction: str, level: str, features: tuple[str, ...], tmp_path: Path
) -> None:
    verdict = verdict_of(tmp_path, function(f"{instruction} / ret"))
    (need,) = needs_of(verdict.engine, verdict.roots)

    assert (need.name, need.level, need.features) == ("f", level, features)


def test_what_every_processor_has_is_not_listed(tmp_path: Path) -> None:
    body = "paddd xmm0, xmm1 / cmovz eax, edi / endbr64 / tzcnt rax, rdi / rep bsf eax, edi / ret"
    verdict = verdict_of(tmp_path, function(body))

    assert needs_of(verdict.engine, verdict.roots) == []


def test_it_counts_for_callers(tmp_path: Path) -> None:
    text = f"{HEAD}global f:function\nf: jmp g\ng: popcnt rax, rdi\nret\n"
    verdict = verdict_of(tmp_path, text)
    needs = {need.name: need.through for need in needs_of(verdict.engine, verdict.roots)}

    assert needs["f"] in ("", "g")


DISPATCHED = """
section .text
PyDispatch count, count_slowly, PyCPU_POPCNT, count_fast
count_slowly: xor eax, eax
    ret
count_fast: popcnt rax, rdi
    ret
"""


def broken(folder: Path, text: str, baseline: Level) -> set[str]:
    verdict = verdict_of(folder, text)
    needs = needs_of(verdict.engine, verdict.roots)
    return {fault.rule for fault in faults_of(verdict, needs, baseline)}


def test_a_method_needs_a_test(tmp_path: Path) -> None:
    direct = method("METH_O", "popcnt rax, rsi / PyReturn NULL")
    chosen = method("METH_O", "call [rel count] / PyReturn NULL")
    chosen = chosen.replace("PyModule sample", f"PyModule sample{DISPATCHED}")

    assert broken(tmp_path, direct, "x86-64") == {"cpu-level"}
    assert broken(tmp_path, direct, "x86-64-v2") == set()
    assert broken(tmp_path, chosen, "x86-64") == set()


def test_a_typed_function_and_its_routine_share_a_name(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, method("METH_O", "popcnt rax, rsi / PyReturn NULL"))
    (need,) = needs_of(verdict.engine, verdict.roots)

    (fault,) = faults_of(verdict, [need._replace(through=need.name)], "x86-64")
    assert "and the routine of that name that it calls needs POPCNT" in fault.what


@pytest.mark.parametrize(
    ("instruction", "variant"),
    [
        ("nop", ["x86_64 :: level :: v1"]),
        ("popcnt rax, rsi", ["x86_64 :: level :: v2"]),
        ("vpaddd ymm0, ymm0, ymm1 / vzeroupper", ["x86_64 :: level :: v3"]),
        (
            "pclmulqdq xmm0, xmm1, 0 / popcnt rax, rsi",
            ["x86_64 :: level :: v2", "x86_64 :: pclmulqdq :: on"],
        ),
    ],
)
def test_as_a_wheel_variant(instruction: str, variant: list[str], tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, method("METH_O", f"{instruction} / PyReturn NULL"))

    assert variant_of(verdict, needs_of(verdict.engine, verdict.roots)) == variant

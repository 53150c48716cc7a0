"""What PyModuleSlot and PySinglePhase declare is what each interpreter is told and does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.abi.assembling import (
    INTERPRETERS,
    MODULES,
    UNIVERSAL,
    Defines,
    build,
    python,
    target_of,
)

CHECKS = Path(__file__).with_name("check_slots.py")
SINGLE_PHASE = {"SINGLE_PHASE": "1"}

each_interpreter = pytest.mark.parametrize("name", INTERPRETERS)
each_target = pytest.mark.parametrize("universal", [True, False], ids=["universal", "specific"])


def label(value: Defines | str) -> str:
    """A parameter in the name of a test: what is defined, and what for."""
    return value if isinstance(value, str) else " ".join(f"{k}={v}" for k, v in value.items())


def check(name: str, universal: bool, defines: Defines, check: str, folder: Path) -> str:
    target = UNIVERSAL if universal else target_of(INTERPRETERS[name])
    build(MODULES / "slots.asm", folder / "slots.so", target | defines)
    return python(INTERPRETERS[name], folder, str(CHECKS), check)


@each_interpreter
@each_target
@pytest.mark.parametrize(
    ("check_name", "defines"),
    [
        ("check_state", {"OWNS_ITSELF": "1"}),
        ("check_exec_is_last", {"EXEC": "add_last"}),
        ("check_exec_is_last", {"EXEC": "add_last", **SINGLE_PHASE}),
        ("check_exec_raises", {"EXEC": "raise"}),
        ("check_exec_raises", {"EXEC": "raise", **SINGLE_PHASE}),
    ],
    ids=label,
)
def test_slot(
    check_name: str, defines: Defines, universal: bool, name: str, tmp_path: Path
) -> None:
    check(name, universal, defines, check_name, tmp_path)


@pytest.mark.parametrize("name", [n for n, each in INTERPRETERS.items() if each.version >= (3, 13)])
@each_target
@pytest.mark.parametrize("phases", [{}, SINGLE_PHASE], ids=["multi-phase", "single-phase"])
@pytest.mark.parametrize(
    ("check_name", "defines"),
    [
        ("check_gil_not_used", {}),
        ("check_gil_not_used", {"GIL": "Py_MOD_GIL_NOT_USED"}),
        ("check_gil_used", {"GIL": "Py_MOD_GIL_USED"}),
    ],
    ids=label,
)
def test_gil(
    check_name: str, defines: Defines, phases: Defines, universal: bool, name: str, tmp_path: Path
) -> None:
    """The slot is new in 3.13, and matters to builds without the GIL."""
    check(name, universal, defines | phases, check_name, tmp_path)


@each_interpreter
@each_target
@pytest.mark.parametrize(
    ("defines", "refused"),
    [
        ({"MULTIPLE_INTERPRETERS": "Py_MOD_PER_INTERPRETER_GIL_SUPPORTED"}, "taken"),
        ({"MULTIPLE_INTERPRETERS": "Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED"}, "refused"),
        ({"MULTIPLE_INTERPRETERS": "Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED"}, "refused"),
        (SINGLE_PHASE, "refused"),
    ],
    ids=label,
)
def test_isolated_interpreters(
    defines: Defines, refused: str, universal: bool, name: str, tmp_path: Path
) -> None:
    check(name, universal, defines, f"check_{refused}_by_isolated_interpreters", tmp_path)


@each_interpreter
@each_target
@pytest.mark.parametrize("defines", [{}, SINGLE_PHASE], ids=["multi-phase", "single-phase"])
def test_memory_fails_at_the_import(
    defines: Defines, universal: bool, name: str, tmp_path: Path
) -> None:
    said = check(name, universal, defines, "check_every_allocation_fails_once", tmp_path)
    if "no _testcapi" in said:
        pytest.skip("this interpreter was built without _testcapi, which makes memory fail")

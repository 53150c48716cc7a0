"""Each interpreter obeys the slots that PyModuleSlot and PySinglePhase declare."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.abi.assembling import (
    INTERPRETERS,
    MODULES,
    UNIVERSAL,
    Defines,
    build,
    python,
    said_by,
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


ABI3T = {"Py_LIMITED_API": "0x030f0000", "Py_GIL_DISABLED": "1"}


@pytest.mark.parametrize("name", [n for n, each in INTERPRETERS.items() if each.version >= (3, 15)])
@pytest.mark.parametrize("phases", [{}, SINGLE_PHASE], ids=["multi-phase", "single-phase"])
def test_abi3t_with_and_without_the_gil(phases: Defines, name: str, tmp_path: Path) -> None:
    """Builds with the GIL import it, too, and their objects have a shorter header."""
    defines = {"EXEC": "add_last", **phases, **ABI3T}
    build(MODULES / "slots.asm", tmp_path / "slots.so", defines)
    python(INTERPRETERS[name], tmp_path, str(CHECKS), "check_exec_is_last")


def test_the_slots_are_stored_once(tmp_path: Path) -> None:
    """Two threads may import the module first: neither sees what the other does halfway."""
    build(MODULES / "slots.asm", tmp_path / "slots.so", UNIVERSAL)
    code = said_by("objdump", "-d", "--no-show-raw-insn", tmp_path / "slots.so")
    (entry,) = re.findall(
        r"^\S+ <PyInit_slots>:\n(.*?)\n\n", f"{code}\n\n", re.MULTILINE | re.DOTALL
    )
    stores = re.findall(r"\bmov\s+%r\w+,0x", entry)
    assert len(stores) == 1, entry


@pytest.mark.parametrize(
    ("phases", "asked"), [({}, False), (SINGLE_PHASE, True)], ids=["multi-phase", "single-phase"]
)
def test_the_layout_is_told_by_an_object(phases: Defines, asked: bool, tmp_path: Path) -> None:
    """Not by a name of free-threaded Python's, which every build may have one day."""
    build(MODULES / "slots.asm", tmp_path / "slots.so", UNIVERSAL | phases)
    names = said_by("nm", "-D", tmp_path / "slots.so").split()
    assert {"_Py_TrueStruct", "PyBool_Type"} <= {*names}
    # It is called where it is, and decides nothing.
    assert ("PyUnstable_Module_SetGIL" in names) is asked

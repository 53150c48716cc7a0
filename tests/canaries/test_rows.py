"""Every planted fault that a test executes is found, and nothing where there is none."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import pytest

from tests.abi.assembling import INTERPRETERS, build, target_of
from tests.canaries.rows import ROWS, Row
from tests.canaries.running import HERE, NAMES, Session, run_pytest

each_interpreter = pytest.mark.parametrize("name", NAMES)
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rows")


@functools.cache
def session(name: str, folder: Path) -> Session:
    """All rows in one pytest of the interpreter: a fault must not spoil the tests after it."""
    own = folder / name
    own.mkdir()
    build(HERE / "faults.asm", own / "faults.so", target_of(INTERPRETERS[name]))
    shutil.copy(HERE / "run_rows.py", own)
    shutil.copy(HERE / "rows.py", own)
    return run_pytest(INTERPRETERS[name], own, "--asm-abi=faults", "run_rows.py")


@each_interpreter
@each_row
def test_fault_is_found(row: Row, name: str, folder: Path) -> None:
    tests = session(name, folder).tests
    text, outcome = tests[f"test_row[{row.name}-fault]"]

    if outcome == "passed" and row.needs_avx and "skip" in text.lower():
        pytest.skip("no AVX")
    assert outcome == "failed"
    if row.rule:  # otherwise the result is wrong, and the test itself says so
        assert f"[{row.rule}]" in text
        assert row.register in text


@each_interpreter
@each_row
def test_nothing_is_found_where_nothing_is_wrong(row: Row, name: str, folder: Path) -> None:
    text, outcome = session(name, folder).tests[f"test_row[{row.name}-kept]"]

    assert (text, outcome) == ("", "passed")

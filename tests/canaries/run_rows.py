# mypy: ignore-errors
"""Run by pytest --asm-abi in each interpreter: every row with its fault, and without."""

from __future__ import annotations

from pathlib import Path

import faults  # noqa: F401 - the expressions name it
import pytest
from rows import PARTS, ROWS, code

HAS_AVX = " avx " in Path("/proc/cpuinfo").read_text()


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(row, part):
    if row.needs_avx and not HAS_AVX:
        pytest.skip("no AVX")
    if row.raises == "no error":
        result = eval(code(row, part))
        assert eval(row.expects, {"result": result})
    else:
        with pytest.raises(eval(row.raises)):
            eval(code(row, part))

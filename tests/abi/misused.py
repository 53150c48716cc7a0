"""Sources that macros refuse, and the errors NASM prints for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.abi.assembling import ASSEMBLERS, Defines, assemble


def errors_of(text: str, folder: Path, defines: Defines, nasm: str = "nasm") -> list[str]:
    source = folder / "source.asm"
    source.write_text('%include "python.inc"\n' + text + "\n")
    said = assemble(source, folder / "source.o", defines, nasm)
    assert said.returncode != 0
    return [line.replace(f"{source}:", "") for line in said.stderr.splitlines()]


def at(line: int) -> tuple[str, str]:
    """How an error begins; the %include stands before the first line."""
    return f"{line + 1}: fatal: ", f"{line + 1}: error: "


each_nasm = pytest.mark.parametrize("nasm", ASSEMBLERS)

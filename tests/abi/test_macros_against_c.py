"""What the macros know of C beside the tables, compared with the headers of every interpreter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.abi.assembling import INCLUDE, INTERPRETERS, assemble
from tests.abi.headers import Headers
from tests.abi.includes import declared_names, section
from tests.abi.test_tables import TARGETS, Target
from tools.matrix.interpreters import MINORS

WITH_HEADERS = [each for each in INTERPRETERS.values() if each.has_headers]
VARIADIC_INC = (INCLUDE / "python" / "variadic.inc").read_text()


def variadic_functions(headers: Headers) -> set[str]:
    """The functions whose prototype ends in `...'."""
    text = headers.gcc(headers.source(), "-E", "-P").stdout
    return set(re.findall(r"\b(_?Py\w+)\s*\([^()]*,\s*\.\.\.\s*\)", text))


def test_variadic_functions() -> None:
    """PyCall sets AL for those of them that are declared, and for no other."""
    of_headers = {
        name
        for each in WITH_HEADERS
        for macros in ((), ("PY_SSIZE_T_CLEAN",))
        for name in variadic_functions(Headers(each.include_dir, macros))
    }
    of_tables = set(re.findall(r"^%define _py_variadic_(\w+)$", VARIADIC_INC, re.MULTILINE))
    assert {"PyErr_Format", "PySys_Audit"} <= of_headers
    declared = of_headers & set(declared_names())
    assert declared <= of_tables
    # Of a version whose headers are not at hand nothing can be said.
    if {each.version[1] for each in WITH_HEADERS} >= set(MINORS):
        assert declared == of_tables


@pytest.mark.parametrize(
    "target", [each for each in TARGETS if each.interpreter.version >= (3, 15)], ids=str
)
def test_abi_info(target: Target, tmp_path: Path) -> None:
    """What a module says of itself to 3.15: as PyABIInfo_VAR has it."""
    fields = ("abiinfo_major_version", "abiinfo_minor_version", "flags", "abi_version >> 16")
    names = ", ".join(f"info.{field}" for field in fields)
    statements = f'PyABIInfo_VAR(info); printf("%x %x %x %x\\n", {names});'
    expected = [int(number, 16) for number in target.headers.run(statements, tmp_path)]
    source = tmp_path / "m.asm"
    source.write_text(
        '%include "python.inc"\nPyModule m\nPyEndModule\nsection .read\n'
        "dq _py_abi_info - _py_slots_of_3.13\n"
    )
    defines = dict(macro.split("=") for macro in target.nasm_macros)
    said = assemble(source, tmp_path / "m.o", defines)
    assert (said.returncode, said.stderr) == (0, "")
    at = int.from_bytes(section(tmp_path / "m.o", ".read"), "little")
    info = section(tmp_path / "m.o", ".data.rel.ro")[at : at + 12]
    cut = (slice(0, 1), slice(1, 2), slice(2, 4), slice(10, 12))  # of a version, its minor
    assert [int.from_bytes(info[one], "little") for one in cut] == expected

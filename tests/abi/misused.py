"""Sources that macros refuse, and the errors that a build prints for them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asmsetup.assemble import nasm as assembler
from asmsetup.assemble.includes import INCLUDE_DIR, Reader
from asmsetup.assemble.nasm import AssemblerOptions, ObjectFile
from asmsetup.assemble.objects import Objects
from asmsetup.check import calls
from asmsetup.check.inspection import explained
from asmsetup.errors import AssembleError
from tests.abi.assembling import ASSEMBLERS, Defines


def errors_of(text: str, folder: Path, defines: Defines, nasm: str = "nasm") -> list[str]:
    """Assemble a source as a build does, which must fail; return its errors without the file."""
    source = folder / "source.asm"
    source.write_text('%include "python.inc"\n' + text + "\n")
    output = refused(source, defines, nasm).replace(f"{source}:", "")
    return [
        line for line in output.splitlines() if re.match(r"(?:\S*:)?\d+: (?:error|fatal)", line)
    ]


def refused(source: Path, defines: Defines, nasm: str = "nasm") -> str:
    """Assemble a source as a build does, which must fail; return what is printed."""
    options = AssemblerOptions((INCLUDE_DIR,), define=tuple(defines.items()))
    wanted = ObjectFile(str(source), str(source.with_suffix(".o")), options)
    reader = Reader()
    objects = Objects(assembler.find(nasm), reader, None, judge=calls.first_refused)
    with pytest.raises(AssembleError) as error:
        objects.assemble(wanted)
    return explained(error.value.what, wanted, reader)


_CLOSERS = {
    "PyModule": "PyEndModule",
    "PyType": "PyEndType",
    "PyFunction": "PyReturn\nPyEndFunction",
    "PyRoutine": "PyReturn\nPyEndRoutine",
}


def closed(text: str) -> str:
    """Return a source with its blocks closed: asmsetup judges what NASM can assemble."""
    macros = [line.split()[0] for line in text.splitlines() if line.strip()]
    open_: list[str] = []
    for macro in macros:
        if macro in _CLOSERS:
            open_.append(_CLOSERS[macro])
        elif open_ and open_[-1].endswith(macro):
            open_.pop()
    return "\n".join([text, *reversed(open_)])


def at(line: int) -> tuple[str, str]:
    """How an error begins; the %include stands before the first line."""
    return f"{line + 1}: fatal: ", f"{line + 1}: error: "


each_nasm = pytest.mark.parametrize("nasm", ASSEMBLERS)

"""What NASM makes of the generated include files: assembled, and read back from the object."""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import Section, SymbolTableSection

INCLUDE = Path(__file__).parents[2] / "asmsetup" / "include"


def all_names(pattern: str) -> list[str]:
    """Names that any target's file defines or declares."""
    texts = (path.read_text() for path in sorted((INCLUDE / "python").rglob("*.inc")))
    return sorted({name for text in texts for name in re.findall(pattern, text, re.MULTILINE)})


def defined_names() -> list[str]:
    names = all_names(r"^%define ([A-Za-z_][\w.]*) ")
    return [name for name in names if not name.startswith("PY__") or name.endswith("_size")]


def declared_names() -> list[str]:
    return all_names(r"^\[extern (\w+)\]$")


@dataclass(frozen=True)
class Nasm:
    """nasm with the include files and the macros of one target."""

    macros: tuple[str, ...]
    folder: Path
    program: str = "nasm"

    def assemble(self, source: str) -> tuple[Path, str]:
        """The object (which is not there if nasm refused) and what nasm said."""
        path = self.folder / "source.asm"
        path.write_text('%include "python/abi.inc"\n%include "python/more.inc"\n' + source)
        target = self.folder / "source.o"
        target.unlink(missing_ok=True)
        command = [self.program, "-f", "elf64", f"-I{INCLUDE}", *(f"-D{m}" for m in self.macros)]
        run = subprocess.run(
            [*command, "-o", str(target), str(path)], capture_output=True, text=True, check=False
        )
        return target, run.stderr

    def values(self, names: Iterable[str]) -> dict[str, int]:
        """Name to value, of the names that are numbers for this target."""
        names = list(names)
        lines = [f"%ifnum {name}\ndq 1, {name}\n%else\ndq 0, 0\n%endif" for name in names]
        target, errors = self.assemble("section .data\n" + "\n".join(lines) + "\n")
        assert not errors, errors
        numbers = [number for (number,) in struct.iter_unpack("<q", section(target, ".data"))]
        return {name: numbers[2 * n + 1] for n, name in enumerate(names) if numbers[2 * n]}

    def symbols(self, names: Iterable[str]) -> dict[str, str]:
        """Name to ELF symbol, of the names that may be used without an EXTERN of one's own."""
        names = list(names)
        _, errors = self.assemble(data_table(names))
        lacking = set(re.findall(r"symbol `([\w.]+?)(?:__\w+(?:\.\d+)?)?' not defined", errors))
        names = [name for name in names if name not in lacking]
        target, errors = self.assemble(data_table(names))
        assert not errors, errors
        return dict(zip(names, relocated_symbols(target, ".rela.data"), strict=True))


def data_table(names: Iterable[str]) -> str:
    return "section .data\n" + "".join(f"dq {name}\n" for name in names)


def section(path: Path, name: str) -> bytes:
    with path.open("rb") as stream:
        found = ELFFile(stream).get_section_by_name(name)
        assert isinstance(found, Section)
        data: bytes = found.data()
        return data


def relocated_symbols(path: Path, name: str) -> list[str]:
    """The symbols of a section's relocations, by place."""
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        relocations, table = elf.get_section_by_name(name), elf.get_section_by_name(".symtab")
        assert isinstance(relocations, RelocationSection)
        assert isinstance(table, SymbolTableSection)
        ordered = sorted(relocations.iter_relocations(), key=lambda one: one["r_offset"])
        return [table.get_symbol(one["r_info_sym"]).name for one in ordered]

"""Reads x86-64 ELF objects and modules into facts; judges nothing and writes nothing.

layout has the numbers, records what is read, reader the steps, damage what a hostile file may try,
and exports the names of libraries. Why this is not pyelftools: docs/explanation/decisions.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...errors import ObjectError
from .exports import Exports
from .layout import ABSOLUTE, COMMON, RELOCATION_NAMES
from .reader import Reader, from_file
from .records import (
    ElfFacts,
    Kind,
    Relocation,
    RelocationTable,
    Section,
    Segment,
    Symbol,
    SymbolTable,
    VersionNeed,
)

__all__ = [
    "ABSOLUTE",
    "COMMON",
    "RELOCATION_NAMES",
    "ElfFacts",
    "Exports",
    "Kind",
    "Relocation",
    "RelocationTable",
    "Section",
    "Segment",
    "Symbol",
    "SymbolTable",
    "VersionNeed",
    "all_symbols",
    "is_bitcode",
    "parse",
    "read",
    "read_if_supported",
]


def read(path: str | os.PathLike[str], data: bytes | None = None) -> ElfFacts:
    """Return the facts of the object or module at ``path``, whose bytes may be at hand already.

    Raises ObjectError, naming the file as given, when it cannot be read, is damaged, or is
    not x86-64 ELF.
    """
    return from_file(path, parse, data)


def read_if_supported(path: str | os.PathLike[str]) -> ElfFacts | None:
    """Return the facts of a file, or None if x86-64 Linux cannot load it."""
    try:
        return read(path)
    except ObjectError:
        return None


def is_bitcode(path: str | os.PathLike[str]) -> bool:
    """Return whether the file is LLVM bitcode (clang -flto): not ELF, but it can be linked."""
    with open(path, "rb") as file:
        return file.read(4) == b"BC\xc0\xde"


def parse(data: bytes) -> ElfFacts:
    """As read(), from the file's bytes."""
    return Reader(data).facts()


def all_symbols(facts: ElfFacts) -> Sequence[Symbol]:
    """Return the full symbol table where there is one; a module that is not stripped has two."""
    if facts.kind == "object" or not any(s.type == "symtab" for s in facts.sections):
        return facts.symbols
    reader = Reader(facts.data)
    reader.require("module")
    symbols, _ = reader.read_symbols("symtab")
    return symbols

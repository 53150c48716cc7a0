"""The kinds of relocation, by what they do to a shared module (x86-64 psABI, table 4.9)."""

from __future__ import annotations

from typing import Literal

from ..facts.elf import RELOCATION_NAMES, ElfFacts

NUMBERS = {name.removeprefix("R_X86_64_"): number for number, name in RELOCATION_NAMES.items()}

ADDRESS_64 = NUMBERS["64"]
NARROW = frozenset(NUMBERS[name] for name in ("32", "32S", "16", "8"))
RELATIVE = frozenset(NUMBERS[name] for name in ("PC32", "PC16", "PC8", "PC64"))
GOT_RELATIVE = frozenset(NUMBERS[name] for name in ("GOTPCREL", "GOTPCRELX", "REX_GOTPCRELX"))
GOT_OR_PLT = GOT_RELATIVE | {NUMBERS["PLT32"]}
"""Relocation types that only instructions have."""
BRANCHING = RELATIVE | {NUMBERS["PLT32"]}
"""Relocation types of calls and jumps, among others."""
GOT_OFFSET = frozenset(NUMBERS[name] for name in ("GOT32", "GOT64"))
GOT_BASE = frozenset(NUMBERS[name] for name in ("GOTPC32", "GOTPC64", "GOTOFF64"))
LOCAL_EXEC = frozenset(NUMBERS[name] for name in ("TPOFF32", "TPOFF64"))

WIDTHS = {NUMBERS[name]: 8 for name in ("64", "PC64", "GOT64", "GOTOFF64", "TPOFF64")}
WIDTHS |= {NUMBERS[name]: 2 for name in ("16", "PC16")}
WIDTHS |= {NUMBERS[name]: 1 for name in ("8", "PC8")}

CALL, JUMP = 0xE8, 0xE9
BRANCHES = frozenset((CALL, JUMP))

# Sections that hold data by their name (the gABI's special sections, and gcc's variants).
_DATA = (
    *("data", "rodata", "bss", "ldata", "lrodata", "lbss", "tdata", "tbss", "sdata", "sbss"),
    *("eh_frame", "gcc_except_table", "note", "comment"),
    *("preinit_array", "init_array", "fini_array", "ctors", "dtors"),
)
_DATA_BEGINNINGS = (*(f".{name}." for name in _DATA), ".note-")


def is_data_section(name: str | None) -> bool:
    """Return whether a section of this name holds data, whatever its flags are."""
    return name is not None and f"{name}.".startswith(_DATA_BEGINNINGS)


# ld defines these for any object that refers to them (its default linker script; the gABI for the first two).
LINKER_DEFINED = frozenset(
    [
        *("_GLOBAL_OFFSET_TABLE_", "_DYNAMIC", "__dso_handle", "__ehdr_start", "__bss_start"),
        *("__executable_start", "_edata", "edata", "_end", "end", "_etext", "etext", "__etext"),
    ]
)


def section_bounds(facts: ElfFacts) -> frozenset[str]:
    """Return the names of the beginning and the end of those sections that C can name (ld's manual)."""
    names = [section.name for section in facts.sections if section.name.isidentifier()]
    return frozenset(f"__{end}_{name}" for name in names for end in ("start", "stop"))


Mistake = Literal[
    "absolute", "narrow", "external", "got-offset", "got-called", "local-exec", "data-called"
]
"""The faults of a relocation, as its type, symbol and section tell."""

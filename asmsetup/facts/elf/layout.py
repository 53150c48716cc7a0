"""Layouts and numbers of ELF files: System V ABI (gABI), x86-64 psABI (table 4.9), GNU extensions."""

from __future__ import annotations

from struct import Struct

FILE_HEADER = Struct("<16sHHIQQQIHHHHHH")
SECTION_HEADER = Struct("<IIQQQQIIQQ")
PROGRAM_HEADER = Struct("<IIQQQQQQ")
SYMBOL = Struct("<IBBHQQ")
RELOCATION = Struct("<QQq")
DYNAMIC_TAG = Struct("<qQ")
VERSION_NEED = Struct("<HHIII")
VERSION_NEED_NAME = Struct("<IHHII")
GNU_HASH_HEADER = Struct("<IIII")
WORD = Struct("<I")

X86_64 = 62
MACHINES = {2: "SPARC", 3: "i386", 8: "MIPS", 20: "PowerPC", 21: "PowerPC64", 22: "S/390"}
MACHINES |= {40: "ARM", 43: "SPARC V9", 183: "AArch64", 243: "RISC-V"}
MACHINES |= {258: "LoongArch"}

FOREIGN_MAGIC = (
    (b"\x7fELF", "an ELF file"),
    (b"!<arch>\n", "an archive (a static library)"),
    (b"!<thin>\n", "a thin archive"),
    (b"BC\xc0\xde", "LLVM bitcode, which clang writes with -flto"),
    (b"MZ", "a Windows program"),
    (b"d\x86", "a Windows object (COFF)"),
    (b"\xcf\xfa\xed\xfe", "a macOS object (Mach-O)"),
)

FILE_KINDS = {1: "object", 3: "module"}
OTHER_FILE_KINDS = {2: "a program (not position-independent)", 4: "a core dump"}

SECTION_TYPES = {
    0: "null",
    1: "progbits",
    2: "symtab",
    3: "strtab",
    4: "rela",
    5: "hash",
    6: "dynamic",
    7: "note",
    8: "nobits",
    9: "rel",
    11: "dynsym",
    14: "init_array",
    15: "fini_array",
    16: "preinit_array",
    17: "group",
    18: "symtab_shndx",
    0x6FFFFFF6: "gnu_hash",
    0x6FFFFFFD: "gnu_verdef",
    0x6FFFFFFE: "gnu_verneed",
    0x6FFFFFFF: "gnu_versym",
    0x70000001: "x86_64_unwind",
}

SEGMENT_TYPES = {
    1: "LOAD",
    2: "DYNAMIC",
    3: "INTERP",
    4: "NOTE",
    6: "PHDR",
    7: "TLS",
    0x6474E550: "GNU_EH_FRAME",
    0x6474E551: "GNU_STACK",
    0x6474E552: "GNU_RELRO",
    0x6474E553: "GNU_PROPERTY",
}

BINDINGS = {0: "local", 1: "global", 2: "weak", 10: "unique"}
SYMBOL_TYPES = {0: "notype", 1: "object", 2: "func", 3: "section", 4: "file"}
SYMBOL_TYPES |= {5: "common", 6: "tls", 10: "ifunc"}
VISIBILITIES = ("default", "internal", "hidden", "protected")

UNDEFINED, ABSOLUTE_INDEX, COMMON_INDEX, EXTENDED_INDEX = 0, 0xFFF1, 0xFFF2, 0xFFFF

TABLE_TYPES = frozenset(
    (
        "symtab",
        "dynsym",
        "strtab",
        "rela",
        "rel",
        "dynamic",
        "symtab_shndx",
        "gnu_verneed",
        "gnu_hash",
    )
)

DT_NEEDED, DT_RPATH, DT_TEXTREL, DT_BIND_NOW = 1, 15, 22, 24
DT_RUNPATH, DT_FLAGS, DT_RELR, DT_FLAGS_1 = 29, 30, 36, 0x6FFFFFFB
DF_TEXTREL, DF_BIND_NOW, DF_1_NOW, DF_1_NOOPEN = 4, 8, 1, 0x40

ABSOLUTE = "*ABS*"
"""The section of a symbol that is a plain number (``equ``)."""
COMMON = "*COM*"
"""The section of a symbol whose space the linker allots (``common``)."""

SPECIAL_SECTIONS = {ABSOLUTE_INDEX: ABSOLUTE, COMMON_INDEX: COMMON}

RELOCATION_NAMES = {
    0: "R_X86_64_NONE",
    1: "R_X86_64_64",
    2: "R_X86_64_PC32",
    3: "R_X86_64_GOT32",
    4: "R_X86_64_PLT32",
    5: "R_X86_64_COPY",
    6: "R_X86_64_GLOB_DAT",
    7: "R_X86_64_JUMP_SLOT",
    8: "R_X86_64_RELATIVE",
    9: "R_X86_64_GOTPCREL",
    10: "R_X86_64_32",
    11: "R_X86_64_32S",
    12: "R_X86_64_16",
    13: "R_X86_64_PC16",
    14: "R_X86_64_8",
    15: "R_X86_64_PC8",
    16: "R_X86_64_DTPMOD64",
    17: "R_X86_64_DTPOFF64",
    18: "R_X86_64_TPOFF64",
    19: "R_X86_64_TLSGD",
    20: "R_X86_64_TLSLD",
    21: "R_X86_64_DTPOFF32",
    22: "R_X86_64_GOTTPOFF",
    23: "R_X86_64_TPOFF32",
    24: "R_X86_64_PC64",
    25: "R_X86_64_GOTOFF64",
    26: "R_X86_64_GOTPC32",
    27: "R_X86_64_GOT64",
    28: "R_X86_64_GOTPCREL64",
    29: "R_X86_64_GOTPC64",
    30: "R_X86_64_GOTPLT64",
    31: "R_X86_64_PLTOFF64",
    32: "R_X86_64_SIZE32",
    33: "R_X86_64_SIZE64",
    34: "R_X86_64_GOTPC32_TLSDESC",
    35: "R_X86_64_TLSDESC_CALL",
    36: "R_X86_64_TLSDESC",
    37: "R_X86_64_IRELATIVE",
    38: "R_X86_64_RELATIVE64",
    41: "R_X86_64_GOTPCRELX",
    42: "R_X86_64_REX_GOTPCRELX",
}

"""Reads x86-64 ELF objects and modules into facts; judges nothing and writes nothing.

A file is read once. Everything that is few (sections, segments, global symbols, dynamic
tags) is unpacked at once; local symbols and single relocations, of which a large object has
thousands, are unpacked when somebody asks. Sizes and offsets come from the file and are
never trusted: whatever points outside it is an ObjectError, and the work done is bounded by
the file's size.

Layouts and numbers: System V ABI, "Object Files" and "Dynamic Linking" (gABI), and the
x86-64 psABI, table 4.9 (relocation types).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from pathlib import Path
from struct import Struct
from typing import NamedTuple, TypeVar, overload

from ..errors import ObjectError

_FILE_HEADER = Struct("<16sHHIQQQIHHHHHH")
_SECTION_HEADER = Struct("<IIQQQQIIQQ")
_PROGRAM_HEADER = Struct("<IIQQQQQQ")
_SYMBOL = Struct("<IBBHQQ")
_RELOCATION = Struct("<QQq")
_DYNAMIC_TAG = Struct("<qQ")
_VERSION_NEED = Struct("<HHIII")
_VERSION_NEED_NAME = Struct("<IHHII")
_GNU_HASH_HEADER = Struct("<IIII")
_WORD = Struct("<I")

# Longer names exist in no object a compiler makes; the limit keeps a damaged string table
# from costing the product of its length and the number of names.
_LONGEST_NAME = 16384

_X86_64 = 62
_MACHINES = {2: "SPARC", 3: "i386", 8: "MIPS", 20: "PowerPC", 21: "PowerPC64", 22: "S/390"}
_MACHINES |= {40: "ARM", 43: "SPARC V9", 183: "AArch64", 243: "RISC-V"}
_MACHINES |= {258: "LoongArch"}

_FOREIGN_MAGIC = (
    (b"\x7fELF", "an ELF file"),
    (b"!<arch>\n", "an archive (a static library)"),
    (b"!<thin>\n", "a thin archive"),
    (b"BC\xc0\xde", "LLVM bitcode, which clang writes with -flto"),
    (b"MZ", "a Windows program"),
    (b"d\x86", "a Windows object (COFF)"),
    (b"\xcf\xfa\xed\xfe", "a macOS object (Mach-O)"),
)

_FILE_KINDS = {1: "object", 3: "module"}
_OTHER_FILE_KINDS = {2: "a program (not position-independent)", 4: "a core dump"}

_SECTION_TYPES = {
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

_SEGMENT_TYPES = {
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

_BINDINGS = {0: "local", 1: "global", 2: "weak", 10: "unique"}
_SYMBOL_TYPES = {0: "notype", 1: "object", 2: "func", 3: "section", 4: "file"}
_SYMBOL_TYPES |= {5: "common", 6: "tls", 10: "ifunc"}
_VISIBILITIES = ("default", "internal", "hidden", "protected")

_UNDEFINED, _ABSOLUTE, _COMMON, _EXTENDED_INDEX = 0, 0xFFF1, 0xFFF2, 0xFFFF

_TABLE_TYPES = frozenset(
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

_DT_NEEDED, _DT_SONAME, _DT_RPATH, _DT_TEXTREL, _DT_BIND_NOW = 1, 14, 15, 22, 24
_DT_RUNPATH, _DT_FLAGS, _DT_FLAGS_1 = 29, 30, 0x6FFFFFFB
_DF_TEXTREL, _DF_BIND_NOW, _DF_1_NOW = 4, 8, 1

ABSOLUTE = "*ABS*"
"""The section of a symbol that is a plain number (``equ``)."""
COMMON = "*COM*"
"""The section of a symbol whose space the linker allots (``common``)."""

_SPECIAL_SECTIONS = {_ABSOLUTE: ABSOLUTE, _COMMON: COMMON}

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


class Section(NamedTuple):
    """One section header; ``flags`` as in the file, the usual three spelt out."""

    number: int
    name: str
    type: str
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int

    @property
    def writable(self) -> bool:
        return bool(self.flags & 1)

    @property
    def alloc(self) -> bool:
        """Loaded into memory; debug information and notes to the linker are not."""
        return bool(self.flags & 2)

    @property
    def executable(self) -> bool:
        return bool(self.flags & 4)


class Segment(NamedTuple):
    """One program header: what the loader maps or is told."""

    type: str
    flags: str
    """Some of "R", "W" and "E", in this order, as readelf prints them."""
    address: int
    offset: int
    file_size: int
    memory_size: int


class Symbol(NamedTuple):
    """One entry of the symbol table (of .dynsym in a module)."""

    name: str
    binding: str
    """"local", "global", "weak" or "unique"."""
    type: str
    """"notype", "object", "func", "section", "file", "common", "tls" or "ifunc"."""
    visibility: str
    section: str | None
    """The section's name, ABSOLUTE or COMMON; None when undefined."""
    section_index: int
    """Into ElfFacts.sections; 0 unless in a section. Names need not be unique, this is."""
    value: int
    size: int

    @property
    def defined(self) -> bool:
        return self.section is not None


class Relocation(NamedTuple):
    """A place the linker (object) or the loader (module) has to fill in."""

    section: str
    offset: int
    """Bytes from the section's start; in a module, the address."""
    type: int
    """A key of RELOCATION_NAMES."""
    symbol: Symbol
    addend: int

    @property
    def type_name(self) -> str:
        return RELOCATION_NAMES.get(self.type, f"relocation type {self.type}")


class SymbolTable(Sequence[Symbol]):
    """The symbols as indexed in the file; the local ones are unpacked when asked for."""

    def __init__(self, reader: _Reader, table: Section, globals_: tuple[Symbol, ...]) -> None:
        self._reader = reader
        self._table = table
        self._globals = globals_
        self._length = table.size // _SYMBOL.size
        self._first_global = self._length - len(globals_)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Symbol: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Symbol]: ...
    def __getitem__(self, index: int | slice) -> Symbol | Sequence[Symbol]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._length))]
        if not 0 <= index < self._length:
            raise IndexError(index)
        if index >= self._first_global:
            return self._globals[index - self._first_global]
        return self._reader.symbol(self._table, index)


@dataclass(frozen=True)
class RelocationTable:
    """The relocations of one section (of the whole file in a module)."""

    section: Section
    """What the offsets are relative to; in a module the table itself (.rela.dyn, .rela.plt)."""
    entries: bytes
    """As in the file, 24 bytes each (Elf64_Rela)."""
    symbols: Sequence[Symbol]

    @cached_property
    def kinds(self) -> frozenset[tuple[int, Symbol]]:
        """Every (type, symbol) that occurs, once: all that most rules look at, and far fewer."""
        return frozenset((info & 0xFFFFFFFF, self._symbol(info >> 32)) for info in self._distinct)

    @cached_property
    def _infos(self) -> list[int]:
        """r_info of each entry: the symbol's index above the type."""
        return memoryview(self.entries).cast("Q")[1::3].tolist()

    @cached_property
    def _distinct(self) -> frozenset[int]:
        return frozenset(self._infos)

    def _symbol(self, index: int) -> Symbol:
        try:
            return self.symbols[index]
        except IndexError:
            raise ObjectError(
                f"a relocation of {self.section.name} names symbol {index}, and there are only"
                f" {len(self.symbols)}: the file is damaged"
            ) from None

    def offsets(self, types: frozenset[int]) -> Iterator[int]:
        """Where the relocations of ``types`` are; much faster than looking at each."""
        wanted = {info for info in self._distinct if info & 0xFFFFFFFF in types}
        if not wanted:
            return iter(())
        offsets = memoryview(self.entries).cast("Q")[0::3]
        return compress(offsets, map(wanted.__contains__, self._infos))

    def __len__(self) -> int:
        return len(self.entries) // _RELOCATION.size

    def __iter__(self) -> Iterator[Relocation]:
        section = self.section.name
        for offset, info, addend in _RELOCATION.iter_unpack(self.entries):
            yield Relocation(section, offset, info & 0xFFFFFFFF, self._symbol(info >> 32), addend)


class VersionNeed(NamedTuple):
    """A version the module asks of a library, such as GLIBC_2.2.5 of libc.so.6."""

    library: str
    version: str


@dataclass(frozen=True)
class ElfFacts:
    """What an object or a module says about itself."""

    kind: str = "object"
    """"object" (before linking) or "module" (a shared object)."""
    sections: tuple[Section, ...] = ()
    symbols: Sequence[Symbol] = ()
    """All symbols, the local ones first, indexed as in the file."""
    globals: tuple[Symbol, ...] = ()
    """Global and weak symbols, defined or not."""
    relocation_tables: tuple[RelocationTable, ...] = ()
    segments: tuple[Segment, ...] = ()
    needed: tuple[str, ...] = ()
    soname: str | None = None
    runpath: str | None = None
    """DT_RUNPATH, or the older DT_RPATH."""
    text_relocations: bool = False
    """DT_TEXTREL: the loader has to write into code. An object never says so itself."""
    stack_flags: str | None = None
    """"RW" or "RWE", from PT_GNU_STACK or .note.GNU-stack; None when nothing is said."""
    relro: bool = False
    bind_now: bool = False
    version_needs: tuple[VersionNeed, ...] = ()
    data: bytes = field(default=b"", repr=False)

    @cached_property
    def relocations(self) -> tuple[Relocation, ...]:
        return tuple(relocation for table in self.relocation_tables for relocation in table)

    @property
    def is_intermediate(self) -> bool:
        """gcc made it with -flto: its code and its names come to light only when it is linked."""
        return any(section.name.startswith(".gnu.lto_") for section in self.sections)

    @cached_property
    def undefined(self) -> tuple[Symbol, ...]:
        """What somebody else has to provide; those with binding "weak" may stay missing."""
        return tuple(symbol for symbol in self.globals if symbol.section is None)

    @cached_property
    def exported(self) -> tuple[Symbol, ...]:
        """Defined here and visible outside."""
        return tuple(
            symbol
            for symbol in self.globals
            if symbol.section is not None and symbol.visibility in ("default", "protected")
        )

    def defined(self, name: str) -> Symbol | None:
        """The global or weak definition of ``name``, if there is one."""
        return self._definitions.get(name)

    @cached_property
    def _definitions(self) -> dict[str, Symbol]:
        return {symbol.name: symbol for symbol in self.globals if symbol.section is not None}

    def section(self, name: str) -> Section | None:
        """The first section called ``name``."""
        return next((section for section in self.sections if section.name == name), None)

    def content(self, section: Section) -> bytes:
        """The section's bytes; none for .bss and its like."""
        if section.type in ("nobits", "null"):
            return b""
        return self.data[section.offset : section.offset + section.size]


def read(path: str | os.PathLike[str], data: bytes | None = None) -> ElfFacts:
    """The facts of the object or module at ``path``, whose bytes may be at hand already.

    Raises ObjectError, naming the file as given, when it cannot be read, is damaged, or is
    not x86-64 ELF.
    """
    return _from_file(path, parse, data)


_Facts = TypeVar("_Facts")


def _from_file(
    path: str | os.PathLike[str], parser: Callable[[bytes], _Facts], data: bytes | None = None
) -> _Facts:
    try:
        data = Path(path).read_bytes() if data is None else data
    except OSError as error:
        raise ObjectError(f"{os.fspath(path)}: cannot be read: {error.strerror}") from error
    try:
        return parser(data)
    except ObjectError as error:
        raise ObjectError(f"{os.fspath(path)}: {error.what}", *error.ways_out) from error


def is_bitcode(path: str | os.PathLike[str]) -> bool:
    """Whether the file is what clang writes with -flto: no ELF, and to be linked all the same."""
    with open(path, "rb") as file:
        return file.read(4) == b"BC\xc0\xde"


def parse(data: bytes) -> ElfFacts:
    """As read(), from the file's bytes."""
    return _Reader(data).facts()


def all_symbols(facts: ElfFacts) -> Sequence[Symbol]:
    """Return the full symbol table where there is one; a module that is not stripped has two."""
    if facts.kind == "object" or not any(s.type == "symtab" for s in facts.sections):
        return facts.symbols
    reader = _Reader(facts.data)
    reader.require("module")
    symbols, _ = reader.read_symbols("symtab")
    return symbols


class Exports:
    """The names a shared library defines, looked up one at a time through its hash table."""

    def __init__(self, data: bytes) -> None:
        """Raises ObjectError when ``data`` is not a shared library."""
        self._reader = _Reader(data)
        self._reader.require("module")

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> Exports:
        """As the constructor, from the file at ``path``; ObjectError names it."""
        return _from_file(path, cls)

    def __contains__(self, name: str) -> bool:
        table = self._reader.section_of_type("gnu_hash")
        symbols = self._reader.section_of_type("dynsym")
        if table is None or symbols is None:
            return name in self.names
        return self._looked_up(name.encode(), table, symbols)

    @cached_property
    def names(self) -> frozenset[str]:
        """All of them: slow for a large library."""
        return frozenset(symbol.name for symbol in self._reader.facts().exported)

    def _looked_up(self, name: bytes, table: Section, symbols: Section) -> bool:
        """Follow one chain of DT_GNU_HASH (its only description is in binutils and glibc)."""
        data = self._reader.content(table)
        buckets, first, bloom_words, _ = _unpack(_GNU_HASH_HEADER, data, 0)
        if not buckets:
            return False
        hash_ = 5381
        for byte in name:
            hash_ = (hash_ * 33 + byte) & 0xFFFFFFFF
        chains = _GNU_HASH_HEADER.size + 8 * bloom_words + 4 * buckets
        (index,) = _unpack(_WORD, data, chains - 4 * buckets + 4 * (hash_ % buckets))
        while index >= first:
            (chained,) = _unpack(_WORD, data, chains + 4 * (index - first))
            if chained | 1 == hash_ | 1 and self._reader.is_called(symbols, index, name):
                return True
            if chained & 1:  # the chain's end
                return False
            index += 1
        return False


class _Reader:
    """The steps of reading one file; every offset is checked before it is used."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.sections: tuple[Section, ...] = ()
        self._symbol_names = b""

    def facts(self) -> ElfFacts:
        header, kind = self._read_headers()
        if kind == "module":
            return self._module(self._read_segments(header))
        return self._object()

    def require(self, kind: str) -> None:
        """Read the headers; ObjectError unless the file is of this kind."""
        _, actual = self._read_headers()
        if actual != kind:
            raise ObjectError(f"it is an ELF {actual}, not a {kind}")

    def _read_headers(self) -> tuple[tuple[int, ...], str]:
        if len(self.data) < _FILE_HEADER.size:
            raise ObjectError(_not_elf(self.data))
        header = _FILE_HEADER.unpack_from(self.data)
        kind = _file_kind(*header[:3])
        self.sections = self._read_sections(header)
        self._bound_tables()
        return header, kind

    def section_of_type(self, type_: str) -> Section | None:
        return next((section for section in self.sections if section.type == type_), None)

    def content(self, section: Section) -> bytes:
        """The bytes of a section of one of _TABLE_TYPES, which are known to be in the file."""
        return self.data[section.offset : section.offset + section.size]

    def is_called(self, table: Section, index: int, name: bytes) -> bool:
        """Whether the symbol at ``index`` of ``table`` is defined and has this name."""
        at = index * _SYMBOL.size
        if at + _SYMBOL.size > table.size:
            raise ObjectError("its hash table leads outside the symbol table: damaged file")
        fields = _SYMBOL.unpack_from(self.data, table.offset + at)
        strings = self.sections[table.link] if table.link < len(self.sections) else None
        if strings is None or fields[3] == _UNDEFINED:
            return False
        at = strings.offset + fields[0]
        return self.data[at : at + len(name) + 1] == name + b"\0"

    def _object(self) -> ElfFacts:
        symbols, globals_ = self.read_symbols("symtab")
        note = next((s for s in self.sections if s.name == ".note.GNU-stack"), None)
        return ElfFacts(
            kind="object",
            sections=self.sections,
            symbols=symbols,
            globals=globals_,
            relocation_tables=self._relocation_tables(symbols, "object"),
            stack_flags=None if note is None else "RWE" if note.executable else "RW",
            data=self.data,
        )

    def _module(self, segments: tuple[Segment, ...]) -> ElfFacts:
        symbols, globals_ = self.read_symbols("dynsym")
        tags = self._dynamic_tags()
        names = self._strings(tags.section) if tags.section else b""
        return ElfFacts(
            kind="module",
            sections=self.sections,
            symbols=symbols,
            globals=globals_,
            relocation_tables=self._relocation_tables(symbols, "module"),
            segments=segments,
            needed=tuple(_name(names, value) for value in tags.all(_DT_NEEDED)),
            soname=next((_name(names, value) for value in tags.all(_DT_SONAME)), None),
            runpath=next(
                (_name(names, value) for value in tags.all(_DT_RUNPATH) + tags.all(_DT_RPATH)), None
            ),
            text_relocations=bool(tags.all(_DT_TEXTREL) or tags.flags(_DT_FLAGS) & _DF_TEXTREL),
            stack_flags=next((s.flags for s in segments if s.type == "GNU_STACK"), None),
            relro=any(s.type == "GNU_RELRO" for s in segments),
            bind_now=bool(
                tags.all(_DT_BIND_NOW)
                or tags.flags(_DT_FLAGS) & _DF_BIND_NOW
                or tags.flags(_DT_FLAGS_1) & _DF_1_NOW
            ),
            version_needs=self._version_needs(),
            data=self.data,
        )

    def _slice(self, what: str, offset: int, size: int) -> bytes:
        self._require_inside(what, offset, size)
        return self.data[offset : offset + size]

    def _require_inside(self, what: str, offset: int, size: int) -> None:
        if offset + size > len(self.data):
            raise ObjectError(
                f"{what} should end at byte {offset + size}, and the file has only"
                f" {len(self.data)}: it is damaged or incomplete"
            )

    def _read_sections(self, header: tuple[int, ...]) -> tuple[Section, ...]:
        offset, entry_size, count, names_index = header[6], header[11], header[12], header[13]
        if offset == 0:
            raise ObjectError("the file has no section headers, and nothing can be said about it")
        if entry_size != _SECTION_HEADER.size:
            raise ObjectError(f"section headers of {entry_size} bytes: the file is damaged")
        if count == 0 or names_index == _EXTENDED_INDEX:
            # More than 65279 sections: the real numbers are in the first header (gABI).
            first = _SECTION_HEADER.unpack(self._slice("the section headers", offset, 64))
            count = count or first[5]
            names_index = first[6] if names_index == _EXTENDED_INDEX else names_index
        table = self._slice("the table of section headers", offset, count * entry_size)
        raw = list(_SECTION_HEADER.iter_unpack(table))
        names = b""
        if names_index:
            if names_index >= count:
                raise ObjectError("the section with the sections' names is missing: damaged file")
            names = self._slice("the sections' names", *raw[names_index][4:6])
        return tuple(
            Section(
                index,
                _name(names, fields[0]) if names else "",
                _SECTION_TYPES.get(fields[1]) or f"type {fields[1]:#x}",
                *fields[2:8],
            )
            for index, fields in enumerate(raw)
        )

    def _bound_tables(self) -> None:
        """Refuse tables that overlap: reading them could cost any multiple of the file's size."""
        tables = [s for s in self.sections if s.type in _TABLE_TYPES]
        for section in tables:
            self._require_inside(f"section {section.name}", section.offset, section.size)
        if sum(section.size for section in tables) > len(self.data):
            raise ObjectError("its sections overlap: the file is damaged")

    def _read_segments(self, header: tuple[int, ...]) -> tuple[Segment, ...]:
        offset, entry_size, count = header[5], header[9], header[10]
        if count and entry_size != _PROGRAM_HEADER.size:
            raise ObjectError(f"program headers of {entry_size} bytes: the file is damaged")
        table = self._slice("the table of program headers", offset, count * entry_size)
        return tuple(
            Segment(
                _SEGMENT_TYPES.get(type_) or f"type {type_:#x}",
                "".join(letter for bit, letter in ((4, "R"), (2, "W"), (1, "E")) if flags & bit),
                address,
                file_offset,
                file_size,
                memory_size,
            )
            for type_, flags, file_offset, address, _, file_size, memory_size, _ in (
                _PROGRAM_HEADER.iter_unpack(table)
            )
        )

    def _strings(self, section: Section) -> bytes:
        """The string table ``section`` links to."""
        if not 0 < section.link < len(self.sections):
            raise ObjectError(f"section {section.name} has no string table: the file is damaged")
        table = self.sections[section.link]
        return self._slice(f"section {table.name}", table.offset, table.size)

    def read_symbols(self, type_: str) -> tuple[SymbolTable | tuple[()], tuple[Symbol, ...]]:
        tables = [section for section in self.sections if section.type == type_]
        if not tables:
            return (), ()
        if len(tables) > 1:
            raise ObjectError("it has two symbol tables: the file is damaged")
        table = tables[0]
        first_global = table.info
        if table.size % _SYMBOL.size or first_global > table.size // _SYMBOL.size:
            raise ObjectError(f"the symbol table {table.name} is cut off: the file is damaged")
        self._symbol_names = self._strings(table)
        globals_ = self._read_globals(table, first_global)
        return SymbolTable(self, table, globals_), globals_

    def _read_globals(self, table: Section, first: int) -> tuple[Symbol, ...]:
        end = table.offset + table.size
        entries = self.data[table.offset + first * _SYMBOL.size : end]
        # Linkers share common endings of names, so the sum may exceed the table; eightfold no.
        allowance = 8 * len(self._symbol_names) + _LONGEST_NAME
        symbols = []
        for index, entry in enumerate(_SYMBOL.iter_unpack(entries), first):
            symbol = self._symbol(index, entry)
            allowance -= len(symbol.name)
            if allowance < 0:
                raise ObjectError("the names of its symbols overlap: the file is damaged")
            symbols.append(symbol)
        return tuple(symbols)

    def symbol(self, table: Section, index: int) -> Symbol:
        """The symbol at ``index`` of ``table``, which has been checked to hold it."""
        entry = _SYMBOL.unpack_from(self.data, table.offset + index * _SYMBOL.size)
        return self._symbol(index, entry)

    def _symbol(self, index: int, entry: tuple[int, ...]) -> Symbol:
        name, info, other, section_index, value, size = entry
        section: str | None = None
        if section_index == _EXTENDED_INDEX:
            section_index = self._extended_index(index)
        if 0 < section_index < len(self.sections):
            section = self.sections[section_index].name
        elif section_index != _UNDEFINED:
            section = _SPECIAL_SECTIONS.get(section_index)
            if section is None:
                raise ObjectError(f"symbol {index} is in section {section_index}: damaged file")
            section_index = 0
        return Symbol(
            _name(self._symbol_names, name),
            _BINDINGS.get(info >> 4) or f"binding {info >> 4}",
            _SYMBOL_TYPES.get(info & 15) or f"type {info & 15}",
            _VISIBILITIES[other & 3],
            section,
            section_index,
            value,
            size,
        )

    def _extended_index(self, symbol_index: int) -> int:
        """The section of a symbol in an object of more than 65279 sections (gABI)."""
        table = self.section_of_type("symtab_shndx")
        if table is None or (symbol_index + 1) * 4 > table.size:
            raise ObjectError(f"the section of symbol {symbol_index} is not told: damaged file")
        at = table.offset + symbol_index * 4
        return int.from_bytes(self.data[at : at + 4], "little")

    def _relocation_tables(
        self, symbols: Sequence[Symbol], kind: str
    ) -> tuple[RelocationTable, ...]:
        tables = []
        for section in self.sections:
            if section.type == "rel":
                raise ObjectError(
                    f"section {section.name} holds relocations without addends, which x86-64"
                    " does not use: the file is damaged or made for another machine"
                )
            if section.type != "rela" or not section.size:
                continue
            if section.size % _RELOCATION.size:
                raise ObjectError(f"section {section.name} is cut off: the file is damaged")
            target = section
            if kind == "object":
                if not 0 < section.info < len(self.sections):
                    raise ObjectError(f"section {section.name} relocates nothing: damaged file")
                target = self.sections[section.info]
            tables.append(RelocationTable(target, self.content(section), symbols))
        return tuple(tables)

    def _dynamic_tags(self) -> _DynamicTags:
        section = self.section_of_type("dynamic")
        if section is None:
            return _DynamicTags(None, ())
        if section.size % _DYNAMIC_TAG.size:
            raise ObjectError("the dynamic section is cut off: the file is damaged")
        data = self.content(section)
        return _DynamicTags(section, tuple(_DYNAMIC_TAG.iter_unpack(data)))

    def _version_needs(self) -> tuple[VersionNeed, ...]:
        section = self.section_of_type("gnu_verneed")
        if section is None:
            return ()
        data = self.content(section)
        names = self._strings(section)
        needs: list[VersionNeed] = []
        at = 0
        for _ in range(section.info):
            _, count, library, name_at, next_at = _unpack(_VERSION_NEED, data, at)
            name_at += at
            for _ in range(count):
                # Each record has 16 bytes of its own; more of them means a loop.
                if len(needs) > len(data) // _VERSION_NEED_NAME.size:
                    raise ObjectError("its version requirements run in a circle: damaged file")
                _, _, _, version, step = _unpack(_VERSION_NEED_NAME, data, name_at)
                needs.append(VersionNeed(_name(names, library), _name(names, version)))
                name_at += step
            if not next_at:
                break
            at += next_at
        return tuple(needs)


class _DynamicTags(NamedTuple):
    """The entries of .dynamic as (tag, value)."""

    section: Section | None
    entries: tuple[tuple[int, int], ...]

    def all(self, tag: int) -> list[int]:
        return [value for entry, value in self.entries if entry == tag]

    def flags(self, tag: int) -> int:
        return next((value for entry, value in self.entries if entry == tag), 0)


def _unpack(layout: Struct, data: bytes, at: int) -> tuple[int, ...]:
    if at + layout.size > len(data):
        raise ObjectError("one of its tables is cut off: the file is damaged")
    return layout.unpack_from(data, at)


def _name(names: bytes, at: int) -> str:
    end = names.find(b"\0", at, at + _LONGEST_NAME)
    if end < 0:
        raise ObjectError("a name lies outside the table of names: the file is damaged")
    # nasm and gcc pass UTF-8 through; other bytes survive for printing.
    return names[at:end].decode("utf-8", "backslashreplace")


def _file_kind(identification: bytes, type_: int, machine: int) -> str:
    """ "object" or "module"; ObjectError says what the file is when it is neither."""
    if identification[:4] != b"\x7fELF":
        raise ObjectError(_not_elf(identification))
    if identification[4] == 1:
        name = "x32" if machine == _X86_64 else _MACHINES.get(machine, "32-bit")
        raise ObjectError(f"it is an ELF file for {name}, and asmsetup builds for x86-64")
    if identification[5] == 2:
        raise ObjectError("it is a big-endian ELF file, and asmsetup builds for x86-64")
    if machine != _X86_64:
        name = _MACHINES.get(machine, f"machine {machine}")
        raise ObjectError(f"it is an ELF file for {name}, and asmsetup builds for x86-64")
    if identification[4] != 2 or identification[5] != 1 or identification[6] != 1:
        raise ObjectError("its ELF header is damaged")
    if type_ not in _FILE_KINDS:
        kind = _OTHER_FILE_KINDS.get(type_, f"an ELF file of type {type_}")
        raise ObjectError(f"it is {kind}, neither an object nor a module")
    return _FILE_KINDS[type_]


def _not_elf(start: bytes) -> str:
    if not start:
        return "the file is empty"
    for magic, what in _FOREIGN_MAGIC:
        if start.startswith(magic):
            if magic == b"\x7fELF":
                return f"it ends after {len(start)} bytes, inside the ELF header"
            return f"it is {what}, not an ELF object"
    return "it is not an ELF file"

"""Reads x86-64 ELF objects and modules into records; a file is read once.

Everything that is few (sections, segments, global symbols, dynamic tags) is unpacked at once; local
symbols and single relocations, of which a large object has thousands, are unpacked on demand.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from ...errors import ObjectError
from ...named import NamedTuple
from .damage import NameAllowance, file_kind, name_at, not_elf, piece, require_separate, unpack
from .layout import (
    BINDINGS,
    DF_1_NOOPEN,
    DF_1_NOW,
    DF_BIND_NOW,
    DF_TEXTREL,
    DT_BIND_NOW,
    DT_FLAGS,
    DT_FLAGS_1,
    DT_NEEDED,
    DT_RELR,
    DT_RPATH,
    DT_RUNPATH,
    DT_TEXTREL,
    DYNAMIC_TAG,
    EXTENDED_INDEX,
    FILE_HEADER,
    PROGRAM_HEADER,
    RELOCATION,
    SECTION_HEADER,
    SECTION_TYPES,
    SEGMENT_TYPES,
    SPECIAL_SECTIONS,
    SYMBOL,
    SYMBOL_TYPES,
    TABLE_TYPES,
    UNDEFINED,
    VERSION_NEED,
    VERSION_NEED_NAME,
    VISIBILITIES,
)
from .records import ElfFacts, RelocationTable, Section, Segment, Symbol, SymbolTable, VersionNeed

_Facts = TypeVar("_Facts")


def from_file(
    path: str | os.PathLike[str], parser: Callable[[bytes], _Facts], data: bytes | None = None
) -> _Facts:
    """Return what ``parser`` makes of a file. Raises ObjectError that names it."""
    try:
        data = Path(path).read_bytes() if data is None else data
    except OSError as error:
        raise ObjectError(f"{os.fspath(path)}: cannot be read: {error.strerror}") from error
    try:
        return parser(data)
    except ObjectError as error:
        raise ObjectError(f"{os.fspath(path)}: {error.what}", *error.ways_out) from error


class Reader:
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
        if len(self.data) < FILE_HEADER.size:
            raise ObjectError(not_elf(self.data))
        header = FILE_HEADER.unpack_from(self.data)
        kind = file_kind(*header[:3])
        self.sections = self._read_sections(header)
        require_separate((s for s in self.sections if s.type in TABLE_TYPES), self.data)
        return header, kind

    def section_of_type(self, type_: str) -> Section | None:
        return next((section for section in self.sections if section.type == type_), None)

    def content(self, section: Section) -> bytes:
        """The bytes of a section of one of TABLE_TYPES, which are known to be in the file."""
        return self.data[section.offset : section.offset + section.size]

    def is_called(self, table: Section, index: int, name: bytes) -> bool:
        """Return whether the symbol at ``index`` of ``table`` is defined and has this name."""
        at = index * SYMBOL.size
        if at + SYMBOL.size > table.size:
            raise ObjectError("its hash table leads outside the symbol table: damaged file")
        fields = SYMBOL.unpack_from(self.data, table.offset + at)
        strings = self.sections[table.link] if table.link < len(self.sections) else None
        if strings is None or fields[3] == UNDEFINED:
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
            needed=tuple(name_at(names, value) for value in tags.all(DT_NEEDED)),
            runpath=next(
                (name_at(names, value) for value in tags.all(DT_RUNPATH) + tags.all(DT_RPATH)), None
            ),
            text_relocations=bool(tags.all(DT_TEXTREL) or tags.flags(DT_FLAGS) & DF_TEXTREL),
            stack_flags=next((s.flags for s in segments if s.type == "GNU_STACK"), None),
            relro=any(s.type == "GNU_RELRO" for s in segments),
            bind_now=bool(
                tags.all(DT_BIND_NOW)
                or tags.flags(DT_FLAGS) & DF_BIND_NOW
                or tags.flags(DT_FLAGS_1) & DF_1_NOW
            ),
            refuses_dlopen=bool(tags.flags(DT_FLAGS_1) & DF_1_NOOPEN),
            packed_relocations=bool(tags.all(DT_RELR)),
            version_needs=self._version_needs(),
            data=self.data,
        )

    def _read_sections(self, header: tuple[int, ...]) -> tuple[Section, ...]:
        offset, entry_size, count, names_index = header[6], header[11], header[12], header[13]
        if offset == 0:
            raise ObjectError("the file has no section headers, so it cannot be read")
        if entry_size != SECTION_HEADER.size:
            raise ObjectError(f"section headers of {entry_size} bytes: the file is damaged")
        if count == 0 or names_index == EXTENDED_INDEX:
            # More than 65279 sections: the real numbers are in the first header (gABI).
            first = SECTION_HEADER.unpack(piece("the section headers", offset, 64, self.data))
            count = count or first[5]
            names_index = first[6] if names_index == EXTENDED_INDEX else names_index
        table = piece("the table of section headers", offset, count * entry_size, self.data)
        raw = list(SECTION_HEADER.iter_unpack(table))
        names = b""
        if names_index:
            if names_index >= count:
                raise ObjectError("the section with the sections' names is missing: damaged file")
            offset, size = raw[names_index][4:6]
            names = piece("the sections' names", offset, size, self.data)
        return tuple(
            Section(
                index,
                name_at(names, fields[0]) if names else "",
                SECTION_TYPES.get(fields[1]) or f"type {fields[1]:#x}",
                *fields[2:9],
            )
            for index, fields in enumerate(raw)
        )

    def _read_segments(self, header: tuple[int, ...]) -> tuple[Segment, ...]:
        offset, entry_size, count = header[5], header[9], header[10]
        if count and entry_size != PROGRAM_HEADER.size:
            raise ObjectError(f"program headers of {entry_size} bytes: the file is damaged")
        table = piece("the table of program headers", offset, count * entry_size, self.data)
        return tuple(
            Segment(
                SEGMENT_TYPES.get(type_) or f"type {type_:#x}",
                "".join(letter for bit, letter in ((4, "R"), (2, "W"), (1, "E")) if flags & bit),
                address,
                file_offset,
                file_size,
                memory_size,
            )
            for type_, flags, file_offset, address, _, file_size, memory_size, _ in (
                PROGRAM_HEADER.iter_unpack(table)
            )
        )

    def _strings(self, section: Section) -> bytes:
        """Return the string table ``section`` links to."""
        if not 0 < section.link < len(self.sections):
            raise ObjectError(f"{section.title} has no string table: the file is damaged")
        table = self.sections[section.link]
        return piece(table.title, table.offset, table.size, self.data)

    def read_symbols(self, type_: str) -> tuple[SymbolTable | tuple[()], tuple[Symbol, ...]]:
        """Return all symbols of the table of this type, and its global ones."""
        tables = [section for section in self.sections if section.type == type_]
        if not tables:
            return (), ()
        if len(tables) > 1:
            raise ObjectError("it has two symbol tables: the file is damaged")
        table = tables[0]
        first_global = table.info
        if table.size % SYMBOL.size or first_global > table.size // SYMBOL.size:
            raise ObjectError(f"the symbol table {table.name} is cut off: the file is damaged")
        self._symbol_names = self._strings(table)
        globals_ = self._read_globals(table, first_global)
        local = partial(self._symbol_at, table)
        return SymbolTable(table.size // SYMBOL.size, globals_, local), globals_

    def _read_globals(self, table: Section, first: int) -> tuple[Symbol, ...]:
        end = table.offset + table.size
        entries = self.data[table.offset + first * SYMBOL.size : end]
        allowance = NameAllowance(self._symbol_names)
        symbols = []
        for index, entry in enumerate(SYMBOL.iter_unpack(entries), first):
            symbol = self._symbol(index, entry)
            allowance.take(symbol.name)
            symbols.append(symbol)
        return tuple(symbols)

    def _symbol_at(self, table: Section, index: int) -> Symbol:
        entry = SYMBOL.unpack_from(self.data, table.offset + index * SYMBOL.size)
        return self._symbol(index, entry)

    def _symbol(self, index: int, entry: tuple[int, ...]) -> Symbol:
        name, info, other, section_index, value, size = entry
        section: str | None = None
        if section_index == EXTENDED_INDEX:
            section_index = self._extended_index(index)
        if 0 < section_index < len(self.sections):
            section = self.sections[section_index].name
        elif section_index != UNDEFINED:
            section = SPECIAL_SECTIONS.get(section_index)
            if section is None:
                raise ObjectError(f"symbol {index} is in section {section_index}: damaged file")
            section_index = 0
        return Symbol(
            name_at(self._symbol_names, name),
            BINDINGS.get(info >> 4) or f"binding {info >> 4}",
            SYMBOL_TYPES.get(info & 15) or f"type {info & 15}",
            VISIBILITIES[other & 3],
            section,
            section_index,
            value,
            size,
        )

    def _extended_index(self, symbol_index: int) -> int:
        """Return the section of a symbol in an object of more than 65279 sections (gABI)."""
        table = self.section_of_type("symtab_shndx")
        if table is None or (symbol_index + 1) * 4 > table.size:
            raise ObjectError(f"the section of symbol {symbol_index} is missing: damaged file")
        at = table.offset + symbol_index * 4
        return int.from_bytes(self.data[at : at + 4], "little")

    def _relocation_tables(
        self, symbols: Sequence[Symbol], kind: str
    ) -> tuple[RelocationTable, ...]:
        tables = []
        for section in self.sections:
            if section.type == "rel":
                raise ObjectError(
                    f"{section.title} holds relocations without addends, which x86-64"
                    " does not use: the file is damaged or made for another machine"
                )
            if section.type != "rela" or not section.size:
                continue
            if section.size % RELOCATION.size:
                raise ObjectError(f"{section.title} is cut off: the file is damaged")
            target = section
            if kind == "object":
                if not 0 < section.info < len(self.sections):
                    raise ObjectError(f"{section.title} relocates nothing: damaged file")
                target = self.sections[section.info]
            tables.append(RelocationTable(target, self.content(section), symbols))
        return tuple(tables)

    def _dynamic_tags(self) -> _DynamicTags:
        section = self.section_of_type("dynamic")
        if section is None:
            return _DynamicTags(None, ())
        if section.size % DYNAMIC_TAG.size:
            raise ObjectError("the dynamic section is cut off: the file is damaged")
        data = self.content(section)
        return _DynamicTags(section, tuple(DYNAMIC_TAG.iter_unpack(data)))

    def _version_needs(self) -> tuple[VersionNeed, ...]:
        section = self.section_of_type("gnu_verneed")
        if section is None:
            return ()
        data = self.content(section)
        names = self._strings(section)
        needs: list[VersionNeed] = []
        at = 0
        for _ in range(section.info):
            _, count, library, entry_at, next_at = unpack(VERSION_NEED, data, at)
            entry_at += at
            for _ in range(count):
                # Each record has 16 bytes of its own; more of them means a loop.
                if len(needs) > len(data) // VERSION_NEED_NAME.size:
                    raise ObjectError("its version requirements run in a circle: damaged file")
                _, _, _, version, step = unpack(VERSION_NEED_NAME, data, entry_at)
                needs.append(VersionNeed(name_at(names, library), name_at(names, version)))
                entry_at += step
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

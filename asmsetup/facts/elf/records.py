"""The facts in an object or a module, as data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from itertools import compress
from operator import itemgetter
from typing import TypeAlias, overload

from ...errors import ObjectError
from ...named import NamedTuple
from .layout import RELOCATION, RELOCATION_NAMES


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
    alignment: int

    @property
    def title(self) -> str:
        """The section as errors name it; characters that cannot be printed are escaped."""
        escaped = (c if c.isprintable() else repr(c)[1:-1] for c in self.name)
        return f"section {''.join(escaped)}"

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
    """One program header: what the loader maps, or information for it."""

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


Kind: TypeAlias = tuple[int, Symbol]
"""A relocation's type and its symbol; most rules need no more."""


class SymbolTable(Sequence[Symbol]):
    """The symbols as indexed in the file; the local ones are unpacked when asked for."""

    def __init__(
        self, length: int, globals_: tuple[Symbol, ...], local: Callable[[int], Symbol]
    ) -> None:
        """``local`` unpacks one of those in front of ``globals_`` by its index."""
        self._length = length
        self._globals = globals_
        self._local = local
        self._first_global = length - len(globals_)

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
        return self._local(index)


class RelocationTable:
    """The relocations of one section (of the whole file in a module)."""

    def __init__(self, section: Section, entries: bytes, symbols: Sequence[Symbol]) -> None:
        """``entries`` are as in the file, 24 bytes each (Elf64_Rela).

        The offsets count from ``section``, in a module from the table itself (.rela.dyn, .rela.plt).
        """
        self.section = section
        self.entries = entries
        self.symbols = symbols

    @cached_property
    def kinds(self) -> frozenset[Kind]:
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

    @cached_property
    def _offsets(self) -> list[int]:
        return memoryview(self.entries).cast("Q")[0::3].tolist()

    def offsets(self, types: frozenset[int]) -> Iterator[int]:
        """Where the relocations of ``types`` are; much faster than looking at each."""
        wanted = {info for info in self._distinct if info & 0xFFFFFFFF in types}
        if not wanted:
            return iter(())
        return compress(self._offsets, map(wanted.__contains__, self._infos))

    def kinds_at(self, flags: bytes) -> frozenset[Kind]:
        """As ``kinds``, of those relocations whose offset has a byte in ``flags`` that is not 0."""
        if not self.entries:
            return frozenset()
        flags = flags.ljust(1, b"\0")
        try:
            flagged = itemgetter(0, *self._offsets)(flags)[1:]
        except IndexError:  # the file is damaged
            flagged = tuple(flags[at] if at < len(flags) else 0 for at in self._offsets)
        infos = set(compress(self._infos, flagged))
        return frozenset((info & 0xFFFFFFFF, self._symbol(info >> 32)) for info in infos)

    def of(self, kinds: Collection[Kind]) -> Iterator[Relocation]:
        """Yield those of some of the kinds; much faster than looking at each."""
        wanted = {
            info
            for info in self._distinct
            if (info & 0xFFFFFFFF, self._symbol(info >> 32)) in kinds
        }
        if not wanted:
            return iter(())
        selected = map(wanted.__contains__, self._infos)
        return map(self._relocation, compress(RELOCATION.iter_unpack(self.entries), selected))

    def __len__(self) -> int:
        return len(self.entries) // RELOCATION.size

    def __iter__(self) -> Iterator[Relocation]:
        return map(self._relocation, RELOCATION.iter_unpack(self.entries))

    def _relocation(self, entry: tuple[int, int, int]) -> Relocation:
        offset, info, addend = entry
        symbol = self._symbol(info >> 32)
        return Relocation(self.section.name, offset, info & 0xFFFFFFFF, symbol, addend)


class VersionNeed(NamedTuple):
    """A version the module asks of a library, such as GLIBC_2.2.5 of libc.so.6."""

    library: str
    version: str


class _Facts(NamedTuple):
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
    runpath: str | None = None
    """DT_RUNPATH, or the older DT_RPATH."""
    text_relocations: bool = False
    """DT_TEXTREL: the loader has to write into code. An object never says so itself."""
    stack_flags: str | None = None
    """"RW" or "RWE", from PT_GNU_STACK or .note.GNU-stack; None when neither exists."""
    relro: bool = False
    bind_now: bool = False
    refuses_dlopen: bool = False
    """DF_1_NOOPEN (``-z nodlopen``): only programs linked with it may load it."""
    packed_relocations: bool = False
    """DT_RELR, which glibc loads since 2.36 and musl since 1.2.4."""
    version_needs: tuple[VersionNeed, ...] = ()
    data: bytes = b""


class ElfFacts(_Facts):
    """The facts in an object or a module."""

    @cached_property
    def relocations(self) -> tuple[Relocation, ...]:
        return tuple(relocation for table in self.relocation_tables for relocation in table)

    @property
    def is_intermediate(self) -> bool:
        """gcc made it with -flto: its code and its names come to light only when it is linked."""
        return any(section.name.startswith(".gnu.lto_") for section in self.sections)

    @cached_property
    def undefined(self) -> tuple[Symbol, ...]:
        """Symbols that others have to provide; those with binding "weak" may stay missing."""
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
        """Return the global or weak definition of ``name``, if there is one."""
        return self._definitions.get(name)

    @cached_property
    def _definitions(self) -> dict[str, Symbol]:
        return {symbol.name: symbol for symbol in self.globals if symbol.section is not None}

    def section(self, name: str) -> Section | None:
        """Return the first section called ``name``."""
        return next((section for section in self.sections if section.name == name), None)

    def content(self, section: Section) -> bytes:
        """Return the section's bytes; none for .bss and its like."""
        if section.type in ("nobits", "null"):
            return b""
        return self.data[section.offset : section.offset + section.size]

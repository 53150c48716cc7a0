"""Objects or a module laid out in memory, as far as the analysis of their code needs it.

Objects get addresses of their own, and their relocations are applied as a linker would: from
then on an object and a module look the same. Names that are defined elsewhere get addresses
that nothing else has.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from ...errors import ObjectError
from ...facts.elf import ElfFacts, RelocationTable, Section, Symbol, all_symbols
from ...facts.frames import frames
from ...facts.lines import OF_ASSEMBLY, Lines
from ...named import NamedTuple
from ..kinds import ADDRESS_64, GOT_RELATIVE, NUMBERS
from . import linkage
from .marks import SECTION as MARKS_SECTION
from .marks import Marks
from .prototypes import prototype

_FIRST_ADDRESS = 0x100000
_FIRST_EXTERNAL = 0x60000000
_FIRST_SLOT = 0x68000000
_SECTION_GAP = 0x100
_PAGE = 0x1000

_RELATIVE_4 = frozenset(NUMBERS[name] for name in ("PC32", "PLT32"))
_ABSOLUTE_4 = frozenset(NUMBERS[name] for name in ("32", "32S"))

_DEBUG_SECTIONS = (".debug_line", ".debug_line_str", ".debug_str", MARKS_SECTION)
_LONGEST_TEXT = 1 << 16
_LAYOUT = dict.fromkeys(map(ord, "\n\t"), " ")
_LINKER_CODE = (".plt", ".init", ".fini")


@dataclass
class Stretch:
    """A section in memory."""

    start: int
    content: bytearray
    size: int
    name: str
    executable: bool
    writable: bool
    file: str
    alignment: int
    """Its first byte stays at a multiple of this wherever it is loaded."""

    @property
    def end(self) -> int:
        return self.start + self.size


class Named(NamedTuple):
    """A label or a symbol with its place."""

    address: int
    name: str
    is_function: bool
    size: int
    is_global: bool


@dataclass
class Image:
    """The code and the tables of the files that are analysed."""

    files: tuple[str, ...]
    stretches: list[Stretch] = field(default_factory=list)
    symbols: list[Named] = field(default_factory=list)
    externals: dict[int, str] = field(default_factory=dict)
    """The names that other modules define, by the address of their stand-in or PLT entry."""
    slots: dict[int, str] = field(default_factory=dict)
    """The entries of the global offset table for names of other modules."""
    detours: dict[int, int] = field(default_factory=dict)
    """The PLT entries for functions of the module's own, and where those are."""
    not_returning: frozenset[str] = frozenset()
    """The names of functions that compilers put nothing behind a call of."""
    described: dict[int, int] = field(default_factory=dict)
    """The ends of a linked module's functions by their starts, from its unwind tables."""
    pointers: dict[int, int] = field(default_factory=dict)
    """The addresses that stand in data, by their place."""
    imported_data: dict[int, str] = field(default_factory=dict)
    """The names whose addresses stand in data, by their place."""
    weak: frozenset[str] = frozenset()
    marks: Marks = field(default_factory=Marks)
    lines: Lines = field(default_factory=Lines)
    is_module: bool = False
    compiled: frozenset[str] = frozenset()
    """The objects, among the files, that a compiler of C or the like has made."""
    public: frozenset[str] | None = None
    """The global names that others call, when all who can call them are known."""

    @cached_property
    def _sorted(self) -> tuple[list[int], list[Stretch]]:
        stretches = sorted((s for s in self.stretches if s.size), key=lambda each: each.start)
        return [each.start for each in stretches], stretches

    def stretch(self, address: int) -> Stretch | None:
        """Return the section that holds an address."""
        starts, stretches = self._sorted
        place = bisect_right(starts, address) - 1
        if place < 0 or address >= stretches[place].end:
            return None
        return stretches[place]

    def is_code(self, address: int) -> bool:
        """Return whether an address lies in code of the module's own."""
        found = self.stretch(address)
        return found is not None and found.executable and not found.name.startswith(_LINKER_CODE)

    @property
    def uses_python(self) -> bool:
        """Whether a name of CPython's is defined or used."""
        names = *self.slots.values(), *self.imported_data.values(), *(s.name for s in self.symbols)
        return any(name.startswith(("Py", "_Py")) for name in names)

    def returns(self, name: str) -> bool:
        """Return whether a function may return, by its name and by what compilers do with it."""
        return name not in self.not_returning and prototype(name).returns

    @cached_property
    def _starts(self) -> list[int]:
        return sorted(self.described)

    def is_inside(self, address: int) -> bool:
        """Return whether a described function goes on at an address, which is not its beginning."""
        place = bisect_right(self._starts, address) - 1
        return place >= 0 and self._starts[place] < address < self.described[self._starts[place]]

    @cached_property
    def ends(self) -> frozenset[int]:
        """The ends of compiled functions: compilers put something behind calls that return."""
        ends = set() if self.marks.routines else set(self.described.values())
        sized = (s for s in self.symbols if self.compiled and s.is_function and s.size)
        ends.update(s.address + s.size for s in sized if self.is_compiled(s.address))
        return frozenset(ends)

    def is_compiled(self, address: int) -> bool:
        """Return whether a compiler has made the code at an address, and no author of assembly."""
        if not self.is_module:
            found = self.stretch(address)
            return found is not None and found.file in self.compiled
        if self.marks.routines or not (self.is_inside(address) or address in self.described):
            return False
        place = self.lines.at(address) if self.lines.name_assembly else None
        return place is None or not place.file.endswith(OF_ASSEMBLY)

    def constant(self, place: int) -> int | None:
        """Return the address that stands at a place, unless code may change it."""
        pointer = self.pointers.get(place)
        return None if pointer is None or self.may_change(place) else pointer

    def may_change(self, address: int) -> bool:
        """Return whether data may be another at run time than in the file."""
        found = self.stretch(address)
        return found is not None and found.writable and not found.name.startswith(".got")

    def residue(self, address: int) -> tuple[int, int] | None:
        """Return (n, r) when an address is known to be r modulo n wherever this is loaded."""
        found = self.stretch(address)
        if found is None:
            return None
        # A module is loaded at a page, and its sections stay where they are.
        of = _PAGE if self.is_module else found.alignment
        return of, (address if self.is_module else address - found.start) % of

    def number(self, address: int, size: int, *, signed: bool = False) -> int | None:
        """Return the number stored at an address; None outside of the file's bytes."""
        found = self.stretch(address)
        if found is None or address + size > found.start + len(found.content):
            return None
        at = address - found.start
        return int.from_bytes(found.content[at : at + size], "little", signed=signed)

    def text(self, address: int) -> str | None:
        """Return the printable string stored at an address, if there is one."""
        found = self.stretch(address)
        if found is None:
            return None
        at = address - found.start
        end = found.content.find(b"\0", at, at + _LONGEST_TEXT)
        if end < at:
            return None
        try:
            text = found.content[at:end].decode()
        except UnicodeDecodeError:
            return None
        return text if text.translate(_LAYOUT).isprintable() else None

    @cached_property
    def _labels(self) -> tuple[list[int], list[Named]]:
        # Of several at one address a global one, then a function, then the shortest.
        best: dict[int, Named] = {}
        order = sorted(
            self.symbols, key=lambda s: (not s.is_global, not s.is_function, len(s.name))
        )
        for symbol in order:
            best.setdefault(symbol.address, symbol)
        labels = sorted(best.values())
        return [label.address for label in labels], labels

    def name(self, address: int) -> str:
        """Return what an address is called: its label, or the address."""
        addresses, labels = self._labels
        place = bisect_right(addresses, address) - 1
        if place >= 0 and labels[place].address == address:
            return labels[place].name
        return self.externals.get(address) or f"{address:#x}"

    def label_before(self, address: int) -> str:
        """Return the last label in the same section, up to an address, that is not local to another label."""
        addresses, labels = self._labels
        section = self.stretch(address)
        first = bisect_left(addresses, section.start) if section is not None else len(labels)
        before = reversed(labels[first : bisect_right(addresses, address)])
        return next((each.name for each in before if "." not in each.name), "")

    def has_label(self, address: int) -> bool:
        """Return whether a symbol stands at exactly this address."""
        addresses, _ = self._labels
        place = bisect_right(addresses, address) - 1
        return place >= 0 and addresses[place] == address


def load_objects(objects: Sequence[tuple[str, ElfFacts]]) -> Image:
    """Return objects laid out together, as the linker would put them into one module.

    Raises ObjectError when one is damaged.
    """
    return _Layout(objects).image()


def load_module(path: str, facts: ElfFacts) -> Image:
    """Return a linked module as the loader would map it.

    Raises ObjectError when it is damaged.
    """
    image = Image((path,), is_module=True)
    for section in facts.sections:
        if section.alloc and section.type != "null" and not section.flags & _TLS:
            image.stretches.append(_stretch(path, facts, section, section.address))
    for symbol in all_symbols(facts):
        section_index = symbol.section_index
        if section_index and symbol.name and symbol.type in ("func", "notype", "object", "ifunc"):
            image.symbols.append(_named(symbol, symbol.value))
    image.weak = frozenset(symbol.name for symbol in facts.undefined if symbol.binding == "weak")
    for table in facts.relocation_tables:
        if table.section.alloc:
            linkage.read_relocations(image, table)
    linkage.read_stubs(image)
    _read_debug(image, {name: _content(facts, name) for name in _DEBUG_SECTIONS})
    for stretch in image.stretches:
        if stretch.name == ".eh_frame":
            image.described.update(frames(bytes(stretch.content), stretch.start)[0])
    image.not_returning = linkage.last_called(image)
    return image


_TLS = 0x400
_COMPRESSED = 0x800


def _content(facts: ElfFacts, name: str) -> bytes:
    section = facts.section(name)
    return _expanded(facts.content(section), section) if section is not None else b""


def _expanded(content: bytes, section: Section) -> bytes:
    if not section.flags & _COMPRESSED:
        return content
    import zlib

    try:
        # Elf64_Chdr: type, reserved, size, alignment; a bomb is cut off.
        return zlib.decompressobj().decompress(content[24:], 64 * 1024 * 1024)
    except zlib.error:
        return b""


def _stretch(path: str, facts: ElfFacts, section: Section, start: int) -> Stretch:
    content = bytearray(facts.content(section))
    size = section.size if section.type == "nobits" else len(content)
    how = section.executable, section.writable
    return Stretch(start, content, size, section.name, *how, path, max(section.alignment, 1))


def _named(symbol: Symbol, address: int) -> Named:
    is_function = symbol.type in ("func", "ifunc")
    is_global = symbol.binding != "local"
    return Named(address, symbol.name, is_function, symbol.size, is_global)


def _read_debug(image: Image, contents: dict[str, bytes]) -> None:
    image.lines = Lines(
        contents.get(".debug_line", b""),
        contents.get(".debug_line_str", b""),
        contents.get(".debug_str", b""),
    )
    image.marks = Marks.read(contents.get(MARKS_SECTION, b""))


class _Layout:
    """Lays out objects and applies their relocations."""

    def __init__(self, objects: Sequence[tuple[str, ElfFacts]]) -> None:
        self._objects = objects
        self._image = Image(tuple(path for path, _ in objects))
        self._bases: dict[tuple[int, int], int] = {}
        self._places: dict[tuple[int, int], Stretch] = {}
        self._external: dict[str, int] = {}
        self._slots: dict[str, int] = {}
        self._definitions: dict[str, int] = {}

    def image(self) -> Image:
        """Return the finished layout."""
        image = self._image
        self._place_sections()
        weak: set[str] = set()
        for number, (_, facts) in enumerate(self._objects):
            weak |= {symbol.name for symbol in facts.undefined if symbol.binding == "weak"}
            for symbol in facts.symbols:
                if symbol.section_index and symbol.name and symbol.type not in ("section", "file"):
                    self._define(number, symbol)
        for number, (_, facts) in enumerate(self._objects):
            for table in facts.relocation_tables:
                if table.section.alloc:
                    self._relocate(number, table)
        image.weak = frozenset(weak)
        comments = ((path, _content(facts, ".comment")) for path, facts in self._objects)
        image.compiled = frozenset(p for p, text in comments if linkage.names_compiler(text))
        self._read_debug()
        return image

    def _place_sections(self) -> None:
        address = _FIRST_ADDRESS
        for number, (path, facts) in enumerate(self._objects):
            for section in facts.sections:
                if not section.alloc or section.type == "null":
                    continue
                address = (address + 63) // 64 * 64
                stretch = _stretch(path, facts, section, address)
                self._image.stretches.append(stretch)
                key = number, section.number
                self._bases[key], self._places[key] = address, stretch
                address += stretch.size + _SECTION_GAP
                if address >= _FIRST_EXTERNAL:
                    raise ObjectError(f"{path}: its sections are too large to be analysed")

    def _define(self, number: int, symbol: Symbol) -> None:
        base = self._bases.get((number, symbol.section_index))
        if base is None:
            return
        address = base + symbol.value
        self._image.symbols.append(_named(symbol, address))
        if symbol.binding != "local":
            self._definitions.setdefault(symbol.name, address)

    def _address(self, number: int, symbol: Symbol) -> tuple[int, str | None]:
        """Return where a symbol is, and its name when that is outside of the objects."""
        if symbol.section_index:
            return self._bases.get((number, symbol.section_index), 0) + symbol.value, None
        if symbol.name in self._definitions:
            return self._definitions[symbol.name], None
        if symbol.section is not None:  # a plain number, or common
            return symbol.value, None
        address = self._external.get(symbol.name)
        if address is None:
            address = _FIRST_EXTERNAL + 16 * len(self._external)
            self._external[symbol.name] = address
            self._image.externals[address] = symbol.name
        return address, symbol.name

    def _slot(self, name: str, target: int, *, external: bool) -> int:
        """Return the address of the entry of the global offset table for a name."""
        key = name if external else f"{target:#x}"
        address = self._slots.get(key)
        if address is None:
            address = _FIRST_SLOT + 8 * len(self._slots)
            self._slots[key] = address
            if external:
                self._image.slots[address] = name
            else:
                self._image.pointers[address] = target
        return address

    def _relocate(self, number: int, table: RelocationTable) -> None:
        place = self._places.get((number, table.section.number))
        if place is None:
            return
        known: dict[Symbol, tuple[int, str | None]] = {}
        for relocation in table:
            symbol = relocation.symbol
            if symbol not in known:
                known[symbol] = self._address(number, symbol)
            target, external = known[symbol]
            at, kind = relocation.offset, relocation.type
            address = place.start + at
            value = target + relocation.addend
            if kind == ADDRESS_64:
                _put(place.content, at, value, 8)
                if external is not None:
                    self._image.imported_data[address] = external
                elif symbol.section is None or symbol.section_index or symbol.name:
                    self._image.pointers[address] = value
            elif kind in _RELATIVE_4:
                _put(place.content, at, value - address, 4)
            elif kind in GOT_RELATIVE:
                slot = self._slot(symbol.name, target, external=external is not None)
                _put(place.content, at, slot + relocation.addend - address, 4)
            elif kind in _ABSOLUTE_4:
                _put(place.content, at, value, 4)

    def _read_debug(self) -> None:
        marks: list[Marks] = []
        lines: list[Lines] = []
        for number, (_, facts) in enumerate(self._objects):
            contents = {name: self._debug_content(number, facts, name) for name in _DEBUG_SECTIONS}
            single = Image(())
            _read_debug(single, contents)
            marks.append(single.marks)
            lines.append(single.lines)
        self._image.marks = Marks.together(marks)
        self._image.lines = Lines.together(lines)

    def _debug_content(self, number: int, facts: ElfFacts, name: str) -> bytes:
        section = facts.section(name)
        if section is None:
            return b""
        content = bytearray(_expanded(facts.content(section), section))
        own = (each for each in facts.relocation_tables if each.section.number == section.number)
        for relocation in chain.from_iterable(own):
            target, _ = self._address(number, relocation.symbol)
            size = 8 if relocation.type == ADDRESS_64 else 4
            _put(content, relocation.offset, target + relocation.addend, size)
        return bytes(content)


def _put(content: bytearray, at: int, value: int, size: int) -> None:
    if at + size <= len(content):
        content[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")

"""Make images: objects laid out together, or a module as the loader maps it.

Objects get addresses of their own, and their relocations are applied as a linker would. Names
that are defined elsewhere get addresses that nothing else has.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from ...errors import ObjectError
from ...facts.elf import ElfFacts, RelocationTable, Section, Symbol, all_symbols
from ...facts.frames import frames
from ...facts.lines import Lines
from ..kinds import ADDRESS_64, GOT_RELATIVE, NUMBERS
from . import linkage
from .image import Image, Named, Stretch
from .marks import SECTION as MARKS_SECTION
from .marks import Marks

_FIRST_ADDRESS = 0x100000
_FIRST_EXTERNAL = 0x60000000
_FIRST_SLOT = 0x68000000
_SECTION_GAP = 0x100
_RELATIVE_4 = frozenset(NUMBERS[name] for name in ("PC32", "PLT32"))
_ABSOLUTE_4 = frozenset(NUMBERS[name] for name in ("32", "32S"))
_DEBUG_SECTIONS = (".debug_line", ".debug_line_str", ".debug_str", MARKS_SECTION)


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
        # python.inc writes sections of these names beside those of NASM.
        sections = (section for section in facts.sections if section.name == name)
        return b"".join(self._relocated(number, facts, section) for section in sections)

    def _relocated(self, number: int, facts: ElfFacts, section: Section) -> bytes:
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

"""The memory of objects or of a module, as far as the analysis of their code needs it.

An object and a module look the same here; load.py makes an image of either.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import cached_property

from ...facts.lines import OF_ASSEMBLY, Lines
from ...named import NamedTuple
from .marks import Marks
from .prototypes import prototype

_PAGE = 0x1000
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

"""An object and each of its relocations as rules see them: bytes, symbol, source line."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from ..facts.elf import ABSOLUTE, Relocation, RelocationTable, Section, Symbol
from ..named import NamedTuple
from .context import CheckedObject, ModuleContext
from .findings import Finding
from .kinds import ADDRESS_64, BRANCHING, CALL, JUMP, LINKER_DEFINED, NUMBERS, WIDTHS

if TYPE_CHECKING:
    from . import corrections
    from .gas import GasLines
    from .listing import Listing, SourceLine


class ModuleNames(NamedTuple):
    """The global names that the module's own objects define, and those that stay replaceable."""

    defined: Mapping[str, Symbol]
    is_exported: Callable[[str], bool]
    may_be_linked_in: Callable[[str], bool] = lambda name: False
    """Whether an archive or an object that was not read may define a name."""

    def is_external(self, symbol: Symbol) -> bool:
        """Return whether its address is known only when the module is loaded."""
        if symbol.section is not None or symbol.visibility in ("hidden", "internal"):
            return False
        name = symbol.name
        if name in LINKER_DEFINED or name.startswith(("__start_", "__stop_")):
            return False
        if name in self.defined:
            return self.is_exported(name)
        return name.startswith(("Py", "_Py")) or not self.may_be_linked_in(name)

    def is_number(self, symbol: Symbol) -> bool:
        """Return whether it is an ``equ`` of this or another object of the module."""
        defined = self.defined.get(symbol.name, symbol) if symbol.name else symbol
        return defined.section == ABSOLUTE


class _Place(NamedTuple):
    object: CheckedObject
    section: Section
    content: bytes
    relocation: Relocation
    target: str
    """The symbol's name, or the label a local address points at."""
    external: bool
    table: RelocationTable
    find_line: Callable[[], SourceLine | None]
    has_include: Callable[[str], bool]
    """Whether the source includes a file of this name."""
    make: Callable[..., Finding]
    """Makes a finding of its line and what is wrong there."""


class Place(_Place):
    """One relocation with the bytes around it and, when known, its source line."""

    @cached_property
    def pointers(self) -> frozenset[int]:
        """The places in the section where pointers are filled in."""
        return frozenset(self.table.offsets(frozenset((ADDRESS_64,))))

    @cached_property
    def line(self) -> SourceLine | None:
        return self.find_line()

    def before(self, count: int) -> bytes:
        """Return the ``count`` bytes in front of the relocated field."""
        end = self.relocation.offset
        return self.content[max(0, end - count) : end].rjust(count, b"\0")

    def words_before(self, end: int, count: int) -> list[int]:
        """Return the ``count`` 8-byte words in front of the offset ``end``."""
        start = end - 8 * count
        data = self.content[max(0, start) : end].rjust(8 * count, b"\0")
        return [
            # The loader will put something else than 0 there, whatever stands there now.
            int.from_bytes(data[at : at + 8], "little") or (start + at in self.pointers)
            for at in range(0, len(data), 8)
        ]

    @property
    def branch(self) -> str | None:
        """ "call" or "jmp" when the field is the distance of one (Intel SDM, volume 2)."""
        if not self.section.executable:
            return None
        first, second = self.before(2)
        if second == CALL:
            return "call"
        if second == JUMP or (first == 0x0F and second & 0xF0 == 0x80):
            return "jmp"
        return None

    @property
    def is_operand(self) -> bool:
        """Whether the field belongs to an instruction (and not to data among the code)."""
        if not self.section.executable:
            return False
        prefix, opcode = self.before(2)
        if self.relocation.type in (ADDRESS_64, NUMBERS["GOT64"]):
            return prefix & 0xF8 == 0x48 and (0xB8 <= opcode <= 0xBF or 0xA0 <= opcode <= 0xA3)
        from . import corrections

        return self.line is None or corrections.parse(self.line.text) is not None

    @property
    def instruction(self) -> corrections.Instruction | None:
        if self.line is None or not self.line.direct:
            return None
        from . import corrections

        return corrections.parse(self.line.text)

    @property
    def in_gas(self) -> tuple[str, ...]:
        """The corrected lines of a source for GAS; empty when there is nothing certain to say."""
        if self.line is None or not self.object.is_gas:
            return ()
        from . import gas

        return gas.corrected(self.line.text, self.target, self.external)

    @property
    def written(self) -> str:
        """The text for the place when no source line is known."""
        return f"{self.section.name}+{self.relocation.offset:#x}"

    def finding(self, rule: str, severity: str, what: str, *ways_out: str) -> Finding:
        return self.make(self.line, rule, severity, what, ways_out, self.written)


class ObjectPlaces:
    """The relocations of one object as places; the listing is asked for at the first one."""

    def __init__(self, object_: CheckedObject, module: ModuleContext, names: ModuleNames) -> None:
        self.object = object_
        self._module = module
        self._names = names

    @cached_property
    def _gas(self) -> GasLines | None:
        if not self.object.is_gas:
            return None
        from .gas import GasLines  # only needed when there is something to show

        return GasLines(self.object.path, self.object.file)

    @cached_property
    def listing(self) -> Listing | GasLines | None:
        if self._gas is not None:
            return self._gas
        if self.object.listing is None or self.object.source is None:
            return None
        from .listing import Listing  # only needed when there is something to show

        text = self.object.listing()
        return Listing(text, self.object.source, self._module.include_dirs)

    def place(self, table: RelocationTable, relocation: Relocation) -> Place:
        section = table.section
        content = self.content(section)
        target = self._target(relocation)
        external = self._names.is_external(relocation.symbol)

        def find_line() -> SourceLine | None:
            if self.listing is None:
                return None
            width = WIDTHS.get(relocation.type, 4)
            return self.listing.at(section.name, content, relocation.offset, width, target)

        return Place(
            self.object,
            section,
            content,
            relocation,
            target,
            external,
            table,
            find_line,
            lambda name: self.use("%include", f'"{name}"') is not None,
            self.finding,
        )

    def finding(
        self,
        line: SourceLine | None,
        rule: str,
        severity: str,
        what: str,
        ways_out: tuple[str, ...],
        written: str = "",
    ) -> Finding:
        """Return what is wrong at a line, or in the object where no line is known."""
        if self._gas is not None:
            what, *others = self._gas.respelled((what, *ways_out), line)
            ways_out = tuple(others)
        if line is None:
            return Finding(rule, severity, self.object.file, None, what, written, ways_out)
        return Finding(rule, severity, line.file, line.number, what, line.text, ways_out)

    def uses(self, name: str) -> Iterator[Place]:
        """Every place that names the undefined symbol ``name``."""
        for table in self.object.facts.relocation_tables:
            if table.section.alloc and any(symbol.name == name for _, symbol in table.kinds):
                for relocation in table:
                    if relocation.symbol.name == name:
                        yield self.place(table, relocation)

    def label(self, name: str) -> SourceLine | None:
        """Return the line that defines ``name``."""
        return None if self.listing is None else self.listing.label(name)

    def declaration(self, name: str, directive: str) -> SourceLine | None:
        """Return the line that declares ``name`` global or extern; else the one that defines it."""
        if self.listing is None:
            return None
        return self.listing.declaration(name, directive) or self.listing.label(name)

    def use(self, macro: str, argument: str) -> SourceLine | None:
        """Return the line that uses ``macro`` with ``argument`` as its first one."""
        return None if self.listing is None else self.listing.use(macro, argument)

    def section_line(self, name: str) -> SourceLine | None:
        """Return the line that opens section ``name``."""
        return None if self.listing is None else self.listing.section(name)

    def line_at(self, section: str, offset: int) -> SourceLine | None:
        """Return the line of the relocation or the label at an offset, as linkers name places."""
        for table in self.object.facts.relocation_tables:
            if table.section.name == section:
                for relocation in table:
                    if relocation.offset == offset:
                        return self.place(table, relocation).line
        for symbol in self.object.facts.globals:
            if symbol.section == section and symbol.value == offset:
                return self.label(symbol.name)
        return None

    def branches_to(self, name: str) -> bool:
        """Return whether a call or jump leads to the global ``name``."""
        return any(
            relocation.symbol.name == name and self.place(table, relocation).branch is not None
            for table in self.object.facts.relocation_tables
            if table.section.executable and any(symbol.name == name for _, symbol in table.kinds)
            for relocation in table
        )

    def is_branched_into(self, section: Section) -> bool:
        """Return whether a call or jump leads to ``section``."""
        return any(
            relocation.symbol.section_index == section.number
            and self.place(table, relocation).branch is not None
            for table in self.object.facts.relocation_tables
            if table.section.executable
            and any(symbol.section_index == section.number for _, symbol in table.kinds)
            for relocation in table
        )

    def is_pointer(self, relocation: Relocation) -> bool:
        """Return whether what a relocation leads to is an address itself."""
        symbol, at = relocation.symbol, self._offset(relocation)
        return any(
            table.section.number == symbol.section_index
            and at in set(table.offsets(frozenset((ADDRESS_64,))))
            for table in self.object.facts.relocation_tables
        )

    @staticmethod
    def _offset(relocation: Relocation) -> int:
        """Return where in its section a relocation leads."""
        # The distance counts from the end of the 4-byte field, where the next instruction is.
        behind = 4 if relocation.type in BRANCHING else 0
        return relocation.symbol.value + relocation.addend + behind

    def content(self, section: Section) -> bytes:
        if section.number not in self._cached_contents:
            self._cached_contents[section.number] = self.object.facts.content(section)
        return self._cached_contents[section.number]

    @cached_property
    def _cached_contents(self) -> dict[int, bytes]:
        return {}

    def labels(self, section: int) -> list[tuple[int, str]]:
        """Return the labels in the section of that number, and where they are, in their order."""
        return self._labels.get(section, [])

    def label_before(self, section: Section, offset: int) -> str:
        """Return the last label up to an offset that is not local to another; else the section."""
        before = (name for at, name in self.labels(section.number) if at <= offset)
        return next((n for n in reversed([*before]) if "." not in n), section.name)

    @cached_property
    def _labels(self) -> dict[int, list[tuple[int, str]]]:
        """The labels of each section by address; nasm puts the local ones in the table, too."""
        labels: dict[int, list[tuple[int, str]]] = {}
        for symbol in self.object.facts.symbols:
            # NASM's own labels, of a macro's expansion, say nothing to anybody.
            is_label = symbol.name and not symbol.name.startswith("..@")
            if symbol.section_index and is_label and symbol.type != "section":
                labels.setdefault(symbol.section_index, []).append((symbol.value, symbol.name))
        return {section: sorted(places) for section, places in labels.items()}

    def _target(self, relocation: Relocation) -> str:
        symbol = relocation.symbol
        if symbol.type != "section":
            return symbol.name
        offset = self._offset(relocation)
        labels = self.labels(symbol.section_index)
        before = bisect_right(labels, offset, key=lambda label: label[0])
        if not before:
            return f"{symbol.section}+{offset:#x}"
        # Of several labels at one address the first in the alphabet: any would do, one must.
        value = labels[before - 1][0]
        name = next(name for address, name in labels if address == value)
        return name if value == offset else f"{name}+{offset - value}"

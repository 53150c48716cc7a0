"""Rules about relocations: addresses a shared module cannot have, or that crash it.

What each kind does when it is linked and loaded was measured with GNU ld 2.35 to 2.47 on
glibc and musl. Most relocations are in order, so a table is judged by its few distinct
(type, symbol) pairs first; single places are looked at only when one of those is wrong.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..elf import ABSOLUTE, RELOCATION_NAMES, Relocation, RelocationTable, Section, Symbol
from . import corrections
from .context import CheckedObject, ModuleContext
from .findings import ERROR, WARNING, Finding

if TYPE_CHECKING:
    from .listing import Listing, SourceLine

_NUMBERS = {name.removeprefix("R_X86_64_"): number for number, name in RELOCATION_NAMES.items()}

_ADDRESS_64 = _NUMBERS["64"]
_NARROW = frozenset(_NUMBERS[name] for name in ("32", "32S", "16", "8"))
_RELATIVE = frozenset(_NUMBERS[name] for name in ("PC32", "PC16", "PC8", "PC64"))
_GOT_RELATIVE = frozenset(_NUMBERS[name] for name in ("GOTPCREL", "GOTPCRELX", "REX_GOTPCRELX"))
GOT_OR_PLT = _GOT_RELATIVE | {_NUMBERS["PLT32"]}
"""What only instructions have."""
_GOT_OFFSET = frozenset(_NUMBERS[name] for name in ("GOT32", "GOT64"))
_GOT_BASE = frozenset(_NUMBERS[name] for name in ("GOTPC32", "GOTPC64", "GOTOFF64"))
_LOCAL_EXEC = frozenset(_NUMBERS[name] for name in ("TPOFF32", "TPOFF64"))

_WIDTHS = {_NUMBERS[name]: 8 for name in ("64", "PC64", "GOT64", "GOTOFF64", "TPOFF64")}
_WIDTHS |= {_NUMBERS[name]: 2 for name in ("16", "PC16")}
_WIDTHS |= {_NUMBERS[name]: 1 for name in ("8", "PC8")}

_CALL, _JUMP = 0xE8, 0xE9
_BRANCHES = frozenset((_CALL, _JUMP))

# ld gives these to whoever asks (its default linker script; the gABI for the first two).
LINKER_DEFINED = frozenset(
    [
        *("_GLOBAL_OFFSET_TABLE_", "_DYNAMIC", "__dso_handle", "__ehdr_start", "__bss_start"),
        *("__executable_start", "_edata", "edata", "_end", "end", "_etext", "etext", "__etext"),
    ]
)


@dataclass(frozen=True)
class ModuleNames:
    """Which global names the module's own objects define, and which of them stay replaceable."""

    defined: Mapping[str, Symbol]
    exported: frozenset[str]

    def is_external(self, symbol: Symbol) -> bool:
        """Whether its address is known only when the module is loaded."""
        if symbol.section is not None or symbol.visibility in ("hidden", "internal"):
            return False
        if symbol.name in LINKER_DEFINED or symbol.name.startswith(("__start_", "__stop_")):
            return False
        return symbol.name not in self.defined or symbol.name in self.exported

    def is_number(self, symbol: Symbol) -> bool:
        """Whether it is an ``equ`` of this or another object of the module."""
        defined = self.defined.get(symbol.name, symbol) if symbol.name else symbol
        return defined.section == ABSOLUTE


@dataclass(frozen=True)
class Place:
    """One relocation with the bytes around it and, when known, its source line."""

    object: CheckedObject
    section: Section
    content: bytes
    relocation: Relocation
    target: str
    """The symbol's name, or the label a local address points at."""
    external: bool
    table: RelocationTable
    find_line: Callable[[], SourceLine | None]

    @cached_property
    def pointers(self) -> frozenset[int]:
        """Where in the section pointers are filled in."""
        return frozenset(self.table.offsets(frozenset((_ADDRESS_64,))))

    @cached_property
    def line(self) -> SourceLine | None:
        return self.find_line()

    def before(self, count: int) -> bytes:
        """The ``count`` bytes in front of the relocated field."""
        end = self.relocation.offset
        return self.content[max(0, end - count) : end].rjust(count, b"\0")

    def words_before(self, end: int, count: int) -> list[int]:
        """The ``count`` 8-byte words in front of the offset ``end``."""
        start = end - 8 * count
        data = self.content[max(0, start) : end].rjust(8 * count, b"\0")
        return [
            # What the loader will put there is no zero, whatever stands there now.
            int.from_bytes(data[at : at + 8], "little") or (start + at in self.pointers)
            for at in range(0, len(data), 8)
        ]

    @property
    def branch(self) -> str | None:
        """ "call" or "jmp" when the field is the distance of one (Intel SDM, volume 2)."""
        if not self.section.executable:
            return None
        first, second = self.before(2)
        if second == _CALL:
            return "call"
        if second == _JUMP or (first == 0x0F and second & 0xF0 == 0x80):
            return "jmp"
        return None

    @property
    def is_operand(self) -> bool:
        """Whether the field belongs to an instruction (and not to data among the code)."""
        if not self.section.executable:
            return False
        prefix, opcode = self.before(2)
        if self.relocation.type in (_ADDRESS_64, _NUMBERS["GOT64"]):
            return prefix & 0xF8 == 0x48 and (0xB8 <= opcode <= 0xBF or 0xA0 <= opcode <= 0xA3)
        return self.line is None or corrections.parse(self.line.text) is not None

    @property
    def instruction(self) -> corrections.Instruction | None:
        if self.line is None or not self.line.direct:
            return None
        return corrections.parse(self.line.text)

    @property
    def written(self) -> str:
        """How the place is shown when no source line is known."""
        return f"{self.section.name}+{self.relocation.offset:#x}"

    def finding(self, rule: str, severity: str, what: str, *ways_out: str) -> Finding:
        if self.line is None:
            return Finding(rule, severity, self.object.file, None, what, self.written, ways_out)
        line = self.line
        return Finding(rule, severity, line.file, line.number, what, line.text, ways_out)


class ObjectPlaces:
    """The relocations of one object as places; the listing is asked for at the first one."""

    def __init__(self, object_: CheckedObject, module: ModuleContext, names: ModuleNames) -> None:
        self.object = object_
        self._module = module
        self._names = names

    @cached_property
    def listing(self) -> Listing | None:
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
            width = _WIDTHS.get(relocation.type, 4)
            return self.listing.at(section.name, content, relocation.offset, width, target)

        return Place(self.object, section, content, relocation, target, external, table, find_line)

    def uses(self, name: str) -> Iterator[Place]:
        """Every place that names the undefined symbol ``name``."""
        for table in self.object.facts.relocation_tables:
            if table.section.alloc and any(symbol.name == name for _, symbol in table.kinds):
                for relocation in table:
                    if relocation.symbol.name == name:
                        yield self.place(table, relocation)

    def label(self, name: str) -> SourceLine | None:
        """The line that defines ``name``."""
        return None if self.listing is None else self.listing.label(name)

    def declaration(self, name: str, directive: str) -> SourceLine | None:
        """The line that declares ``name`` global or extern; else the one that defines it."""
        if self.listing is None:
            return None
        return self.listing.declaration(name, directive) or self.listing.label(name)

    def section_line(self, name: str) -> SourceLine | None:
        """The line that opens section ``name``."""
        return None if self.listing is None else self.listing.section(name)

    def line_at(self, section: str, offset: int) -> SourceLine | None:
        """The line of the relocation or the label at an offset, as linkers name places."""
        for table in self.object.facts.relocation_tables:
            if table.section.name == section:
                for relocation in table:
                    if relocation.offset == offset:
                        return self.place(table, relocation).line
        for symbol in self.object.facts.globals:
            if symbol.section == section and symbol.value == offset:
                return self.label(symbol.name)
        return None

    def is_branched_into(self, section: Section) -> bool:
        """Whether a call or jump leads to ``section``."""
        return any(
            relocation.symbol.section_index == section.number
            and self.place(table, relocation).branch is not None
            for table in self.object.facts.relocation_tables
            if table.section.executable
            and any(symbol.section_index == section.number for _, symbol in table.kinds)
            for relocation in table
        )

    def content(self, section: Section) -> bytes:
        if section.number not in self._cached_contents:
            self._cached_contents[section.number] = self.object.facts.content(section)
        return self._cached_contents[section.number]

    @cached_property
    def _cached_contents(self) -> dict[int, bytes]:
        return {}

    @cached_property
    def _labels(self) -> dict[int, list[tuple[int, str]]]:
        """The labels of each section by address; nasm puts the local ones in the table, too."""
        labels: dict[int, list[tuple[int, str]]] = {}
        for symbol in self.object.facts.symbols:
            if symbol.section_index and symbol.name and symbol.type != "section":
                labels.setdefault(symbol.section_index, []).append((symbol.value, symbol.name))
        return {section: sorted(places) for section, places in labels.items()}

    def _target(self, relocation: Relocation) -> str:
        symbol = relocation.symbol
        if symbol.type != "section":
            return symbol.name
        # The distance counts from the end of the 4-byte field, where the next instruction is.
        offset = relocation.addend + (4 if relocation.type in _RELATIVE else 0)
        labels = self._labels.get(symbol.section_index, [])
        before = bisect_right(labels, offset, key=lambda label: label[0])
        if not before:
            return f"{symbol.section}+{offset:#x}"
        # Of several labels at one address the first in the alphabet: any would do, one must.
        value = labels[before - 1][0]
        name = next(name for address, name in labels if address == value)
        return name if value == offset else f"{name}+{offset - value}"


def check(places: ObjectPlaces, names: ModuleNames) -> Iterator[Finding]:
    """The findings about one object's relocations."""
    tables = [t for t in places.object.facts.relocation_tables if t.section.alloc]
    uses_got_base = any(type_ in _GOT_BASE for table in tables for type_, _ in table.kinds)
    for table in tables:
        wrong = {
            kind: rule
            for kind in table.kinds
            if (rule := _rule(table.section, *kind, names, uses_got_base)) is not None
        }
        if wrong:
            for relocation in table:
                rule = wrong.get((relocation.type, relocation.symbol))
                if rule and (finding := rule(places.place(table, relocation))):
                    yield finding
        yield from _branches_into_the_got(places, table)


Rule = Callable[[Place], Finding | None]


def _rule(
    section: Section, type_: int, symbol: Symbol, names: ModuleNames, uses_got_base: bool
) -> Rule | None:
    """The rule that every relocation of this kind breaks."""
    if type_ in _RELATIVE:
        return _external_relative if names.is_external(symbol) else None
    if type_ == _ADDRESS_64:
        return None if section.writable or names.is_number(symbol) else _absolute_address
    if type_ in _NARROW:
        return None if names.is_number(symbol) else _narrow_address
    if type_ in _GOT_OFFSET:
        return None if uses_got_base else _got_without_rel
    return _local_exec if type_ in _LOCAL_EXEC else None


def _branches_into_the_got(places: ObjectPlaces, table: RelocationTable) -> Iterator[Finding]:
    if not table.section.executable:
        return
    # One byte earlier: the byte in front of an offset is at the offset.
    shifted = b"\0" + places.content(table.section)
    offsets = [o for o in table.offsets(_GOT_RELATIVE) if o < len(shifted)]
    if _BRANCHES.isdisjoint(map(shifted.__getitem__, offsets)):
        return
    called = {offset for offset in offsets if shifted[offset] in _BRANCHES}
    for relocation in table:
        if relocation.type in _GOT_RELATIVE and relocation.offset in called:
            yield _got_called(places.place(table, relocation))


def _ways(
    place: Place,
    correction: corrections.Correction,
    *general: str,
) -> tuple[str, ...]:
    """The corrected line, or the general form where the line cannot be rewritten."""
    if place.object.source is None:
        return ("compile it with -fPIC",)
    instruction = place.instruction
    lines = correction(instruction, place.external) if instruction else ()
    first, *more = lines or general
    return (f"write:   {first}", *(f"         {line}" for line in more))


def _absolute_address(place: Place) -> Finding | None:
    if not place.is_operand:
        return _pointer_in_read_only(place)
    name = place.target
    general = f"mov rax, [rel {name} wrt ..got]" if place.external else f"lea rax, [rel {name}]"
    return place.finding(
        "absolute-address",
        WARNING,
        f"the absolute address of `{name}' is part of the instruction: the loader has to rewrite"
        " the code at every import, which hardened systems forbid",
        *_ways(place, corrections.absolute_address, general),
    )


def _pointer_in_read_only(place: Place) -> Finding | None:
    section = place.section.name
    definition = _module_definition(place)
    if definition == place.relocation.offset:
        return place.finding(
            "read-only-module-definition",
            ERROR,
            f"a PyModuleDef stands in {section}, which is read-only: Python writes into it at"
            " import, and the process ends with a segmentation fault",
            "put it into a section that may be written:   section .data",
        )
    if definition is not None:
        return None  # told at its first pointer
    ways = [
        "put it into a section that may be written:   section .data",
        "or, read-only again once it is loaded:       section .data.rel.ro write",
    ]
    if place.section.executable:
        ways.append("or store distances from the table's start:   dd target - table")
    return place.finding(
        "pointer-in-read-only",
        WARNING,
        f"a pointer stands in {section}, which is read-only: the loader has to write there at"
        " every import, which hardened systems forbid",
        *ways,
    )


_AFTER_NAME = 64  # m_name to the end of a PyModuleDef (CPython's moduleobject.h)


def _module_definition(place: Place) -> int | None:
    """The offset of m_name in the PyModuleDef that holds this pointer, if one does."""
    last = place.relocation.offset
    candidates = range(last, last - _AFTER_NAME, -8)
    return next((at for at in candidates if at in place.pointers and _is_name(place, at)), None)


def _is_name(place: Place, at: int) -> bool:
    """Whether a fresh PyModuleDef_HEAD_INIT stands in front of the pointer at ``at``."""
    count, *rest = place.words_before(at, 5)
    if count and not any(rest):
        return True  # ob_refcnt, ob_type, m_init, m_index, m_copy
    thread, references, *rest = place.words_before(at, 7)
    # Free-threaded: ob_tid, (flags, lock and ob_ref_local), ob_ref_shared, ob_type, m_init ...
    return not thread and bool(references >> 32) and not any(rest)


def _narrow_address(place: Place) -> Finding:
    name = place.target
    general = f"mov r11, [rel {name} wrt ..got]" if place.external else f"lea r11, [rel {name}]"
    bits = _WIDTHS.get(place.relocation.type, 4) * 8
    if not place.section.executable:
        ways: tuple[str, ...] = (f"write:   dq {name}",)
    elif bits < 32:
        ways = (f"load the whole address:   {general}",)
    else:
        ways = _ways(place, corrections.narrow_address, general)
    return place.finding(
        "narrow-address",
        ERROR,
        f"the address of `{name}' does not fit into these {bits} bits: a shared module is loaded"
        " anywhere in 64-bit memory, and the linker refuses",
        *ways,
    )


def _external_relative(place: Place) -> Finding:
    name = place.target
    if branch := place.branch:
        verb = "called" if branch == "call" else "jumped to"
        return place.finding(
            "call-without-plt",
            ERROR,
            f"`{name}' is outside this module and is {verb} at a fixed distance, which nobody"
            " knows before the module is loaded: the linker refuses",
            *_ways(place, corrections.external_call, f"{branch} {name} wrt ..plt"),
        )
    if not place.is_operand:
        return place.finding(
            "data-without-got",
            ERROR,
            f"the distance to `{name}' is stored, and `{name}' is outside this module: nobody"
            " knows it before the module is loaded, and the linker refuses",
            f"store the pointer, in a section that may be written:   dq {name}",
        )
    return place.finding(
        "data-without-got",
        ERROR,
        f"`{name}' is outside this module and is reached at a fixed distance, which nobody knows"
        " before the module is loaded: the linker refuses",
        *_ways(place, corrections.external_data, f"mov rax, [rel {name} wrt ..got]"),
    )


def _got_without_rel(place: Place) -> Finding:
    name = place.target
    return place.finding(
        "got-without-rel",
        ERROR,
        f"the table entry of `{name}' is addressed without `rel': the linker says nothing, and"
        " the process ends with a segmentation fault when this runs",
        *_ways(place, corrections.got_without_rel, f"mov rax, [rel {name} wrt ..got]"),
    )


def _got_called(place: Place) -> Finding:
    name, branch = place.target, place.branch
    return place.finding(
        "got-called",
        ERROR,
        f"this jumps into the table entry of `{name}' and not to what the entry points at: the"
        " process ends with a segmentation fault when this runs",
        *_ways(place, corrections.got_called, f"{branch} [rel {name} wrt ..got]"),
        f"or:      {branch} {name} wrt ..plt",
    )


def _local_exec(place: Place) -> Finding:
    return place.finding(
        "thread-local",
        ERROR,
        f"`{place.target}' is reached as a thread-local variable of the program itself, which a"
        " module is not: the linker refuses",
        "compile it with -fPIC"
        if place.object.source is None
        else "keep the value in the module's state, or in C with -fPIC",
    )

"""The code of an object as the checks see it: its instructions, functions, findings and ways."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from iced_x86 import Decoder, Formatter, FormatterSyntax, Instruction, OpKind

from ..check import Finding
from ..check.code import levels, verdicts
from ..check.code.analysis import Verdict, analyse
from ..check.code.before import Before, Watcher
from ..check.code.image import Image, Stretch
from ..check.code.load import load_objects
from ..check.code.marks import C_FUNCTION, CALLBACK, ENTRY_POINT, GENERATED, INTERNAL, METHOD
from ..check.findings import as_project_wants
from ..check.formats import as_finding
from ..config import Settings
from ..facts.elf import ElfFacts
from ..files import read_lines
from ..named import NamedTuple

_RELATIVE = re.compile(r"\[rel [^\]]+\]")
_ROLES = {
    METHOD: "a method that Python calls",
    C_FUNCTION: "a C function",
    CALLBACK: "a function that Python calls for a type or module",
    INTERNAL: "internal, with a calling convention of its own",
    GENERATED: "generated, and proved",
    ENTRY_POINT: "the module's entry point",
}


class Seen(NamedTuple):
    """One instruction."""

    address: int
    offset: int
    """From the beginning of its section."""
    content: bytes
    text: str
    """As NASM would be given it, with the names that relocations have."""
    level: str
    """The level of the x86-64 psABI that it needs."""
    extensions: tuple[str, ...]
    """Features that it needs and no level has."""
    goals: tuple[int, ...]
    """The addresses in the same object that it jumps to."""
    before: Before | None
    """None where nothing leads to it, or where generated code was not looked at."""

    @property
    def needs(self) -> str:
        """The level and the features that it needs beyond the first level: "v3", "v3 +aes", or empty."""
        level = self.level.removeprefix("x86-64").removeprefix("-")
        return " ".join(filter(None, (level, *(f"+{name.lower()}" for name in self.extensions))))


class CodeFinding(NamedTuple):
    """A finding of the checks of machine code, and the instructions on the way to it."""

    finding: Finding
    address: int
    way: tuple[int, ...]


class Section(NamedTuple):
    """A section of code, with its instructions in their order."""

    name: str
    start: int
    content: bytes
    instructions: list[Seen]


@dataclass
class Code:
    """The code of one object."""

    image: Image
    sections: dict[str, Section]
    findings: list[CodeFinding]
    remarks: list[tuple[int, str]]
    """Notes by address: the role of a function, a rule that may be broken, where it was not followed."""


def read(source: str, facts: ElfFacts, settings: Settings) -> Code:
    """Return the code of the object of a source. Raises ObjectError when it is damaged."""
    image = load_objects([(source, facts)])
    watcher = Watcher()
    verdict = analyse(image, watcher)
    before = watcher.before(verdict)
    code = Code(image, {}, list(_findings(verdict, source, settings)), list(_remarks(verdict)))
    scans, walks = verdict.engine.scans.values(), verdict.engine.walks.values()
    reached = set[int]().union(*(scan.instructions for scan in scans))
    switches = {at: goals for walk in walks for at, goals in walk.tables.items()}
    # The image's own bytes have addresses put in that are the image's.
    contents = {section.name: facts.content(section) for section in facts.sections}
    for stretch in image.stretches:
        if stretch.executable and stretch.size:
            section = Section(stretch.name, stretch.start, contents[stretch.name], [])
            code.sections[stretch.name] = section
            for raw in _decoded(stretch, reached):
                goals = switches.get(raw.ip, ())
                section.instructions.append(_seen(image, section, raw, goals, before.get(raw.ip)))
    return code


def _findings(verdict: Verdict, source: str, settings: Settings) -> Iterator[CodeFinding]:
    needs = levels.needs_of(verdict.engine, verdict.roots)
    verdict.faults += levels.faults_of(verdict, needs, settings.baseline)
    faults = {(fault.rule, fault.at): fault for fault in verdict.faults}
    for found in verdicts.findings_of(verdict, source, functools.cache(read_lines)):
        fault = faults.get((found.rule, found.address))
        way = [] if fault is None else verdicts.addresses_of_way(verdict, fault)
        for finding in as_project_wants([as_finding(found)], settings.check):
            yield CodeFinding(finding, found.address, tuple(way))


def _decoded(stretch: Stretch, reached: set[int]) -> Iterator[Instruction]:
    """Yield the instructions of a section: those that are reached, and what lies between them."""
    decoder = Decoder(64, bytes(stretch.content), ip=stretch.start)
    while decoder.can_decode:
        at = decoder.ip
        raw = decoder.decode()
        if raw.is_invalid or (at not in reached and not reached.isdisjoint(range(at, raw.next_ip))):
            decoder.ip, decoder.position = at + 1, at + 1 - stretch.start
        else:
            yield raw


def _seen(
    image: Image,
    section: Section,
    raw: Instruction,
    switch: tuple[int, ...],
    before: Before | None,
) -> Seen:
    offset = raw.ip - section.start
    level, extensions = levels.level_and_extensions(raw.cpuid_features())
    goals = list(switch)
    is_jump = raw.op_count and raw.op0_kind == OpKind.NEAR_BRANCH64 and not raw.is_call_near
    if is_jump and image.is_code(raw.near_branch_target):
        goals.append(raw.near_branch_target)
    content = section.content[offset : offset + raw.len]
    text = _text(image, raw)
    return Seen(raw.ip, offset, content, text, level, extensions, tuple(goals), before)


def _text(image: Image, raw: Instruction) -> str:
    formatter = _formatter()
    text = formatter.format(raw)
    if raw.op_count and raw.op0_kind == OpKind.NEAR_BRANCH64:
        name = _name(image, raw.near_branch_target)
        return f"{formatter.format_mnemonic(raw)} {name}"
    if raw.is_ip_rel_memory_operand:
        address = raw.ip_rel_memory_address
        slot = image.slots.get(address)
        name = f"{slot} wrt ..got" if slot is not None else _name(image, address)
        return _RELATIVE.sub(lambda _: f"[rel {name}]", text)
    return text


def _name(image: Image, address: int) -> str:
    """Return the label at an address, or its distance from the beginning of its section."""
    stretch = image.stretch(address)
    if image.has_label(address) or stretch is None:
        return image.name(address)
    return f"{stretch.name}+{address - stretch.start:#x}"


@functools.cache
def _formatter() -> Formatter:
    formatter = Formatter(FormatterSyntax.NASM)
    formatter.hex_prefix, formatter.hex_suffix = "0x", ""
    formatter.space_after_operand_separator = True
    return formatter


def _remarks(verdict: Verdict) -> Iterator[tuple[int, str]]:
    for start, root in sorted(verdict.roots.items()):
        if root.is_declared:
            yield start, f"{root.name}: {_ROLES[root.role]}"
    for allowed in verdict.image.marks.permissions:
        yield allowed.start, f"{allowed.rule} is allowed here, because {allowed.reason}"
    for gap in verdict.gaps:
        yield gap.at, f"{verdict.image.name(gap.function)} is not followed further: {gap.why}"

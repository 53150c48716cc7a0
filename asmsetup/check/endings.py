"""Rules about how the functions of python.inc's macros end: with a return, and with an object.

The bytes of the last instructions tell; where they are in doubt, nothing is found. The machine
code as a whole is followed by check/code, where the decoder is installed.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from struct import Struct

from ..facts.elf import RelocationTable, Section, Symbol
from ..named import NamedTuple
from .code.marks import C_FUNCTION, METHOD, SECTION, Marks
from .code.prototypes import prototype
from .entries import entries
from .findings import Finding
from .kinds import ADDRESS_64, CALL, GOT_RELATIVE
from .places import ObjectPlaces

_SECTION_BITS = 40
_IN_SECTION = (1 << _SECTION_BITS) - 1
_WORD = (1 << 64) - 1

# A return, a jump, ud2, hlt or int3 (Intel SDM, volume 2), with its operands.
_LEAVES = (
    rb"(?s)(?:\xc3|\xc2..|\xeb.|\xe9....|\xff\x25....|\xff[\xe0-\xe7]|\xff[\x20-\x27]|\xff\x24."
    rb"|\xff[\x60-\x67].|\xff\x64..|\xff[\xa0-\xa7]....|\xff\xa4.....|\xff\x24.....|\x0f\x0b|\xf4|\xcc)\Z"
)
_RETURN = b"\xc3"
_PADDING = b"\x90"
# What the macros write before `ret': the kept registers from rbp or rsp, then the frame.
_EPILOGUE = (
    rb"(?:[\x48\x4c]\x8b(?:[\x5d\x65\x6d\x75\x7d].|[\x9d\xa5\xad\xb5\xbd]....))*\xc9"
    rb"|(?:[\x48\x4c]\x8b(?:[\x5c\x64\x6c\x74\x7c]\x24.|[\x9c\xa4\xac\xb4\xbc]\x24....))*"
    rb"\x48(?:\x83\xc4.|\x81\xc4....)\x5d"
)
_NUMBER = rb"(?s)(?:(?<![\x41\x49])\xb8(....)|(?<!\x49)\x48\xc7\xc0(....)|\x48\xb8(........))"
_NUMBER_OPCODES = (b"\xb8", b"\xc7\xc0")
_END = rb"(?:" + _EPILOGUE + rb")\xc3"
# What a plain routine has between the two: pop, add rsp, mov rsp, rbp, leave, vzeroupper.
_PLAIN_END = (
    rb"(?:[\x58-\x5f]|\x41[\x58-\x5f]|\x48\x83\xc4.|\x48\x81\xc4....|\x48\x89\xec|\xc9"
    rb"|\xc5\xf8\x77)*\xc3"
)
# `mov eax, r32' or `mov rax, r64'.
_MOVED = rb"(?s)([\x44\x48\x4c]?)\x89([\xc0\xc8\xd0\xd8\xe0\xe8\xf0\xf8])"
_NAMES = (
    *("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"),
    *(f"r{number}" for number in range(8, 16)),
)
_CALLED = rb"(?s)\xff\x15....(?:" + _EPILOGUE + rb")\xc3|(?:" + _EPILOGUE + rb")\xff\x25...."


class Function(NamedTuple):
    """A function that a macro opened and closed."""

    name: str
    section: Section
    start: int
    end: int
    returns_object: bool
    is_plain: bool = False
    """No macro opened it, and where it ends is where the next label is."""
    following: str = ""
    """The function that begins at the end of a plain one."""


def check(places: ObjectPlaces) -> Iterator[Finding]:
    """Yield the findings about the ends of an object's functions."""
    found = list(_functions(places))
    if not found:
        return
    called = {t.section.number: _called(t) for t in places.object.facts.relocation_tables}
    labelled = _labelled_ends(places, found)
    for function in found:
        body = places.content(function.section)[function.start : function.end]
        calls = _calls(called.get(function.section.number, []), function)
        has_end = not function.is_plain or bool(function.following)
        doubtful = has_end and (not _leaves(body, calls) or function in labelled)
        wrong = _no_objects(function, body, calls) if function.returns_object else []
        if doubtful or wrong:
            from . import ending_lines  # what a sound module does not need is not imported

            if doubtful:
                yield from ending_lines.falls_off(places, function)
            for result in wrong:
                yield from ending_lines.no_object(places, function, result)


def _functions(places: ObjectPlaces) -> Iterator[Function]:
    facts = places.object.facts
    section = next((each for each in facts.sections if each.name == SECTION), None)
    if section is None:
        return
    entered = {
        _place(each.relocation.symbol, each.relocation.addend): each.returns_object
        for each in entries(places)
    }
    returning = {place for place, returns_object in entered.items() if returns_object}
    marks = Marks.read(_with_places(places, section))
    returning |= {
        at
        for at, signatures in marks.prototypes.items()
        if any(text.partition("->")[2].strip() == "object" for text in signatures)
    }
    for routine in marks.routines.values():
        if routine.role not in (METHOD, C_FUNCTION) or routine.end <= routine.start:
            continue
        is_method = routine.role == METHOD or routine.start in returning
        start, end = routine.start & _IN_SECTION, routine.end & _IN_SECTION
        number = routine.start >> _SECTION_BITS
        if number >= len(facts.sections):
            continue  # the file is damaged
        holder = facts.sections[number]
        yield Function(routine.name, holder, start, end, is_method)
    opened = {start for start, routine in marks.routines.items() if routine.end > start}
    known = returning | entered.keys() | marks.prototypes.keys()
    yield from _plain(places, sorted(known - opened), returning, known | opened)


def _plain(
    places: ObjectPlaces, starts: list[int], returning: set[int], known: set[int]
) -> Iterator[Function]:
    """Yield the functions that no macro opened, at ``starts``; others begin where ``known`` says."""
    facts = places.object.facts
    for place in starts:
        number, start = place >> _SECTION_BITS, place & _IN_SECTION
        if not 0 < number < len(facts.sections) or not facts.sections[number].executable:
            continue
        section, labels = facts.sections[number], places.labels(number)
        first = bisect_left(labels, (start, ""))
        name = labels[first][1] if first < len(labels) and labels[first][0] == start else ""
        behind = (
            label
            for label in islice(labels, first, None)
            if label[0] > start and not label[1].startswith(f"{name}.")
        )
        end, following = next(behind, (section.size, ""))
        is_function = (number << _SECTION_BITS) + end in known
        yield Function(
            *(name, section, start, end, place in returning),
            is_plain=True,
            following=following if is_function else "",
        )


def _place(symbol: Symbol, addend: int) -> int:
    """Return a place as one number: the section above, the offset in it below."""
    return (symbol.section_index << _SECTION_BITS) + symbol.value + addend


def _with_places(places: ObjectPlaces, section: Section) -> bytes:
    """Return a section with each address as the number of its place."""
    content = bytearray(places.content(section))
    for table in places.object.facts.relocation_tables:
        if table.section.number == section.number:
            for relocation in table:
                if relocation.type == ADDRESS_64:
                    place = _place(relocation.symbol, relocation.addend)
                    field = (place & _WORD).to_bytes(8, "little")
                    content[relocation.offset : relocation.offset + 8] = field
    return bytes(content)


def _labelled_ends(places: ObjectPlaces, found: list[Function]) -> set[Function]:
    """Return the functions that a label of their own stands at the end of."""
    facts = places.object.facts
    table = next((each for each in facts.sections if each.type == "symtab"), None)
    if table is None:
        return set()
    ends = {(each.section.number, each.end): each for each in found}
    at_ends = (
        (index, ends[section, value])
        for index, (_, _, _, section, value, _) in enumerate(
            _SYMBOL.iter_unpack(places.content(table))
        )
        if (section, value) in ends
    )
    return {
        function
        for index, function in at_ends
        if facts.symbols[index].name.startswith(f"{function.name}.")
    }


_SYMBOL = Struct("<IBBHQQ")


def _called(table: RelocationTable) -> list[tuple[int, str]]:
    """Return the names that code reaches through the table of addresses, by their places."""
    if not table.section.executable:
        return []
    return sorted((r.offset, r.symbol.name) for r in table if r.type in GOT_RELATIVE)


def _calls(called: list[tuple[int, str]], function: Function) -> dict[int, str]:
    """Return those in a function, by their distance from its start."""
    first = bisect_left(called, (function.start, ""))
    behind = bisect_left(called, (function.end, ""))
    return {offset - function.start: name for offset, name in called[first:behind]}


_CALL_SIZE = 4


def _leaves(body: bytes, calls: dict[int, str]) -> bool:
    """Return whether the last instruction may leave the function, or is not known."""
    code = body.rstrip(_PADDING)
    if code.endswith(_RETURN) or re.search(_LEAVES, code[-8:]):
        return True
    called = calls.get(len(code) - _CALL_SIZE)
    if called is not None:
        return not prototype(called).returns
    # A routine of the author's own may never return.
    return code[-_CALL_SIZE - 1 : -_CALL_SIZE] == bytes((CALL,))


class Result(NamedTuple):
    """A result of a function that is not an object."""

    offset: int
    """The offset in the section of the instruction that makes it."""
    number: int
    called: str
    """The function of CPython's whose result it is; else empty, and it is the number."""
    jumps: bool = False
    register: str = ""
    """The number goes through this one to rax."""


def _returns_no_object(name: str) -> bool:
    known = prototype(name)
    return known.returns and known.result in ("v", "i", "l", "d")


def _no_objects(function: Function, body: bytes, calls: dict[int, str]) -> list[Result]:
    found = []
    end = _PLAIN_END if function.is_plain else _END
    # Expressions are compiled for those that have a number, or a call, that may be in question.
    has_number = any(opcode in body for opcode in _NUMBER_OPCODES)
    for match in re.finditer(_NUMBER + end, body) if has_number else ():
        number = int.from_bytes(match[1] or match[2] or match[3], "little", signed=not match[1])
        if number and not any(match.start() <= place < match.end() for place in calls):
            found.append(Result(match.start(), number, ""))
    for match in re.finditer(_MOVED + end, body) if b"\x89" in body else ():
        moved = _moved(body, match)
        if moved and not any(moved.offset <= place < match.end() for place in calls):
            found.append(moved)
    in_question = {place for place, name in calls.items() if _returns_no_object(name)}
    for match in re.finditer(_CALLED, body) if in_question else ():
        jumps = body[match.end() - 6 : match.end() - 4] == b"\xff\x25"
        place = match.end() - 4 if jumps else match.start() + 2
        if place in in_question:
            name = calls[place]
            found.append(Result(match.start(), 0, name, jumps))
    return found


def _moved(body: bytes, match: re.Match[bytes]) -> Result | None:
    """Return the number that a register holds which becomes the result, if it is set right before."""
    register = (match[2][0] >> 3 & 7) + 8 * (match[1] in (b"\x44", b"\x4c"))
    low, is_high, end = register & 7, register > 7, match.start()
    opcodes = (
        ((b"\x41" if is_high else b"") + bytes((0xB8 + low,)), False),
        ((b"\x49" if is_high else b"\x48") + bytes((0xC7, 0xC0 + low)), True),
    )
    for opcode, signed in opcodes:
        start = end - 4 - len(opcode)
        if start < 0 or body[start : end - 4] != opcode or register == 0:
            continue
        if not is_high and body[start - 1 : start] in (b"\x41", b"\x49"):
            continue  # of another register
        number = int.from_bytes(body[end - 4 : end], "little", signed=signed)
        return Result(start, number, "", register=_NAMES[register]) if number else None
    return None

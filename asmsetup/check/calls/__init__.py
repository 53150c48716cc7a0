"""Judges the arguments of python.inc's macros that NASM accepts silently, or refuses in its own words.

A macro writes its call into the object; `refusals` judges those. What NASM itself refuses is
judged by its line, by `refused_at`. Pure: bytes and texts in, messages out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ...errors import ObjectError
from ...facts import elf
from ...facts.elf.layout import ABSOLUTE_INDEX, SYMBOL
from ...named import NamedTuple
from ..code.marks import CALLS_SECTION
from .call import Call, MisuseError, recorded, statement, written
from .expressions import ADDRESS, UNKNOWN, Names, Value
from .rules import judge


class Refusal(NamedTuple):
    """A call that cannot do what it says."""

    number: int
    """Of the call in its object, from 1 on."""
    call: str
    """The macro with its arguments."""
    why: str


def require_right(name: str, facts: elf.ElfFacts) -> None:
    """Raise ObjectError, with all of them, if calls in an object called ``name`` are refused."""
    wrong = [f"{name}: {each.why}\n    {each.call}" for each in refusals(facts)]
    if wrong:
        raise ObjectError("\n".join(wrong))


def first_refused(content: bytes) -> tuple[int, str] | None:
    """Return the number of the first call of an object that is refused, and why; None for none.

    Raises ObjectError for an object that is damaged.
    """
    return next(((each.number, each.why) for each in refusals(elf.parse(content))), None)


def refusals(facts: elf.ElfFacts) -> Iterator[Refusal]:
    """Yield the calls in an object that are refused."""
    section = facts.section(CALLS_SECTION)
    if section is None:
        return
    names = _names(facts)
    texts = facts.content(section).decode(errors="surrogateescape").split("\0")[:-1]
    types: dict[str, tuple[str, ...]] = {}
    for number, text in enumerate(texts, 1):
        macro, arguments, target = recorded(text)
        if macro == "PyType" and arguments:
            types[arguments[0]] = arguments[1:]
        call = Call(macro, arguments, target, names, lambda name: True, types)
        if why := _why(call):
            yield Refusal(number, statement(macro, arguments), why)


def _why(call: Call) -> str | None:
    try:
        judge(call)
    except MisuseError as error:
        return str(error)
    return None


def _names(facts: elf.ElfFacts) -> Names:
    """Return what the names of an object stand for; only those asked for are looked up."""
    table = next((each for each in facts.sections if each.type == "symtab"), None)
    if table is None or table.link >= len(facts.sections):
        return lambda name: UNKNOWN
    strings = facts.content(facts.sections[table.link])
    entries: dict[int, Value] = {}

    def value(name: str) -> Value:
        if not entries:
            content = facts.content(table)
            whole = len(content) - len(content) % SYMBOL.size
            for at, _, _, section, number, _ in SYMBOL.iter_unpack(content[:whole]):
                is_number = section == ABSOLUTE_INDEX
                entries[at] = Value(number - (number >> 63 << 64)) if is_number else ADDRESS
        text = name.encode(errors="surrogateescape") + b"\0"
        at = strings.find(text)
        while at >= 0 and at not in entries:  # the end of a longer one
            at = strings.find(text, at + 1)
        return entries.get(at, UNKNOWN)

    return value


_NOT_DEFINED = re.compile(r"symbol `([^']+)' not defined")


def refused_at(lines: Sequence[str], number: int, messages: Sequence[str]) -> str | None:
    """Return why the call in a line of a source is refused; None for nothing known.

    NASM has refused the line, with these messages.
    """
    found = written(lines, number) if 0 < number <= len(lines) else None
    if found is None:
        return None
    undefined = {each[1] for text in messages if (each := _NOT_DEFINED.search(text))}
    return _why(Call(*found, is_undefined=undefined.__contains__))

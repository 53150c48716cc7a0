"""Adds to what nasm says: the source line it means, and what to do about it.

Its own words stay as they are, so that they can be searched for; errors come before
warnings, and of very many the first ones are shown. Pure: texts in, text out.
hints.py knows what to do about a message.
Checked with nasm 2.15.05, 2.16.01 and 3.01.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence

from ..named import NamedTuple
from . import calls, foreign, misspelt
from .hints import AboutInclude, MessageLine, hint

SourceText = Callable[[str], Sequence[str]]
"""The lines of a source by the path nasm calls it; empty when it cannot be read."""

SHOWN = 20
"""The number of errors of one source that are shown, and of warnings: one cause may have thousands."""
_SHOWN_WIDTH = 200

_NASM_LINE = re.compile(r"(?P<file>.+?):(?P<line>\d+): (?P<kind>error|warning|fatal): (?P<text>.*)")
_MISSING_END = re.compile(
    r"symbol `(?P<symbol>.*?(?P<end>Py\w*End\w+)_is_missing)' (?:not defined|undefined)"
)


class _Message(NamedTuple):
    """One message of nasm's, with the lines that belong to it."""

    output: str
    file: str = ""
    line: int = 0
    kind: str = "fatal"
    text: str = ""
    further: tuple[str, ...] = ()
    """As `... from macro' and `info: label originally defined here'."""

    @property
    def place(self) -> tuple[str, int]:
        return self.file, self.line

    @property
    def is_warning(self) -> bool:
        return self.kind == "warning"


def explain_nasm(
    output: str,
    source: SourceText,
    include: AboutInclude = lambda name: None,
    shown: int = SHOWN,
) -> str:
    """Return nasm's messages, each with its source line and, where one is known, a hint."""
    source = functools.cache(source)
    messages = _in_words(list(_messages(output.splitlines())), source)
    errors = [each for each in messages if not each.is_warning]
    warnings = [each for each in messages if each.is_warning]
    reported = frozenset(each.place for each in errors)
    parts = [
        *_explained_nasm(errors, source, include, shown),
        *_explained_nasm(warnings, source, include, shown, reported),
    ]
    return "\n".join(parts)


def _messages(output: Sequence[str]) -> Iterator[_Message]:
    last: _Message | None = None
    further: list[str] = []
    for line in output:
        match = _NASM_LINE.match(line)
        if match is None and last is not None and last.file:
            further.append(line)
            continue
        if last is not None:
            yield last._replace(further=tuple(further))
        last, further = _Message(line), []
        if match is not None:
            last = _Message(line, match["file"], int(match["line"]), match["kind"], match["text"])
    if last is not None:
        yield last._replace(further=tuple(further))


def _in_words(messages: Sequence[_Message], source: SourceText) -> list[_Message]:
    """Return the messages, with misleading ones reworded."""
    reported = set()
    kept = []
    for each in _judged(messages, source):
        if each.file and _is_utf16(source(each.file)):
            each = _error(each, 1, "NASM cannot read this file: it is in UTF-16; save it as UTF-8")
        elif missing := _MISSING_END.match(each.text):
            if missing["symbol"] in reported:
                continue
            reported.add(missing["symbol"])
            opener = missing["end"].replace("End", "", 1)
            each = _error(each, each.line, f"{opener} of line {each.line} has no {missing['end']}")
        kept.append(each)
    return _each_name_once(_without_consequences(list(dict.fromkeys(kept)), source))


_END = re.compile(r"\s*PyEnd\w+")


def _judged(messages: Sequence[_Message], source: SourceText) -> Iterator[_Message]:
    """Yield the messages; for a call of a macro that asmsetup refuses, why it does, once.

    What its value makes of the end of the block then follows from it.
    """
    texts: dict[tuple[str, int], list[str]] = {}
    for each in messages:
        if each.kind == "error":
            texts.setdefault(each.place, []).append(each.text)
    refusals = {
        place: calls.refused_at(source(place[0]), place[1], texts[place]) for place in texts
    }
    whys = {place: why for place, why in refusals.items() if why}
    reported = set()
    for each in messages:
        if each.is_warning or each.place not in whys:
            if not (whys and _END.match(_line_of(each, source))):
                yield each
        elif each.place not in reported:
            reported.add(each.place)
            yield _error(each, each.line, whys[each.place])


def _without_consequences(messages: Sequence[_Message], source: SourceText) -> list[_Message]:
    """Return the messages without those that only follow from others.

    They are about blocks that a misspelt macro opens or closes, about one operand twice, and about
    labels behind an undefined name.
    """
    wrong = [
        text
        for each in messages
        if _NO_INSTRUCTION.search(each.text) and misspelt.macro(text := _line_of(each, source))
    ]
    operands = {each.place for each in messages if "invalid register set size" in each.text}
    immediates = {each.place for each in messages if "dword immediate exceeds" in each.text}
    # NASM 3 leaves out the data that an undefined name is in, so that labels behind it move.
    moved = any(_UNDEFINED.search(each.text) for each in messages)
    return [
        each
        for each in messages
        if not misspelt.is_consequence(each.text, wrong)
        and not (each.place in operands and "invalid combination" in each.text)
        and not (each.place in immediates and "dword data exceeds" in each.text)
        and not (moved and "changed during code generation" in each.text)
    ]


_NO_INSTRUCTION = re.compile(r"instruction expected|label alone on a line")


def _line_of(message: _Message, source: SourceText) -> str:
    lines = source(message.file)
    return lines[message.line - 1] if 0 < message.line <= len(lines) else ""


_UNDEFINED = re.compile(r"symbol `([^']+)' (?:not defined|undefined)")
_LISTED = 10


def _each_name_once(messages: Sequence[_Message]) -> list[_Message]:
    """Return the messages, with all that miss the same name merged into the first."""
    missing: dict[tuple[str, str], list[_Message]] = {}
    for each in messages:
        if found := _UNDEFINED.search(each.text):
            missing.setdefault((each.file, found[1]), []).append(each)
    later = {id(each) for group in missing.values() for each in group[1:]}
    firsts = {id(group[0]): group[1:] for group in missing.values() if group[1:]}
    return [
        each._replace(further=(*each.further, *_same_in(each, firsts[id(each)])))
        if id(each) in firsts
        else each
        for each in messages
        if id(each) not in later
    ]


def _same_in(first: _Message, others: Sequence[_Message]) -> Iterator[str]:
    lines = sorted({each.line for each in others} - {first.line})
    if lines:
        listed = ", ".join(map(str, lines[:_LISTED])) + (", ..." if len(lines) > _LISTED else "")
        yield f"  the same in {len(lines)} more line{'s' if len(lines) > 1 else ''}: {listed}"


def _error(message: _Message, line: int, text: str) -> _Message:
    output = f"{message.file}:{line}: error: {text}"
    return _Message(output, message.file, line, "error", text)


def _is_utf16(lines: Sequence[str]) -> bool:
    return bool(lines) and "\0" in lines[0]


def _explained_nasm(
    messages: Sequence[_Message],
    source: SourceText,
    include: AboutInclude,
    shown_at_most: int,
    reported: frozenset[tuple[str, int]] = frozenset(),
) -> Iterator[str]:
    left: dict[str, int] = {}
    shown = []
    for each in messages:
        left[each.file] = left.get(each.file, 0) + 1
        # The error that ends nasm comes last, and is often the cause of the others.
        if left[each.file] <= shown_at_most or each.kind == "fatal":
            shown.append(each)
    for each, following in zip(shown, (*shown[1:], _Message("")), strict=False):
        yield each.output
        yield from each.further
        if each.file:
            shown_later = following.place == each.place or each.place in reported
            yield from _added(each, source(each.file), include, shown_later)
    for file, count in left.items():
        if (more := count - sum(each.file == file for each in shown)) > 0:
            noun = messages[0].kind if messages[0].is_warning else "error"
            yield f"{file}: ... and {more} more {noun}{'s' if more > 1 else ''}"


def _added(
    message: _Message, lines: Sequence[str], include: AboutInclude, more_follow: bool
) -> Iterator[str]:
    text = lines[message.line - 1].strip() if 0 < message.line <= len(lines) else ""
    text = text.removeprefix("\ufeff")
    # One line may have several errors: it is shown behind the last of them.
    if text and not more_follow and "\0" not in text:
        yield f"    {_cut(text)}"
    line = MessageLine(text, lines, include)
    found = foreign.in_nasm(text, lines) if text else None
    if found and tuple(found.lines or ()) != (text,):
        if not more_follow:
            yield from _in_nasm(found)
    elif message.line == 1 and lines and lines[0].startswith("\ufeff"):
        yield "  the file begins with a byte order mark, which NASM takes for a name: save it as UTF-8 without one"
    elif advice := hint(message.text, line):
        yield from (f"  {each}" for each in advice.splitlines())


_GENERAL = {
    "GAS": "this is GAS syntax; NASM's directives have no dot, and its macros are %macro, %rep and %if",
    "AT&T": "this is AT&T syntax; NASM writes the target first, and no % or $:   mov eax, ebx",
    "MASM": "this is MASM syntax; NASM's labels have no sizes, and cmp and a jump ask what registers hold",
}


def _in_nasm(found: foreign.Foreign) -> Iterator[str]:
    if found.lines is None:
        yield f"  {_GENERAL[found.syntax]}"
        return
    if found.syntax == "C":
        yield "  a comment begins with a semicolon"
    else:
        yield f"  this is {found.syntax} syntax"
    if not found.lines:
        yield "  leave the line out"
    for index, line in enumerate(found.lines):
        yield f"  {'write:   ' if index == 0 else '         '}{line}"
    if found.above:
        yield f"  and above it:   {found.above}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_WIDTH else f"{text[:_SHOWN_WIDTH]} ..."

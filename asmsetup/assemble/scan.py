"""Find out what a text of NASM's names and reads: files, environment variables, the clock.

Works on bytes alone, raises nothing whatever they are, and takes time in proportion to them.
What is found is a superset of what NASM reads: a branch of %if that is not taken counts too.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from ..bind.macros import MACROS
from ..named import NamedTuple

TARGET_MACROS = (
    "PY_UNIVERSAL",
    "PY_VERSION_HEX",
    "Py_GIL_DISABLED",
    "Py_DEBUG",
    "Py_LIMITED_API",
)
"""The macros that say which Python an object is for; it is for any when none is mentioned."""
ANY_VARIABLE = "*"
"""Among the environment variables of a text: any may be read, its name is not written out."""


class Named(NamedTuple):
    """A file that a text names."""

    name: str
    line: int
    directive: str
    """incbin, or one of _DIRECTIVES."""

    @property
    def is_only_looked_for(self) -> bool:
        """Whether NASM only looks where the file is, and does not read it."""
        return self.directive not in ("incbin", "include", "require")


class Text(NamedTuple):
    """The files, variables and clocks that one text names, as far as they matter to its object."""

    named: tuple[Named, ...] = ()
    computed: bool = False
    """Further files may be read, whose names are not written out."""
    computed_include: bool = False
    computed_incbin: bool = False
    hidden: bool = False
    """Further files may be read that NASM's own list of dependencies leaves out."""
    pastes: bool = False
    """A directive may be put together from parts, and is not found here."""
    times: bool = False
    mentioned: tuple[str, ...] = ()
    """The TARGET_MACROS in it."""
    environment: tuple[str, ...] = ()
    clock: bool = False
    """The date or the time of assembling is read."""
    names_files: bool = False
    """The path of a file is read (__?FILE?__, %pathsearch, %realpath)."""
    has_signatures: bool = False
    """It mentions a macro that takes a signature, for which bindings are written."""

    @staticmethod
    def from_json(data: Sequence[object]) -> Text:
        """Return the text whose fields, as json keeps tuples, are ``data``."""
        named, *facts = data
        assert isinstance(named, list)
        facts = [tuple(each) if isinstance(each, list) else each for each in facts]
        return Text(tuple([Named(*item) for item in named]), *facts)  # type: ignore[arg-type]


def merged(texts: Sequence[Text]) -> Text:
    """Return what matters of all these texts together, apart from the files they name."""
    return _merged(frozenset(text[1:] for text in texts))


@cache  # the texts of a project differ in the files they name, and hardly in anything else
def _merged(facts: frozenset[tuple[Any, ...]]) -> Text:
    texts = [Text((), *each) for each in facts]
    return Text(
        computed=any(text.computed for text in texts),
        computed_include=any(text.computed_include for text in texts),
        computed_incbin=any(text.computed_incbin for text in texts),
        # NASM's dependencies (-M, -MD) overlook an incbin that follows TIMES, and a file in the
        # current directory that %pathsearch has found before (2.16.01).
        hidden=any(text.hidden for text in texts)
        or (any(text.computed_incbin for text in texts) and any(text.times for text in texts)),
        pastes=any(text.pastes for text in texts),
        times=any(text.times for text in texts),
        mentioned=tuple(sorted({name for text in texts for name in text.mentioned})),
        environment=tuple(sorted({name for text in texts for name in text.environment})),
        clock=any(text.clock for text in texts),
        names_files=any(text.names_files for text in texts),
        has_signatures=any(text.has_signatures for text in texts),
    )


NOTHING = Text()
"""A text that names and reads nothing."""

UNREAD = Text(
    computed=True, computed_include=True, hidden=True, mentioned=TARGET_MACROS, has_signatures=True
)
"""Stands for a text that was not looked into."""

# Looked for in lower case with find(), many times faster than a regular expression; only lines
# that hold one of them are read closely.
_DIRECTIVES = (
    *("include", "require", "depend", "pathsearch"),
    *("iffile", "ifnfile", "eliffile", "elifnfile"),
)
_MARKS = (b"incbin", *(f"%{way}".encode() for way in _DIRECTIVES))
_BRACED_MARKS = tuple(f"%{{{way}}}".encode() for way in _DIRECTIVES)
_ENVIRONMENT = (b"%!", b"%{!", b"ifenv", b"ifnenv")

# Texts, compiled when they are first needed: few sources need them all.
_CONTINUATION = rb"\\\r?\n"
_WORD = rb"[\w.$#@~?%]"
_NAMES = "|".join(_DIRECTIVES).encode()
_TOKEN = (
    rb"""(?P<comment>;)|"[^"]*(?:"|\Z)|'[^']*(?:'|\Z)|`(?:\\.|[^`\\])*(?:[`\\]|\Z)"""
    rb"|(?P<directive>%(?:" + _NAMES + rb")(?!" + _WORD + rb")"
    rb"|%\{(?:" + _NAMES + rb")\}|(?<!" + _WORD + rb")incbin(?!" + _WORD + rb"))"
)
_LITERAL = rb"""[ \t]*(?:"(?P<d>[^"\r\n]*)"|'(?P<s>[^'\r\n]*)'|`(?P<b>[^`\\\r\n]*)`)"""
_OPERAND = _LITERAL + rb"[ \t]*(?P<end>[,;\r\n]|\Z)?"
_PATHSEARCH_OPERAND = rb"[ \t]+" + _WORD + rb"+" + _LITERAL + rb"[ \t]*(?P<end>[;\r\n]|\Z)?"
_VARIABLE = rb"""%\{?!(?:([A-Za-z_]\w*)|"([^"\r\n]*)"|'([^'\r\n]*)'|`([^`\\\r\n]*)`)?"""
_IFENV = rb"ifn?env\}?[ \t]+([^;\r\n]*)"
_IFENV_NAME = rb"(?:%!)?[\"'`]?([A-Za-z_]\w*)[\"'`]?\s*\Z"
_CLOCK = rb"__\??(?:utc_)?(?:date|time)(?:_num)?\??__|__\??posix_time\??__"
_FILE = rb"__\??file\??__"
# %+, %[...], a parameter with something directly before or behind it.
_PASTE = rb"%[+\[!]|%\{[!\d]|%deftok|%\{deftok|[\w.$@?}]%-?\d|%-?\d+[\w.$@?%]"
_PASTE_AFTER_TIMES = (
    rb"(\w*)[ \t]*%\+[ \t]*(\w*)|(\w+)%\{?-?\d|%-?\d+([a-z_]\w*)|\}([\w%])|%-?\d+(%)|(%)\["
)
_PART_OF_CLOCK = (
    rb"(?<![\w?])__\??(?:u|ut|utc\w*|d|da|dat|date\w*|t|ti|tim|time\w*|p|po\w*)?(?![\w?])"
)
_PART_OF_FILE = rb"(?<![\w?])__\??(?:f|fi|fil|file\??_?)?(?![\w?])"


def scan(data: bytes) -> Text:
    """Return what matters of a text."""
    data, joints = _joined(data)
    lower = data.lower()
    named = []
    computed: set[str] = set()
    for directive, position, end in _directives(lower):
        operand = _operand(directive, data, end)
        if operand is None or operand["end"] is None:
            computed.add(directive)
        if operand is not None:
            name = operand["d"] or operand["s"] or operand["b"] or b""
            named.append((position, os.fsdecode(name), directive))
    pastes = b"%" in data and re.search(_PASTE, lower) is not None
    made = b"%deftok" in lower or b"%{deftok" in lower
    times = b"times" in lower
    return Text(
        tuple(_with_lines(data, named, joints)),
        bool(computed),
        bool(computed - {"incbin"}),
        "incbin" in computed,
        any("file" in each or each == "pathsearch" for each in computed)
        or (times and pastes and (made or _pastes_after_times(lower))),
        pastes,
        times,
        tuple(sorted(name for name in TARGET_MACROS if _mentions(data, name))),
        tuple(sorted(set(_variables(data, lower)))),
        made or _reads(lower, _CLOCK, _PART_OF_CLOCK if pastes else None),
        made
        or b"pathsearch" in lower
        or b"%realpath" in lower
        or _reads(lower, _FILE, _PART_OF_FILE if pastes else None),
        any(name.encode() in data for name in MACROS),
    )


def is_skipped(data: bytes, line: int, mentioned_elsewhere: bytes) -> bool:
    """Return whether NASM is sure to skip a line: it lies in a branch that is never taken.

    That is ``%if 0``, or an ``%ifdef`` of a name that is mentioned nowhere else, neither in
    ``data`` nor in ``mentioned_elsewhere``. Other conditions count as taken.
    """
    branches: list[bool] = []
    for text in data.splitlines()[: line - 1]:
        match = re.match(rb"\s*%(if\w*|elif\w*|else|endif)\b[ \t]*([^;]*)", text, re.IGNORECASE)
        if match is None:
            continue
        word, condition = match[1].lower(), match[2].strip()
        if word.startswith(b"if"):
            branches.append(_is_never(word, condition, data + b"\n" + mentioned_elsewhere))
        elif branches:
            branches.pop()
            if word != b"endif":
                branches.append(False)
    return any(branches)


def _is_never(word: bytes, condition: bytes, everything: bytes) -> bool:
    if word == b"if":
        return condition == b"0"
    if word != b"ifdef" or not re.fullmatch(rb"\w+", condition):
        return False
    return len(re.findall(rb"(?<!\w)" + condition + rb"(?!\w)", everything)) == 1


def _joined(data: bytes) -> tuple[bytes, list[int]]:
    """Return the text with continued lines made one, and where in it they were joined."""
    if b"\\\n" not in data and b"\\\r\n" not in data:
        return data, []
    joints: list[int] = []
    parts: list[bytes] = []
    length = start = 0
    for match in re.finditer(_CONTINUATION, data):
        parts.append(data[start : match.start()])
        length += match.start() - start
        start = match.end()
        joints.append(length)
    return b"".join((*parts, data[start:])), joints


def _directives(lower: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield each directive that reads a file, with where it begins and ends."""
    marks = (*_MARKS, *(_BRACED_MARKS if b"%{" in lower else ()))
    lines = lower.replace(b"\r", b"\n")  # as for NASM, a carriage return ends a line, too
    line_end = 0
    for position in sorted(at for mark in marks for at in _occurrences(lower, mark)):
        if position < line_end:
            continue
        line_start, line_end = _line_at(lines, position, line_end)
        for token in re.compile(_TOKEN).finditer(lower, line_start, line_end):
            if token["comment"]:
                break
            if token["directive"]:
                yield token["directive"].strip(b"%{}").decode(), token.start(), token.end()


def _operand(directive: str, data: bytes, end: int) -> re.Match[bytes] | None:
    pattern = _PATHSEARCH_OPERAND if directive == "pathsearch" else _OPERAND
    return re.compile(pattern).match(data, end)


def _occurrences(data: bytes, word: bytes) -> Iterator[int]:
    position = data.find(word)
    while position >= 0:
        yield position
        position = data.find(word, position + 1)


def _line_at(data: bytes, position: int, after: int) -> tuple[int, int]:
    """Return where the line at ``position`` begins, not before ``after``, and where it ends."""
    start = max(data.rfind(b"\n", after, position) + 1, after)
    end = data.find(b"\n", position)
    return start, len(data) if end < 0 else end


def _with_lines(
    data: bytes, named: Sequence[tuple[int, str, str]], joints: Sequence[int]
) -> Iterator[Named]:
    """Yield what is named with its line in the original text, where lines are not yet joined."""
    line, counted = 1, 0
    for position, name, directive in named:
        line += data.count(b"\n", counted, position)
        counted = position
        yield Named(name, line + bisect_right(joints, position), directive)


def _pastes_after_times(lower: bytes) -> bool:
    """Return whether something behind TIMES may be an incbin that is put together from parts."""
    line_end = 0
    for position in _occurrences(lower, b"times"):
        if position < line_end:
            continue
        _, line_end = _line_at(lower, position, line_end)
        for match in re.compile(_PASTE_AFTER_TIMES).finditer(lower, position, line_end):
            if all(part in b"incbin%" for part in match.groups() if part is not None):
                return True
    return False


def _reads(lower: bytes, pattern: bytes, parts: bytes | None) -> bool:
    if b"__" not in lower:
        return False
    return any(re.search(each, lower) is not None for each in (pattern, parts) if each is not None)


def _mentions(data: bytes, name: str) -> bool:
    word = name.encode()
    return word in data and re.search(rb"(?<!\w)" + word + rb"(?!\w)", data) is not None


def _variables(data: bytes, lower: bytes) -> Iterator[str]:
    if not any(word in lower for word in _ENVIRONMENT):
        return
    for match in re.finditer(_VARIABLE, data):
        name = next((group for group in match.groups() if group), None)
        yield os.fsdecode(name) if name is not None else ANY_VARIABLE
    for match in re.finditer(_IFENV, data, re.IGNORECASE):
        name = re.match(_IFENV_NAME, match[1])
        yield os.fsdecode(name[1]) if name is not None else ANY_VARIABLE

"""Adds to what nasm and ld say: the source line they mean, and what to do about it.

Their own words stay as they are, so that they can be searched for; errors come before
warnings, and of very many the first ones are shown. Pure: texts in, text out.
Checked with nasm 2.15.05, 2.16.01 and 3.01 and with GNU ld 2.40 and 2.47.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from .listing import SourceLine

SourceText = Callable[[str], Sequence[str]]
"""The lines of a source by the path nasm calls it; empty when it cannot be read."""
AboutInclude = Callable[[str], "str | None"]
"""What is the matter with an include of this name, which could not be opened, if that is known."""
Locate = Callable[[str, str, int], "SourceLine | None"]
"""The source line of (file as ld calls it, section, offset)."""

_SHOWN = 20
"""How many errors of one source are shown, and how many warnings: one cause may have thousands."""
_SHOWN_WIDTH = 200
_MOST_LABELS = 5000
"""Among more, a search for a similar one takes longer than assembling them."""

_NASM_LINE = re.compile(r"(?P<file>.+?):(?P<line>\d+): (?P<kind>error|warning|fatal): (?P<text>.*)")
_MISSING_END = re.compile(
    r"symbol `(?P<symbol>.*?(?P<end>Py\w*End\w+)_is_missing)' (?:not defined|undefined)"
)


class _Message(NamedTuple):
    """One message of nasm's, with the lines that belong to it."""

    said: str
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


class _Line(NamedTuple):
    """The source line of a message, and what else a hint may need."""

    text: str
    lines: Sequence[str]
    include: AboutInclude


_Hint = Callable[[re.Match[str], _Line], "str | None"]


def explain_nasm(said: str, source: SourceText, include: AboutInclude = lambda name: None) -> str:
    """What nasm said, each error followed by its source line and, where one is known, a hint."""
    source = functools.cache(source)
    messages = _in_words(list(_messages(said.splitlines())), source)
    errors = [each for each in messages if not each.is_warning]
    warnings = [each for each in messages if each.is_warning]
    parts = [
        *_explained_nasm(errors, source, include),
        *_explained_nasm(warnings, source, include),
    ]
    return "\n".join(parts)


def _messages(said: Sequence[str]) -> Iterator[_Message]:
    last: _Message | None = None
    further: list[str] = []
    for line in said:
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
    """The messages, with those that are about something else than they say put into words."""
    told = set()
    kept = []
    for each in messages:
        if each.file and _is_utf16(source(each.file)):
            each = _error(each, 1, "NASM cannot read this file: it is in UTF-16; save it as UTF-8")
        elif missing := _MISSING_END.match(each.text):
            if missing["symbol"] in told:
                continue
            told.add(missing["symbol"])
            opener = missing["end"].replace("End", "", 1)
            each = _error(each, each.line, f"{opener} of line {each.line} has no {missing['end']}")
        kept.append(each)
    return list(dict.fromkeys(kept))


def _error(message: _Message, line: int, text: str) -> _Message:
    said = f"{message.file}:{line}: error: {text}"
    return _Message(said, message.file, line, "error", text)


def _is_utf16(lines: Sequence[str]) -> bool:
    return bool(lines) and "\0" in lines[0]


def _explained_nasm(
    messages: Sequence[_Message], source: SourceText, include: AboutInclude
) -> Iterator[str]:
    left: dict[str, int] = {}
    shown = []
    for each in messages:
        left[each.file] = left.get(each.file, 0) + 1
        # What ends nasm is its last word, and often the reason for the others.
        if left[each.file] <= _SHOWN or each.kind == "fatal":
            shown.append(each)
    for each, following in zip(shown, (*shown[1:], _Message("")), strict=False):
        yield each.said
        yield from each.further
        if each.file:
            yield from _added(each, source(each.file), include, following.place == each.place)
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
    hints = (hint(found, _Line(text, lines, include)) for found, hint in _nasm_hints(message.text))
    if message.line == 1 and lines and lines[0].startswith("\ufeff"):
        yield "  the file begins with a byte order mark, which NASM takes for a name: save it as UTF-8 without one"
    elif advice := next(filter(None, hints), None):
        yield from (f"  {line}" for line in advice.splitlines())


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_WIDTH else f"{text[:_SHOWN_WIDTH]} ..."


def _nasm_hints(text: str) -> Iterator[tuple[re.Match[str], _Hint]]:
    for pattern, hint in _NASM_HINTS:
        if found := re.search(pattern, text):
            yield found, hint


def _says(advice: str) -> _Hint:
    return lambda found, line: advice


def _undefined(found: re.Match[str], line: _Line) -> str | None:
    name = found[1]
    if name.lower() in ("ptr", "offset"):
        return f"NASM has no `{name}': `dword [x]' is the value at x, and plain `x' its address"
    if name.startswith(("Py", "_Py")):
        return f"declare it, it is CPython's:   extern {name}"
    import difflib  # slow to import, and needed for errors alone

    labels = _labels(tuple(line.lines))
    if len(labels) <= _MOST_LABELS and (
        near := difflib.get_close_matches(name, labels, n=1, cutoff=0.75)
    ):
        return f"perhaps it is:   {near[0]}"
    return f"if another source or a library defines it:   extern {name}"


@functools.lru_cache(maxsize=1)
def _labels(lines: Iterable[str]) -> frozenset[str]:
    label = re.compile(r"\s*([\w.$@?~#]+)(?::|\s+(?:d[bwdq]|equ)\b)")
    return frozenset(found[1] for line in lines if (found := label.match(line)))


_REGISTER = re.compile(
    r"[re]?(?:[abcd]x|[sd]i|[sb]p|ip)|[abcd][hl]|(?:[sd]i|[sb]p)l|r(?:[89]|[12]\d|3[01])[bwdl]?"
    r"|[xyz]mm\d+|mm[0-7]|k[0-7]|[ct]r\d+|dr\d+|bnd[0-3]|tmm[0-7]|st[0-7]?|[c-gs]s",
    re.IGNORECASE,
)


def _no_label(found: re.Match[str], line: _Line) -> str | None:
    word = re.split(r"[\s:]", line.text, maxsplit=1)[0]
    if _REGISTER.fullmatch(word):
        return f"`{word}' is the name of a register, and cannot be a label: choose another name"
    return None


def _not_opened(found: re.Match[str], line: _Line) -> str | None:
    if about := line.include(found[1]):
        return about
    if "Too many open files" in found.string:
        return None
    return "if it is elsewhere, name its folder:   Extension(..., include_dirs=[...])"


def _masm(found: re.Match[str], line: _Line) -> str | None:
    words = line.text.split()
    if len(words) > 1 and words[1].upper() == "PROC":
        name = words[0]
        return f"this is MASM syntax; NASM writes a label:   {name}:   and above it:   global {name}:function"
    if len(words) > 1 and words[1].upper() == "ENDP":
        return "this is MASM syntax; NASM has nothing to close a function with: leave the line out"
    return None


def _no_instruction(found: re.Match[str], line: _Line) -> str | None:
    text = line.text
    if not text:
        return None
    word = text.split(None, 1)[0]
    if "%e" in text or "%r" in text or re.search(r"\$0x|\$\d", text):
        return "this is AT&T syntax; NASM writes the target first, and no % or $:   mov eax, ebx"
    if word in (".globl", ".global"):
        return f"NASM writes it without the dot:   global{text[len(word) :]}:function"
    if word in (".text", ".data", ".bss", ".section"):
        name = text.split()[1] if word == ".section" and len(text.split()) > 1 else word
        return f"NASM writes it:   section {name}"
    if word.startswith("Py"):
        return 'the macros that begin with Py need:   %include "python.inc"'
    return f"`{word}' is neither an instruction nor a macro known here: misspelt, or its %include is missing"


def _size_missing(found: re.Match[str], line: _Line) -> str | None:
    if "[" not in line.text:
        return None
    return f"say how many bytes are meant, for instance 8:   {line.text.replace('[', 'qword [', 1)}"


def _two_in_memory(found: re.Match[str], line: _Line) -> str | None:
    if line.text.count("[") > 1:
        return "one instruction cannot have two operands in memory: go through a register"
    return (
        "the operands do not fit each other or this instruction: often two registers of unlike size"
    )


_NASM_HINTS: tuple[tuple[str, _Hint], ...] = (
    (r"symbol `\.\.gotpc\w*' ", _says("NASM spells it:   [rel name wrt ..got]")),
    (r"symbol `([^']+)' (?:not defined|undefined)$", _undefined),
    (r"symbol `([^']+)' not defined before use", _says("an %if sees only what stands above it")),
    (r"expected at start of line", _no_label),
    (r"instruction expected|redefined$", _masm),
    (r"instruction expected", _no_instruction),
    (r"operation size not specified", _size_missing),
    (r"invalid combination of opcode and operands", _two_in_memory),
    (
        r"not (?:supported in 64-bit mode|valid with 32-bit operand size)",
        _says("in 64-bit code push and pop take 64-bit registers, and BCD and pusha are gone"),
    ),
    (r"unable to open include file `([^']+)'", _not_opened),
    (
        r"invalid (?:64-bit )?effective address",
        _says("an address is [base + index*1, 2, 4 or 8 + number], nothing more"),
    ),
    (
        r"cannot produce non-PC-relative PLT references",
        _says("a call:   call name wrt ..plt      an address:   mov rax, [rel name wrt ..got]"),
    ),
    (
        r"(?:label|symbol) `([^']+)' (?:inconsistently )?redefined",
        _says("a label that begins with a dot belongs to the one above it, and may come again:   .loop"),
    ),
    (r"short jump is out of range", _says("leave `short' out: NASM finds the shortest form")),
    (r"`#' expects", _says("a comment begins with a semicolon:   ; ...")),
    (r"implicit DEFAULT ABS", _says("put this line at the top of the source:   default rel")),
    (r"uninitialized space declared in non-BSS", _says("put it into:   section .bss")),
    (
        r"expected `%endif' before end of file|still defining macro",
        _says("an %if wants its %endif, a %macro its %endmacro"),
    ),
)  # fmt: skip


def explain_ld(said: str, locate: Locate) -> str:
    """What ld said, with the source line of each place it names and a hint where one is known."""
    return "\n".join(_explained_ld(said.splitlines(), locate))


def without_text_relocations(said: str) -> str:
    """What ld said without its warnings of text relocations, which it cannot place."""
    kept = [line for line in said.splitlines() if not _TEXT_RELOCATION.search(line)]
    return "\n".join(kept)


_TEXT_RELOCATION = re.compile(
    r"warning: (?:relocation .*in read-only section|creating (?:a )?DT_TEXTREL)"
)
_LD_PLACE = re.compile(r"(?P<file>[^\s:]+):\((?P<section>[^()+]+)\+0x(?P<offset>[0-9a-f]+)\)")


def _explained_ld(said: Sequence[str], locate: Locate) -> Iterator[str]:
    told = set()
    for message in said:
        yield message
        for place in _LD_PLACE.finditer(message):
            if line := locate(place["file"], place["section"], int(place["offset"], 16)):
                yield f"    {line.file}:{line.number}: {line.text}"
        for pattern, advice in _LD_HINTS:
            found = re.search(pattern, message)
            if found and advice not in told:
                told.add(advice)
                yield f"  {advice.format(*found.groups())}"


_LD_HINTS = (
    (
        r"cannot find -l([^\s:]+)",
        "no lib{0}.so or lib{0}.a in Extension(library_dirs=[...]) or the system's folders; a"
        " distribution's -dev package often holds it",
    ),
    (r"undefined reference to `(?!_?Py)([^']+)'", "name the library that defines it:   Extension(libraries=[...])"),
    (r"multiple definition of `([^']+)'", "rename one, or take it out of GLOBAL where no other source uses it"),
    (
        r"recompile with -fPIC",
        "what is not position-independent cannot go into a module: compile C with -fPIC, and in"
        " assembly reach names by [rel name], [rel name wrt ..got] and name wrt ..plt",
    ),
    (
        r"hidden symbol `([^']+)'.* isn't defined",
        "it is declared hidden, so one of this module's own sources must define it",
    ),
    (
        r"plugin needed to handle lto object",
        "an object was compiled with -flto, which only the compiler's driver can link: compile it without",
    ),
    (
        r"file (?:not recognized|in wrong format)|incompatible with .* output",
        "only x86-64 ELF objects can be linked: was it made for another machine or system?",
    ),
    (r"undefined version|version node not found", "check the version script among the linker's arguments"),
)  # fmt: skip

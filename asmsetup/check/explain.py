"""Adds to what nasm and ld say: the source line they mean, and what to do about it.

Their own words stay as they are, so that they can be searched for. Pure: texts in, text out.
Checked with nasm 2.15.05, 2.16.01 and 3.01 and with GNU ld 2.40 and 2.47.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from .listing import SourceLine

SourceText = Callable[[str], Sequence[str]]
"""The lines of a source by the path nasm calls it; empty when it cannot be read."""
Locate = Callable[[str, str, int], "SourceLine | None"]
"""The source line of (file as ld calls it, section, offset)."""

_NASM_LINE = re.compile(r"(?P<file>.+?):(?P<line>\d+): (?P<kind>error|warning|fatal): (?P<text>.*)")
_Hint = Callable[[re.Match[str], str, Sequence[str]], "str | None"]


def explain_nasm(said: str, source: SourceText) -> str:
    """What nasm said, each error followed by its source line and, where one is known, a hint."""
    return "\n".join(_explained_nasm(said.splitlines(), source))


def _explained_nasm(said: Sequence[str], source: SourceText) -> Iterator[str]:
    shown: tuple[str, int] | None = None
    for message, following in zip(said, [*said, ""][1:], strict=True):
        yield message
        match = _NASM_LINE.match(message)
        if match is None:
            continue
        lines = source(match["file"])
        place = match["file"], int(match["line"])
        text = lines[place[1] - 1].strip() if 0 < place[1] <= len(lines) else ""
        # One line may have several errors: it is shown behind the last of them.
        if text and place != shown and not following.startswith(f"{place[0]}:{place[1]}:"):
            yield f"    {text}"
            shown = place
        hints = (hint(found, text, lines) for found, hint in _nasm_hints(match["text"]))
        if advice := next(filter(None, hints), None):
            yield f"  {advice}"


def _nasm_hints(text: str) -> Iterator[tuple[re.Match[str], _Hint]]:
    for pattern, hint in _NASM_HINTS:
        if found := re.search(pattern, text):
            yield found, hint


def _says(advice: str) -> _Hint:
    return lambda found, text, lines: advice


def _undefined(found: re.Match[str], text: str, lines: Sequence[str]) -> str | None:
    name = found[1]
    if name.lower() in ("ptr", "offset"):
        return f"NASM has no `{name}': `dword [x]' is the value at x, and plain `x' its address"
    if name.startswith(("Py", "_Py")):
        return f"declare it, it is CPython's:   extern {name}"
    import difflib  # slow to import, and needed for errors alone

    labels = {
        m[1]
        for line in lines
        if (m := re.match(r"\s*([\w.$@?~#]+)(?::|\s+(?:d[bwdq]|equ)\b)", line))
    }
    if near := difflib.get_close_matches(name, labels, n=1, cutoff=0.75):
        return f"perhaps it is:   {near[0]}"
    return f"if another source or a library defines it:   extern {name}"


def _no_instruction(found: re.Match[str], text: str, lines: Sequence[str]) -> str | None:
    word = text.split(None, 1)[0] if text else ""
    if "%e" in text or "%r" in text or re.search(r"\$0x|\$\d", text):
        return "this is AT&T syntax; NASM writes the target first, and no % or $:   mov eax, ebx"
    if word in (".globl", ".global"):
        return f"NASM writes it without the dot:   global{text[len(word) :]}:function"
    if word in (".text", ".data", ".bss", ".section"):
        name = text.split()[1] if word == ".section" and len(text.split()) > 1 else word
        return f"NASM writes it:   section {name}"
    if word.startswith("Py"):
        return 'the macros that begin with Py need:   %include "python.inc"'
    return (
        f"`{word}' is no instruction and no macro known here: misspelt, or its %include is missing"
    )


def _size_missing(found: re.Match[str], text: str, lines: Sequence[str]) -> str | None:
    if "[" not in text:
        return None
    return f"say how many bytes are meant, for instance 8:   {text.replace('[', 'qword [', 1)}"


def _two_in_memory(found: re.Match[str], text: str, lines: Sequence[str]) -> str | None:
    if text.count("[") > 1:
        return "one instruction cannot have two operands in memory: go through a register"
    return (
        "the operands do not fit each other or this instruction: often two registers of unlike size"
    )


_NASM_HINTS: tuple[tuple[str, _Hint], ...] = (
    (r"symbol `\.\.gotpc\w*' ", _says("NASM spells it:   [rel name wrt ..got]")),
    (r"symbol `([^']+)' (?:not defined|undefined)$", _undefined),
    (r"symbol `([^']+)' not defined before use", _says("an %if sees only what stands above it")),
    (r"instruction expected", _no_instruction),
    (r"operation size not specified", _size_missing),
    (r"invalid combination of opcode and operands", _two_in_memory),
    (
        r"not (?:supported in 64-bit mode|valid with 32-bit operand size)",
        _says("in 64-bit code push and pop take 64-bit registers, and BCD and pusha are gone"),
    ),
    (
        r"unable to open include file `([^']+)'",
        _says("if it is elsewhere, name its folder:   Extension(..., include_dirs=[...])"),
    ),
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
    (r"undefined reference to `([^']+)'", "name the library that defines it:   Extension(libraries=[...])"),
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

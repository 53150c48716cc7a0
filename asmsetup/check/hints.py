"""Advice for messages of nasm's, found by their words.

Pure but for the names of python.inc's macros, which misspelt.py reads.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence

from ..named import NamedTuple
from . import att, misspelt
from .calls.expressions import is_register

AboutInclude = Callable[[str], "str | None"]
"""Returns why an include of this name could not be opened, None when that is not known."""

_MOST_LABELS = 5000
"""Among more, a search for a similar one takes longer than assembling them."""


class MessageLine(NamedTuple):
    """The source line of a message, and what else a hint may need."""

    text: str
    lines: Sequence[str]
    include: AboutInclude


_Hint = Callable[[re.Match[str], MessageLine], "str | None"]


def hint(text: str, line: MessageLine) -> str | None:
    """Return what to do about a message with this text; None where nothing is known."""
    matches = ((re.search(pattern, text), advise) for pattern, advise in _HINTS)
    return next(filter(None, (advise(found, line) for found, advise in matches if found)), None)


def _says(advice: str) -> _Hint:
    return lambda found, line: advice


def _undefined(found: re.Match[str], line: MessageLine) -> str | None:
    name = found[1]
    if name.startswith("PyCPU_"):
        return misspelt.feature(name)
    if name.startswith(("Py", "_Py")):
        return f"declare it, it is CPython's:   extern {name}"
    if name.lower() in att.MNEMONICS:
        return f"`{name}' is an instruction; give the routine, and its label, another name"
    import difflib  # slow to import, and needed for errors alone

    labels = _labels(tuple(line.lines))
    if len(labels) <= _MOST_LABELS and (
        near := difflib.get_close_matches(name, labels, n=1, cutoff=0.75)
    ):
        return f"perhaps it is:   {near[0]}"
    if _MACRO_NAME.fullmatch(name):
        return (
            f'if the build defines it as a macro:   Extension(..., define_macros=[("{name}", "1")])'
        )
    return f"if another source or a library defines it:   extern {name}"


_MACRO_NAME = re.compile(r"[A-Z][A-Z0-9_]{2,}|private_prefix")


def _before_use(found: re.Match[str], line: MessageLine) -> str | None:
    if found[1] in _labels(tuple(line.lines)):
        return "an %if sees only what stands above it"
    return (
        "an %if sees only what stands above it; if the build defines it as a macro:"
        f'   Extension(..., define_macros=[("{found[1]}", "1")])'
    )


@functools.lru_cache(maxsize=1)
def _labels(lines: Iterable[str]) -> frozenset[str]:
    label = re.compile(r"\s*([\w.$@?~#]+)(?::|\s+(?:d[bwdq]|equ)\b)")
    struc = re.compile(r"\s*struc\s+([\w.$@?~#]+)", re.IGNORECASE)
    labels = {found[1] for line in lines if (found := label.match(line))}
    sizes = {f"{found[1]}_size" for line in lines if (found := struc.match(line))}
    return frozenset(labels | sizes)


def _no_label(found: re.Match[str], line: MessageLine) -> str | None:
    word = re.split(r"[\s:]", line.text, maxsplit=1)[0]
    if word.isdecimal():
        return misspelt.numbered_label(word)
    if is_register(word):
        return f"`{word}' is the name of a register, and cannot be a label: choose another name"
    return None


def _not_opened(found: re.Match[str], line: MessageLine) -> str | None:
    if about := line.include(found[1]):
        return about
    if "Too many open files" in found.string:
        return None
    return "if it is elsewhere, name its folder:   Extension(..., include_dirs=[...])"


def _no_instruction(found: re.Match[str], line: MessageLine) -> str | None:
    statement = misspelt.statement(line.text)
    if not statement:
        return None
    if advice := misspelt.advice(line.text):
        return advice
    if misspelt.is_macro_like(line.text):
        return 'the macros that begin with Py need:   %include "python.inc"'
    word = statement.split(None, 1)[0]
    return f"`{word}' is neither an instruction nor a macro known here: misspelt, or its %include is missing"


def _label_alone(found: re.Match[str], line: MessageLine) -> str | None:
    if advice := misspelt.advice(line.text):
        return advice
    return f"an instruction that is misspelt; or, if it is a label:   {line.text.split()[0]}:"


def _without_brackets(found: re.Match[str], line: MessageLine) -> str:
    if written := misspelt.bracketed(line.text, line.lines):
        return f"a name of PyLocal, PyBuffer or PyArguments is an address:\nwrite:   {written}"
    return "a name of PyLocal or PyBuffer is an address, and needs brackets:   mov rax, [name]"


def _slot(found: re.Match[str], line: MessageLine) -> str | None:
    near = misspelt.slot(found[1])
    return f"did you mean {near}?" if near else None


def _size_missing(found: re.Match[str], line: MessageLine) -> str | None:
    if "[" not in line.text:
        return None
    return f"say how many bytes are meant, for instance 8:   {line.text.replace('[', 'qword [', 1)}"


def _two_in_memory(found: re.Match[str], line: MessageLine) -> str | None:
    if line.text.count("[") > 1:
        return "one instruction cannot have two operands in memory: go through a register"
    return (
        "the operands do not fit each other or this instruction: often two registers of unlike size"
    )


def _differs(found: re.Match[str], line: MessageLine) -> str:
    return (
        f"{found[1]} differs between Pythons, and universal = true makes one file for all of them:\n"
        "let PyModule, PyType and the other macros lay the structure out, or leave `universal' out"
    )


_HINTS: tuple[tuple[str, _Hint], ...] = (
    (r"`ptr' is not a NASM keyword", _says("give a label that is called so another name")),
    (r"\(?([\w.]+?)__is_not_the_same_in_every_Python", _differs),
    (
        r"\(?([\w.]+?)__is_not_in_the_limited_API",
        _says("the stable ABI hides it: use a function of the API, or build without py_limited_api"),
    ),
    (
        r"\(?[\w.]+?__is_new_in_Python_(\d+\.\d+)",
        lambda found, line: f"older Pythons lack it: build with Python {found[1]} or newer, or leave it out there",
    ),
    (r"symbol `\.\.gotpc\w*' ", _says("NASM spells it:   [rel name wrt ..got]")),
    (r"symbol `([^']+)' (?:not defined|undefined)$", _undefined),
    (r"symbol `([^']+)' not defined before use", _before_use),
    (r"expected at start of line", _no_label),
    (r"instruction expected", _no_instruction),
    (
        r"unable to find a suitable global symbol",
        lambda found, line: misspelt.own_label(line.text, _labels(tuple(line.lines))),
    ),
    (r"operation size not specified", _size_missing),
    (r"label alone on a line", _label_alone),
    (r"invalid register set size", _without_brackets),
    (r"`(\w+)' is not a slot of a type", _slot),
    (r"that PyDispatch does not know: ([\w.]+)", lambda found, line: misspelt.feature(found[1])),
    (r"invalid combination of opcode and operands", _two_in_memory),
    (r"signed dword immediate exceeds", _says("the processor takes 32 bits with a sign here, and no more: load the number into another register, and use that")),
    (r"not (?:supported in 64-bit mode|valid with 32-bit operand size)", _says("in 64-bit code push and pop take 64-bit registers, and BCD and pusha are gone")),
    (r"unable to open include file `([^']+)'", _not_opened),
    (r"invalid (?:64-bit )?effective address", _says("an address is [base + index*1, 2, 4 or 8 + number], nothing more")),
    (
        r"cannot produce non-PC-relative PLT references",
        _says("a call:   call name wrt ..plt      an address:   mov rax, [rel name wrt ..got]"),
    ),
    (
        r"(?:label|symbol) `([^']+)' (?:inconsistently )?redefined",
        _says("a label that begins with a dot belongs to the one above it, and may come again:   .loop"),
    ),
    (r"short jump is out of range", _says("leave `short' out: NASM finds the shortest form")),
    (r"implicit DEFAULT ABS", _says("put this line at the top of the source:   default rel")),
    (r"uninitialized space declared in non-BSS", _says("put it into:   section .bss")),
    (r"expected `%endif' before end|still defining macro", _says("each %if needs an %endif, each %macro an %endmacro")),
)  # fmt: skip

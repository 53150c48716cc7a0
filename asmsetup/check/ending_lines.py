"""Describes how functions end wrongly, at the user's lines. Imported only when one may."""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import corrections
from .code.prototypes import prototype
from .endings import Function, Result
from .findings import ERROR, Finding
from .listing import Row, SourceLine
from .places import ObjectPlaces

_LEAVING = frozenset(
    ("ret", "retn", "retf", "jmp", "ud2", "ud1", "hlt", "int3", "iret", "iretq", "call", "incbin")
)
_JUMP = re.compile(
    r"(?:[\w.$@?~#]+:\s*)?(j\w+)\s+(?:short |near )?([\w.$@?~#]+)\s*(?:;|$)", re.IGNORECASE
)
_CLOSER = re.compile(r"\s*PyEnd(?:Function|Routine|Frame)\b")
_OPENER = re.compile(r"\s*Py(?:Function|Routine|Frame)\b")
_BARE = re.compile(r"\s*(?:[\w.$@?~#]+:\s*)?([a-z]\w*)\s*(?:;|$)", re.IGNORECASE)
_PADDING = ("align", "nop")
"""With smartalign, say, its bytes are longer instructions than 0x90."""
_NOPS = {0x90}
_MACRO = re.compile(r"(?:[\w.$@?~#]+:\s*)?(Py\w+)")
_MACROS_THAT_LEAVE = re.compile(r"Py(Return|TailCall|_RETURN_\w+|End\w+)$")
_MAKERS = {
    "i": ("movsxd rdi, eax", "PyCall PyLong_FromLong"),
    "l": ("mov rdi, rax", "PyCall PyLong_FromSsize_t"),
    "d": ("PyCall PyFloat_FromDouble",),
    "v": ("Py_RETURN_NONE",),
}
_RETURNED = {"i": "an int", "l": "a number", "d": "a double", "v": "nothing"}


def falls_off(places: ObjectPlaces, function: Function) -> Iterator[Finding]:
    """Yield the finding for a function with a path to its end, if the lines confirm it."""
    rows = _rows(places, function)
    closer = _closer(places, function, rows)
    if closer is None:
        return
    # A few bytes further on, in another section, may be the same as there.
    rows = [row for row in rows if row.line.number < closer.number]
    while rows and _is_padding(rows[-1]):
        rows.pop()
    if not rows:
        return
    if way := _last_instruction(rows, function) or _jump_to_end(places, rows, function):
        yield Finding(
            "falls-off",
            ERROR,
            closer.file,
            closer.number,
            f"a path of {function.name} ends here without a return: {way}, and the processor"
            f" goes on into {function.following or 'whatever follows'}",
            closer.text,
            tuple(_endings(function, closer)),
            function=function.name,
        )


def _is_padding(row: Row) -> bool:
    return set(row.content) == _NOPS or (row.line.direct and _word(row.line) in _PADDING)


def _word(line: SourceLine) -> str:
    """Return the instruction or directive of a line, in lower case; empty for data."""
    written, bare = corrections.parse(line.text), _BARE.match(line.text)
    return written.mnemonic.lower() if written else bare[1].lower() if bare else ""


def _endings(function: Function, closer: SourceLine) -> Iterator[str]:
    is_plain = function.following or "PyEndFrame" in closer.text
    yield f"add above it:   {'ret' if is_plain else 'PyReturn'}"
    if function.following:
        yield f"or, where that is meant:   jmp {function.following}"


def _rows(places: ObjectPlaces, function: Function) -> list[Row]:
    """Return the lines that put bytes into a function; a macro may have changed the section."""
    if places.listing is None:
        return []
    content = places.content(function.section)
    return [
        row
        for row in places.listing.rows
        if function.start <= row.offset < function.end and row.content and row.agrees(content)
    ]


def _closer(places: ObjectPlaces, function: Function, rows: list[Row]) -> SourceLine | None:
    """Return the line that closes the function, or opens the following one, behind its first."""
    if not rows or places.listing is None:
        return None
    if function.following and (line := places.label(function.following)):
        return line
    first = rows[0].line
    written = _OPENER if function.following else _CLOSER
    for line in places.listing.lines:
        if line.file == first.file and line.number > first.number and written.match(line.text):
            return line
    return None


def _last_instruction(rows: list[Row], function: Function) -> str:
    """Return in words that the last instruction leads on; nothing if it may not."""
    row = rows[-1]
    if row.end > function.end:
        return ""
    line = row.line
    if line.direct:
        word = _word(line)
        # A line that is not an instruction is data: where that is, its author has thought of it.
        leads_on = word and word not in _LEAVING
    else:
        macro = _MACRO.match(line.text)
        leads_on = macro is not None and not _MACROS_THAT_LEAVE.match(macro[1])
    return f"line {line.number} is not a return" if leads_on else ""


def _jump_to_end(places: ObjectPlaces, rows: list[Row], function: Function) -> str:
    """Return in words that a jump leads to a label at the end; nothing if none does."""
    at_end = {
        symbol.name
        for symbol in places.object.facts.symbols
        if symbol.section_index == function.section.number and symbol.value == function.end
    }
    for row in rows:
        if row.line.direct and (jump := _JUMP.match(row.line.text)):
            target = jump[2]
            is_local = target[0] == "." and function.name + target in at_end
            # Another function may be jumped to: one whose label is known begins there.
            if is_local or (target in at_end and not function.following):
                return f"line {row.line.number} jumps to `{target}'"
    return ""


def no_object(places: ObjectPlaces, function: Function, result: Result) -> Iterator[Finding]:
    """Yield the finding for a result that is not an object, if the line confirms it."""
    offset = function.start + result.offset
    row = next((row for row in _rows(places, function) if row.offset == offset), None)
    if row is None:
        return
    line = row.line
    if result.called:
        kind = prototype(result.called).result
        what = f"{result.called} returns {_RETURNED[kind]}"
        written = (f"PyCall {result.called}", *_MAKERS[kind])
        if result.jumps:
            written = (*written, "PyReturn") if kind != "v" else written
    else:
        if not _makes_number(line, result.register):
            return
        what = f"{result.number} is a number"
        register = "edi" if 0 <= result.number < 1 << 32 else "rdi"
        written = (f"mov {register}, {result.number}", "PyCall PyLong_FromLong")
        if result.register:
            written = (*written, f"mov {result.register}, rax")
        elif not line.direct:
            written = (written[0], "PyTailCall PyLong_FromLong")
    yield Finding(
        "result-no-object",
        ERROR,
        line.file,
        line.number,
        f"{function.name} must return an object, and {what}: the process ends with a segmentation"
        " fault",
        line.text,
        (f"write:   {written[0]}", *(f"         {each}" for each in written[1:])),
    )


def _makes_number(line: SourceLine, through: str) -> bool:
    if not line.direct:
        return re.match(r"(?:[\w.$@?~#]+:\s*)?PyReturn\b", line.text) is not None
    written = corrections.parse(line.text)
    return (
        written is not None
        and written.mnemonic.lower() == "mov"
        and (bool(through) or written.operands[0].lower() in ("eax", "rax"))
    )

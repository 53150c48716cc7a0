"""Puts a line in MASM's syntax into NASM's: directives, declarations, data."""

from __future__ import annotations

import re
from collections.abc import Sequence

from . import att

_NAME = r"[\w.$@?~]+"

_DATA = {
    "byte": "db",
    "sbyte": "db",
    "word": "dw",
    "sword": "dw",
    "dword": "dd",
    "sdword": "dd",
    "qword": "dq",
    "sqword": "dq",
    "real4": "dd",
    "real8": "dq",
    "real10": "dt",
    "tbyte": "dt",
}
_FORMS: tuple[tuple[str, str], ...] = (
    (rf"({_NAME})\s+proc\b.*", r"\1:"),
    (rf"{_NAME}\s+endp\b.*", ""),
    (r"end(?:\s+\w+)?", ""),
    (r"\.(?:model|386|486|586|686|mmx|xmm|stack|startup|exit)\b.*", ""),
    (r"\.code\b.*", "section .text"),
    (r"\.const\b.*", "section .rodata"),
    (r"\.data\?.*", "section .bss"),
    (r"_text\s+segment\b.*", "section .text"),
    (r"_data\s+segment\b.*", "section .data"),
    (r"(?:const|_rdata)\s+segment\b.*", "section .rodata"),
    (r"_bss\s+segment\b.*", "section .bss"),
    (rf"{_NAME}\s+ends\b.*", ""),
    (rf"extr?e?rn\s+({_NAME})\s*:\s*\w+(?:\s+ptr)?", r"extern \1"),
    (rf"extrn\s+({_NAME})", r"extern \1"),
    (rf"public\s+({_NAME})", r"global \1:function"),
    (rf"({_NAME})\s+label\s+\w+", r"\1:"),
    (rf"({_NAME})\s+proto\b.*", r"extern \1"),
    (r"(?:ifn?def\s+\w+|else|endif)", r"%\g<0>"),
    (rf"({_NAME})\s+(?:textequ|equ)\s+<(.*)>", r"%define \1 \2"),
    (r"\.(?:pushreg|endprolog|allocstack|setframe|savereg|savexmm128)\b.*", ""),
    (r"includelib\s+.*", ""),
    (r"(?:title|subtitle|subttl|page|option|assume)\s+.*", ""),
    (r"include\s+[\"<]?([^\">]+)[\">]?", r'%include "\1"'),
)
_WITHOUT_A_FORM = re.compile(
    r"^\.(?:while|endw|repeat|until\w*|break|continue)\b"
    rf"|^\.(?:else)?if\s.*(?:==|!=|&&|\|\||\b(?:{att.REGISTER})\b)",
    re.I,
)


Form = tuple[tuple[str, ...] | None, str | None]


def in_nasm(code: str, source: Sequence[str] = ()) -> Form | None:
    """Return NASM's lines, and what has to stand above them; None when it is not MASM's syntax.

    No lines mean that the line is left out, None for them that there is no simple form.
    ``source`` has the lines of the file.
    """
    if found := re.fullmatch(rf"invoke\s+({_NAME})\s*(?:,\s*(.*))?", code, re.I):
        return _called(found[1], found[2] or "", source)
    if _SIZE.search(code):
        return _with_sizes(code, source), None
    if _WITHOUT_A_FORM.search(code):
        return None, None
    for pattern, line in _FORMS:
        if found := re.fullmatch(pattern, code, re.I):
            written = found.expand(line)
            above = f"global {found[1]}:function" if "proc" in pattern else None
            return (written,) if written else (), above
    if found := re.fullmatch(rf"(?:({_NAME})\s+)?(\w+)\s+(?!ptr\b|\[)(.+)", code, re.I):
        if (found[1] or "").lower() in att.MNEMONICS:
            return None
        directive = _DATA.get(found[2].lower())
        is_duplicate = re.match(r"d[bwdq]$", found[2], re.I) and re.search(
            r"\bdup\b", found[3], re.I
        )
        if directive or is_duplicate:
            name = f"{found[1]}: " if found[1] else ""
            return _data(name, directive or found[2], found[3]), None
    return None


def _data(name: str, directive: str, values: str) -> tuple[str, ...] | None:
    """Return one line for values, or for one DUP."""
    if found := re.fullmatch(r"(\w+)\s+dup\s*\(\s*([^()]+?)\s*\)", values, re.I):
        value = "0" if found[2] == "?" else found[2]
        return (f"{name}times {found[1]} {directive} {value}",)
    if re.search(r"\bdup\b", values, re.I):
        return None
    return (f"{name}{directive} {re.sub(r'[?]', '0', values)}",)


_SIZE = re.compile(rf"\b(sizeof|lengthof|type)\s+({_NAME})", re.I)
_WIDTHS = {"db": 1, "dw": 2, "dd": 4, "dq": 8, "dt": 10}


def _with_sizes(code: str, source: Sequence[str]) -> tuple[str, ...] | None:
    """Return the line with numbers for sizes of what the file defines; NASM keeps none."""
    missing = False

    def number(found: re.Match[str]) -> str:
        nonlocal missing
        size = _size(found[2], source)
        missing |= size is None
        width, count = size or (0, 0)
        return str({"sizeof": width * count, "lengthof": count, "type": width}[found[1].lower()])

    line = _SIZE.sub(number, code)
    return None if missing else (line,)


def _size(name: str, source: Sequence[str]) -> tuple[int, int] | None:
    """Return the bytes of an element of the data called ``name``, and how many there are."""
    for line in source:
        defined = rf"\s*{re.escape(name)}:?\s+(?:times\s+(\d+)\s+)?(\w+)\s+([^;]+)"
        if found := re.match(defined, line, re.I):
            width = _WIDTHS.get(_DATA.get(found[2].lower(), found[2].lower()))
            count = _count(found[3].strip(), width == 1)
            return None if width is None or count is None else (width, int(found[1] or 1) * count)
    return None


def _count(values: str, of_bytes: bool) -> int | None:
    if found := re.fullmatch(r"(\d+)\s+dup\s*\(\s*([^(),]+)\s*\)", values, re.I):
        return int(found[1])
    items = re.findall(r"\s*(?:\"([^\"]*)\"|'([^']*)'|([^\"',()]+?))\s*(?:,|$)", values)
    if not items or re.search(r"[()`]", values):
        return None
    return sum(
        1 if other or not of_bytes else len(double or single) for double, single, other in items
    )


_ARGUMENTS = ("rdi", "rsi", "rdx", "rcx", "r8", "r9")
_NARROW = {
    **{f"e{name[1:]}": name for name in ("rdi", "rsi", "rdx", "rcx")},
    **{f"{name}d": name for name in ("r8", "r9")},
}


def _called(name: str, text: str, source: Sequence[str]) -> Form:
    """Return the call with its arguments in registers, as on Linux (System V ABI)."""
    given = [part.strip() for part in text.split(",")] if text else []
    lines: list[str] = []
    if len(given) > len(_ARGUMENTS):
        return None, None
    for position, (register, value) in enumerate(zip(_ARGUMENTS, given, strict=False)):
        if _NARROW.get(value.lower(), value.lower()) in _ARGUMENTS[:position]:
            return None, None  # it is overwritten by then
        if found := re.fullmatch(rf"(?:addr|offset)\s+({_NAME})", value, re.I):
            lines.append(f"lea {register}, [rel {found[1]}]")
        elif value.lower() in _NARROW:
            narrow = next(each for each, wide in _NARROW.items() if wide == register)
            lines.append(f"mov {narrow}, {value}")
        elif re.fullmatch(r"-?\d\w*|r\w{1,2}", value, re.I):
            lines += [f"mov {register}, {value}"] * (value.lower() != register)
        else:
            return None, None  # MASM takes its width from the declaration
    if any(re.match(rf"\s*{re.escape(name)}(?::|\s+proc\b)", line, re.I) for line in source):
        return (*lines, f"call {name}"), None
    return (*lines, f"call {name} wrt ..plt"), f"extern {name}"

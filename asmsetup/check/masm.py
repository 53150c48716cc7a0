"""Puts a line in MASM's syntax into NASM's: directives, declarations, data."""

from __future__ import annotations

import re

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
    (r"includelib\s+.*", ""),
    (r"(?:title|subtitle|subttl|page|option|assume)\s+.*", ""),
    (r"include\s+[\"<]?([^\">]+)[\">]?", r'%include "\1"'),
)
_WITHOUT_A_FORM = re.compile(
    r"^invoke\s|^\.(?:while|endw|repeat|until\w*|break|continue|elseif)\b|\b(?:sizeof|lengthof)\s"
    rf"|^\.if\s.*(?:==|!=|&&|\|\||\b(?:{att.REGISTER})\b)",
    re.I,
)


def in_nasm(code: str) -> tuple[tuple[str, ...] | None, str | None] | None:
    """Return NASM's lines, and what has to stand above them; None when it is not MASM's syntax.

    No lines mean that the line is left out, None for them that there is no simple form.
    """
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

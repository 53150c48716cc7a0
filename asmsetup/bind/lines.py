"""Lines of NASM as the project writes them: labels in column 0, mnemonics in 4, comments in 36."""

from __future__ import annotations

import functools
import re

_ESCAPES = {byte: f"\\x{byte:02x}" for byte in (*range(32), *b"`\\", *range(127, 256))}
_ESCAPES[ord("\n")] = "\\n"


def quoted(text: str) -> str:
    """Return the text as a string of NASM's."""
    for quote in ('"', "'"):
        if quote not in text:
            return f"{quote}{text}{quote}"
    escaped = text.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


@functools.cache  # most lines are those of other bindings, too
def op(mnemonic: str, operands: str = "", comment: str = "") -> str:
    """Return a line: mnemonics in column 4, operands in 16, comments in 36."""
    line = f"    {mnemonic:<11} {without_zero(operands)}".rstrip()
    return aligned(f"{line} ; {comment}") if comment else line


def without_zero(text: str) -> str:
    """Return the text with addresses without a distance of 0: they take NASM longer."""
    return text.replace(" + 0]", "]")


def label(name: str) -> str:
    """Return the line of a label."""
    return f"{name}:"


@functools.cache
def aligned(line: str) -> str:
    """Return the line with its comment, if it has one, where comments are."""
    code, semicolon, comment = line.partition(";")
    if not semicolon or not code.strip():
        return line
    return f"{code.rstrip():<35} ; {comment.strip()}"


def data(name: str, content: str) -> str:
    """Return a line of data with its label: ``db 1, 2`` as ``.name: db 1, 2``."""
    mnemonic, _, operands = content.partition(" ")
    return f"{name}:".ljust(15) + " " + f"{mnemonic:<5} {operands}"


def unquoted(string: str) -> str:
    """Return what a string of NASM's stands for; only backquotes know escapes."""
    if string[0] == "`":
        return re.sub(r"\\(.)", r"\1", string[1:-1])
    return string[1:-1]


def escaped(content: bytes) -> str:
    """Return one of NASM's strings for bytes: it takes less time than a list of numbers."""
    letters = content.decode("latin-1").translate(_ESCAPES)
    return f"`{letters}`"

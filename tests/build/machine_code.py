"""Modules with one function whose lines are checked."""

from __future__ import annotations

HEAD = '%include "python.inc"\nPyModule hello\n'
KEPT = """PyFunction answer, METH_NOARGS
    mov edi, 42
    PyTailCall PyLong_FromLong
PyEndFunction
PyEndModule
"""


def plain(lines: str, flags: str = "METH_NOARGS", extern: str = "") -> str:
    """The source of a module with one plain routine as its method."""
    names = "".join(f"extern {name}\n" for name in extern.split())
    method = f'PyMethod "answer", answer, {flags}'
    return f"{HEAD}{names}{method}\nPyEndModule\nsection .text\nanswer:\n{lines}"


def function(lines: str, flags: str = "METH_O, -, object") -> str:
    """The source of a module with one PyFunction."""
    return f"{HEAD}PyFunction answer, {flags}\n{lines}PyEndFunction\nPyEndModule\n"

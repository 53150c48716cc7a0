"""NASM, the Netwide Assembler, compiled once to run on every x86-64 Linux."""

from __future__ import annotations

import os

__all__ = ["path"]


def path() -> str:
    """Return the path of the program."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "nasm")

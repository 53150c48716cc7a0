"""Which sources are for NASM, by their names; imports nothing, as every setuptools build loads it."""

from __future__ import annotations

SUFFIXES = (".asm", ".nasm", ".nas", ".yasm")
"""The suffixes of sources for NASM, in lower case."""


def is_assembly(source: object) -> bool:
    """Return whether a source (a string or a path) is for NASM, by its name."""
    return str(source).lower().endswith(SUFFIXES)

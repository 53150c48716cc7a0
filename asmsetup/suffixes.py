"""How a source for NASM is told by its name; imports nothing, as every build of an environment loads it."""

from __future__ import annotations

SUFFIXES = (".asm", ".nasm")
"""The suffixes of sources for NASM."""


def is_assembly(source: object) -> bool:
    """Return whether a source (a string or a path) is for NASM, by its name."""
    return str(source).endswith(SUFFIXES)

"""Which sources and extensions are asmsetup's; imports nothing, as every setuptools build loads it."""

from __future__ import annotations

SUFFIXES = (".asm", ".nasm", ".nas", ".yasm")
"""The suffixes of sources for NASM, in lower case."""


def is_assembly(source: object) -> bool:
    """Return whether a source (a string or a path) is for NASM, by its name."""
    return str(source).lower().endswith(SUFFIXES)


def is_ours(ext: object) -> bool:
    """Return whether an extension or a library is asmsetup's to build.

    One with a source for NASM is, and one of asmsetup's own classes. A library may be a pair of
    its name and a dictionary.
    """
    if isinstance(ext, tuple) and len(ext) == 2 and isinstance(ext[1], dict):
        return any(map(is_assembly, ext[1].get("sources") or ()))
    return getattr(ext, "of_asmsetup", False) or any(
        map(is_assembly, getattr(ext, "sources", None) or ())
    )

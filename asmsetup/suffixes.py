"""Which sources and extensions are asmsetup's; imports nothing, as every setuptools build loads it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SUFFIXES = (".asm", ".nasm", ".nas", ".yasm")
"""The suffixes of sources for NASM, in lower case."""


def is_assembly(source: object) -> bool:
    """Return whether a source (a string or a path) is for NASM, by its name."""
    return str(source).lower().endswith(SUFFIXES)


def is_gas(source: object) -> bool:
    """Return whether a source is for GAS, the assembler behind the C compiler: .S and .s."""
    return str(source).endswith((".S", ".s"))


def is_ours(ext: object) -> bool:
    """Return whether an extension or a library is asmsetup's to build.

    One with assembly is, for NASM or for GAS, and one of asmsetup's own classes. A library may be a pair of
    its name and a dictionary.
    """
    if isinstance(ext, tuple) and len(ext) == 2 and isinstance(ext[1], dict):
        sources = ext[1].get("sources")
    else:
        sources = getattr(ext, "sources", None)
    return getattr(ext, "of_asmsetup", False) or any(
        is_assembly(source) or is_gas(source) for source in sources or ()
    )


def has_assembly(dist: Any) -> bool:
    """Return whether any extension or library of a distribution is asmsetup's to build."""
    return any(map(is_ours, (*(dist.ext_modules or ()), *(dist.libraries or ()))))

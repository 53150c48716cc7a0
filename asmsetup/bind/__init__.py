"""Typed functions: from the signatures that sources declare to the assembly that binds them.

Imports nothing until there is a signature: most builds have none.
"""

from __future__ import annotations

from collections.abc import Iterable

from .macros import MACROS


def bindings_for(files: Iterable[str], own: str) -> str:
    """Return the bindings for a source and its includes, empty when they declare none.

    ``own`` is the folder of asmsetup's own includes, which are not looked into. Raises
    OSError for a file that cannot be read.
    """
    from .bindings import bindings
    from .declarations import find, read

    texts = read(files, own)
    declares = any(macro in text for text in texts for macro in MACROS)
    return bindings(find(texts)) if declares else ""


def stub_for(files: Iterable[str], own: str) -> str:
    """Return the stub (.pyi) of the module that a source and its includes declare.

    Raises SignatureError for a wrong signature, and OSError for a file that cannot be read.
    """
    from .declarations import read
    from .stubs import stub

    return stub(read(files, own))

"""Typed functions: from the signatures that sources declare to the assembly that binds them."""

from __future__ import annotations

from collections.abc import Iterable

from .bindings import bindings
from .declarations import MACROS, find, read
from .stubs import stub


def bindings_for(files: Iterable[str], own: str) -> str:
    """Return the bindings for a source and its includes, empty when they declare none.

    ``own`` is the folder of asmsetup's own includes, which are not looked into. Raises
    OSError for a file that cannot be read.
    """
    texts = read(files, own)
    declares = any(macro in text for text in texts for macro in MACROS)
    return bindings(find(texts)) if declares else ""


def stub_for(files: Iterable[str], own: str) -> str:
    """Return the stub (.pyi) of the module that a source and its includes declare.

    Raises SignatureError for a wrong signature, and OSError for a file that cannot be read.
    """
    return stub(read(files, own))

"""Typed functions: from the signatures that sources declare to the assembly that binds them."""

from __future__ import annotations

from collections.abc import Iterable

from .bindings import bindings
from .declarations import find, read


def bindings_for(files: Iterable[str], own: str) -> str:
    """Return the bindings for a source and its includes, empty when they declare none.

    ``own`` is the folder of asmsetup's own includes, which are not looked into. Raises
    OSError for a file that cannot be read.
    """
    texts = read(files, own)
    return bindings(find(texts)) if texts else ""

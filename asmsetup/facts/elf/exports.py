"""The names of a shared library, one at a time."""

from __future__ import annotations

import os
from functools import cached_property

from .damage import unpack
from .layout import GNU_HASH_HEADER, WORD
from .reader import Reader, from_file
from .records import Section


class Exports:
    """The names a shared library defines, looked up one at a time through its hash table."""

    def __init__(self, data: bytes) -> None:
        """Raises ObjectError when ``data`` is not a shared library."""
        self._reader = Reader(data)
        self._reader.require("module")

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> Exports:
        """As the constructor, from the file at ``path``; ObjectError names it."""
        return from_file(path, cls)

    def __contains__(self, name: str) -> bool:
        table = self._reader.section_of_type("gnu_hash")
        symbols = self._reader.section_of_type("dynsym")
        if table is None or symbols is None:
            return name in self.names
        return self._looked_up(name.encode(), table, symbols)

    @cached_property
    def names(self) -> frozenset[str]:
        """All of them: slow for a large library."""
        return frozenset(symbol.name for symbol in self._reader.facts().exported)

    def _looked_up(self, name: bytes, table: Section, symbols: Section) -> bool:
        """Follow one chain of DT_GNU_HASH (its only description is in binutils and glibc)."""
        data = self._reader.content(table)
        buckets, first, bloom_words, _ = unpack(GNU_HASH_HEADER, data, 0)
        if not buckets:
            return False
        hash_ = 5381
        for byte in name:
            hash_ = (hash_ * 33 + byte) & 0xFFFFFFFF
        chains = GNU_HASH_HEADER.size + 8 * bloom_words + 4 * buckets
        (index,) = unpack(WORD, data, chains - 4 * buckets + 4 * (hash_ % buckets))
        while index >= first:
            (chained,) = unpack(WORD, data, chains + 4 * (index - first))
            if chained | 1 == hash_ | 1 and self._reader.is_called(symbols, index, name):
                return True
            if chained & 1:  # the chain's end
                return False
            index += 1
        return False

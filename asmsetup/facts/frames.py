"""Reads which code a section .eh_frame describes; how it is unwound is not looked at."""

from __future__ import annotations

from struct import unpack_from


def frames(content: bytes, address: int) -> tuple[list[tuple[int, int]], int]:
    """Return where each described stretch of code begins and ends, and how far readers read.

    ``content`` is the section, its relocations applied, and ``address`` its place.
    """
    found: list[tuple[int, int]] = []
    at = 0
    while at + 16 <= len(content):
        size, common, start, length = unpack_from("<IIiI", content, at)
        if size == 0:
            break
        if common:  # compilers' and NASM's are all 4 bytes, relative to their place (0x1b)
            start += address + at + 8
            found.append((start, start + length))
        at += 4 + size
    return found, at

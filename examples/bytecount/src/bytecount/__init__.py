"""Counts bytes, with a library in assembly that ctypes calls."""

from __future__ import annotations

import ctypes
from pathlib import Path

__all__ = ["count_all", "count_byte"]

_library = ctypes.CDLL(str(Path(__file__).with_name("libbytecount.so")))

_library.count_byte.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint8]
_library.count_byte.restype = ctypes.c_size_t

_Counts = ctypes.c_uint64 * 256
_library.count_all.argtypes = [ctypes.c_char_p, ctypes.c_size_t, _Counts]
_library.count_all.restype = None


def count_byte(data: bytes, value: int) -> int:
    """Return how many bytes of data are value. Raise ValueError unless value is a byte."""
    if not 0 <= value <= 255:
        raise ValueError("value must be from 0 to 255")
    return int(_library.count_byte(data, len(data), value))


def count_all(data: bytes) -> list[int]:
    """Return how often each of the 256 bytes is in data."""
    counts = _Counts()
    _library.count_all(data, len(data), counts)
    return list(counts)

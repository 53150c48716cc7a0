"""Keys and entries of a cache, and a project of two sources whose builds use it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from asmsetup.assemble.cache import Cache
from asmsetup.config import Settings
from tests.building import build_objects

KEY = hashlib.sha256(b"a key").hexdigest()


def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def no_warning(text: str) -> None:
    pytest.fail(f"warned: {text}")


def entry(store: Cache) -> Path:
    (found,) = [path for path in Path(store.folder).glob("??/*") if path.is_file()]
    return found


def project(folder: Path, warn: Callable[[str], None]) -> Callable[[], list[str]]:
    """Return a function that builds a project in the current directory from scratch."""
    for name in ("a.asm", "b.asm"):
        Path(name).write_text(f"section .data\n db '{name}'\n")

    def build() -> list[str]:
        return build_objects(
            ["a.asm", "b.asm"], None, Settings(), folder=str(folder), warn=warn, afresh=True
        )

    return build


def flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)

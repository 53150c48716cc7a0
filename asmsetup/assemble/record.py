"""The record beside a C object: what it was made from. Objects of NASM's are in the build's state.

An object is up to date when its record's fingerprint still holds and the object
is the one the record was written for: whatever was killed in between, nothing
else is trusted.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

from ..files import atomic_write
from .includes import Reader
from .uptodate import Dependencies, full_digest


class Record(NamedTuple):
    """The inputs that an object was made from."""

    fingerprint: str
    """The fingerprint's own digest."""
    dependencies: Dependencies
    full_digest: str
    """The fingerprint's digest with the dependencies."""
    content: str
    """A digest of the object."""
    seconds: float
    """The seconds that making it took."""

    def to_json(self) -> str:
        """Return the text that ``from_json`` takes."""
        return json.dumps(
            {
                "fingerprint": self.fingerprint,
                "dependencies": self.dependencies.to_json(),
                "full_digest": self.full_digest,
                "content": self.content,
                "seconds": self.seconds,
            }
        )

    @staticmethod
    def from_json(text: str) -> Record | None:
        """Return the record written in ``text``, None when it is damaged."""
        try:
            data = json.loads(text)
            return Record(
                data["fingerprint"],
                Dependencies.from_json(data["dependencies"]),
                data["full_digest"],
                data["content"],
                float(data["seconds"]),
            )
        except (ValueError, KeyError, TypeError):
            return None


def write(path: str, record: Record) -> None:
    """Put the record of the object ``path`` in place."""
    with atomic_write(_path(path)) as partial, open(partial, "w", encoding="utf-8") as file:
        file.write(record.to_json())


def content(path: str, fingerprint: str, reader: Reader) -> bytes | None:
    """Return the object ``path`` if it is undamaged and what the fingerprint would make."""
    record = _read(path)
    if record is None or record.fingerprint != fingerprint:
        return None
    if full_digest(fingerprint, record.dependencies, reader) != record.full_digest:
        return None
    try:
        with open(path, "rb") as file:
            found = file.read()
    except OSError:
        return None
    return found if record.content == content_digest(found) else None


def seconds(path: str) -> float | None:
    """Return how long making the object took last time, None when that is not known."""
    record = _read(path)
    return None if record is None else record.seconds


def files(path: str) -> tuple[str, ...]:
    """Return the files that the tool named when it made the object ``path``."""
    record = _read(path)
    return () if record is None else record.dependencies.files


def content_digest(content: bytes) -> str:
    """Return the digest that a record holds of an object."""
    return hashlib.sha256(content).hexdigest()


def _path(path: str) -> str:
    return f"{path}.json"


def _read(path: str) -> Record | None:
    try:
        with open(_path(path), encoding="utf-8") as file:
            return Record.from_json(file.read())
    except (OSError, UnicodeDecodeError):  # what cannot be read is made anew
        return None

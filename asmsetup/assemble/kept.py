"""Objects in the cache: under the digest of all they are made from, and which files that may be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from ..named import NamedTuple
from .cache import Cache
from .uptodate import Dependencies

_ANSWERS = 16
"""The number of a tool's answers that the cache keeps for one text."""


class Entry(NamedTuple):
    """An object as the cache holds it."""

    warnings: str
    seconds: float
    object: bytes
    notes: Sequence[str] = ()
    """Messages that -v shows, as when it was made."""

    def to_bytes(self) -> bytes:
        """Return what ``parse`` takes."""
        known = {"warnings": self.warnings, "seconds": self.seconds, "notes": list(self.notes)}
        about = json.dumps(known)
        return about.encode() + b"\n" + self.object

    @staticmethod
    def parse(data: bytes) -> Entry:
        """Return the entry. Raise ValueError, KeyError or TypeError if it is not an entry."""
        header, _, content = data.partition(b"\n")
        about = json.loads(header)
        if not content.startswith(b"\x7fELF"):
            raise ValueError("no object")
        notes = [str(each) for each in about.get("notes", ())]
        return Entry(str(about["warnings"]), float(about["seconds"]), content, notes)


def answers(cache: Cache, digest: str) -> list[Dependencies]:
    """Return the files that a text makes a tool read, as the tool listed them before.

    ``digest`` is that of the text and the command.
    """
    return cache.load(_manifest_key(digest), _parse_answers) or []


def add_answer(cache: Cache, digest: str, new: Dependencies) -> None:
    """Keep what a tool has read, so that ``answers`` has it first."""
    known = answers(cache, digest)
    if known[:1] == [new]:
        return
    # Two builds that write at once lose one answer: an object is assembled once more.
    kept = [new, *(answer for answer in known if answer != new)][:_ANSWERS]
    cache.put(_manifest_key(digest), json.dumps([each.to_json() for each in kept]).encode())


def _parse_answers(data: bytes) -> list[Dependencies]:
    return [Dependencies.from_json(item) for item in json.loads(data)]


def _manifest_key(digest: str) -> str:
    return hashlib.sha256(f"manifest 2 {digest}".encode()).hexdigest()

"""The results of earlier builds, in one file per build folder: of files, objects, modules, checks.

A file counts as unchanged when its status is: size, times of modification and of change in
nanoseconds, inode and device. One that was read less than two seconds after it last changed is
read again: it may have changed in the same tick of its file system's clock, as git's "racily
clean" entries may. What its text names is kept for that text. The file itself is written in one step and holds a digest of itself; what is
damaged, or of another version, is as good as not there.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from ..files import atomic_write, open_regular
from ..named import NamedTuple
from .scan import Text

_VERSION = "asmsetup state 4"
"""Another one for each change in what is kept, or in how texts are read (scan.py)."""

_COARSEST_CLOCK = 2_000_000_000
"""Nanoseconds between two times of a file, on the file system with the fewest of them (FAT)."""

_TABLES = ("files", "objects", "modules", "verdicts")

_LARGEST = 1 << 28
_MOST_UNUSED = 20_000
"""Files that no build has asked for lately are forgotten when there are more."""

_SECONDS_TO_THE_FIRST_SAVE = 2.0

_T = TypeVar("_T")


class Status(NamedTuple):
    """Another file, or a changed one, where any of these differs."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int
    """Programs cannot set this one."""

    @staticmethod
    def of(found: os.stat_result) -> Status:
        """Return the status that os.stat() has found."""
        return Status(
            found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
        )


_OF_NO_FILE = Status(0, 0, 0, 0, 0)
"""Kept for a file that was too young when it was read: no file has this status."""


class KnownFile(NamedTuple):
    """The content of one file at the time of this status."""

    status: Status
    digest: str
    text: Text | None
    """None for a file that was only hashed."""


class Record(NamedTuple):
    """The inputs that an object was made from."""

    fingerprint: str
    """The fingerprint's own digest."""
    dependencies: list[Any]
    """The files that were read besides the files that the source names, as JSON keeps it (uptodate.py)."""
    full_digest: str
    """The fingerprint's digest with those files."""
    content: str
    """A digest of the object."""
    seconds: float
    """The seconds that assembling it took."""


class BuildState:
    """The state of one build folder, for one build; any of its threads may use it."""

    def __init__(self, path: str | None) -> None:
        """Read the state from the file ``path``; None for a state that is never kept."""
        self._path = path
        self._lock = threading.Lock()
        self._tables, self._status = _load(path)
        self._changes: dict[str, dict[str, Any]] = {name: {} for name in _TABLES}
        self._used: set[str] = set()
        self._read_at: dict[str, int] = {}
        self._saved = time.monotonic()
        self._pause = _SECONDS_TO_THE_FIRST_SAVE

    def file(self, path: str, status: Status) -> KnownFile | None:
        """Return what is known of a file that has this status now."""
        entry = self._get("files", path, _known_file)
        if entry is None or entry.status != status:
            return None
        # Of this build's own: it may have changed again since, in the same tick of the clock.
        if not _is_settled(status, self._read_at.get(path)):
            return None
        self._used.add(path)
        return entry

    def text(self, path: str, digest: str) -> Text | None:
        """Return what is known of a file's text if its content has this digest, whatever its status."""
        entry = self._get("files", path, _known_file)
        return entry.text if entry is not None and entry.digest == digest else None

    def add_file(self, path: str, known: KnownFile, read_at: int) -> None:
        """Keep what a file held; it was read at this time (nanoseconds since the epoch)."""
        self._read_at[path] = read_at
        self._set("files", path, [*known.status, known.digest, known.text])

    def record(self, path: str) -> Record | None:
        """Return what the object ``path`` was made from."""
        return self._get("objects", path, _record)

    def set_record(self, path: str, record: Record) -> None:
        """Keep what the object ``path`` was made from."""
        self._set("objects", path, list(record))

    def module(self, path: str) -> list[str] | None:
        """Return what was kept for the module ``path``."""
        return self._get("modules", path, list)

    def set_module(self, path: str, digests: list[str]) -> None:
        """Keep the digests of a module that was found sound: of all that went into it, and its own."""
        self._set("modules", path, digests)

    def verdict(self, path: str) -> list[Any] | None:
        """Return what was kept of the judgement on the code of the object ``path``."""
        return self._get("verdicts", path, list)

    def set_verdict(self, path: str, verdict: list[Any]) -> None:
        """Keep what was found in the code of the object ``path``, and of what it is true."""
        self._set("verdicts", path, verdict)

    def save_now_and_then(self) -> None:
        """Save the state if that was last done a while ago: a build may be killed."""
        if time.monotonic() - self._saved > self._pause:
            self._pause *= 2  # each has more to write than the one before
            self.save()

    def save(self) -> None:
        """Write the state; what another build in the folder has found out meanwhile is kept."""
        with self._lock:
            self._saved = time.monotonic()
            if self._path is None or not any(self._changes.values()):
                return
            with suppress(OSError):  # the next build finds out everything again
                self._write(self._path)

    def _write(self, path: str) -> None:
        if status_of(path) != self._status:
            self._tables, _ = _load(path)
        with atomic_write(path) as partial:
            with open(partial, "wb", buffering=0) as file:
                lag = time.time_ns() - os.fstat(file.fileno()).st_mtime_ns
                self._apply_changes(lag)
                file.write(_dump(self._tables))
            status = status_of(partial)
        self._status = status if status is None else status_of(path)

    def _apply_changes(self, lag: int) -> None:
        """Move the changes to the tables; of files that were read too early without the status.

        ``lag`` is how far the file system's clock is behind ours, in nanoseconds.
        """
        for path, entry in self._changes["files"].items():
            if not _is_settled(Status(*entry[:5]), self._read_at[path] - max(lag, 0)):
                entry = [*_OF_NO_FILE, *entry[5:]]
            self._tables["files"][path] = entry
        for table in ("objects", "modules", "verdicts"):
            self._tables[table].update(self._changes[table])
        unused = [path for path in self._tables["files"] if path not in self._used]
        for path in unused[:-_MOST_UNUSED]:
            del self._tables["files"][path]
        for changes in self._changes.values():
            changes.clear()

    def _get(self, table: str, key: str, parse: Callable[[Any], _T]) -> _T | None:
        entry = self._changes[table].get(key) or self._tables[table].get(key)
        if entry is None:
            return None
        try:
            return parse(entry)
        except (ValueError, TypeError, AssertionError):
            return None

    def _set(self, table: str, key: str, entry: object) -> None:
        with self._lock:
            self._changes[table][key] = entry
            if table == "files":
                self._used.add(key)


def _is_settled(status: Status, read_at: int | None) -> bool:
    """Return whether a change after the file was read cannot have left its status as it is."""
    if read_at is None:  # decided when it was written
        return True
    return max(status.modified, status.changed) < read_at - _COARSEST_CLOCK


def _known_file(entry: list[Any]) -> KnownFile:
    *status, digest, text = entry
    if not isinstance(text, Text | None):
        text = Text.from_json(text)
    return KnownFile(Status(*status), digest, text)


def _record(entry: list[Any]) -> Record:
    return Record(*entry)


def _dump(tables: Mapping[str, Mapping[str, Any]]) -> bytes:
    body = json.dumps(tables, separators=(",", ":")).encode()
    return f"{_VERSION} {hashlib.sha256(body).hexdigest()}\n".encode() + body


def _load(path: str | None) -> tuple[dict[str, dict[str, Any]], Status | None]:
    empty: dict[str, dict[str, Any]] = {name: {} for name in _TABLES}
    if path is None:
        return empty, None
    try:
        with open_regular(path) as file:
            status = Status.of(os.fstat(file.fileno()))
            if status.size > _LARGEST:
                return empty, status
            header, _, body = file.readall().partition(b"\n")
    except OSError:
        return empty, None
    if header.decode(errors="replace") != f"{_VERSION} {hashlib.sha256(body).hexdigest()}":
        return empty, status
    # The digest finds damage, not forgery: who can write the state can write the objects, too.
    tables: dict[str, dict[str, Any]] = json.loads(body)
    return tables, status


def status_of(path: str) -> Status | None:
    """Return the status of a file, or None if it cannot be found."""
    try:
        return Status.of(os.stat(path))
    except OSError:
        return None

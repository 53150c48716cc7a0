"""A folder of contents under keys, shared by builds: bounded, damage-proof, and never in the way.

Knows nothing of objects. Every entry is put in place in one step and holds a
digest of itself, so any number of builds, on one machine or over a network
folder, may use it without locks, and none trusts a damaged one. When the folder
cannot be used, the cache says so once and stays silent: a build goes on without it.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from ..errors import ConfigError
from ..files import is_abandoned

DEFAULT_SIZE = 1 << 30
"""Bytes, when ASMSETUP_CACHE_SIZE says nothing."""

_MAGIC = b"asmsetup cache 1\n"
_SHARDS = 256
_SHARD = re.compile(r"[0-9a-f]{2}")
_ENTRY = re.compile(r"[0-9a-f]{62}(?:\..*\.tmp)?")
"""Nothing else in the folder is ours to count or to remove."""
_STATISTICS = "statistics"
_STATISTICS_LIMIT = 1 << 16

Warn = Callable[[str], None]


def folder(environ: Mapping[str, str]) -> str | None:
    """Return where the cache is: ASMSETUP_CACHE_DIR, else the user's cache folder (XDG).

    None when neither is known, as for a user without a home folder.
    """
    chosen = environ.get("ASMSETUP_CACHE_DIR")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    # The XDG base directory specification: a relative path is to be ignored.
    base = environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "asmsetup") if os.path.isabs(base) else None


def size_limit(environ: Mapping[str, str]) -> int:
    """Return how many bytes the cache may hold: ASMSETUP_CACHE_SIZE, such as 500M or 2G.

    Raises ConfigError when it is no such thing.
    """
    said = environ.get("ASMSETUP_CACHE_SIZE", "").strip()
    if not said:
        return DEFAULT_SIZE
    digits, unit = said[:-1], said[-1].upper()
    if said.isdecimal():
        digits, unit = said, ""
    shift = {"": 0, "K": 10, "M": 20, "G": 30}.get(unit)
    if shift is None or not digits.isdecimal():
        raise ConfigError(
            f"ASMSETUP_CACHE_SIZE is {said!r}, and must be a number of bytes",
            "K, M and G are understood:   ASMSETUP_CACHE_SIZE=500M",
        )
    return int(digits) << shift


def open_cache(environ: Mapping[str, str], warn: Warn) -> Cache | None:
    """Return the cache that the environment asks for, None when it has no place.

    Raises ConfigError for a size that is none.
    """
    where, limit = folder(environ), size_limit(environ)
    return None if where is None else Cache(where, limit, warn)


class Statistics(NamedTuple):
    """What a cache holds, and what it has been good for since it was last cleared."""

    folder: str
    entries: int
    bytes: int
    limit: int
    hits: int
    misses: int
    damaged: int


class Cache:
    """One build's view of the cache."""

    def __init__(self, folder: str, limit: int, warn: Warn) -> None:
        """``warn`` is called at most once, when the folder cannot be used as it should."""
        self.folder = folder
        self.limit = limit
        self._warn = warn
        self._lock = threading.Lock()
        self._warned = False
        self._writable = True
        self._hits = 0
        self._misses = 0
        self._damaged = 0
        self._written: set[str] = set()

    def get(self, key: str) -> bytes | None:
        """Return what was put under ``key``; None when it is not there or is damaged."""
        path = self._path(key)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._complain("read", error)
            return None
        content = _content(key, data)
        if content is None:
            with self._lock:
                self._damaged += 1
            _remove(path)
            return None
        _touch(path)
        return content

    def put(self, key: str, content: bytes) -> None:
        """Keep ``content`` under ``key``, in the place of what was there."""
        if not self._writable:
            return
        path = self._path(key)
        partial = f"{path}.{os.uname().nodename}-{os.getpid()}-{threading.get_ident()}.tmp"
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            try:
                with open(partial, "wb") as file:
                    file.write(_entry(key, content))
                os.replace(partial, path)
            except OSError:
                _remove(partial)
                raise
        except OSError as error:
            self._writable = False
            self._complain("write to", error)
            return
        with self._lock:
            self._written.add(os.path.dirname(path))

    def count(self, *, hit: bool) -> None:
        """Note for the statistics that something was asked for."""
        with self._lock:
            self._hits += hit
            self._misses += not hit

    def close(self) -> None:
        """Make room for what this build has put, and add to the statistics."""
        with self._lock:
            written, self._written = self._written, set()
            counts = (self._hits, self._misses, self._damaged)
            self._hits = self._misses = self._damaged = 0
        for shard in written:
            _trim(shard, self.limit // _SHARDS)
        if any(counts):
            self._add_statistics(counts)

    def statistics(self) -> Statistics:
        """Return what is in the cache and how it was used."""
        sizes = [entry.size for shard in self._shards() for entry in _entries(shard)]
        hits, misses, damaged = self._read_statistics()
        return Statistics(self.folder, len(sizes), sum(sizes), self.limit, hits, misses, damaged)

    def clear(self) -> None:
        """Remove every entry and the statistics. Raises OSError when that cannot be done.

        What is not the cache's stays.
        """
        for shard in self._shards():
            for entry in _entries(shard, abandoned=True):
                os.unlink(entry.path)
            if not os.listdir(shard):
                os.rmdir(shard)
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(self.folder, _STATISTICS))

    def _path(self, key: str) -> str:
        return os.path.join(self.folder, key[:2], key[2:])

    def _shards(self) -> list[str]:
        try:
            found = list(os.scandir(self.folder))
        except FileNotFoundError:
            return []
        return [
            item.path
            for item in found
            if _SHARD.fullmatch(item.name) and item.is_dir(follow_symlinks=False)
        ]

    def _complain(self, verb: str, error: OSError) -> None:
        with self._lock:
            if self._warned:
                return
            self._warned = True
        self._warn(
            f"cannot {verb} the object cache {self.folder}: {error.strerror}\n"
            "  the build goes on without it; ASMSETUP_CACHE_DIR names another folder, "
            "ASMSETUP_CACHE=0 turns it off"
        )

    def _add_statistics(self, counts: tuple[int, int, int]) -> None:
        path = os.path.join(self.folder, _STATISTICS)
        try:
            os.makedirs(self.folder, exist_ok=True)
            # A short line is appended whole: no lock. Over a network folder one may get lost.
            with open(path, "a", encoding="ascii") as file:
                file.write("{} {} {}\n".format(*counts))
                grown = file.tell() > _STATISTICS_LIMIT
            if grown:
                total = "{} {} {}\n".format(*self._read_statistics())
                partial = f"{path}.{os.getpid()}.tmp"
                with open(partial, "w", encoding="ascii") as file:
                    file.write(total)
                os.replace(partial, path)
        except OSError as error:
            self._complain("write to", error)

    def _read_statistics(self) -> tuple[int, int, int]:
        hits = misses = damaged = 0
        try:
            with open(
                os.path.join(self.folder, _STATISTICS), encoding="ascii", errors="replace"
            ) as file:
                for line in file:
                    numbers = line.split()
                    if len(numbers) == 3 and all(map(str.isdecimal, numbers)):
                        hits += int(numbers[0])
                        misses += int(numbers[1])
                        damaged += int(numbers[2])
        except OSError:
            # No statistics is what a new cache has.
            return 0, 0, 0
        return hits, misses, damaged


class _Entry(NamedTuple):
    path: str
    size: int
    used: float


def _entry(key: str, content: bytes) -> bytes:
    return _MAGIC + _digest(key, content) + content


def _content(key: str, data: bytes) -> bytes | None:
    """Return what an entry's file holds, None when it is not what was written under ``key``."""
    start = len(_MAGIC) + hashlib.sha256().digest_size
    content = data[start:]
    return content if data[:start] == _MAGIC + _digest(key, content) else None


def _digest(key: str, content: bytes) -> bytes:
    hashed = hashlib.sha256(key.encode())
    hashed.update(content)
    return hashed.digest()


def _entries(shard: str, *, abandoned: bool = False) -> Iterator[_Entry]:
    """Yield the entries in one folder of the cache; with ``abandoned``, temporary files too."""
    try:
        found = list(os.scandir(shard))
    except FileNotFoundError:
        return
    for item in found:
        if not _ENTRY.fullmatch(item.name) or not item.is_file(follow_symlinks=False):
            continue
        try:
            status = item.stat()
        except FileNotFoundError:
            continue  # Another build was quicker to remove it.
        if abandoned or not item.name.endswith(".tmp"):
            yield _Entry(item.path, status.st_size, status.st_mtime)


def _trim(shard: str, limit: int) -> None:
    """Remove what killed builds left, and the least recently used entries above ``limit`` bytes.

    Keys are digests, so the folders fill evenly, and a bound on each bounds all.
    """
    try:
        everything = list(_entries(shard, abandoned=True))
    except OSError:
        return
    # A clock that jumps makes some entries look older than they are. They are assembled again.
    entries = []
    for entry in everything:
        if not entry.path.endswith(".tmp"):
            entries.append(entry)
        elif is_abandoned(entry.used):
            _remove(entry.path)
    size = sum(entry.size for entry in entries)
    for entry in sorted(entries, key=lambda entry: entry.used):
        if size <= limit:
            return
        _remove(entry.path)
        size -= entry.size


def _touch(path: str) -> None:
    # Read-only, or just removed by another build: only the order of removal suffers.
    with suppress(OSError):
        os.utime(path)


def _remove(path: str) -> None:
    # Gone already, or not ours to remove: what is damaged stays unused in any case.
    with suppress(OSError):
        os.unlink(path)

"""A folder of contents under keys, shared by builds: bounded, damage-proof, and never in the way.

Knows nothing of objects. Every entry is put in place in one step and holds a
digest of itself, so any number of builds, on one machine or over a network
folder, may use it without locks, and none trusts a damaged one. When the folder
cannot be used, the cache warns once, and the build goes on without it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TypeVar

from ..errors import ConfigError
from ..files import IrregularFileError, is_abandoned, make_folder, open_regular
from ..named import NamedTuple

DEFAULT_SIZE = 1 << 30
"""Bytes, when ASMSETUP_CACHE_SIZE is not set."""

_MAGIC = b"asmsetup cache 1\n"
_SHARDS = 256
_LARGEST_SHARE = 8
"""One entry takes at most this part of the cache."""
_SHARD = r"[0-9a-f]{2}"
_ENTRY = r"[0-9a-f]{62}(?:\..*\.tmp)?"
"""Nothing else in the folder is ours to count or to remove."""
_STATISTICS = "statistics"
_STATISTICS_LIMIT = 1 << 16

Warn = Callable[[str], None]

T = TypeVar("T")


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

    Raises ConfigError when it is anything else.
    """
    text = environ.get("ASMSETUP_CACHE_SIZE", "").strip()
    if not text:
        return DEFAULT_SIZE
    digits, unit = text[:-1], text[-1].upper()
    if text.isdecimal():
        digits, unit = text, ""
    shift = {"": 0, "K": 10, "M": 20, "G": 30}.get(unit)
    if shift is None or not digits.isdecimal() or len(digits) > 18:
        raise ConfigError(
            f"ASMSETUP_CACHE_SIZE is {text!r}, and must be a number of bytes",
            "K, M and G are understood:   ASMSETUP_CACHE_SIZE=500M",
        )
    return int(digits) << shift


def open_cache(environ: Mapping[str, str], warn: Warn) -> Cache | None:
    """Return the cache that the environment asks for, None when it has no place.

    Raises ConfigError for an invalid size.
    """
    where, limit = folder(environ), size_limit(environ)
    return None if where is None else Cache(where, limit, warn)


class Statistics(NamedTuple):
    """The content of a cache, and its hits and misses since it was last cleared."""

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
        self._machine = os.uname().nodename
        self._lock = threading.Lock()
        self._warned = False
        self._writable = True
        self._hits = 0
        self._misses = 0
        self._damaged = 0
        self._written: set[str] = set()

    def get(self, key: str) -> bytes | None:
        """Return what was put under ``key``; None when there is nothing, or it is damaged."""
        return self.load(key, bytes)

    def load(self, key: str, parse: Callable[[bytes], T]) -> T | None:
        """Return what ``parse`` makes of what was put under ``key``.

        None when there is nothing, when it is damaged, and when ``parse`` raises
        ValueError, LookupError or TypeError; the entry is then removed.
        """
        path = self._path(key)
        try:
            data = _read(path, self.limit)
        except FileNotFoundError:
            return None
        except OSError as error:
            if not self._is_misshapen(error):
                self._complain("read", error)
            return None
        try:
            parsed = parse(_content(key, data))
        except (ValueError, LookupError, TypeError, RecursionError):
            with self._lock:
                self._damaged += 1
            _remove(path)
            return None
        _touch(path)
        return parsed

    def put(self, key: str, content: bytes) -> None:
        """Keep ``content`` under ``key``, in the place of what was there."""
        if not self._writable:
            return
        if len(content) > self.limit // _LARGEST_SHARE:
            if self.limit:
                self._warn_too_large(len(content))
            return
        path = self._path(key)
        try:
            self._write(path, _entry(key, content))
        except OSError as error:
            if self._is_misshapen(error):
                return
            self._writable = False
            self._complain("write to", error)
            return
        with self._lock:
            self._written.add(os.path.dirname(path))

    def _is_misshapen(self, error: OSError) -> bool:
        """Return whether something else has the name of an entry or its folder: not ours to remove."""
        kinds = FileExistsError | IsADirectoryError | NotADirectoryError
        is_one = isinstance(error, kinds) or error.errno == errno.ELOOP
        return is_one and os.path.isdir(self.folder)

    def _write(self, path: str, entry: bytes) -> None:
        partial = f"{path}.{self._machine}-{os.getpid()}-{threading.get_ident()}.tmp"
        for attempts_left in (2, 1, 0):
            try:
                make_folder(os.path.dirname(path))
                with open(partial, "wb") as file:
                    file.write(entry)
                os.replace(partial, path)
            except FileNotFoundError:
                # Somebody clears the cache just now, folders included; the next entry may be kept.
                if not attempts_left and not os.path.isdir(self.folder):
                    raise
            except OSError:
                _remove(partial)
                raise
            else:
                return

    def count(self, *, hit: bool) -> None:
        """Count a look-up for the statistics."""
        with self._lock:
            self._hits += hit
            self._misses += not hit

    def close(self) -> None:
        """Make room for what this build has put, and add to the statistics."""
        with self._lock:
            written, self._written = self._written, set()
            counts = (self._hits, self._misses, self._damaged)
            self._hits = self._misses = self._damaged = 0
        sizes = list(map(_sweep, written))
        if any(size > self.limit // _SHARDS for size in sizes):
            _trim(self._shards(), self.limit)
        if any(counts):
            self._add_statistics(counts)

    def statistics(self) -> Statistics:
        """Return what is in the cache and how it was used."""
        sizes = [entry.size for shard in self._shards() for entry in _entries(shard)]
        hits, misses, damaged = self._read_statistics()
        return Statistics(self.folder, len(sizes), sum(sizes), self.limit, hits, misses, damaged)

    def clear(self) -> None:
        """Remove every entry and the statistics; leave other files alone.

        Raises OSError when that cannot be done. Others may clear or fill it meanwhile.
        """
        for shard in self._shards():
            for entry in _entries(shard, abandoned=True):
                with suppress(FileNotFoundError):
                    os.unlink(entry.path)
            try:
                os.rmdir(shard)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:
                    raise
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
            if re.fullmatch(_SHARD, item.name) and item.is_dir(follow_symlinks=False)
        ]

    def _complain(self, verb: str, error: OSError) -> None:
        self._warn_once(
            f"cannot {verb} the object cache {self.folder}: {error.strerror}\n"
            "  the build goes on without it; ASMSETUP_CACHE_DIR names another folder, "
            "ASMSETUP_CACHE=0 turns it off"
        )

    def _warn_too_large(self, size: int) -> None:
        self._warn_once(
            f"an object of {size >> 20} MB is too large for the object cache, and is not kept\n"
            f"  ASMSETUP_CACHE_SIZE={size * _LARGEST_SHARE // (1 << 20) + 1}M makes room for it"
        )

    def _warn_once(self, text: str) -> None:
        with self._lock:
            if self._warned:
                return
            self._warned = True
        self._warn(text)

    def _add_statistics(self, counts: tuple[int, int, int]) -> None:
        path = os.path.join(self.folder, _STATISTICS)
        try:
            os.makedirs(self.folder, exist_ok=True)
            if os.path.lexists(path) and not os.path.isfile(path):
                os.unlink(path)
            # A short line is appended whole: no lock. Over a network folder one may get lost.
            with open(path, "a", encoding="ascii", opener=_open_at_once) as file:
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
            text = _read(os.path.join(self.folder, _STATISTICS), 2 * _STATISTICS_LIMIT)
        except OSError:
            return 0, 0, 0  # a new cache has none
        for line in text.decode(errors="replace").splitlines():
            numbers = line.split()
            # The longest that are ours: Python refuses to convert thousands of digits.
            if len(numbers) == 3 and all(each.isdecimal() and len(each) < 20 for each in numbers):
                hits += int(numbers[0])
                misses += int(numbers[1])
                damaged += int(numbers[2])
        return hits, misses, damaged


class _Entry(NamedTuple):
    path: str
    size: int
    used: float


def _entry(key: str, content: bytes) -> bytes:
    return _MAGIC + _digest(key, content) + content


def _content(key: str, data: bytes) -> bytes:
    """Return what an entry's file holds. Raise ValueError if that was not written for ``key``."""
    start = len(_MAGIC) + hashlib.sha256().digest_size
    content = data[start:]
    if data[:start] != _MAGIC + _digest(key, content):
        raise ValueError("damaged")
    return content


def _read(path: str, limit: int) -> bytes:
    """Return a regular file's content, empty for another file or one over ``limit`` bytes."""
    try:
        with open_regular(path) as file:
            return file.readall() if os.fstat(file.fileno()).st_size <= limit else b""
    except IrregularFileError:
        return b""


def _open_at_once(path: str, flags: int) -> int:
    # A pipe of this name would wait for a reader.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW, 0o666)


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
        if not re.fullmatch(_ENTRY, item.name) or not item.is_file(follow_symlinks=False):
            continue
        try:
            status = item.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # Another build was quicker to remove it.
        if abandoned or not item.name.endswith(".tmp"):
            yield _Entry(item.path, status.st_size, status.st_mtime)


def _sweep(shard: str) -> int:
    """Remove what interrupted builds left in one folder of the cache; return the entries' bytes."""
    try:
        entries = list(_entries(shard, abandoned=True))
    except OSError:
        return 0
    for entry in entries:
        if entry.path.endswith(".tmp") and is_abandoned(entry.used):
            _remove(entry.path)
    return sum(entry.size for entry in entries)


def _trim(shards: Iterable[str], limit: int) -> None:
    """Remove the least recently used entries, if there are more than ``limit`` bytes.

    And an eighth of that more, so that not every build has to make room.
    """
    entries: list[_Entry] = []
    for shard in shards:
        with suppress(OSError):
            entries += _entries(shard)
    size = sum(entry.size for entry in entries)
    if size <= limit:
        return
    # A clock that jumps makes some entries look older than they are. They are assembled again.
    for entry in sorted(entries, key=lambda entry: entry.used):
        if size <= limit - limit // 8:
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

"""Put files in place in one step, so that a killed build leaves no half of one."""

from __future__ import annotations

import errno
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from .errors import FileError

_CHUNK = 1 << 16
_PARTIAL = re.compile(r".*\.\d+-\d+\.tmp(?:\.[di])?")
_ABANDONED = 3600


@contextmanager
def atomic_write(path: str) -> Iterator[str]:
    """Yield a temporary path beside ``path``; what is written there takes its place at the end.

    When the block raises, or writes nothing, ``path`` stays what it was. The
    folder is made. Readers see the old file or the new one, never a part.

    Raises FileError when the file cannot be written.
    """
    try:
        os.makedirs(os.path.dirname(path) or os.curdir, exist_ok=True)
    except OSError as error:
        raise _not_written(path, error) from error
    partial = f"{path}.{os.getpid()}-{threading.get_ident()}.tmp"
    try:
        yield partial
        if os.path.exists(partial):
            os.replace(partial, path)
    except OSError as error:
        # What fails in writing names no file; what fails elsewhere names another one.
        named = os.fsdecode(error.filename or partial)
        if isinstance(error, FileError) or not named.startswith(path):
            raise
        raise _not_written(path, error) from error
    finally:
        if os.path.lexists(partial):
            os.remove(partial)


def sweep(folder: str) -> None:
    """Remove from ``folder`` the temporary files that interrupted builds left behind.

    That is what is old: a build that goes on may be another container's, whose
    processes are not to be seen from here. What cannot be removed stays.
    """
    with suppress(OSError):
        names = os.listdir(folder)
        for path in (os.path.join(folder, name) for name in names if _PARTIAL.fullmatch(name)):
            with suppress(OSError):
                if is_abandoned(os.stat(path).st_mtime):
                    os.remove(path)


def is_abandoned(modified: float) -> bool:
    """Tell from its time, in seconds, whether a temporary file is a killed build's: it is old.

    Or of a future that a clock has since left.
    """
    return abs(time.time() - modified) > _ABANDONED


def _not_written(path: str, error: OSError) -> FileError:
    """Return the error that tells why ``path`` cannot be written, in place of errno's."""
    folder = os.path.dirname(path) or os.curdir
    elsewhere = "or build elsewhere:   python setup.py build --build-base=FOLDER"
    match error.errno:
        case errno.EACCES | errno.EPERM | errno.EROFS:
            ways = [f"make the folder {_nearest(folder)} writable, {elsewhere}"]
        case errno.ENOTDIR | errno.EEXIST:
            ways = [f"{_file_among(folder)} is a file where a folder belongs: remove or rename it"]
        case errno.EISDIR:
            ways = [f"{path} is a folder where a file belongs: remove or rename it"]
        case errno.ENOSPC | errno.EDQUOT:
            ways = [f"make room on the disk of {folder}, {elsewhere}"]
        case errno.EFBIG:
            ways = ["raise the limit on the size of files:   ulimit -f unlimited"]
        case _:
            ways = []
    return FileError(f"cannot write {path}: {error.strerror}", *ways)


def _nearest(folder: str) -> str:
    """Return the folder, or the first one above it that is there."""
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder) or os.curdir
    return folder


def _file_among(folder: str) -> str:
    """Return the first part of the path that is there and no folder."""
    parts = folder.split(os.sep)
    paths = (os.sep.join(parts[: count + 1]) or os.sep for count in range(len(parts)))
    return next(
        (path for path in paths if os.path.exists(path) and not os.path.isdir(path)), folder
    )


def hash_file(path: str, take: Callable[[bytes], object]) -> None:
    """Hand a file to ``take`` (a hash's ``update``), piece by piece: a program is large."""
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(_CHUNK):
            take(piece)


def unreadable(path: str) -> str | None:
    """Return why this is no file that can be read, in words; None when it is one."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
            return f"it is {kinds.get(stat.S_IFMT(mode), 'a device')}"
        with open(path, "rb"):
            return None
    except FileNotFoundError:
        if os.path.islink(path):
            return f"it is a symbolic link to {os.readlink(path)}, which is not there"
        return "it is not there"
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "it is a symbolic link that leads back to itself"
        return os.strerror(error.errno or 0)
    except ValueError:  # a NUL in the name
        return "no file can have this name"


def write_text(path: str, text: str) -> None:
    """Write a file of ours: UTF-8, whatever the locale."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def same_text(path: str, text: str) -> bool:
    """Tell whether a file of ours is there and holds just this text."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read() == text
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return False


def same_content(one: str, other: str) -> bool:
    """Tell whether both files are there and hold the same bytes."""
    try:
        with open(one, "rb") as first, open(other, "rb") as second:
            return first.read() == second.read()
    except FileNotFoundError:
        return False

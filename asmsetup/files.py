"""Read regular files only, and put files in place in one step: a killed build leaves no half of one."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO

from .errors import FileError

_CHUNK = 1 << 16
_PARTIAL = r".*\.\d+-\d+\.tmp(?:\.[di])?"
_UNFINISHED = r"(?:wheel-|\.asmsetup-)\d+(?:-\d+)?"
_ABANDONED = 3600


@contextmanager
def atomic_write(path: str, scratch: str | None = None) -> Iterator[str]:
    """Yield a temporary path; what is written there takes the place of ``path`` at the end.

    The temporary file is in the folder ``scratch``, else beside ``path``. When the block
    raises or writes nothing, ``path`` stays what it was. Both folders are made. Readers see
    the old file or the new one, never a part.

    Raises FileError when the file cannot be written.
    """
    beside = _temporary(path, os.path.dirname(path))
    partial = beside if scratch is None else _temporary(path, scratch)
    for folder in dict.fromkeys(map(os.path.dirname, (path, partial))):
        try:
            make_folder(folder or os.curdir)
        except OSError as error:
            raise _not_written(os.path.join(folder, os.path.basename(path)), error) from error
    try:
        yield partial
        if os.path.exists(partial):
            _move(partial, path, beside)
    except BaseException as error:
        for left in {partial, beside}:
            with suppress(FileNotFoundError):
                os.remove(left)
        # What fails in writing names no file; what fails elsewhere names another one.
        if isinstance(error, FileError) or not isinstance(error, OSError):
            raise
        if not os.fsdecode(error.filename or partial).startswith((path, partial)):
            raise
        raise _not_written(path, error) from error


def make_folder(path: str) -> None:
    """Make a folder and those above it, if it is not there yet."""
    if not os.path.isdir(path):  # of a thousand objects' folders all but the first are
        os.makedirs(path, exist_ok=True)


def _temporary(path: str, folder: str) -> str:
    name = f"{os.path.basename(path)}.{os.getpid()}-{threading.get_ident()}.tmp"
    return os.path.join(folder, name)


def _move(partial: str, path: str, beside: str) -> None:
    try:
        os.replace(partial, path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # The two folders are on two file systems, and only within one is a move one step.
        shutil.copy2(partial, beside)
        os.replace(beside, path)
        os.remove(partial)


def sweep(folder: str) -> None:
    """Remove from ``folder`` the temporary files that interrupted builds left behind.

    Only files over an hour old: a newer one may belong to a running build, in another
    container perhaps, whose processes cannot be seen from here. Failures are ignored.
    """
    with suppress(OSError):
        names = os.listdir(folder)
        for path in (os.path.join(folder, name) for name in names if re.fullmatch(_PARTIAL, name)):
            with suppress(OSError):
                if is_abandoned(os.stat(path).st_mtime):
                    os.remove(path)


def sweep_folders(*parents: str) -> None:
    """Remove the folders for unfinished wheels that interrupted builds left in ``parents``."""
    for parent in parents:
        with suppress(OSError):
            for entry in list(os.scandir(parent)):
                if re.fullmatch(_UNFINISHED, entry.name) and is_abandoned(entry.stat().st_mtime):
                    shutil.rmtree(entry.path, ignore_errors=True)


def is_abandoned(modified: float) -> bool:
    """Return whether a temporary file with this time (in seconds) is left from a killed build.

    It is when it is over an hour old, or dated in the future: clocks are set back.
    """
    return abs(time.time() - modified) > _ABANDONED


def _not_written(path: str, error: OSError) -> FileError:
    """Return the error that explains why ``path`` cannot be written."""
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
    """Return the folder, or its nearest existing parent."""
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder) or os.curdir
    return folder


def _file_among(folder: str) -> str:
    """Return the first part of the path that exists and is not a folder."""
    parts = folder.split(os.sep)
    paths = (os.sep.join(parts[: count + 1]) or os.sep for count in range(len(parts)))
    return next(
        (path for path in paths if os.path.exists(path) and not os.path.isdir(path)), folder
    )


class IrregularFileError(OSError):
    """A path leads to a folder, a pipe, a socket or a device; the message is its kind."""


def read_lines(path: str) -> list[str]:
    """Return the lines of a text; none for one that cannot be read."""
    try:
        with open_regular(path) as file:
            return file.readall().decode(errors="replace").splitlines()
    except (OSError, ValueError):
        return []


def open_regular(path: str) -> FileIO:
    """Return a regular file opened for reading, unbuffered.

    Anything else is never read: a pipe would wait for its writer, a device may have no end.
    Raises IrregularFileError for those, OSError when the file cannot be opened, ValueError
    for a name with a NUL.
    """
    # Looked at first: with some devices, to open them is to do something.
    _require_regular(os.stat(path))
    file = FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    try:
        _require_regular(os.fstat(file.fileno()))
    except OSError:
        file.close()
        raise
    return file


def _require_regular(status: os.stat_result) -> None:
    if kind := irregular_kind(status.st_mode):
        raise IrregularFileError(f"it is {kind}")


def irregular_kind(mode: int) -> str | None:
    """Return what a file with this mode is in words, None for a regular file."""
    if stat.S_ISREG(mode):
        return None
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def hash_file(file: FileIO, update: Callable[[bytes], object]) -> None:
    """Pass what is left of a file to ``update`` (a hash's), in pieces: files may be large."""
    while piece := file.read(_CHUNK):
        update(piece)


def hash_of(path: str) -> str:
    """Return the SHA-256 of a regular file in hexadecimal, empty when it cannot be read."""
    hashed = hashlib.sha256()
    try:
        with open_regular(path) as file:
            hash_file(file, hashed.update)
    except (OSError, ValueError):
        return ""
    return hashed.hexdigest()


def unreadable(path: str) -> str | None:
    """Return why the file cannot be read, in words; None when it can."""
    try:
        open_regular(path).close()
    except IrregularFileError as error:
        return str(error)
    except FileNotFoundError:
        if os.path.islink(path):
            return f"it is a symbolic link to {os.readlink(path)}, which does not exist"
        return "it does not exist"
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "it is a symbolic link that leads back to itself"
        return os.strerror(error.errno or 0)
    except ValueError:  # a NUL in the name
        return "no file can have this name"
    return None


def write_text(path: str, text: str) -> None:
    """Write a text file as UTF-8, whatever the locale."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def same_text(path: str, text: str) -> bool:
    """Return whether the file exists and holds exactly this text (UTF-8)."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read() == text
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return False


def same_content(one: str, other: str) -> bool:
    """Return whether both files exist and hold the same bytes."""
    try:
        with open(one, "rb") as first, open(other, "rb") as second:
            return first.read() == second.read()
    except FileNotFoundError:
        return False

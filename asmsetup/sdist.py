"""Archives: sdists whose bytes depend on the files in them alone, and times that any can hold."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from datetime import datetime, timezone
from typing import Any

from .files import atomic_write

_DAY = 86_400
_OF_ZIP = range(315_532_800 + _DAY, 4_354_819_200 - _DAY)
"""1980 to 2107, which zip archives can hold in any time zone, in seconds since the epoch."""


def normalize(archive: str, time: int) -> None:
    """Rewrite an archive so that the same files give the same bytes, wherever it was made.

    Files are in the order of their names, have no owner, have the mode rw-r--r--, or
    rwxr-xr-x where the owner may run them, and are dated ``time`` (seconds since the epoch).
    An archive of another kind than tar and zip stays as it is.
    """
    with atomic_write(archive) as partial:
        if archive.endswith(".zip"):
            _rewrite_zip(archive, partial, time)
        elif archive.endswith(".tar.gz"):
            import gzip  # wheels need date_for_zip alone

            with (
                open(partial, "wb") as file,
                gzip.GzipFile("", "wb", 9, file, time) as stream,
                tarfile.open(fileobj=stream, mode="w") as new,
            ):
                _rewrite_tar(archive, new, time)
        elif archive.endswith((".tar", ".tar.bz2", ".tar.xz")):
            mode: Any = "w:" + archive.rpartition(".tar")[2].removeprefix(".")
            with tarfile.open(partial, mode) as new:
                _rewrite_tar(archive, new, time)


def _rewrite_tar(archive: str, new: tarfile.TarFile, time: int) -> None:
    with tarfile.open(archive) as old:
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            content = old.extractfile(member) if member.isfile() else None
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = time
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, content)


def _rewrite_zip(archive: str, path: str, time: int) -> None:
    when = datetime.fromtimestamp(max(time, _OF_ZIP.start - _DAY), timezone.utc)
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist()):
            is_run = old.getinfo(name).external_attr >> 16 & 0o100
            member = zipfile.ZipInfo(name, when.timetuple()[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = (0o100755 if is_run or name.endswith("/") else 0o100644) << 16
            new.writestr(member, old.read(name))


def date_for_zip(folder: str) -> None:
    """Date files below ``folder`` to 1980 or 2107 whose time no zip archive can hold.

    They may be hard links to the user's own files, so they are replaced by copies.
    """
    for parent, _, names in os.walk(folder):
        for path in (os.path.join(parent, name) for name in names):
            if (time := int(os.stat(path).st_mtime)) not in _OF_ZIP:
                nearest = min(max(time, _OF_ZIP.start), _OF_ZIP[-1])
                with atomic_write(path) as partial:
                    shutil.copy(path, partial)
                    os.utime(partial, (nearest, nearest))

"""Reads static libraries (ar archives): the objects in them."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import ObjectError

_MAGIC, _THIN = b"!<arch>\n", b"!<thin>\n"
_HEADER = 60


def is_archive(data: bytes) -> bool:
    """Return whether these are the bytes of an archive."""
    return data.startswith((_MAGIC, _THIN))


def members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each object in an archive.

    Raises ObjectError when it is damaged, or holds only the names of its objects.
    """
    if data.startswith(_THIN):
        raise ObjectError("it is a thin archive, which holds no objects but only their names")
    at, long_names = len(_MAGIC), b""
    while at + _HEADER <= len(data):
        header = data[at : at + _HEADER]
        digits = header[48:58].strip()
        if header[58:] != b"`\n" or not digits.isdigit():
            raise ObjectError("the archive is damaged")
        size = int(digits)
        content = data[at + _HEADER : at + _HEADER + size]
        if len(content) < size:
            raise ObjectError("the archive is cut off")
        name = header[:16].rstrip()
        if name == b"//":
            long_names = content
        elif name not in (b"/", b"/SYM64/"):
            yield _name(name, long_names), content
        at += _HEADER + size + size % 2


def _name(name: bytes, long_names: bytes) -> str:
    if name[:1] == b"/" and name[1:].isdigit():
        start = int(name[1:])
        name = long_names[start:].split(b"/\n", 1)[0]
    return name.rstrip(b"/").decode("utf-8", "backslashreplace")

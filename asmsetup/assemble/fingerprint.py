"""What decides an object's content, as one digest: the command, NASM itself, and every byte read.

The same digest tells whether an object is up to date and names it in the cache.
It depends on no time stamp, and on no path but those that NASM writes into the
object. Where the text alone does not tell which files NASM reads, NASM is asked
once, and its answer holds as long as none of those files changes and none
appears that would be found before them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..files import hash_file, open_regular
from . import nasm
from .includes import ANY_VARIABLE, INCLUDE_DIR, Closure, Reader, own_digest
from .nasm import AssemblerOptions

_OWN = "<asmsetup>"
"""Stands for INCLUDE_DIR, which is another folder in each isolated build."""

# NASM writes more than the object with these, which nothing could bring back.
_WRITES_MORE = ("-l", "-M", "-Z", "-E", "-e")


class Fingerprint(NamedTuple):
    """What the text, the command and NASM say of an object before it is there."""

    digest: str
    asks: bool
    """NASM has to be asked which further files it reads."""
    lasting: bool
    """It tells an up-to-date object; false when nobody can know what NASM reads."""
    cacheable: bool
    """The same digest means the same object anywhere, at any time."""


class Dependencies(NamedTuple):
    """What NASM read besides the files its text names."""

    files: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    """Files that would be read in the place of others if they were there."""

    def to_json(self) -> list[list[str]]:
        """Return the lists that ``from_json`` takes."""
        return [list(map(_portable, self.files)), list(map(_portable, self.absent))]

    @staticmethod
    def from_json(data: list[list[str]]) -> Dependencies:
        """Return what ``to_json`` was called on, with our own folder where it is now."""
        files, absent = data
        return Dependencies(tuple(map(_here, files)), tuple(map(_here, absent)))


def nasm_digest(found: nasm.Nasm) -> str:
    """Return what tells this NASM from another one, whatever its version says."""
    hashed = hashlib.sha256(found.banner.encode(errors="replace"))
    try:
        with open_regular(found.path) as program:
            hash_file(program, hashed.update)
    except OSError as error:
        # A program may be executable and not readable.
        hashed.update(f"{found.path}: {error.strerror}".encode(errors="replace"))
    return hashed.hexdigest()


def fingerprint(
    assembler: str,
    source: str,
    options: AssemblerOptions,
    closure: Closure,
    environment: Mapping[str, str],
) -> Fingerprint:
    """Return the fingerprint of the object that ``source`` makes with these options.

    ``assembler`` is NASM's own digest (``nasm_digest``), ``environment`` what it runs in.
    """
    said = nasm.command("", source, "", options._replace(include_dirs=()))
    names_places = options.debug or closure.names_files or _debug_info(options.args)
    parts: list[object] = [
        "object 1",
        assembler,
        said,
        closure.digest,
        own_digest() if closure.own else None,
        {name: environment.get(name) for name in closure.environment},
        # A name that is written out leads to a content, which the closure's digest holds.
        [_portable(path) for path in options.include_dirs] if closure.computed else None,
        [os.getcwd(), closure.files, options.include_dirs] if names_places else None,
        dict(environment) if ANY_VARIABLE in closure.environment else None,
    ]
    text = json.dumps(parts, sort_keys=True)
    return Fingerprint(
        hashlib.sha256(text.encode()).hexdigest(),
        asks=closure.computed,
        lasting=not closure.hidden,
        cacheable=not (
            closure.hidden
            or closure.clock
            or any(arg.startswith(_WRITES_MORE) for arg in options.args)
        ),
    )


def _debug_info(args: Sequence[str]) -> bool:
    return any(arg.startswith(("-g", "-F")) for arg in args)


def full_digest(digest: str, dependencies: Dependencies, reader: Reader) -> str | None:
    """Return the digest of a fingerprint with what NASM read besides, None when that has changed.

    Without further files it is the fingerprint's own.
    """
    if any(map(os.path.lexists, dependencies.absent)):
        return None
    if not dependencies.files:
        return digest
    hashed = hashlib.sha256(digest.encode())
    for path in dependencies.files:
        hashed.update(f"\0{_portable(path)}\0{reader.digest(path)}".encode(errors="replace"))
    return hashed.hexdigest()


def dependencies(
    rules: Sequence[str], closure: Closure, include_dirs: Sequence[str]
) -> Dependencies:
    """Return what NASM says it read (the rules it writes with -MD) beyond the closure."""
    known = {os.path.normpath(path) for path in closure.files}
    named = dict.fromkeys(path for rule in rules for path in prerequisites(rule))
    files = tuple(path for path in named if os.path.normpath(path) not in known)
    absent = (path for found in files for path in _found_before(found, include_dirs))
    return Dependencies(files, tuple(dict.fromkeys(absent)))


def prerequisites(rule: str) -> list[str]:
    """Return the files on the right of a makefile rule whose target is ``object``."""
    right = rule.replace("\\\n", " ").partition(":")[2]
    words = re.split(r"(?<!\\)\s+", right.strip())
    return [_unquoted(word) for word in words if word]


def _unquoted(word: str) -> str:
    # As make wants it: backslashes are doubled only before what one of them protects.
    word = re.sub(r"(\\+)([ \t#])", lambda m: "\\" * (len(m[1]) // 2) + m[2], word)
    return word.replace("$$", "$")


def _found_before(path: str, include_dirs: Sequence[str]) -> list[str]:
    """Return where NASM has looked in vain for a file it then found as ``path``."""
    looked: list[str] = []
    search = ("", *(f"{folder.rstrip('/')}/" for folder in include_dirs))
    for place, prefix in enumerate(search):
        if prefix and path.startswith(prefix):
            name = path[len(prefix) :]
            looked += [earlier + name for earlier in search[:place]]
    return [path for path in looked if not os.path.lexists(path)]


def _portable(path: str) -> str:
    if path == INCLUDE_DIR or path.startswith(INCLUDE_DIR + os.sep):
        return _OWN + path[len(INCLUDE_DIR) :]
    here = os.getcwd()
    return os.curdir if path == here else path.removeprefix(here + os.sep)


def _here(path: str) -> str:
    return INCLUDE_DIR + path[len(_OWN) :] if path.startswith(_OWN) else path

"""Decides whether an object is up to date, by one digest.

The digest is of NASM's command, NASM itself and the bytes of every file read; the cache uses it
as the object's name. Time stamps play no part. Paths count only where they can change the
object: where NASM writes them into it, or where NASM has to be asked which files it reads. Its
answer holds until one of those files changes, or one appears that would be found first.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..named import NamedTuple
from . import arguments, nasm
from .includes import INCLUDE_DIR, Closure, Reader, own_digest
from .nasm import AssemblerOptions
from .scan import ANY_VARIABLE, NOTHING, UNREAD, Text, merged
from .state import BuildState

_JSON = json.JSONEncoder(sort_keys=True)

_OWN = "<asmsetup>"
"""Stands for INCLUDE_DIR, which is another folder in each isolated build."""


class Fingerprint(NamedTuple):
    """The identity of an object before it is assembled: the text, the command and NASM."""

    digest: str
    asks: bool
    """NASM has to be asked which further files it reads."""
    lasting: bool
    """The digest can be compared with that of an earlier build; false when NASM may read files that
    no list names."""
    cacheable: bool
    """The same digest means the same object anywhere, at any time."""
    text: Text
    """The findings of scan.py in the source and in all files it names."""


class Dependencies(NamedTuple):
    """The files that NASM read besides those its text names."""

    files: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    """Files that would be read in the place of others if they existed."""
    texts: bool = False
    """Some of them may be %include'd; false when all are incbin'd."""

    def to_json(self) -> list[Any]:
        """Return the list that ``from_json`` takes."""
        return [list(map(_portable, self.files)), list(map(_portable, self.absent)), self.texts]

    @staticmethod
    def from_json(data: Sequence[Any]) -> Dependencies:
        """Return what ``to_json`` was called on, with our own folder where it is now.

        Raises ValueError or TypeError for anything else.
        """
        files, absent, texts = data
        return Dependencies(tuple(map(_here, files)), tuple(map(_here, absent)), bool(texts))

    def without(self, path: str) -> Dependencies:
        """Return the same without one file: the bindings, which are generated from the others."""
        left = (each for each in self.files if os.path.normpath(each) != os.path.normpath(path))
        return self._replace(files=tuple(left))


def is_up_to_date(
    path: str, fingerprint: str, reader: Reader, state: BuildState, named: Text = NOTHING
) -> bool:
    """Return whether the object ``path`` is what making it now would give.

    It is when the record's fingerprint is this one, the files read besides are the same, and
    the object has the bytes that the record was written for: an interrupted build leaves
    nothing that is trusted. ``named`` is the fingerprint's ``text``.
    """
    record = state.record(path)
    if record is None or record.fingerprint != fingerprint:
        return False
    known = Dependencies.from_json(record.dependencies)
    return (
        full_digest(fingerprint, known, reader, named) == record.full_digest
        and reader.digest(path) == record.content
    )


def nasm_digest(found: nasm.Nasm, reader: Reader) -> str:
    """Return a digest of this NASM, which differs for another one of the same version."""
    # A program may be executable and not readable.
    content = reader.digest(found.path) or found.path
    return hashlib.sha256(f"{found.banner}\0{content}".encode(errors="replace")).hexdigest()


def fingerprint(
    assembler: str,
    source: str,
    options: AssemblerOptions,
    closure: Closure,
    environment: Mapping[str, str],
) -> Fingerprint:
    """Return the fingerprint of the object that ``source`` makes with these options.

    ``assembler`` is a digest of what makes it, as ``nasm_digest``; ``environment`` what it runs in.
    """
    command = nasm.command("", source, "", options._replace(include_dirs=()))
    names_places = options.debug or closure.text.names_files or _debug_info(options.args)
    parts: list[object] = [
        "object 2",
        assembler,
        command,
        closure.digest,
        own_digest() if closure.own else None,
        {name: environment.get(name) for name in closure.text.environment},
        # A name that is written out leads to a content, which the closure's digest holds.
        [_portable(path) for path in options.include_dirs] if closure.asks else None,
        [os.getcwd(), closure.files, options.include_dirs] if names_places else None,
        dict(environment) if ANY_VARIABLE in closure.text.environment else None,
    ]
    text = _JSON.encode(parts)
    return Fingerprint(
        hashlib.sha256(text.encode()).hexdigest(),
        asks=closure.asks,
        lasting=not closure.text.hidden,
        cacheable=not (
            closure.text.hidden or closure.text.clock or arguments.parse(options.args).writes_more
        ),
        text=closure.text,
    )


def _debug_info(args: Sequence[str]) -> bool:
    return any(arg.startswith(("-g", "-F")) for arg in args)


def full_digest(
    digest: str, dependencies: Dependencies, reader: Reader, named: Text = NOTHING
) -> str | None:
    """Return the fingerprint's digest extended by the further files that NASM read.

    With none it is the digest itself. None when a file has appeared that would be read in the
    place of one of them, or when one depends on something that no digest holds, such as the
    clock. ``named`` is the fingerprint's ``text``.
    """
    if any(map(os.path.lexists, dependencies.absent)):
        return None
    if not dependencies.files:
        return digest
    text = NOTHING
    if dependencies.texts:
        texts = [reader.text(path) for path in dependencies.files]
        text = merged([named, *(each or UNREAD for each in texts)])
    if text.hidden or text.clock or ANY_VARIABLE in text.environment:
        return None
    hashed = hashlib.sha256(digest.encode())
    hashed.update(repr([(name, os.environ.get(name)) for name in text.environment]).encode())
    for path in dependencies.files:
        named_as = os.path.abspath(path) if text.names_files else _portable(path)
        hashed.update(f"\0{named_as}\0{reader.digest(path)}".encode(errors="replace"))
    return hashed.hexdigest()


def dependencies(
    rules: Sequence[str], closure: Closure, include_dirs: Sequence[str]
) -> Dependencies:
    """Return what NASM says it read (the rules it writes with -MD) beyond the closure."""
    if not rules:
        return Dependencies(texts=closure.text.computed_include)
    known = {os.path.normpath(path) for path in (*closure.files, *closure.unopened)}
    named = dict.fromkeys(path for rule in rules for path in prerequisites(rule))
    files = tuple(path for path in named if os.path.normpath(path) not in known)
    absent = (path for found in files for path in _found_before(found, include_dirs))
    return Dependencies(files, tuple(dict.fromkeys(absent)), closure.text.computed_include)


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

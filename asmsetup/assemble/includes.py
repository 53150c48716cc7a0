"""Find what a source %includes and incbins, from its text alone; never runs nasm, never raises on what it reads.

What is found is a superset of what nasm opens: a file named in a branch of %if
that is not taken counts too. A name that is not written out (a macro, a
parameter) cannot be followed; ``Closure.text.computed`` says so. Only regular files are opened.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property

from ..files import hash_file, irregular_kind, open_regular, unreadable
from ..named import NamedTuple
from . import arguments
from .arguments import Arguments
from .scan import NOTHING, TARGET_MACROS, UNREAD, Named, Text, is_skipped, merged, scan
from .state import BuildState, KnownFile, Status

INCLUDE_DIR = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "include")
"""The folder of asmsetup's own includes."""

_BIND_DIR = os.path.join(os.path.dirname(INCLUDE_DIR), "bind")
_TABLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tables.py")

_LONGEST_TEXT = 1 << 26
"""Bytes; a longer text is not looked into, and whatever includes it is always assembled."""

_OWN_TEXT = Text(mentioned=TARGET_MACROS)
"""Stands for each of asmsetup's own includes: they hold no surprises, but a megabyte in a hundred
files for the different Pythons; to look into each costs more than to assemble a module."""

Macro = tuple[str, str | None]


class Missing(NamedTuple):
    """A file that is named and was not found or cannot be read."""

    name: str
    file: str
    line: int
    kind: str | None = None
    """The kind of file, for one that exists: a folder, a pipe, a socket, a device."""


class _Closure(NamedTuple):
    files: tuple[str, ...]
    """The source first, then each file as nasm would open it; relative where it is below the
    current directory. Files that cannot be read, the source included, are not here."""
    incbinned: frozenset[str]
    """Those of the files that are only incbin'd: no text."""
    missing: tuple[Missing, ...]
    unopened: frozenset[str]
    """Paths of no regular files that nasm names among its dependencies and does not open."""
    text: Text
    """The findings of all texts together. When it is ``computed``, some file may be read besides
    these, and all of TARGET_MACROS are mentioned; when ``hidden``, one that even nasm's own list
    of dependencies leaves out."""
    size: int
    """Bytes in all files together."""
    own: bool
    """Some of asmsetup's own includes are among the files; ``own_digest`` is of all of them."""
    contents: tuple[tuple[str, _File | None], ...]
    """Each file by the name that leads to it; None where none does."""


class Closure(_Closure):
    """A source and everything it names, directly or through another file."""

    @property
    def asks(self) -> bool:
        """Whether NASM must list the files it reads, since the text does not name all of them."""
        return self.text.computed or self.text.pastes

    @cached_property
    def digest(self) -> str:
        """Changes when the content of any file, or the file a name leads to, changes in content;
        does not change when the same tree is elsewhere. asmsetup's own includes are left out.
        """
        hashed = hashlib.sha256()
        for name, file in self.contents:
            # The name and what it leads to, not the path: another checkout is the same.
            known = file.digest if file is not None else ""
            hashed.update(f"\0{name}\0{known}".encode(errors="replace"))
        return hashed.hexdigest()


class _File:
    """A regular file; its text and its digest are found out when they are first wanted."""

    def __init__(
        self, path: str, status: Status, known: KnownFile | None, state: BuildState
    ) -> None:
        self.path = path
        self.status = status
        self.own = path.startswith(INCLUDE_DIR + os.sep)
        self._state = state
        self._text = _OWN_TEXT if self.own else known.text if known else None
        self._digest = "asmsetup's" if self.own else known.digest if known else None

    @property
    def text(self) -> Text:
        """The findings of its text."""
        if self._text is None:
            self._read()
        assert self._text is not None
        return self._text

    @property
    def digest(self) -> str:
        """A digest of its content; empty when it cannot be read."""
        if self._digest is None:
            self._hash()
        assert self._digest is not None
        return self._digest

    def _read(self) -> None:
        if self.status.size > _LONGEST_TEXT:
            self._text, self._digest = UNREAD, ""
            return
        read_at = time.time_ns()
        try:
            with open_regular(self.path) as file:
                self.status = Status.of(os.fstat(file.fileno()))
                data = file.read(_LONGEST_TEXT + 1)
        except (OSError, ValueError):
            self._text, self._digest = UNREAD, ""
            return
        digest = hashlib.sha256(data).hexdigest()
        text = self._state.text(self.path, digest)
        if text is None:
            text = scan(data) if len(data) <= _LONGEST_TEXT else UNREAD
        self._keep(digest, text, read_at)

    def _hash(self) -> None:
        read_at = time.time_ns()
        hashed = hashlib.sha256()
        try:
            with open_regular(self.path) as file:
                self.status = Status.of(os.fstat(file.fileno()))
                hash_file(file, hashed.update)
        except (OSError, ValueError):
            self._digest = ""
            return
        digest = hashed.hexdigest()
        self._keep(digest, self._state.text(self.path, digest), read_at)

    def _keep(self, digest: str, text: Text | None, read_at: int) -> None:
        """Keep what was found out, also for later builds."""
        self._digest, self._text = digest, text
        self._state.add_file(self.path, KnownFile(self.status, digest, text), read_at)


class Reader:
    """Reads each file once for any number of closures; good for one build in one directory."""

    def __init__(self, state: BuildState | None = None) -> None:
        """``state`` knows files from before; what is read is added to it."""
        self._state = state or BuildState(None)
        self._files: dict[str, _File | str | None] = {}
        self._closures: dict[object, Closure] = {}

    def closure(
        self,
        source: str,
        include_dirs: Sequence[str],
        args: Sequence[str] = (),
        define: Sequence[Macro] = (),
    ) -> Closure:
        """Return the closure of ``source``.

        ``include_dirs`` are searched in order, after the current directory, and
        never relative to the including file: so nasm does it. ``args`` are
        further arguments of nasm's, ``define`` macros: their values are text.
        """
        values = tuple(f"{name} {value}" for name, value in define if _may_say_more(value))
        key = source, tuple(include_dirs), tuple(args), values
        if key not in self._closures:
            given = arguments.parse(tuple(args))
            if values:
                text = (*given.text, *(f"%define {macro}" for macro in values))
                given = given._replace(text=text)
            self._closures[key] = self._find_all(source, include_dirs, given)
        return self._closures[key]

    def _find_all(self, source: str, include_dirs: Sequence[str], given: Arguments) -> Closure:
        walk = _Walk(self, source, _search(include_dirs, given), given)
        text = merged(list(walk.texts.values()))
        if given.response_files or not given.understood:
            text = text._replace(computed=True, computed_include=True, hidden=True)
        if text.computed:
            text = text._replace(mentioned=TARGET_MACROS)
        here = os.getcwd() + os.sep
        files = {_normalized(path, here): path for path in walk.files}
        return Closure(
            files=tuple(files),
            incbinned=frozenset(short for short, path in files.items() if path not in walk.texts),
            missing=tuple(walk.missing.values()),
            unopened=frozenset(walk.unopened),
            text=text,
            size=sum(file.status.size for file in walk.files.values()),
            own=any(file.own for file in walk.files.values()),
            contents=tuple(walk.contents),
        )

    def loop(
        self, name: str, include_dirs: Sequence[str], args: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Return how an include leads back to itself: its name, those between, its name again.

        Empty when it does not. Guards are not understood: a loop may be one that ends.
        """
        search = _search(include_dirs, arguments.parse(tuple(args)))
        ways: dict[str, tuple[str, ...]] = {name: (name,)}
        for asking in (pending := [name]):
            _, file = self.find(asking, search)
            for named in file.text.named if isinstance(file, _File) else ():
                if named.name == name:
                    return (*ways[asking], name)
                if named.directive == "include" and named.name not in ways:
                    ways[named.name] = (*ways[asking], named.name)
                    pending.append(named.name)
        return ()

    def trouble(
        self, name: str, include_dirs: Sequence[str], args: Sequence[str] = ()
    ) -> str | None:
        """Return why an include that nasm did not open cannot be, if that is to be seen."""
        for folder in _search(include_dirs, arguments.parse(tuple(args))):
            path = os.path.join(folder, name)
            if os.path.lexists(path) and (reason := unreadable(path)):
                return f"{path} exists, but cannot be read: {reason}"
        return None

    def text(self, path: str) -> Text | None:
        """Return what matters of one file's text, None when it cannot be read."""
        file = self.look(path)
        return file.text if isinstance(file, _File) else None

    def can_read(self, path: str) -> bool:
        """Return whether this is a regular file that may be opened."""
        return isinstance(self.look(path), _File)

    def size(self, path: str) -> int:
        """Return the size of a file in bytes, 0 for anything else."""
        file = self.look(path)
        return file.status.size if isinstance(file, _File) else 0

    def digest(self, path: str) -> str:
        """Return a digest of one file's content, empty when it cannot be read."""
        file = self.look(path)
        if not isinstance(file, _File):
            return ""
        return own_digest() if file.own else file.digest

    def changed(self, paths: Iterable[str]) -> bool:
        """Return whether any of these files is no longer what was read."""
        files = ((path, self.look(path)) for path in paths)
        return any(
            not isinstance(file, _File) or file.status != _status(path) for path, file in files
        )

    def is_outdated(self, paths: Iterable[str]) -> bool:
        """Return whether any of these files has changed, or one that was missing exists now."""
        missing = [path for path, file in self._files.items() if file is None]
        return self.changed(paths) or any(self._look(path) is not None for path in missing)

    def forget(self, path: str) -> None:
        """Look anew at a file that was written."""
        self._files.pop(path, None)

    def find(self, name: str, search: Sequence[str]) -> tuple[str, _File | str | None]:
        """Return where nasm finds a file of this name, and the file; see ``look``."""
        for folder in search:
            path = f"{folder.rstrip('/') or '/'}/{name}" if folder else name
            file = self.look(path)
            if file is not None:
                return path, file
        return name, None

    def look(self, path: str) -> _File | str | None:
        """Return the file; words for its kind when it is irregular; None when there is none."""
        if path not in self._files:
            self._files[path] = self._look(path)
        return self._files[path]

    def _look(self, path: str) -> _File | str | None:
        try:
            found = os.stat(path)
        except (OSError, ValueError):  # ValueError: a NUL in the name
            return None
        if kind := irregular_kind(found.st_mode):
            return kind
        status = Status.of(found)
        known = self._state.file(path, status)
        # nasm passes over a file that it cannot open
        can_read = known is not None or os.access(path, os.R_OK)
        return _File(path, status, known, self._state) if can_read else None


class _Walk:
    """Follows every name from a source on; each attribute is what was found on the way."""

    def __init__(
        self, reader: Reader, source: str, search: Sequence[str], given: Arguments
    ) -> None:
        self._reader = reader
        self._search = search
        self._before = "\n".join(given.text).encode("utf-8", "surrogateescape")
        self.texts: dict[str, Text] = {"": scan(self._before) if self._before else NOTHING}
        self.files: dict[str, _File] = {}
        self.missing: dict[str, Missing] = {}
        self.unopened: set[str] = set()
        self.contents: list[tuple[str, _File | None]] = []
        self._seen: set[tuple[str, bool]] = set()
        named = [
            *((Named(name, 0, "include"), "-@") for name in given.response_files),
            *((Named(name, 0, "include"), "-P") for name in given.pre_includes),
            *((each, "-D") for each in self.texts[""].named),
        ]
        self._add_source(source)
        if source in self.texts:
            named += [(each, source) for each in self.texts[source].named]
        pending = named[::-1]
        while pending:
            each, asking = pending.pop()
            pending.extend(self._follow(each, asking))

    def _add_source(self, source: str) -> None:
        file = self._reader.look(source)
        if isinstance(file, _File):
            self.texts[source] = file.text
            self.files[source] = file
            self.contents.append(("", file))
        else:
            self.missing[source] = Missing(source, source, 0, file)

    def _follow(self, named: Named, asking: str) -> Iterator[tuple[Named, str]]:
        as_text = named.directive != "incbin"
        if (named.name, as_text) in self._seen:
            return
        self._seen.add((named.name, as_text))
        path, file = self._reader.find(named.name, self._search)
        self.contents.append((named.name, file if isinstance(file, _File) else None))
        if not isinstance(file, _File):
            if file is not None and named.directive == "depend":
                self.unopened.add(path)
            if file is None or not self._is_skipped(asking, named):
                self.missing.setdefault(named.name, Missing(named.name, asking, named.line, file))
            return
        self.files[path] = file
        if as_text and path not in self.texts:
            self.texts[path] = file.text
            yield from ((inner, path) for inner in file.text.named[::-1])

    def _is_skipped(self, asking: str, named: Named) -> bool:
        """Return whether nasm leaves an irregular file unopened here."""
        if named.is_only_looked_for:
            return True
        if asking not in self.files:
            return False
        others = [
            self._before,
            *(_content(path) for path in self.texts if path not in ("", asking)),
        ]
        return is_skipped(_content(asking), named.line, b"\n".join(others))


def _content(path: str) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(_LONGEST_TEXT)
    except (OSError, ValueError):
        return b""


def _may_say_more(value: str | None) -> bool:
    """Return whether the value of a macro may be more than a number."""
    return value is not None and re.fullmatch(r"(0x)?[0-9a-fA-F]+", value) is None


def closure(source: str, include_dirs: Sequence[str], args: Sequence[str] = ()) -> Closure:
    """Return the closure of one source; see ``Reader.closure``."""
    return Reader().closure(source, include_dirs, args)


def search_path(source: str, include_dirs: Sequence[str]) -> tuple[str, ...]:
    """Return where NASM looks after the project root: the source's folder, then include_dirs."""
    folder = os.path.dirname(source) or os.curdir
    return tuple(dict.fromkeys((folder, *include_dirs)))


def _search(include_dirs: Sequence[str], given: Arguments) -> tuple[str, ...]:
    # The current directory comes first, by whatever name it is in the list again.
    folders = (*include_dirs, *given.include_dirs)
    return ("", *(folder for folder in folders if folder not in (".", "./")))


def _normalized(path: str, here: str) -> str:
    """Return the shortest way to write ``path``: without the current directory, ``.`` and ``..``."""
    short = os.path.normpath(path)
    if ".." in path:
        try:
            # a/../b is b only when a is not a symbolic link.
            if not os.path.samefile(short, path):
                short = path
        except OSError:
            short = path
    return short.removeprefix(here)


@cache
def own_digest() -> str:
    """Return the digest of all of asmsetup's own includes, and of what writes files for them."""
    hashed = hashlib.sha256()
    with open_regular(_TABLES) as file:
        hash_file(file, hashed.update)
    for root in (INCLUDE_DIR, _BIND_DIR):
        for folder, folders, names in os.walk(root):
            folders.sort()
            for name in sorted(each for each in names if not each.endswith(".pyc")):
                path = os.path.join(folder, name)
                hashed.update(path.removeprefix(root).encode() + b"\0")
                with open(path, "rb", buffering=0) as file:  # ours, and so a regular one
                    hashed.update(file.readall())
    return hashed.hexdigest()


def _status(path: str) -> Status | None:
    try:
        return Status.of(os.stat(path))
    except OSError:
        return None

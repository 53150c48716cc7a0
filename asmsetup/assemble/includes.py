"""Find what a source %includes and incbins, from its text alone; never runs nasm, never raises on what it reads.

What is found is a superset of what nasm opens: a file named in a branch of %if
that is not taken counts too. A name that is not written out (a macro, a
parameter) cannot be followed; ``Closure.computed`` says so.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from ..files import hash_file, open_regular, unreadable

INCLUDE_DIR = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "include")
"""The folder of asmsetup's own includes."""

TARGET_MACROS = (
    "PY_UNIVERSAL",
    "PY_VERSION_HEX",
    "Py_GIL_DISABLED",
    "Py_DEBUG",
    "Py_LIMITED_API",
)
"""The macros that say which Python an object is for; it is for any when none is mentioned."""

ANY_VARIABLE = "*"
"""In ``Closure.environment``: a name that is not written out, so any variable may be meant."""


class Missing(NamedTuple):
    """A file that is named but was found nowhere."""

    name: str
    file: str
    line: int


class Closure(NamedTuple):
    """A source and everything it names, directly or through another file."""

    files: tuple[str, ...]
    """The source first, then each file as nasm would open it; relative where it is below the
    current directory. Files that cannot be read, the source included, are not here."""
    missing: tuple[Missing, ...]
    computed: bool
    """Some file may be read besides these: its name is not written out."""
    hidden: bool
    """Some file may be read that even nasm's own list of dependencies leaves out."""
    mentioned: frozenset[str]
    """The TARGET_MACROS that occur in the text; all of them when ``computed``."""
    environment: tuple[str, ...]
    """Environment variables that are read (%!NAME, %ifenv), sorted."""
    clock: bool
    """The date or the time of assembling is read."""
    names_files: bool
    """A file's own path is read (__?FILE?__)."""
    size: int
    """Bytes in all files together."""
    digest: str
    """Changes when the content of any file, or the file a name leads to, changes in content;
    does not change when the same tree is elsewhere. asmsetup's own includes are left out."""
    own: bool
    """Some of asmsetup's own includes are among the files; ``own_digest`` is of all of them."""


_Status = tuple[int, int, int, int]
"""Device, inode, size and time of change of a file: another one, or changed, where they differ."""


class _Wanted(NamedTuple):
    name: str
    line: int


class _Text(NamedTuple):
    """What matters of one file's text."""

    digest: str
    size: int
    status: _Status | None = None
    wanted: tuple[_Wanted, ...] = ()
    computed: bool = False
    computed_pathsearch: bool = False
    computed_incbin: bool = False
    times: bool = False
    mentioned: frozenset[str] = frozenset()
    environment: frozenset[str] = frozenset()
    clock: bool = False
    names_files: bool = False
    own: bool = False


_DIRECTORY = _Text("directory", 0)
"""nasm opens a directory as an empty file, and looks no further."""


class Reader:
    """Reads each file once for any number of closures; good for one build in one directory."""

    def __init__(self) -> None:
        self._texts: dict[str, _Text | None] = {}
        self._closures: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Closure] = {}

    def closure(
        self, source: str, include_dirs: Sequence[str], args: Sequence[str] = ()
    ) -> Closure:
        """Return the closure of ``source``.

        ``include_dirs`` are searched in order, after the current directory, and
        never relative to the including file: so nasm does it. ``args`` are
        further arguments of nasm's, where -I, -P and --before count.
        """
        asked = (source, tuple(include_dirs), tuple(args))
        if asked not in self._closures:
            self._closures[asked] = self._found(*asked)
        return self._closures[asked]

    def _found(self, source: str, include_dirs: tuple[str, ...], args: tuple[str, ...]) -> Closure:
        spoken = _Spoken.of(args)
        search = _search(include_dirs, spoken)
        before = _scan("\n".join(spoken.before).encode("utf-8", "surrogateescape"))
        texts: dict[str, _Text] = {"": before}
        found: dict[str, None] = {}
        missing: dict[str, Missing] = {}
        hashed = hashlib.sha256()

        text = self._read(source)
        if text is None:
            missing[source] = Missing(source, source, 0)
        else:
            texts[source] = text
            found[_plain(source)] = None
            hashed.update(text.digest.encode())

        asked: set[str] = set()
        pending = [
            *((wanted, source) for wanted in (text.wanted[::-1] if text else ())),
            *((wanted, "--before") for wanted in before.wanted[::-1]),
            *((_Wanted(name, 0), "-P") for name in spoken.pre_includes[::-1]),
            *((_Wanted(name, 0), "-@") for name in spoken.response_files[::-1]),
        ]
        while pending:
            wanted, asking = pending.pop()
            if wanted.name in asked:
                continue
            asked.add(wanted.name)
            path = self._find(wanted.name, search)
            text = self._read(path) if path is not None else None
            # The name and what it leads to, not the path: another checkout is the same.
            hashed.update(
                f"\0{wanted.name}\0{text.digest if text else ''}".encode(errors="replace")
            )
            if path is None or text is None or text is _DIRECTORY:
                missing[wanted.name] = Missing(wanted.name, asking, wanted.line)
                continue
            texts[path] = text
            found[_plain(path)] = None
            pending.extend((inner, path) for inner in text.wanted[::-1])

        computed = bool(spoken.response_files) or any(text.computed for text in texts.values())
        return Closure(
            files=tuple(found),
            missing=tuple(missing.values()),
            computed=computed,
            hidden=_hidden(texts.values()),
            mentioned=frozenset(TARGET_MACROS)
            if computed
            else frozenset().union(*(text.mentioned for text in texts.values())),
            environment=tuple(sorted(set().union(*(text.environment for text in texts.values())))),
            clock=any(text.clock for text in texts.values()),
            names_files=any(text.names_files for text in texts.values()),
            size=sum(text.size for text in texts.values()),
            digest=hashed.hexdigest(),
            own=any(text.own for text in texts.values()),
        )

    def loop(
        self, name: str, include_dirs: Sequence[str], args: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Return how an include leads back to itself: its name, those between, its name again.

        Empty when it does not. Guards are not understood: a loop may be one that ends.
        """
        search = _search(include_dirs, _Spoken.of(args))
        ways: dict[str, tuple[str, ...]] = {name: (name,)}
        for asking in (pending := [name]):
            path = self._find(asking, search)
            text = self._read(path) if path is not None else None
            for wanted in text.wanted if text is not None else ():
                if wanted.name == name:
                    return (*ways[asking], name)
                if wanted.name not in ways:
                    ways[wanted.name] = (*ways[asking], wanted.name)
                    pending.append(wanted.name)
        return ()

    def trouble(
        self, name: str, include_dirs: Sequence[str], args: Sequence[str] = ()
    ) -> str | None:
        """Return why an include that nasm did not open cannot be, if that is to be seen."""
        for folder in _search(include_dirs, _Spoken.of(args)):
            path = os.path.join(folder, name)
            if os.path.lexists(path) and (reason := unreadable(path)):
                return f"{path} exists, but cannot be read: {reason}"
        return None

    def digest(self, path: str) -> str:
        """Return a digest of one file's content, empty when it cannot be read."""
        text = self._read(path)
        if text is None:
            return ""
        return own_digest() if text.own else text.digest

    def changed(self, paths: Iterable[str]) -> bool:
        """Tell whether any of these files is no longer what was read."""
        return any(
            text is not None and text.status != _status(path)
            for path in paths
            if (text := self._read(path)) is not _DIRECTORY
        )

    def _find(self, name: str, search: Sequence[str]) -> str | None:
        for folder in search:
            path = f"{folder.rstrip('/') or '/'}/{name}" if folder else name
            if self._read(path) is not None:
                return path
        return None

    def _read(self, path: str) -> _Text | None:
        if path not in self._texts:
            self._texts[path] = _text(path)
        return self._texts[path]


def _hidden(texts: Collection[_Text]) -> bool:
    # NASM's dependencies (-M, -MD) overlook an incbin that follows TIMES, and a file in the
    # current directory that %pathsearch has found before (2.16.01).
    return any(text.computed_pathsearch for text in texts) or (
        any(text.computed_incbin for text in texts) and any(text.times for text in texts)
    )


def closure(source: str, include_dirs: Sequence[str], args: Sequence[str] = ()) -> Closure:
    """Return the closure of one source; see ``Reader.closure``."""
    return Reader().closure(source, include_dirs, args)


def search_path(source: str, include_dirs: Sequence[str]) -> tuple[str, ...]:
    """Return where NASM looks after the project root: the source's folder, then include_dirs."""
    folder = os.path.dirname(source) or os.curdir
    return tuple(dict.fromkeys((folder, *include_dirs)))


class _Spoken(NamedTuple):
    """What arguments of nasm's say about files."""

    include_dirs: tuple[str, ...]
    pre_includes: tuple[str, ...]
    before: tuple[str, ...]
    response_files: tuple[str, ...]
    """Hold further arguments, which are not looked into."""

    @staticmethod
    def of(args: Sequence[str]) -> _Spoken:
        include_dirs: list[str] = []
        pre_includes: list[str] = []
        before: list[str] = []
        response_files: list[str] = []
        words = iter(args)
        for word in words:
            if word in ("--before", "--include"):
                (before if word == "--before" else pre_includes).append(next(words, ""))
            elif word[:2].lower() == "-i":
                include_dirs.append(word[2:].strip() or next(words, ""))
            elif word[:2].lower() == "-p":
                pre_includes.append(word[2:].strip() or next(words, ""))
            elif word.startswith("-@"):
                response_files.append(word[2:].strip() or next(words, ""))
        return _Spoken(
            tuple(include_dirs),
            tuple(pre_includes),
            tuple(before),
            tuple(response_files),
        )


def _search(include_dirs: Sequence[str], spoken: _Spoken) -> tuple[str, ...]:
    # The current directory comes first, by whatever name it is in the list again.
    folders = (*include_dirs, *spoken.include_dirs)
    return ("", *(folder for folder in folders if folder not in (".", "./")))


def _plain(path: str) -> str:
    """Return the shortest way to write ``path``: without the current directory, ``.`` and ``..``."""
    here = os.getcwd() + os.sep
    plain = os.path.normpath(path)
    if ".." in path:
        try:
            # a/../b is b only when a is no symbolic link.
            if not os.path.samefile(plain, path):
                plain = path
        except OSError:
            plain = path
    return plain.removeprefix(here)


def _text(path: str) -> _Text | None:
    """Return what matters of the file, None when nasm could not open it."""
    if path.startswith(INCLUDE_DIR + os.sep):
        return _own_text(path)
    try:
        with open(path, "rb") as file:
            status = _of(os.fstat(file.fileno()))
            data = file.read()
    except IsADirectoryError:
        return _DIRECTORY
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None
    return _scan(data, status)


def _own_text(path: str) -> _Text | None:
    """Return what matters of one of asmsetup's own includes: all of them as one.

    They hold no surprises, but a megabyte in a hundred files for the different
    Pythons; to look into each costs more than to assemble a module.
    """
    status = _status(path)
    if status is None:
        return None
    mentioned = frozenset(TARGET_MACROS)
    return _Text("asmsetup's", status[2], status, mentioned=mentioned, own=True)


@cache
def own_digest() -> str:
    """Return the digest of all of asmsetup's own includes."""
    hashed = hashlib.sha256()
    for folder, folders, names in os.walk(INCLUDE_DIR):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            hashed.update(path.removeprefix(INCLUDE_DIR).encode() + b"\0")
            with open_regular(path) as file:
                hash_file(file, hashed.update)
    return hashed.hexdigest()


def _status(path: str) -> _Status | None:
    try:
        return _of(os.stat(path))
    except OSError:
        return None


def _of(status: os.stat_result) -> _Status:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


# Looked for in lower case with find(), many times faster than a regular expression; what
# is found is then read closely.
_INCLUDES = (b"%include", b"%depend", b"%pathsearch")
_ENVIRONMENT = (b"%!", b"ifenv", b"ifnenv")

# Texts, compiled when they are first needed: few sources need them all.
_CONTINUATION = rb"\\\r?\n"
_WORD = rb"[\w.$#@~?%]"
_LITERAL = rb"""[ \t]*(?:"(?P<d>[^"\r\n]*)"|'(?P<s>[^'\r\n]*)'|`(?P<b>[^`\\\r\n]*)`)"""
_OPERAND = _LITERAL + rb"[ \t]*(?P<end>[,;\r\n]|\Z)?"
_PATHSEARCH_OPERAND = rb"[ \t]+" + _WORD + rb"+" + _LITERAL + rb"[ \t]*(?P<end>[;\r\n]|\Z)?"
_CODE = rb"""(?:[^;"'`]|"[^"]*"|'[^']*'|`(?:\\.|[^`\\])*`)*"""
_VARIABLE = rb"""%!(?:([A-Za-z_]\w*)|"([^"\r\n]*)"|'([^'\r\n]*)'|`([^`\\\r\n]*)`)?"""
_IFENV = rb"ifn?env[ \t]+([^;\r\n]*)"
_IFENV_NAME = rb"(?:%!)?[\"'`]?([A-Za-z_]\w*)[\"'`]?\s*\Z"
_CLOCK = rb"__\??(?:utc_)?(?:date|time)(?:_num)?\??__|__\??posix_time\??__"
_FILE = rb"__\??file\??__"


def _scan(data: bytes, status: _Status | None = None) -> _Text:
    digest, size = hashlib.sha256(data).hexdigest(), len(data)
    continuation_offsets: list[int] = []
    if b"\\\n" in data or b"\\\r\n" in data:
        continuation_offsets = [match.start() for match in re.finditer(_CONTINUATION, data)]
        data = re.sub(_CONTINUATION, b"", data)
    lower = data.lower()
    wanted: list[tuple[int, str]] = []
    computed = computed_pathsearch = computed_incbin = False
    for position, end in _directives(data, lower):
        pathsearch = lower.startswith(b"%pathsearch", position)
        operand = re.compile(_PATHSEARCH_OPERAND if pathsearch else _OPERAND).match(data, end)
        if operand is None or operand["end"] is None:
            computed = True
            computed_pathsearch |= pathsearch
            computed_incbin |= lower.startswith(b"incbin", position)
        if operand is None:
            continue
        name = operand["d"] or operand["s"] or operand["b"] or b""
        wanted.append((position, os.fsdecode(name)))
    return _Text(
        digest,
        size,
        status,
        tuple(
            _Wanted(name, _line(data, position, continuation_offsets))
            for position, name in sorted(wanted)
        ),
        computed,
        computed_pathsearch,
        computed_incbin,
        b"times" in lower,
        frozenset(name for name in TARGET_MACROS if _mentions(data, name)),
        frozenset(_variables(data, lower)),
        b"__" in lower and re.search(_CLOCK, lower) is not None,
        b"__" in lower and re.search(_FILE, lower) is not None,
    )


def _directives(data: bytes, lower: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each directive that reads a file begins and ends."""
    for word in _INCLUDES:
        for position in _occurrences(lower, word):
            end = position + len(word)
            if not data[_line_start(data, position) : position].strip() and not _is_word(data, end):
                yield position, end
    for position in _occurrences(lower, b"incbin"):
        end = position + len(b"incbin")
        if (
            not _is_word(data, end)
            and not _is_word(data, position - 1)
            and re.compile(_CODE, re.DOTALL).fullmatch(data, _line_start(data, position), position)
        ):
            yield position, end


def _occurrences(data: bytes, word: bytes) -> Iterator[int]:
    position = data.find(word)
    while position >= 0:
        yield position
        position = data.find(word, position + 1)


def _line_start(data: bytes, position: int) -> int:
    start = data.rfind(b"\n", 0, position) + 1
    # nasm ends a line at a lone carriage return as well.
    return max(start, data.rfind(b"\r", start, position) + 1)


def _is_word(data: bytes, position: int) -> bool:
    return position >= 0 and re.match(_WORD, data[position : position + 1]) is not None


def _line(data: bytes, position: int, continuation_offsets: Sequence[int]) -> int:
    """Return the line of the original text that ``position`` in the joined one lies on."""
    removed = 0
    for count, offset in enumerate(continuation_offsets):
        # At least the backslash and the newline went; a carriage return between them is rare.
        if offset - 2 * count > position:
            break
        removed = count + 1
    return data.count(b"\n", 0, position) + removed + 1


def _mentions(data: bytes, name: str) -> bool:
    word = name.encode()
    return word in data and re.search(rb"(?<!\w)" + word + rb"(?!\w)", data) is not None


def _variables(data: bytes, lower: bytes) -> Iterator[str]:
    if not any(word in lower for word in _ENVIRONMENT):
        return
    for match in re.finditer(_VARIABLE, data):
        name = next((group for group in match.groups() if group), None)
        yield os.fsdecode(name) if name is not None else ANY_VARIABLE
    for match in re.finditer(_IFENV, data, re.IGNORECASE):
        name = re.match(_IFENV_NAME, match[1])
        yield os.fsdecode(name[1]) if name is not None else ANY_VARIABLE

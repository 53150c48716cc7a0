"""Bring an object up to date: leave it, take it from the cache, or assemble it."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property

from ..bind import bindings_for
from ..errors import AssembleError
from ..files import atomic_write, write_text
from ..named import NamedTuple
from . import kept, nasm, own, uptodate
from .cache import Cache
from .includes import INCLUDE_DIR, Closure, Missing, Reader
from .nasm import AssemblerOptions, Nasm, ObjectFile
from .scan import UNREAD
from .state import BuildState, Record
from .tables import as_string, selection
from .uptodate import Dependencies, Fingerprint

_SECONDS_PER_BYTE = 1e-7
"""Seconds that NASM takes, roughly; this only decides the order of what was never assembled before."""


class Extended(NamedTuple):
    """An object to which something was added after NASM had made it."""

    content: bytes
    notes: list[str]
    """Messages that -v shows."""


class Extra(NamedTuple):
    """An addition to each object that NASM makes."""

    digest: str
    """Stands for all that it adds, apart from what it makes of the object itself."""
    add: Callable[[str, bytes], Extended]
    """Gets the source's name and the object's bytes."""


class Objects:
    """Brings the objects of one build up to date."""

    def __init__(
        self,
        assembler: Nasm,
        reader: Reader,
        cache: Cache | None,
        launcher: Sequence[str] = (),
        show: Callable[[str], None] = lambda command: None,
        state: BuildState | None = None,
        extra: Extra | None = None,
        judge: Callable[[bytes], tuple[int, str] | None] = lambda content: None,
    ) -> None:
        """``launcher`` is a command that is put in front of NASM's; ``extra`` is added to each object.

        ``show`` gets each command, and the notes of ``extra``. ``judge`` gets the bytes that NASM
        has written, and returns the number of the first wrong call of a macro, and why it is wrong.
        """
        self._judge = judge
        self._nasm = assembler
        self._reader = reader
        self._cache = cache
        self._launcher = launcher
        self._show = show
        self._state = state or BuildState(None)
        self._extra = extra
        self._environment = nasm.environment()
        self.contents: dict[str, bytes] = {}
        """The bytes of each object that was brought up to date, so that it is not read again."""
        self._fingerprints: dict[ObjectFile, Fingerprint] = {}
        self._closures: dict[ObjectFile, Closure] = {}

    def is_up_to_date(self, wanted: ObjectFile) -> bool:
        """Return whether the object is what assembling it now would make."""
        print_ = self._fingerprint(wanted)
        return print_.lasting and uptodate.is_up_to_date(
            wanted.path, print_.digest, self._reader, self._state, print_.text
        )

    def cost(self, wanted: ObjectFile) -> float:
        """Return about how many seconds assembling takes: as long as last time, else by size."""
        record = self._state.record(wanted.path)
        return self._closure(wanted).size * _SECONDS_PER_BYTE if record is None else record.seconds

    def from_cache(self, wanted: ObjectFile) -> str | None:
        """Put the object in place out of the cache; return NASM's warnings, None without a hit."""
        print_ = self._fingerprint(wanted)
        if self._cache is None or not print_.cacheable:
            return None
        for dependencies in self._answers(self._cache, print_):
            full_digest = uptodate.full_digest(
                print_.digest, dependencies, self._reader, print_.text
            )
            cached = self._cache.load(full_digest, kept.Entry.parse) if full_digest else None
            if full_digest and cached is not None:
                with atomic_write(wanted.path) as partial, open(partial, "wb") as file:
                    file.write(cached.object)
                self._keep(wanted, print_, dependencies, full_digest, cached.object, cached.seconds)
                self._cache.count(hit=True)
                self._show_all(cached.notes)
                return cached.warnings
        self._cache.count(hit=False)
        return None

    def assemble(self, wanted: ObjectFile) -> str:
        """Assemble the object; return NASM's warnings.

        Raises AssembleError with NASM's own words, also for a call of a macro that the judge
        refuses; the object is then what it was.
        """
        print_, closure = self._fingerprint(wanted), self._closure(wanted)
        _require_regular(closure.missing)
        with atomic_write(wanted.path) as partial:
            start = time.monotonic()
            messages, rules = self._run(wanted, partial)
            content = self._read_object(partial, wanted.source)
            self._require_right_calls(wanted, content, partial)
            content, notes = self._extended(partial, wanted.source, content)
            seconds = round(time.monotonic() - start, 6)
            dependencies = uptodate.dependencies(rules, closure, wanted.options.include_dirs)
            # Made of what the closure holds. NASM lists no files where it gets names.
            dependencies = dependencies.without(_bindings_path(wanted))
            _require_regular(self._irregular(wanted.source, dependencies))
        full_digest = uptodate.full_digest(print_.digest, dependencies, self._reader, print_.text)
        read = (*closure.files, *dependencies.files)
        # A file that was edited meanwhile may not be the one NASM has read.
        if full_digest is None or self._reader.changed(read):
            self.contents[wanted.path] = content
            self._reader.forget(wanted.path)
            return messages
        self._keep(wanted, print_, dependencies, full_digest, content, seconds)
        if self._cache is not None and print_.cacheable:
            if dependencies.files:  # else the object is found under the text's own digest
                kept.add_answer(self._cache, print_.digest, dependencies)
            self._cache.put(full_digest, kept.Entry(messages, seconds, content, notes).to_bytes())
        return messages

    def _require_right_calls(self, wanted: ObjectFile, content: bytes, output: str) -> None:
        """Raise AssembleError if the judge refuses a call, of which NASM then tells the place."""
        if wrong := self._judge(content):
            number, why = wrong
            # In python/misuse.inc, _py_judged counts them as they are in the object.
            refused = f"-D_py_refused_{number}={as_string(why)}"
            self._shown(self._command(wanted, output, refused), wanted)
            raise AssembleError(f"{wanted.source}: {why}")

    def _keep(
        self,
        wanted: ObjectFile,
        print_: Fingerprint,
        dependencies: Dependencies,
        full_digest: str,
        content: bytes,
        seconds: float,
    ) -> None:
        """Keep what the object that is now in place was made from."""
        self.contents[wanted.path] = content
        self._reader.forget(wanted.path)
        if print_.lasting:
            self._state.set_record(
                wanted.path,
                Record(
                    print_.digest,
                    dependencies.to_json(),
                    full_digest,
                    hashlib.sha256(content).hexdigest(),
                    seconds,
                ),
            )
            self._state.save_now_and_then()

    def _irregular(self, source: str, dependencies: Dependencies) -> list[Missing]:
        """Return the irregular files that NASM has read; only a folder does not stop it."""
        kinds = ((path, self._reader.look(path)) for path in dependencies.files)
        return [Missing(path, source, 0, kind) for path, kind in kinds if isinstance(kind, str)]

    def listing(self, wanted: ObjectFile) -> str:
        """Assemble a source once more, and return the listing NASM writes beside the object."""
        with tempfile.TemporaryDirectory(dir=os.path.dirname(wanted.path)) as folder:
            output, path = os.path.join(folder, "object"), os.path.join(folder, "listing")
            self._shown(self._command(wanted, output, "-l", path), wanted)
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                return file.read()

    def with_lines(self, wanted: ObjectFile) -> bytes:
        """Assemble a source once more, with line numbers; return the object."""
        wanted = wanted._replace(options=wanted.options._replace(debug=True))
        with tempfile.TemporaryDirectory(dir=os.path.dirname(wanted.path)) as folder:
            output = os.path.join(folder, "object")
            self._shown(self._command(wanted, output), wanted)
            return self._read_object(output, wanted.source)

    def _run(self, wanted: ObjectFile, output: str) -> tuple[str, list[str]]:
        """Run NASM; return its warnings and, when asked for, its rules of dependency."""
        command = self._command(wanted, output)
        launched = [*self._launcher, *command]
        closure = self._closure(wanted)
        if not closure.asks:
            return self._shown(launched, wanted), []
        rules, text = f"{output}.d", f"{output}.i"
        try:
            messages = self._shown(nasm.with_depfile(launched, rules), wanted)
            texts = [self._read_rules(rules, wanted.source)]
            # What is incbin'd it does not forget, and nothing else can be pasted together.
            if closure.text.computed_include and nasm.forgets_includes(self._nasm.version):
                self._shown(nasm.with_depfile(nasm.preprocessing(command, text), rules), wanted)
                texts.append(self._read_rules(rules, wanted.source))
        finally:
            _remove(rules)
            _remove(text)
        return messages, texts

    def command(self, wanted: ObjectFile) -> list[str]:
        """Return how an object is made, without a launcher; the files that NASM needs are there."""
        return self._command(wanted, wanted.path)

    def _command(self, wanted: ObjectFile, output: str, *args: str) -> list[str]:
        """Return NASM's command; write what it reads first: bindings of typed functions, names."""
        closure = self._closure(wanted)
        named = (path for path in closure.files if path not in closure.incbinned)
        texts = [path for path in named if not own.is_ours(path)]
        bindings = self._bindings(texts)
        if bindings:
            args = ("-P", _written(_bindings_path(wanted), bindings), *args)
        path = _names_path(wanted)
        # NASM takes no path with control characters from a text.
        if path.isprintable() and (names := self._names(closure, texts, wanted.options, bindings)):
            args = (f"-D_py_mentioned={as_string(_written(path, names))}", *args)
        folder = os.getcwd()
        if wanted.options.debug and closure.own and folder.isprintable():
            # python/debug.inc writes it beside the names of variables, as NASM does with lines.
            args = (f"-D_py_folder={as_string(folder)}", *args)
        options = wanted.options._replace(args=(*wanted.options.args, *args))
        return nasm.command(self._nasm.path, wanted.source, output, options)

    def _bindings(self, texts: Sequence[str]) -> str:
        """Return the bindings of the typed functions that a source and its includes declare."""
        if not any((self._reader.text(path) or UNREAD).has_signatures for path in texts):
            return ""
        return bindings_for(texts, INCLUDE_DIR)

    def _names(
        self, closure: Closure, texts: Sequence[str], options: AssemblerOptions, bindings: str
    ) -> str:
        """Return what stands for the tables of python.inc; empty when NASM has to read these."""
        text = closure.text
        if not closure.own or text.computed or text.pastes or text.environment:
            return ""
        if any((self._reader.text(path) or UNREAD).mentioned for path in texts):
            return ""
        return selection(texts, options, bindings)

    def _extended(self, path: str, source: str, content: bytes) -> tuple[bytes, list[str]]:
        """Add to the object that NASM has left; return its bytes, and notes about that."""
        if self._extra is None:
            return content, []
        content, notes = self._extra.add(source, content)
        with open(path, "wb") as file:
            file.write(content)
        self._show_all(notes)
        return content, notes

    def _show_all(self, notes: Sequence[str]) -> None:
        for note in notes:
            self._show(note)

    def _read_object(self, path: str, source: str) -> bytes:
        try:
            with open(path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            raise self._left_nothing(source) from None

    def _read_rules(self, path: str, source: str) -> str:
        try:
            with open(path, encoding=sys.getfilesystemencoding(), errors="surrogateescape") as file:
                return file.read()
        except FileNotFoundError:
            raise self._left_nothing(source) from None

    def _left_nothing(self, source: str) -> AssembleError:
        program = "the command in ASMSETUP_LAUNCHER" if self._launcher else self._nasm.path
        return AssembleError(
            f"{source}: the assembler reported success and left no object",
            f"{program} must run nasm with the arguments it is given",
            "and no option may make nasm do anything else, as -E and -M do: see NASMFLAGS and nasm-args",
        )

    def _shown(self, command: Sequence[str], wanted: ObjectFile) -> str:
        self._show(shlex.join(command))
        return nasm.assemble(command, wanted.source, self._environment)

    def _answers(self, cache: Cache, print_: Fingerprint) -> Iterator[Dependencies]:
        """Yield the files that this text makes NASM read besides those it names: none, or as listed before."""
        yield Dependencies()
        if print_.asks:
            yield from kept.answers(cache, print_.digest)

    def _closure(self, wanted: ObjectFile) -> Closure:
        known = self._closures.get(wanted)
        if known is None:
            options = wanted.options
            where = options.include_dirs, options.args, options.define
            known = self._closures[wanted] = self._reader.closure(wanted.source, *where)
        return known

    def _fingerprint(self, wanted: ObjectFile) -> Fingerprint:
        known = self._fingerprints.get(wanted)
        if known is None:
            known = self._fingerprints[wanted] = uptodate.fingerprint(
                self._made_by,
                wanted.source,
                wanted.options,
                self._closure(wanted),
                self._environment,
            )
        return known

    @cached_property
    def _made_by(self) -> str:
        """A digest of NASM and of what adds to its objects."""
        assembler = uptodate.nasm_digest(self._nasm, self._reader)
        return assembler if self._extra is None else f"{assembler} {self._extra.digest}"


def _require_regular(named: Sequence[Missing]) -> None:
    """Raise AssembleError for an irregular file that is named: NASM may never end."""
    lines = [
        f"{each.file}:{each.line}: error: `{each.name}' cannot be read: it is {each.kind}"
        if each.line
        else f"{each.file}: `{each.name}' cannot be read: it is {each.kind}"
        for each in named
        if each.kind is not None
    ]
    if lines:
        raise AssembleError("\n".join(lines), "name a regular file, or leave the line out")


def _bindings_path(wanted: ObjectFile) -> str:
    return f"{wanted.path.removesuffix('.o')}.bindings.inc"


def _names_path(wanted: ObjectFile) -> str:
    return f"{wanted.path.removesuffix('.o')}.names.inc"


def _written(path: str, text: str) -> str:
    """Return the path of a file that has this text now."""
    with atomic_write(path) as partial:
        write_text(partial, text)
    return path


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)

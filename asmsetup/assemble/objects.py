"""Have an object where it is wanted: as it lies there, out of the cache, or assembled."""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property

from ..errors import AssembleError
from ..files import atomic_write
from . import fingerprint as prints
from . import nasm, record
from .cache import Cache
from .fingerprint import Dependencies, Fingerprint
from .includes import Closure, Reader
from .nasm import Nasm, ObjectFile
from .record import Record, content_digest

_ANSWERS = 16
"""How many answers of NASM's the cache keeps for one text."""

_SECONDS_PER_BYTE = 1e-7
"""What NASM takes, roughly; only the order of what has never been assembled hangs on it."""


class Objects:
    """Brings the objects of one build up to date."""

    def __init__(
        self,
        assembler: Nasm,
        reader: Reader,
        cache: Cache | None,
        launcher: Sequence[str] = (),
        show: Callable[[str], None] = lambda command: None,
    ) -> None:
        """``launcher`` is a command that is put in front of NASM's; ``show`` gets each command."""
        self._nasm = assembler
        self._reader = reader
        self._cache = cache
        self._launcher = launcher
        self._show = show
        self._environment = nasm.environment()
        self.contents: dict[str, bytes] = {}
        """The bytes of each object that was brought up to date: nobody has to read it again."""
        self._fingerprints: dict[ObjectFile, Fingerprint] = {}

    def is_up_to_date(self, wanted: ObjectFile) -> bool:
        """Tell whether the object lies there as assembling it now would make it."""
        print_ = self._fingerprint(wanted)
        if print_.lasting:
            found = record.content(wanted.path, print_.digest, self._reader)
            if found is not None:
                self.contents[wanted.path] = found
                return True
        return False

    def cost(self, wanted: ObjectFile) -> float:
        """Return about how many seconds assembling takes: as long as last time, else by size."""
        seconds = record.seconds(wanted.path)
        return self._closure(wanted).size * _SECONDS_PER_BYTE if seconds is None else seconds

    def from_cache(self, wanted: ObjectFile) -> str | None:
        """Put the object in place out of the cache; return NASM's warnings, None without a hit."""
        print_ = self._fingerprint(wanted)
        if self._cache is None or not print_.cacheable:
            return None
        for dependencies in self._answers(print_):
            full_digest = prints.full_digest(print_.digest, dependencies, self._reader)
            cached = self._cache.get(full_digest) if full_digest is not None else None
            if full_digest is not None and cached is not None:
                header, _, content = cached.partition(b"\n")
                about = json.loads(header)
                with atomic_write(wanted.path) as partial, open(partial, "wb") as file:
                    file.write(content)
                record.write(
                    wanted.path,
                    Record(
                        print_.digest,
                        dependencies,
                        full_digest,
                        content_digest(content),
                        about["seconds"],
                    ),
                )
                self.contents[wanted.path] = content
                self._cache.count(hit=True)
                return str(about["warnings"])
        self._cache.count(hit=False)
        return None

    def assemble(self, wanted: ObjectFile) -> str:
        """Assemble the object; return NASM's warnings.

        Raises AssembleError with NASM's own words; the object is then what it was.
        """
        print_ = self._fingerprint(wanted)
        with atomic_write(wanted.path) as partial:
            start = time.monotonic()
            said, rules = self._run(wanted, partial, asking=print_.asks)
            seconds = round(time.monotonic() - start, 6)
            content = self.contents[wanted.path] = self._read_object(partial, wanted.source)
        closure = self._closure(wanted)
        dependencies = prints.dependencies(rules, closure, wanted.options.include_dirs)
        full_digest = prints.full_digest(print_.digest, dependencies, self._reader)
        read = (*closure.files, *dependencies.files)
        # A file that was edited meanwhile may not be the one NASM has read.
        if full_digest is None or self._reader.changed(read):
            return said
        if print_.lasting:
            made = Record(
                print_.digest, dependencies, full_digest, content_digest(content), seconds
            )
            record.write(wanted.path, made)
        if self._cache is not None and print_.cacheable:
            if print_.asks:
                self._add_answer(self._cache, print_, dependencies)
            about = json.dumps({"warnings": said, "seconds": seconds})
            self._cache.put(full_digest, about.encode() + b"\n" + content)
        return said

    def listing(self, wanted: ObjectFile) -> str:
        """Assemble a source once more, and return the listing NASM writes beside the object."""
        with tempfile.TemporaryDirectory(dir=os.path.dirname(wanted.path)) as folder:
            output, path = os.path.join(folder, "object"), os.path.join(folder, "listing")
            options = wanted.options._replace(args=(*wanted.options.args, "-l", path))
            self._shown(nasm.command(self._nasm.path, wanted.source, output, options), wanted)
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                return file.read()

    def _run(self, wanted: ObjectFile, output: str, *, asking: bool) -> tuple[str, list[str]]:
        """Run NASM; return its warnings and, when asked for, its rules of dependency."""
        command = nasm.command(self._nasm.path, wanted.source, output, wanted.options)
        launched = [*self._launcher, *command]
        if not asking:
            return self._shown(launched, wanted), []
        rules, text = f"{output}.d", f"{output}.i"
        try:
            said = self._shown(nasm.with_depfile(launched, rules), wanted)
            texts = [_rules(rules)]
            if nasm.forgets_includes(self._nasm.version):
                self._shown(nasm.with_depfile(nasm.preprocessing(command, text), rules), wanted)
                texts.append(_rules(rules))
        finally:
            _remove(rules)
            _remove(text)
        return said, texts

    def _read_object(self, path: str, source: str) -> bytes:
        try:
            with open(path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            program = "the command in ASMSETUP_LAUNCHER" if self._launcher else self._nasm.path
            raise AssembleError(
                f"{source}: the assembler reported success and left no object",
                f"{program} must run nasm with the arguments it is given",
                "and no option may make nasm do anything else, as -E and -M do: see NASMFLAGS and nasm-args",
            ) from None

    def _shown(self, command: Sequence[str], wanted: ObjectFile) -> str:
        self._show(shlex.join(command))
        return nasm.assemble(command, wanted.source, self._environment)

    def _answers(self, print_: Fingerprint) -> list[Dependencies]:
        """Return what NASM has said before of the files this text makes it read."""
        if not print_.asks:
            return [Dependencies()]
        manifest = self._cache.get(_manifest_key(print_)) if self._cache is not None else None
        if manifest is None:
            return []
        return [Dependencies.from_json(item) for item in json.loads(manifest)]

    def _add_answer(self, cache: Cache, print_: Fingerprint, new: Dependencies) -> None:
        answers = [new, *(known for known in self._answers(print_) if known != new)]
        # Two builds that write at once lose one answer: an object is assembled once more.
        manifest = [answer.to_json() for answer in answers[:_ANSWERS]]
        cache.put(_manifest_key(print_), json.dumps(manifest).encode())

    def _closure(self, wanted: ObjectFile) -> Closure:
        options = wanted.options
        return self._reader.closure(wanted.source, options.include_dirs, options.args)

    def _fingerprint(self, wanted: ObjectFile) -> Fingerprint:
        known = self._fingerprints.get(wanted)
        if known is None:
            known = self._fingerprints[wanted] = prints.fingerprint(
                self._nasm_digest,
                wanted.source,
                wanted.options,
                self._closure(wanted),
                self._environment,
            )
        return known

    @cached_property
    def _nasm_digest(self) -> str:
        return prints.nasm_digest(self._nasm)


def _manifest_key(print_: Fingerprint) -> str:
    return content_digest(f"manifest {print_.digest}".encode())


def _rules(path: str) -> str:
    with open(path, encoding=sys.getfilesystemencoding(), errors="surrogateescape") as file:
        return file.read()


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)

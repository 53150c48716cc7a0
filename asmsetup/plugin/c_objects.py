"""Compiles C, C++ and GAS sources in the queue that NASM's are in, each only when something changed.

setuptools compiles one after the other, and all of them when one of an
extension's files was touched. How a source is compiled stays its business: each
job is one call of ``compile`` for one source, and has a folder of its own for
its object, so that one source with two commands has two objects.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import setuptools.errors

from ..assemble import gas, kept
from ..assemble.database import Compilation
from ..assemble.includes import Reader
from ..assemble.queue import Job
from ..assemble.state import Record
from ..assemble.uptodate import Dependencies, full_digest, is_up_to_date, prerequisites
from ..build import Builder
from ..errors import CompileError, ToolError
from ..files import atomic_write
from ..named import NamedTuple
from ..suffixes import is_gas

_ENVIRONMENT = ("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX")
"""Variables that change an object and are not in the command (GCC's manual, Environment Variables)."""

_SECONDS_PER_BYTE = 1e-5
"""Seconds that a compiler takes, roughly; this only decides the order of what was never compiled before."""

_NO_PART_OF_A_COMMAND = frozenset({"verbose", "force", "dry_run", "output_dir"})
_FOR_LINKING = frozenset(
    {"libraries", "library_dirs", "runtime_library_dirs", "objects", "archiver", "ranlib"}
    | {f"linker_{kind}{cxx}" for kind in ("so", "exe") for cxx in ("", "_cxx")}
)

_RUNNERS = ("call", "spawn")
"""The methods by which a compiler object runs commands: since setuptools 84 the first one."""

_FAILURES = (setuptools.errors.BaseError, setuptools.errors.CCompilerError)


def state(chosen: Any, *, linking: bool) -> str:
    """Return everything in a compiler object that its commands are made of, as text."""
    apart = _NO_PART_OF_A_COMMAND if linking else _NO_PART_OF_A_COMMAND | _FOR_LINKING
    words_of = {
        name: value
        for name, value in vars(chosen).items()
        if name not in apart and not callable(value)
    }
    programs = {
        words[0]: _program(words[0])
        for words in words_of.values()
        if isinstance(words, list) and words and isinstance(words[0], str)
    }
    return json.dumps([words_of, programs], default=str, sort_keys=True)


def compile_as_given(
    chosen: Any, below: Callable[..., list[str]], sources: Sequence[str], given: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Compile with a compiler object whose methods were replaced: it gets all arguments as they are.

    Return each source with its object.
    """
    if any(map(is_gas, sources)):
        chosen.src_extensions = accept_gas(chosen).src_extensions
    options = {name: value for name, value in given.items() if name != "sources"}
    return list(zip(sources, below(sources, **options), strict=True))


class _Work(NamedTuple):
    """One source to compile."""

    chosen: Any
    """A compiler object of this work's own."""
    source: str
    options: Mapping[str, Any]
    """Those of ``compile``."""
    folder: str
    """The folder of the object; compilers make folders below it by the source's path."""
    path: str
    """The object's."""
    fingerprint: str
    reader: Reader


def accept_gas(chosen: Any) -> Any:
    """Return the compiler object if it takes sources for GAS, else a copy that does."""
    missing = [each for each in (".S", ".s") if each not in chosen.src_extensions]
    if missing:
        chosen = copy.copy(chosen)
        chosen.src_extensions = [*chosen.src_extensions, *missing]
    return chosen


class CObjects:
    """Compiles for one build."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._lock = threading.Lock()
        self._started: dict[str, tuple[str, Job]] = {}
        """The fingerprint of each object that was queued, and its latest job."""

    def start(
        self,
        chosen: Any,
        sources: Sequence[str],
        options: Mapping[str, Any],
        group: Hashable,
        *,
        vital: bool,
        guess: bool = False,
    ) -> tuple[list[str], list[Job]]:
        """Queue what is not up to date; return all objects, and the jobs to wait for.

        ``options`` are those of ``compile``. What was asked for before, and is
        not done, is not queued again.
        """
        about = [
            state(chosen, linking=False),
            {name: value for name, value in options.items() if name != "depends"},
        ]
        if any(map(is_gas, sources)):
            chosen = accept_gas(chosen)
        # Of this call's own: what was built before may have written headers.
        reader = Reader(self._builder.state)
        objects, jobs = [], []
        for source in sources:
            command = json.dumps([source, *about], default=str, sort_keys=True)
            folder = os.path.join(self._builder.folder, "c", _name(command))
            (path,) = chosen.object_filenames([source], output_dir=folder)
            objects.append(path)
            if self._builder.settings.compile_commands:
                how = compilation(chosen, source, options, folder, path)
                self._builder.compilations[path] = how
            print_ = _fingerprint(command, [source, *(options.get("depends") or ())], reader)
            work = _Work(chosen, source, options, folder, path, print_, reader)
            jobs.append(self._queued(work, group, vital=vital, guess=guess))
        return objects, [job for job in jobs if job is not None]

    def _queued(self, work: _Work, group: Hashable, *, vital: bool, guess: bool) -> Job | None:
        """Return the job that makes an object; None when it is up to date."""
        with self._lock:
            job = self._under_way(work.path, work.fingerprint)
            if job is None and not is_up_to_date(
                work.path, work.fingerprint, work.reader, self._builder.state
            ):
                work = work._replace(chosen=copy_of(work.chosen))
                job = Job(partial(self._make, work), group, guess=guess)
                self._started[work.path] = work.fingerprint, job
                self._builder.jobs.add(job, self._cost(work.path, work.source), vital=vital)
            return job

    def _under_way(self, path: str, print_: str) -> Job | None:
        """Return the job that is making just this object; one that makes another is waited for."""
        started, job = self._started.get(path, (print_, None))
        if job is None:
            return None
        if started != print_:
            job.wait()
        # Since one that is done, the headers may have changed.
        return None if job.is_done else job

    def _make(self, work: _Work) -> None:
        """Compile a source, show its command and messages in one piece, and keep what it was made from."""
        if is_gas(work.source) and self._from_cache(work):
            return
        start = time.monotonic()
        printed, read = _compile(work)
        seconds = round(time.monotonic() - start, 6)
        self._builder.reporter.progress(printed)
        # A file that was edited meanwhile may not be the one the compiler has read.
        if read is None or work.reader.changed(read):
            return
        dependencies = Dependencies(tuple(read))
        made = full_digest(work.fingerprint, dependencies, work.reader)
        if made is None:
            return
        content = Path(work.path).read_bytes()
        self._record(work, dependencies, made, content, seconds)
        cache = self._builder.cache if is_gas(work.source) else None
        if cache is not None:
            key = _cache_key(work.fingerprint)
            kept.add_answer(cache, key, dependencies)
            cache.put(_cache_key(made), kept.Entry("", seconds, content).to_bytes())

    def _from_cache(self, work: _Work) -> bool:
        """Put an object of GAS's in place out of the cache; return whether it was there."""
        cache = self._builder.cache
        if cache is None:
            return False
        for dependencies in kept.answers(cache, _cache_key(work.fingerprint)):
            made = full_digest(work.fingerprint, dependencies, work.reader)
            found = cache.load(_cache_key(made), kept.Entry.parse) if made else None
            if made and found is not None:
                with atomic_write(work.path) as partial:
                    Path(partial).write_bytes(found.object)
                self._record(work, dependencies, made, found.object, found.seconds)
                self._builder.reporter.progress(f"cached {work.source}")
                cache.count(hit=True)
                return True
        cache.count(hit=False)
        return False

    def _record(
        self, work: _Work, dependencies: Dependencies, made: str, content: bytes, seconds: float
    ) -> None:
        """Keep what an object was made from."""
        digest = hashlib.sha256(content).hexdigest()
        made_from = Record(work.fingerprint, dependencies.to_json(), made, digest, seconds)
        self._builder.state.set_record(work.path, made_from)
        self._builder.state.save_now_and_then()

    def _cost(self, path: str, source: str) -> float:
        """Return about how many seconds compiling takes: as long as last time, else by size."""
        record = self._builder.state.record(path)
        if record is not None:
            return record.seconds
        # A source that is not there is the compiler's to complain of.
        return os.path.getsize(source) * _SECONDS_PER_BYTE if os.path.exists(source) else 0.0


def _cache_key(digest: str) -> str:
    # The line table holds the folder.
    return hashlib.sha256(f"gas {digest} {os.getcwd()}".encode()).hexdigest()


def _name(command: str) -> str:
    """Return the name of a command's folder: the same in each isolated build environment."""
    for entry in sorted(filter(None, sys.path), key=len, reverse=True):
        command = command.replace(json.dumps(entry)[1:-1], "<packages>")
    return hashlib.blake2b(command.encode(), digest_size=8).hexdigest()


def _fingerprint(command: str, files: Sequence[str], reader: Reader) -> str:
    text = json.dumps(
        [
            "c object 3",
            command,
            [reader.digest(os.fspath(path)) for path in files],
            [os.environ.get(name) for name in _ENVIRONMENT],
        ]
    )
    return hashlib.sha256(text.encode()).hexdigest()


def copy_of(chosen: Any) -> Any:
    """Return a compiler object of its own for a job: the one it comes from may change meanwhile."""
    twin = copy.copy(chosen)
    for name, value in vars(chosen).items():
        if isinstance(value, list):
            setattr(twin, name, list(value))
    return twin


def _compile(work: _Work) -> tuple[str, list[str] | None]:
    """Compile a source; return what was printed, and the files that were read if they are known.

    Raises CompileError.
    """
    os.makedirs(work.folder, exist_ok=True)
    rules = os.path.join(work.folder, f"{os.getpid()}-{threading.get_ident()}.d")
    asking = list(work.options.get("extra_postargs") or ())
    if not work.source.endswith(".s"):  # which no preprocessor reads
        asking += ["-MD", "-MT", "object", "-MF", rules]
    printed = captured(work.chosen, work.source)
    options = {**work.options, "output_dir": work.folder, "extra_postargs": asking}
    try:
        work.chosen.compile([work.source], **options)
        read = _read_by_gas(work, rules) if is_gas(work.source) else _read_files(rules)
    except _FAILURES as error:
        raise _failed(work.source, printed, error) from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(rules)
    return "\n".join(printed), read


def _read_by_gas(work: _Work, rules: str) -> list[str] | None:
    """Return the files that a source for GAS is made from; None when that cannot be known."""
    texts = [work.source] if work.source.endswith(".s") else _read_files(rules)
    if texts is None:
        return None
    words = [*work.chosen.compiler_so, *(work.options.get("extra_postargs") or ())]
    folders = [*(work.options.get("include_dirs") or ()), *work.chosen.include_dirs]
    folders += [word[2:] for word in words if word.startswith("-I")]
    found = gas.closure(texts, folders, preprocessed=False)
    return None if found.computed else list(found.files)


def compilation(
    chosen: Any, source: str, options: Mapping[str, Any], folder: str, path: str
) -> Compilation:
    """Return how a compiler object compiles a source, without doing it."""
    os.makedirs(folder, exist_ok=True)
    commands: list[list[str]] = []

    def note(command: Sequence[Any], *_: Any, **__: Any) -> None:
        commands.append([*map(str, command)])

    twin = copy_of(chosen)
    for name in _RUNNERS:
        if hasattr(twin, name):
            setattr(twin, name, note)
    twin.compile([source], **{**options, "output_dir": folder})
    return Compilation(source, path, commands[-1])


def captured(twin: Any, source: str = "") -> list[str]:
    """Have a copy of a compiler object print nothing; return the list that takes what it would print.

    ``source`` is what it compiles.
    """
    printed: list[str] = []
    for name in _RUNNERS:
        if hasattr(twin, name):
            setattr(twin, name, partial(_run, printed, source, name))
    return printed


def _failed(source: str, printed: list[str], error: BaseException) -> CompileError:
    # Of a compiler that has printed its errors, distutils only repeats the command.
    what = (
        "compilation failed; see the compiler's messages above" if len(printed) > 1 else str(error)
    )
    failed = CompileError(f"{source}: {what}")
    failed.output = "\n".join(printed)
    return failed


def _run(
    printed: list[str],
    source: str,
    name: str,
    command: Sequence[Any],
    *args: Any,
    **options: Any,
) -> None:
    """Run a compiler's command as its ``call`` or ``spawn`` does, and keep what it prints."""
    printed.append(subprocess.list2cmdline(command))
    try:
        done = subprocess.run(
            list(command),
            env=options.get("env"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise _no_compiler(str(command[0]), source) from error
    if done.stdout:
        printed.append(done.stdout.rstrip("\n"))
    if done.returncode and name == "spawn":
        raise setuptools.errors.ExecError(
            f"command {command[0]!r} failed with exit code {done.returncode}"
        )
    done.check_returncode()


def _no_compiler(name: str, source: str) -> ToolError:
    return ToolError.not_found(
        f"the C compiler, which assembles {source}" if is_gas(source) else "the C compiler",
        name,
        "Debian, Ubuntu:   apt-get install gcc libc6-dev",
        "Fedora, RHEL:     dnf install gcc",
        "Alpine:           apk add gcc musl-dev",
        "Arch:             pacman -S gcc",
        f"another one:      CC={'gcc' if 'clang' in name else 'clang'}",
    )


def _program(name: str) -> list[object]:
    """Return what tells a program from another one of the same name."""
    path = shutil.which(name)
    if path is None:
        return [name]
    status = os.stat(path)
    return [os.path.realpath(path), status.st_size, status.st_mtime_ns]


def _read_files(rules: str) -> list[str] | None:
    """Return the files a compiler reports to have read, None without a report."""
    try:
        with open(rules, encoding=sys.getfilesystemencoding(), errors="surrogateescape") as file:
            return prerequisites(file.read())
    except FileNotFoundError:
        return None

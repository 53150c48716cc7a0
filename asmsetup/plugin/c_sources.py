"""Compiles the C and C++ sources of mixed modules in the same queue, each only when something changed.

setuptools compiles one after the other, and all of them when one of an
extension's files was touched. How a source is compiled stays its business: each
job is one call of the compiler object's ``_compile``, as in setuptools itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import setuptools.errors

from ..assemble import record
from ..assemble.includes import Reader
from ..assemble.queue import Job
from ..assemble.record import Record, content_digest
from ..assemble.uptodate import Dependencies, full_digest, prerequisites
from ..build import Builder
from ..errors import CompileError, ToolError

_ENVIRONMENT = ("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX")
"""What changes an object without standing in the command (GCC's manual, Environment Variables)."""

_SECONDS_PER_BYTE = 1e-5
"""What a compiler takes, roughly; only the order of what was never compiled hangs on it."""


_OWN_COMPILE = frozenset({"distutils.ccompiler", "distutils.compilers.C.base"})
"""Where setuptools' own Compiler.compile has been, from 70.1 to 84."""


def understood(compiler: Any, compile_: Any) -> bool:
    """Tell whether the compiler object's ``compile`` does what ``CSources.start`` does.

    Not when somebody has put another one in its place, such as pybind11's
    ParallelCompile: then theirs is the one to call.
    """
    module = getattr(getattr(compile_, "__func__", None), "__module__", "")
    # setuptools' distutils goes by either name, as does everything in it.
    return compiler.compiler_type == "unix" and module.removeprefix("setuptools._") in _OWN_COMPILE


class CSources:
    """Compiles for one compiler object."""

    def __init__(self, compiler: Any, builder: Builder) -> None:
        self._compiler = compiler
        self._builder = builder
        self._lock = threading.Lock()
        self._started: dict[str, tuple[str, Job]] = {}
        """The fingerprint of each object that was queued, and its latest job."""
        self._reader: Reader | None = None
        self._programs: dict[str, list[object]] = {}
        self._job = threading.local()
        # setuptools runs commands with the first one since 84, before with the second.
        for name in ("call", "spawn"):
            if hasattr(compiler, name):
                setattr(compiler, name, self._listening(name, getattr(compiler, name)))

    def _listening(self, name: str, original: Callable[..., None]) -> Callable[..., None]:
        """Return the method that runs commands, keeping what they say while a job of ours runs."""

        def run(command: Sequence[Any], *args: Any, **options: Any) -> None:
            said: list[str] | None = getattr(self._job, "said", None)
            if said is None:
                original(command, *args, **options)
                return
            said.append(subprocess.list2cmdline(command))
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
                raise _no_compiler(str(command[0])) from error
            if done.stdout:
                said.append(done.stdout.rstrip("\n"))
            if done.returncode and name == "spawn":
                raise setuptools.errors.ExecError(
                    f"command {command[0]!r} failed with exit code {done.returncode}"
                )
            done.check_returncode()

        return run

    def nothing_writes_headers(self) -> None:
        """Be told that no file changes while this build runs: each is read once, then."""
        self._reader = Reader()

    def start(
        self,
        sources: Sequence[str],
        output_dir: str | None,
        macros: list[Any] | None,
        include_dirs: list[str] | None,
        debug: bool,
        extra_preargs: list[str] | None,
        extra_postargs: list[str] | None,
        depends: list[str],
        vital: bool,
    ) -> tuple[list[str], list[Job]]:
        """Queue what is not up to date; return all objects, and the jobs to wait for.

        What was asked for before, and is not done, is not queued again.
        """
        compiler = self._compiler
        _, objects, extra_postargs, pp_opts, build = compiler._setup_compile(
            output_dir, macros, include_dirs, sources, depends, extra_postargs
        )
        cc_args = compiler._get_cc_args(pp_opts, debug, extra_preargs)
        # Of this call's own: an extension built before may have written headers.
        reader = self._reader or Reader()
        jobs = []
        for path in objects:
            source, suffix = build[path]
            command = [source, suffix, cc_args, extra_postargs, pp_opts]
            print_ = self._fingerprint(command, [source, *depends], reader)
            with self._lock:
                job = self._under_way(path, print_)
                if job is None and record.content(path, print_, reader) is None:
                    job = Job(partial(self._make, path, command, print_, reader), vital)
                    self._started[path] = print_, job
                    self._builder.add(job, _cost(path, source))
            if job is not None:
                jobs.append(job)
        return objects, jobs

    def _under_way(self, path: str, print_: str) -> Job | None:
        """Return the job that makes, made or could not make just this object, if nothing is newer.

        Another one's for the same file is waited for.
        """
        started, job = self._started.get(path, (print_, None))
        if job is None:
            return None
        if started != print_:
            job.wait()
            return None
        # Of one that is done the headers may have changed since.
        return job if self._reader or job.error or not job.is_done else None

    def files_read(self, sources: Iterable[str], build_temp: str) -> list[str]:
        """Return the files that were read when these sources were compiled last."""
        # What C is generated from, such as .pyx, the compiler does not know.
        known = tuple(self._compiler.src_extensions)
        compiled = [source for source in sources if source.endswith(known)]
        objects = self._compiler.object_filenames(compiled, output_dir=build_temp)
        return sorted({file for path in objects for file in record.files(path)})

    def _fingerprint(self, command: list[Any], files: Sequence[str], reader: Reader) -> str:
        compiler = self._compiler
        # Before setuptools 72.2 C++ sources were compiled by compiler_so as well.
        compilers = [compiler.compiler_so, getattr(compiler, "compiler_so_cxx", None)]
        text = json.dumps(
            [
                "c object 1",
                command,
                [(words, self._program(words[0])) for words in compilers if words],
                [reader.digest(path) for path in files],
                [os.environ.get(name) for name in _ENVIRONMENT],
            ]
        )
        return content_digest(text.encode())

    def _program(self, name: str) -> list[object]:
        if name not in self._programs:
            self._programs[name] = _program(name)
        return self._programs[name]

    def _make(self, path: str, command: list[Any], print_: str, reader: Reader) -> None:
        source, suffix, cc_args, extra_postargs, pp_opts = command
        rules = f"{path}.{os.getpid()}-{threading.get_ident()}.d"
        said: list[str] = []
        self._job.said = said
        start = time.monotonic()
        try:
            asking = [*extra_postargs, "-MD", "-MT", "object", "-MF", rules]
            self._compiler._compile(path, source, suffix, cc_args, asking, pp_opts)
            read = _read_files(rules)
        except (setuptools.errors.BaseError, setuptools.errors.CCompilerError) as error:
            # Of a compiler that has spoken, distutils only repeats the command.
            what = (
                "compilation failed; see the compiler's messages above"
                if len(said) > 1
                else str(error)
            )
            raise CompileError(f"{source}: {what}") from error
        finally:
            self._job.said = None
            with suppress(FileNotFoundError):
                os.unlink(rules)
            # Each command and what the compiler says to it, in one piece.
            self._builder.reporter.progress("\n".join(said))
        if read is None or reader.changed(read):
            return
        dependencies = Dependencies(tuple(read))
        content = Path(path).read_bytes()
        made = full_digest(print_, dependencies, reader)
        if made is not None:
            seconds = round(time.monotonic() - start, 6)
            record.write(path, Record(print_, dependencies, made, content_digest(content), seconds))


def _no_compiler(name: str) -> ToolError:
    return ToolError.not_found(
        "the C compiler",
        name,
        "Debian, Ubuntu:   apt-get install gcc libc6-dev",
        "Fedora, RHEL:     dnf install gcc",
        "Alpine:           apk add gcc musl-dev",
        "Arch:             pacman -S gcc",
        "another one:      CC=clang",
    )


def _cost(path: str, source: str) -> float:
    """Return about how many seconds compiling takes: as long as last time, else by size."""
    seconds = record.seconds(path)
    if seconds is not None:
        return seconds
    # A source that is not there is the compiler's to complain of.
    return os.path.getsize(source) * _SECONDS_PER_BYTE if os.path.exists(source) else 0.0


def _program(name: str) -> list[object]:
    """Return what tells a compiler from another one of the same name."""
    path = shutil.which(name)
    if path is None:
        return [name]
    status = os.stat(path)
    return [os.path.realpath(path), status.st_size, status.st_mtime_ns]


def _read_files(rules: str) -> list[str] | None:
    """Return the files a compiler says it read, None when it says nothing."""
    try:
        with open(rules, encoding=sys.getfilesystemencoding(), errors="surrogateescape") as file:
            return prerequisites(file.read())
    except FileNotFoundError:
        return None

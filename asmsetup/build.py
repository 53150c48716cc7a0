"""The pipeline: recipe -> objects -> module. Read this page first.

    Extension -> Recipe -> ObjectFile... -> module.so -> wheel -> tagged wheel
                 plugin    plan  assemble   link         wheel

Knows files and tools, not setuptools: plugin.py makes the recipes and shows
what is said here.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import NamedTuple

from .assemble import cache, includes, nasm
from .assemble.cache import Cache
from .assemble.includes import INCLUDE_DIR, search_path
from .assemble.nasm import AssemblerOptions, Macro, Nasm, ObjectFile
from .assemble.objects import Objects
from .assemble.queue import Job, Queue, available
from .assemble.state import BuildState
from .check import Finding, report
from .check.inspection import Inspector, explained
from .config import Settings
from .errors import AsmsetupError, AssembleError, CheckError, LinkError, SourceError
from .facts.target import Target
from .files import atomic_write, same_content, sweep, unreadable, write_text
from .link import linker
from .link.linker import ModuleFile

Output = Callable[[str], None]


class Reporter(NamedTuple):
    """Where a build says what it has to say; what fails is raised instead."""

    progress: Output
    warning: Output
    detail: Output
    """The commands run, for those who ask (-v)."""


class Recipe(NamedTuple):
    """What one extension says about its assembly sources."""

    name: str
    """The module's full name, with its packages."""
    sources: tuple[str, ...]
    options: AssemblerOptions
    limited_api: tuple[int, int] | None = None
    """The lowest Python of a module for the stable ABI."""
    universal: bool = False
    """One module for every CPython, free-threaded ones included."""


class Builder:
    """Builds the modules of one project, each object once."""

    def __init__(self, settings: Settings, target: Target, folder: str, reporter: Reporter) -> None:
        """``folder`` takes everything that is built on the way to modules."""
        self.settings = settings
        self.target = target
        self.folder = folder
        self.queue = Queue(settings.jobs or available())
        self.state = BuildState(os.path.join(folder, "state"))
        self.reader = includes.Reader(self.state)
        self.reporter = reporter
        self._planned: dict[Recipe, list[ObjectFile]] = {}
        self._lock = threading.Lock()
        self._jobs: dict[str, Job | None] = {}
        self._other_jobs: list[Job] = []
        self._started: dict[str, ObjectFile] = {}
        self._wanted = 0
        self._done = 0

    @cached_property
    def nasm(self) -> Nasm:
        """The NASM of this build; looked for when there is something to assemble."""
        return nasm.find(self.settings.nasm)

    @cached_property
    def _objects(self) -> Objects:
        return Objects(
            self.nasm,
            self.reader,
            self._cache,
            self.settings.launcher,
            self.reporter.detail,
            self.state,
        )

    @cached_property
    def _inspector(self) -> Inspector:
        objects = self._objects
        return Inspector(
            self.target,
            objects.contents,
            objects.listing,
            strict=self.settings.strict,
            rules=self.settings.check,
        )

    @cached_property
    def _cache(self) -> Cache | None:
        if not self.settings.cache:
            return None
        return cache.open_cache(os.environ, self._warn)

    def _warn(self, text: str) -> None:
        self.reporter.warning(f"warning: {text}")

    @cached_property
    def ld(self) -> str:
        """The linker of this build; looked for when there is something to link."""
        return linker.find(self.settings.ld)

    def plan(self, recipe: Recipe) -> list[ObjectFile]:
        """Return the objects a recipe asks for, one a source, in the sources' order.

        Raises SourceError naming each source that is not there.
        """
        if recipe not in self._planned:
            self._planned[recipe] = self._plan(recipe)
        return self._planned[recipe]

    def _plan(self, recipe: Recipe) -> list[ObjectFile]:
        unfit = {source: why for source in recipe.sources if (why := unreadable(source))}
        if unfit:
            raise SourceError(
                "\n".join(f"{source}: {_no_source(source, why)}" for source, why in unfit.items()),
                f"Extension {recipe.name!r} names it; paths start from {os.getcwd()}",
            )
        if twice := [each for each, count in Counter(recipe.sources).items() if count > 1]:
            raise SourceError(
                "\n".join(f"Extension {recipe.name!r} lists {each} twice" for each in twice),
                "name each source once",
            )
        return [self._object(recipe, source) for source in recipe.sources]

    def _object(self, recipe: Recipe, source: str) -> ObjectFile:
        options = self._options(recipe, source)
        return ObjectFile(source, self._object_path(source, options), options)

    def _options(self, recipe: Recipe, source: str) -> AssemblerOptions:
        include_dirs = (*search_path(source, recipe.options.include_dirs), INCLUDE_DIR)
        warnings_as_errors = ("-w+error",) if self.settings.strict else ()
        args = (*warnings_as_errors, *self.settings.nasm_args, *recipe.options.args)
        # What a source does not ask for it is not told: so its object is the same for every
        # Python, unless it really depends on one.
        macros = recipe.options.define
        mentioned = self.reader.closure(source, include_dirs, args, macros).text.mentioned
        facts = [macro for macro in self._target_macros(recipe) if macro[0] in mentioned]
        return recipe.options._replace(
            include_dirs=include_dirs,
            define=(*facts, *recipe.options.define),
            args=args,
        )

    def _target_macros(self, recipe: Recipe) -> list[Macro]:
        """Return what the target is, under the names CPython's headers use."""
        if recipe.universal:
            return [("PY_UNIVERSAL", "1")]
        facts: list[Macro] = [("PY_VERSION_HEX", f"0x{self.target.version_hex:08X}")]
        if self.target.free_threaded:
            facts.append(("Py_GIL_DISABLED", "1"))
        if self.target.debug:
            facts.append(("Py_DEBUG", "1"))
        if recipe.limited_api is not None:
            major, minor = recipe.limited_api
            facts.append(("Py_LIMITED_API", f"0x{major:02X}{minor:02X}0000"))
        return facts

    def _object_path(self, source: str, options: AssemblerOptions) -> str:
        """Return where the object goes: named by its source and by a hash of its command.

        So x.c and x.asm, a/x.asm and b/x.asm, and one source with two sets of
        macros never meet, and two extensions that ask for the same object do.
        """
        # A file name has 255 bytes at most, and a letter up to four.
        # asmsetup's own folder is another one in each isolated build: it is named, not spelt.
        own = tuple("<asmsetup>" if d == INCLUDE_DIR else d for d in options.include_dirs)
        command = nasm.command("nasm", source, "", options._replace(include_dirs=own))
        digest = hashlib.blake2b(json.dumps(command).encode(), digest_size=8).hexdigest()
        return os.path.join(self.folder, f"{os.path.basename(source)[-40:]}.{digest}.o")

    def start(self, objects: Iterable[tuple[ObjectFile, bool]]) -> None:
        """Queue those objects that are not up to date; ``require`` waits for them.

        With each comes whether it is vital: when a vital one fails, nothing
        that has not started will. Of one that is named twice the first counts.
        """
        if not self._jobs:
            sweep(self.folder)
        new: dict[str, ObjectFile] = {}
        stale: dict[str, tuple[Job, float]] = {}
        for wanted, vital in objects:
            if wanted.path in self._jobs or wanted.path in new:
                continue
            new[wanted.path] = wanted
            if not self._objects.is_up_to_date(wanted):
                job = Job(partial(self._make, wanted), vital)
                stale[wanted.path] = job, self._objects.cost(wanted)
        # All are known before the first one is done: the count that is shown is right.
        self._started.update(new)
        self._wanted += len(stale)
        self._jobs.update({path: stale[path][0] if path in stale else None for path in new})
        for job, cost in stale.values():
            self.queue.add(job, cost)

    def add(self, job: Job, cost: float) -> None:
        """Queue other work of this build; ``require`` waits for it and tells its error."""
        self._other_jobs.append(job)
        self.queue.add(job, cost)

    def assembled(self, paths: Iterable[str]) -> list[ObjectFile]:
        """Return those of the files that are objects of this build, in the order of ``paths``."""
        return [self._started[path] for path in paths if path in self._started]

    def is_up_to_date(self, wanted: ObjectFile) -> bool:
        """Tell whether a started object was up to date before."""
        return self._jobs[wanted.path] is None

    def _make(self, wanted: ObjectFile) -> None:
        verb, warnings = "cached", self._objects.from_cache(wanted)
        if warnings is None:
            verb, warnings = "nasm", self._assembled(wanted)
        with self._lock:
            self._done += 1
            self.reporter.progress(f"[{self._done}/{self._wanted}] {verb} {wanted.source}")
            if warnings:
                self.reporter.warning(explained(warnings, wanted, self.reader))

    def _assembled(self, wanted: ObjectFile) -> str:
        try:
            return self._objects.assemble(wanted)
        except AssembleError as error:
            including = self._source_that_includes(wanted)
            what = explained(error.what, wanted, self.reader, briefly=including is not None)
            raise AssembleError(what, *error.ways_out, *_not_a_source(wanted, including)) from error

    def _source_that_includes(self, wanted: ObjectFile) -> str | None:
        path = os.path.realpath(wanted.source)
        for other in list(self._started.values()):
            where = other.options.include_dirs, other.options.args
            files = self.reader.closure(other.source, *where).files
            if other.source != wanted.source and path in map(os.path.realpath, files):
                return other.source
        return None

    def require(
        self, objects: Iterable[ObjectFile], others: Iterable[Job] = (), *, vital: bool
    ) -> None:
        """Wait until these objects and other jobs are done; raise all errors if one has failed.

        For a vital module that is also when any other vital job of the build failed.
        Raises AssembleError with everything NASM said.
        """
        own = [*others, *(job for wanted in objects if (job := self._jobs[wanted.path]))]
        self.queue.wait(own)
        if all(job.error is None for job in own) and not (vital and self.queue.stopped):
            return
        everything = [*filter(None, self._jobs.values()), *self._other_jobs]
        _raise_all(self.queue.wait([*own, *(job for job in everything if job.vital)]))

    def finish(self) -> None:
        """Let nothing start any more, and leave the cache in order."""
        self.queue.stop()
        self.reader.remember()
        self.state.save()
        if "_cache" in self.__dict__ and self._cache is not None:
            self._cache.close()

    def link(self, module: ModuleFile) -> None:
        """Link a module of nothing but assembly. Raises LinkError with ld's own words."""
        self.reporter.progress(f"ld {module.path}")
        with self.checked_output(module) as partial:
            command = linker.command(
                self.ld,
                module.objects,
                partial,
                self.version_script(module),
                module.options,
                self._inspector.c_library(module),
            )
            self.reporter.detail(shlex.join(command))
            try:
                said = linker.link(command)
            except LinkError as error:
                what = self._inspector.explained(module, error.what)
                raise LinkError(what, *error.ways_out) from error
        if warnings := self._inspector.unreported(module, said):
            self.reporter.warning(warnings)

    def check(self, module: ModuleFile, others: Callable[[], Iterable[ModuleFile]]) -> None:
        """Judge the objects of a module before they are linked.

        Warnings are shown. When anything would not work, ``others`` are judged
        as well, so that all mistakes are told at once. Raises CheckError.
        """
        findings = self._inspector.before_link(module)
        if any(finding.is_error for finding in findings):
            for other in others():
                findings += self._inspector.before_link(other)
        self._tell(findings)

    @contextmanager
    def checked_output(self, module: ModuleFile) -> Iterator[str]:
        """Yield a path to link a module to; it takes the module's place when it is found sound.

        Raises CheckError for what is not.
        """
        # Not beside the module: whatever lies there is packed into wheels.
        with atomic_write(module.path, self.folder) as partial:
            yield partial
            self._tell(self._inspector.after_link(module, partial))
            if same_content(partial, module.path):
                os.remove(partial)

    def _tell(self, findings: list[Finding]) -> None:
        if not findings:
            return
        if any(finding.is_error for finding in findings):
            raise CheckError(f"this would not work:\n{report(findings)}")
        self.reporter.warning(report(findings))

    def version_script(self, module: ModuleFile) -> str:
        """Write the linker script that says what a module exports; return its path."""
        path = os.path.join(self.folder, f"{module.name}.exports")
        with atomic_write(path) as partial:
            write_text(partial, linker.version_script((*module.entry_points, *module.exported)))
        return path


def _not_a_source(wanted: ObjectFile, including: str | None) -> tuple[str, ...]:
    if including is None:
        return ()
    return (
        f"{including} includes {wanted.source}, and what others include is seldom a source of its own:",
        "leave it out of sources, where a pattern has taken it along",
    )


def _no_source(path: str, why: str) -> str:
    if os.path.lexists(path):
        return f"this source cannot be read: {why}"
    return "there is no such source file"


def _raise_all(errors: Iterable[BaseException]) -> None:
    """Raise the errors as one; what is no error of the user's first, as it is."""
    distinct = list(dict.fromkeys(errors))
    if not distinct:
        raise AssembleError("the build was stopped")
    for error in distinct:
        if len(distinct) == 1 or not isinstance(error, AsmsetupError):
            raise error
    raise AssembleError("\n".join(map(str, distinct)))


def entry_points(name: str) -> tuple[str, str]:
    """Return the names CPython looks up in the module ``name`` (PEP 489, PEP 793)."""
    # pkg.__init__ is the package itself, and is looked for as pkg.
    short = name.removesuffix(".__init__").rpartition(".")[2]
    try:
        suffix = "_" + short.encode("ascii").decode()
    except UnicodeEncodeError:
        suffix = "U_" + short.encode("punycode").replace(b"-", b"_").decode()
    return f"PyInit{suffix}", f"PyModExport{suffix}"

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
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import NamedTuple

from .assemble import cache, includes, nasm, own
from .assemble.cache import Cache
from .assemble.includes import INCLUDE_DIR, search_path
from .assemble.nasm import AssemblerOptions, Macro, Nasm, ObjectFile
from .assemble.objects import Objects
from .assemble.queue import Job, Queue, StoppedError, available
from .assemble.state import BuildState
from .check import Finding, report
from .check.inspection import Inspector, explained
from .config import Settings
from .errors import (
    AsmsetupError,
    AssembleError,
    CheckError,
    CompileError,
    LinkError,
    SourceError,
)
from .facts.target import Target
from .files import atomic_write, same_content, sweep, unreadable, write_text
from .link import linker
from .link.linker import ModuleFile
from .link.unchanged import LinkedModules

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
    """The module's full name, with its packages; empty for a library's objects."""
    sources: tuple[str, ...]
    options: AssemblerOptions
    limited_api: tuple[int, int] | None = None
    """The lowest Python of a module for the stable ABI."""
    universal: bool = False
    """One module for every CPython, free-threaded ones included."""

    @property
    def named_by(self) -> str:
        """What names the sources, as an error calls it."""
        return f"Extension {self.name!r}" if self.name else "a library"


class Wanted(NamedTuple):
    """An object that a group of them needs."""

    object: ObjectFile
    group: Hashable
    """When one of a group fails, what of it has not started is cancelled."""
    vital: bool = True
    """Its errors are reported together with those of others."""


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
        self._starting = threading.RLock()
        self._jobs: dict[str, Job | None] = {}
        self._vital: list[Job] = []
        self._started: dict[str, ObjectFile] = {}
        self._counted: set[str] = set()
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
    def _modules(self) -> LinkedModules:
        context = (self.target, self.settings._replace(jobs=None))
        return LinkedModules(self.ld, self.state, self.reader, context)

    @cached_property
    def ld(self) -> str:
        """The linker of this build; looked for when there is something to link."""
        return linker.find(self.settings.ld)

    def plan(self, recipe: Recipe) -> list[ObjectFile]:
        """Return the objects a recipe asks for, one a source, in the sources' order.

        Raises SourceError naming each source that is not there.
        """
        with self._starting:
            if recipe not in self._planned:
                self._planned[recipe] = self._plan(recipe)
            return self._planned[recipe]

    def plan_again(self, recipe: Recipe) -> list[ObjectFile]:
        """Return what ``plan`` does, from the files as they are now: a build may write sources."""
        with self._starting:
            if self._is_outdated(self.plan(recipe)):
                self._forget()
            return self.plan(recipe)

    def _is_outdated(self, objects: Iterable[ObjectFile]) -> bool:
        closures = (
            self.reader.closure(
                each.source, each.options.include_dirs, each.options.args, each.options.define
            )
            for each in objects
        )
        return self.reader.is_outdated({path for found in closures for path in found.files})

    def _forget(self) -> None:
        """Forget all that was read, and what was made from it."""
        for job in filter(None, self._jobs.values()):
            job.wait()
        self._jobs.clear()
        self._planned.clear()
        self.__dict__.pop("_modules", None)
        self.reader = includes.Reader(self.state)
        self.__dict__.pop("_objects", None)
        self.__dict__.pop("_inspector", None)

    def _plan(self, recipe: Recipe) -> list[ObjectFile]:
        unfit = {source: why for source in recipe.sources if (why := unreadable(source))}
        if unfit:
            raise SourceError(
                "\n".join(f"{source}: {_no_source(source, why)}" for source, why in unfit.items()),
                f"{recipe.named_by} names it; paths start from {os.getcwd()}",
            )
        if twice := [each for each, count in Counter(recipe.sources).items() if count > 1]:
            raise SourceError(
                "\n".join(f"{recipe.named_by} lists {each} twice" for each in twice),
                "name each source once",
            )
        return [self._object(recipe, source) for source in recipe.sources]

    def _object(self, recipe: Recipe, source: str) -> ObjectFile:
        options = self._options(recipe, source)
        return ObjectFile(source, self._object_path(source, options), options)

    def _options(self, recipe: Recipe, source: str) -> AssemblerOptions:
        searched = search_path(source, recipe.options.include_dirs)
        include_dirs = (*searched, own.include_dir(searched, self.folder))
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

    def assemble(self, recipe: Recipe) -> list[ObjectFile]:
        """Return the objects a recipe asks for when all of them are up to date.

        Raises AssembleError with everything NASM reported.
        """
        objects = self.plan(recipe)
        self.require(self.start(Wanted(each, recipe.name) for each in objects))
        return objects

    def start(
        self,
        wanted: Iterable[Wanted],
        *,
        guess: bool = False,
    ) -> list[Job]:
        """Queue those objects that are not up to date; return the jobs to wait for.

        Of one that is wanted twice the first counts. A ``guess`` is work that
        nobody has asked for yet.
        """
        wanted = list(wanted)
        with self._starting:
            if not self._jobs:
                sweep(self.folder)
            new = {each.object.path: each for each in reversed(wanted)}
            new = {path: each for path, each in new.items() if self._must_start(path)}
            stale = [each for each in new.values() if not self._objects.is_up_to_date(each.object)]
            self._started.update((path, each.object) for path, each in new.items())
            # All are known before the first one is done: the count that is shown is right.
            self._counted.update(each.object.path for each in stale)
            self._supersede(self._jobs.get(path) for path in new)
            self._jobs.update(dict.fromkeys(new))
            for each in reversed(stale):
                job = Job(partial(self._make, each.object), each.group, guess=guess)
                self._jobs[each.object.path] = job
                self.add(job, self._objects.cost(each.object), vital=each.vital)
            jobs = (self._jobs[each.object.path] for each in wanted)
            return [job for job in jobs if job is not None]

    def _must_start(self, path: str) -> bool:
        if path not in self._jobs:
            return True
        job = self._jobs[path]
        return job is not None and job.error is not None and (job.guess or _was_cancelled(job))

    def add(self, job: Job, cost: float, *, vital: bool) -> None:
        """Queue work of this build; the errors of what is ``vital`` are reported with others."""
        if vital:
            self._vital.append(job)
        self.queue.add(job, cost)

    def assembled(self, paths: Iterable[str]) -> list[ObjectFile]:
        """Return those of the files that are objects of this build, in the order of ``paths``."""
        return [self._started[path] for path in paths if path in self._started]

    def _make(self, wanted: ObjectFile) -> None:
        verb, warnings = "cached", self._objects.from_cache(wanted)
        if warnings is None:
            verb, warnings = "nasm", self._assembled(wanted)
        with self._lock:
            self._done += 1
            self.reporter.progress(f"[{self._done}/{len(self._counted)}] {verb} {wanted.source}")
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

    def require(self, jobs: Iterable[Job]) -> None:
        """Wait until these jobs are done; raise all errors if one has failed.

        A guess that has failed is tried once more: what it lacked may be there now. So is
        what was cancelled because somebody else's work had failed.
        """
        jobs = list(jobs)
        errors = self.queue.wait(jobs)
        while again := self._to_try_again(jobs):
            self._supersede(again)
            jobs = [job for job in jobs if job not in again]
            for job in again:
                jobs.append(Job(job.work, job.group))
                self.queue.add(jobs[-1], 0)
            errors = self.queue.wait(jobs)
        if any(job.error for job in jobs):
            # What else has failed by now is reported, too.
            others = self.queue.wait(job for job in self._vital if job.is_done)
            self._raise_all([*errors, *others])

    def _print_once(self, error: CompileError) -> None:
        with self._lock:
            output, error.output = error.output, ""
        if output:
            self.reporter.progress(output)

    def _supersede(self, jobs: Iterable[Job | None]) -> None:
        """Leave these jobs' errors out of every report: their work is done once more."""
        gone = set(jobs)
        self._vital = [job for job in self._vital if job not in gone]

    def _to_try_again(self, jobs: Iterable[Job]) -> list[Job]:
        failed = [job for job in jobs if job.error is not None]
        if self.queue.stopped or not all(job.guess or _was_cancelled(job) for job in failed):
            return []
        return failed

    def _raise_all(self, errors: Iterable[BaseException]) -> None:
        """Raise the errors as one; what is no error of the user's first, as it is."""
        distinct = list({str(error): error for error in errors}.values())
        for error in distinct:
            if isinstance(error, CompileError):
                self._print_once(error)
        if not distinct:
            raise AssembleError("the build was stopped")
        for error in distinct:
            if len(distinct) == 1 or not isinstance(error, AsmsetupError):
                raise error
        raise AssembleError("\n".join(map(str, distinct)))

    def finish(self) -> None:
        """Stop the queue, and leave the cache in order."""
        self.queue.stop()
        self.reader.remember()
        self.state.save()
        if "_cache" in self.__dict__ and self._cache is not None:
            self._cache.close()

    def link(self, module: ModuleFile) -> None:
        """Link a module of nothing but assembly, unless it would come out as it is.

        Raises LinkError with ld's own words.
        """
        if self._modules.is_unchanged(module):
            return
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
        elif not said:
            self._modules.keep(module)

    def findings(self, module: ModuleFile) -> list[Finding]:
        """Return what is wrong with the objects of a module, errors and warnings."""
        return self._inspector.before_link(module)

    def listing(self, wanted: ObjectFile) -> str:
        """Return the listing that NASM writes of a source."""
        return self._objects.listing(wanted)

    def check(self, module: ModuleFile, others: Callable[[], Iterable[ModuleFile]]) -> None:
        """Judge the objects of a module before they are linked.

        Warnings are shown. When anything would not work, ``others`` are judged
        as well, so that all mistakes are told at once. Raises CheckError.
        """
        if self._modules.is_unchanged(module):
            return
        findings = self._inspector.before_link(module)
        if any(finding.is_error for finding in findings):
            for other in others():
                findings += self._inspector.before_link(other)
        self._tell(module, findings)

    @contextmanager
    def checked_output(self, module: ModuleFile) -> Iterator[str]:
        """Yield a path to link a module to; it takes the module's place when it is found sound.

        Raises CheckError for what is not.
        """
        # Not beside the module: whatever lies there is packed into wheels.
        with atomic_write(module.path, self.folder) as partial:
            yield partial
            self._tell(module, self._inspector.after_link(module, partial))
            if same_content(partial, module.path):
                os.remove(partial)

    def _tell(self, module: ModuleFile, findings: list[Finding]) -> None:
        if not findings:
            return
        self._modules.report(module)
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


def _was_cancelled(job: Job) -> bool:
    return isinstance(job.error, StoppedError)


def entry_points(name: str) -> tuple[str, str]:
    """Return the names CPython looks up in the module ``name`` (PEP 489, PEP 793)."""
    # pkg.__init__ is the package itself, and is looked for as pkg.
    short = name.removesuffix(".__init__").rpartition(".")[2]
    try:
        suffix = "_" + short.encode("ascii").decode()
    except UnicodeEncodeError:
        suffix = "U_" + short.encode("punycode").replace(b"-", b"_").decode()
    return f"PyInit{suffix}", f"PyModExport{suffix}"

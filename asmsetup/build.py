"""The pipeline: recipe -> objects -> module. Read this page first.

    Extension -> Recipe -> ObjectFile... -> module.so -> wheel -> tagged wheel
              plugin   plan      assemble, check, link     wheel

Knows files and tools, not setuptools: callers (``plugin``, ``live`` and others) make the
recipes, show the messages, and call ``plan``, ``start``, ``check`` and ``link`` in this order.
"""

from __future__ import annotations

import os
import shlex
import tempfile
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from .assemble import includes, nasm
from .assemble.cache import Cache, open_cache
from .assemble.jobs import Jobs, was_cancelled
from .assemble.nasm import Nasm, ObjectFile
from .assemble.objects import Extra, Objects
from .assemble.queue import Job, available
from .assemble.state import BuildState
from .check import Finding, report
from .check.code.marks import CALLS_SECTION
from .check.inspection import Inspector, explained
from .check.machine_code import Judge, judges
from .config import Settings
from .errors import AsmsetupError, AssembleError, CheckError, LinkError, ObjectError
from .facts.target import Target
from .files import atomic_write, same_content, sweep, write_text
from .link import linker
from .link.given import Given, advice, at_fault
from .link.linker import ModuleFile
from .link.unchanged import LinkedModules
from .named import NamedTuple
from .plan import Planner, Recipe
from .progress import Reporter, Steps

if TYPE_CHECKING:
    from .assemble.database import Compilation


class Wanted(NamedTuple):
    """An object to build, and on whose behalf."""

    object: ObjectFile
    group: Hashable
    """When one object of a group fails, those that have not started are cancelled."""
    vital: bool = True
    """Its errors are reported together with those of others."""


class Builder:
    """Builds the modules of one project, each object once."""

    def __init__(self, settings: Settings, target: Target, folder: str, reporter: Reporter) -> None:
        """``folder`` takes everything that is built on the way to modules."""
        self.settings = settings
        self.target = target
        self.folder = folder
        self.jobs = Jobs(settings.jobs or available(), reporter.warning, _together)
        self.state = BuildState(os.path.join(folder, "state"))
        self.reader = includes.Reader(self.state)
        self.reporter = reporter
        self.compilations: dict[str, Compilation] = {}
        """The commands of objects that are not NASM's, by their paths, where the settings ask for them."""
        self._planner = Planner(settings, target, folder)
        self._planned: dict[Recipe, list[ObjectFile]] = {}
        self._starting = threading.RLock()
        self._job_of: dict[str, Job | None] = {}
        self._started: dict[str, ObjectFile] = {}
        self.steps = Steps(reporter)

    @cached_property
    def nasm(self) -> Nasm:
        """The NASM of this build; looked for when there is something to assemble."""
        return nasm.find(self.settings.nasm)

    @cached_property
    def _objects(self) -> Objects:
        return Objects(
            self.nasm,
            self.reader,
            self.cache,
            self.settings.launcher,
            self.reporter.detail,
            self.state,
            self._unwind_tables(),
            _first_refused_call,
        )

    def _unwind_tables(self) -> Extra | None:
        if not self.settings.unwind:
            return None
        from .unwind import tables  # only for those who ask

        return tables()

    @cached_property
    def _inspector(self) -> Inspector:
        # NASM is looked for when there is something of NASM's to judge.
        contents = self._objects.contents if self._started else {}
        return Inspector(
            self.target,
            contents,
            lambda made: self._objects.listing(made),
            strict=self.settings.strict,
            rules=self.settings.check,
            judge=Judge(
                self.settings.check.machine_code,
                self.settings.baseline,
                self.state,
                lambda *made: self._objects.with_lines(*made),
                self.reporter.detail,
            ),
        )

    @cached_property
    def cache(self) -> Cache | None:
        """Objects of earlier builds; None when they are not wanted."""
        if not self.settings.cache:
            return None
        return open_cache(os.environ, self._warn)

    def _warn(self, text: str) -> None:
        self.reporter.warning(f"warning: {text}")

    @cached_property
    def _modules(self) -> LinkedModules:
        is_judged = judges(self.settings.check.machine_code)
        context = (self.target, self.settings._replace(**_NO_MATTER), is_judged)
        return LinkedModules(self.ld, self.state, self.reader, context)

    @cached_property
    def ld(self) -> str:
        """The linker of this build; looked for when there is something to link."""
        return linker.find(self.settings.ld, self.settings.ldflags)

    def plan(
        self, recipe: Recipe, planned: Callable[[list[ObjectFile]], object] = list
    ) -> list[ObjectFile]:
        """Return the objects a recipe asks for, one a source, in the sources' order.

        ``planned`` gets the objects that were not planned before as they come, a few at a time.
        Raises SourceError as ``Planner.objects`` does.
        """
        with self._starting:
            if recipe not in self._planned:
                self._planned[recipe] = self._planner.objects(recipe, self.reader, planned)
            return self._planned[recipe]

    def plan_again(self, recipe: Recipe) -> list[ObjectFile]:
        """Return what ``plan`` does, but read changed files again: a build may write sources."""
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
        """Forget everything that was read, and what depends on it."""
        for job in filter(None, self._job_of.values()):
            job.wait()
        self._job_of.clear()
        self._planned.clear()
        self.__dict__.pop("_modules", None)
        self.reader = includes.Reader(self.state)
        self.__dict__.pop("_objects", None)
        self.__dict__.pop("_inspector", None)

    def assemble(self, recipe: Recipe) -> list[ObjectFile]:
        """Return the objects a recipe asks for once all of them are up to date.

        Raises AssembleError with everything NASM reported.
        """
        objects = self.plan(recipe)
        self.jobs.require(self.start(Wanted(each, recipe.name) for each in objects))
        return objects

    def start(
        self,
        wanted: Iterable[Wanted],
        *,
        guess: bool = False,
    ) -> list[Job]:
        """Queue those objects that are not up to date; return the jobs to wait for.

        Duplicates are ignored. A ``guess`` is work that has not been asked for yet.
        """
        wanted = list(wanted)
        with self._starting:
            if not self._job_of:
                sweep(self.folder)
            # Of duplicates the first one counts; reversing twice keeps the order.
            new = {each.object.path: each for each in reversed(wanted)}
            new = {path: each for path, each in new.items() if self._must_start(path)}
            stale = [each for each in new.values() if not self._objects.is_up_to_date(each.object)]
            self._started.update((path, each.object) for path, each in new.items())
            self.steps.count(each.object.path for each in stale)
            self.jobs.supersede(self._job_of.get(path) for path in new)
            self._job_of.update(dict.fromkeys(new))
            for each in reversed(stale):
                work = partial(self._make, each.object, self._inspector)
                job = Job(work, each.group, guess=guess)
                self._job_of[each.object.path] = job
                self.jobs.add(job, self._objects.cost(each.object), vital=each.vital)
            jobs = (self._job_of[each.object.path] for each in wanted)
            return [job for job in jobs if job is not None]

    def _must_start(self, path: str) -> bool:
        if path not in self._job_of:
            return True
        job = self._job_of[path]
        return job is not None and job.error is not None and (job.guess or was_cancelled(job))

    def assembled(self, paths: Iterable[str]) -> list[ObjectFile]:
        """Return those of the files that are objects of this build, in the order of ``paths``."""
        return [self._started[path] for path in paths if path in self._started]

    def _make(self, wanted: ObjectFile, inspector: Inspector) -> None:
        verb, warnings = "cached", self._objects.from_cache(wanted)
        if warnings is None:
            verb, warnings = "nasm", self._assembled(wanted)
        shown = explained(warnings, wanted, self.reader) if warnings else ""
        self.steps.done(f"{verb} {wanted.source}", shown)
        # While others are assembled. Its faults are reported when its module is judged.
        with suppress(AsmsetupError):
            inspector.facts(wanted.path)

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

    def findings(self, module: ModuleFile) -> list[Finding]:
        """Return what is wrong with the objects of a module, errors and warnings."""
        return self._inspector.before_link(module)

    def listing(self, wanted: ObjectFile) -> str:
        """Return the listing that NASM writes of a source."""
        return self._objects.listing(wanted)

    def check(self, module: ModuleFile, others: Callable[[], Iterable[ModuleFile]]) -> None:
        """Judge the objects of a module before they are linked.

        Warnings are shown. When anything would not work, ``others`` are judged
        as well, so that all mistakes are reported at once. Raises CheckError.
        """
        if self._modules.is_unchanged(module):
            return
        findings = self._inspector.before_link(module)
        if any(finding.is_error for finding in findings):
            for other in others():
                findings += self._inspector.before_link(other)
        self._report(module, findings)

    def link(self, module: ModuleFile) -> None:
        """Link a module of nothing but assembly, unless it is up to date.

        Raises LinkError with ld's own words.
        """
        if self._modules.is_unchanged(module):
            return
        self.reporter.progress(f"ld {module.path}")
        link = partial(self._link, module)
        with self.naming_options_at_fault(module, link), self.checked_output(module) as output:
            messages = link(module.options.given, output)
        if warnings := self._inspector.unreported(module, messages):
            self.reporter.warning(warnings)
        elif not messages:
            self._modules.keep(module)

    def _link(self, module: ModuleFile, kept: Sequence[Given], output: str) -> str:
        command = linker.command(
            self.ld,
            module.objects,
            output,
            self.version_script(module),
            module.options.only(kept),
            self._inspector.c_library(module),
        )
        self.reporter.detail(shlex.join(command))
        try:
            return linker.link(command)
        except LinkError as error:
            what = self._inspector.explained(module, error.what)
            raise LinkError(what, *error.ways_out) from error

    @contextmanager
    def checked_output(self, module: ModuleFile) -> Iterator[str]:
        """Yield a path to link a module to; the file replaces the module when it passes the checks.

        Raises LinkError when there is no file, CheckError when it does not pass.
        """
        # Not beside the module: whatever lies there is packed into wheels.
        with atomic_write(module.path, self.folder) as output:
            yield output
            self._report(module, self._findings_in(module, output))
            if self.settings.split_debug:
                from .link import debug_file  # only for those who ask

                name = os.path.basename(module.path)
                debug_file.split(output, debug_file.path_of(self.folder, module.name, name))
            if same_content(output, module.path):
                os.remove(output)

    def write_stub(self, module: ModuleFile) -> None:
        """Write the stub of a module beside it, where the settings ask for that."""
        if not self.settings.stubs:
            return
        from .bind.beside import write_stub  # only for those who ask

        files: dict[str, None] = {}
        for made in module.assembled:
            options = made.options
            where = options.include_dirs, options.args, options.define
            closure = self.reader.closure(made.source, *where)
            files |= dict.fromkeys(each for each in closure.files if each not in closure.incbinned)
        sources = [made.source for made in module.assembled]
        write_stub(module.path, sources, list(files), includes.INCLUDE_DIR)

    def _findings_in(self, module: ModuleFile, output: str) -> list[Finding]:
        if not os.path.exists(output):
            raise LinkError(f"{module.path}: the linker reported no error, and has written no file")
        try:
            return self._inspector.after_link(module, output)
        except ObjectError as error:
            raise LinkError(error.what.replace(output, module.path), *error.ways_out) from error

    @contextmanager
    def naming_options_at_fault(
        self, module: ModuleFile, link: Callable[[Sequence[Given], str], object]
    ) -> Iterator[None]:
        """Add to a link's failure the options without which it succeeds.

        ``link(options, path)`` links with these options to this path.
        """
        try:
            yield
        except (CheckError, LinkError) as error:
            faults = at_fault(module.options.given, partial(self._links, module, link))
            ways_out = (*map(advice, faults), *error.ways_out)
            raise type(error)(error.what, *ways_out) from error

    def _links(
        self,
        module: ModuleFile,
        link: Callable[[Sequence[Given], str], object],
        kept: Sequence[Given],
    ) -> bool:
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            output = os.path.join(folder, os.path.basename(module.path))
            try:
                link(kept, output)
                return not any(each.is_error for each in self._findings_in(module, output))
            except AsmsetupError:
                return False

    def _report(self, module: ModuleFile, findings: list[Finding]) -> None:
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

    def finish(self) -> None:
        """Stop the queue; save the state, the cache's statistics and the commands that are wanted.

        Raises FileError when the commands cannot be written.
        """
        self.jobs.stop()
        self.state.save()
        if "cache" in self.__dict__ and self.cache is not None:
            self.cache.close()
        if self.settings.compile_commands and "_objects" in self.__dict__:
            from .assemble import database  # only for those who ask

            ours = [
                database.Compilation(each.source, each.path, self._objects.command(each))
                for each in self._started.values()
            ]
            database.write(self.settings.compile_commands, [*ours, *self.compilations.values()])


_NO_MATTER: dict[str, Any] = {"jobs": None, "compile_commands": None, "stubs": False}
"""Settings that make no other module."""


def _first_refused_call(content: bytes) -> tuple[int, str] | None:
    """Return the number of the first wrong call of a macro in an object, and why it is wrong."""
    if CALLS_SECTION.encode() not in content:
        return None
    from .check.calls import first_refused  # only for objects with calls to judge

    return first_refused(content)


def _together(reports: Sequence[str]) -> list[str]:
    from .check.together import together  # only needed when sources fail

    return together(reports)


def _not_a_source(wanted: ObjectFile, including: str | None) -> tuple[str, ...]:
    if including is None:
        return ()
    return (
        f"{including} includes {wanted.source}, and an included file is seldom a source of its own:",
        "remove it from sources; perhaps a pattern matched it",
    )

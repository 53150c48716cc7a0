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
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from . import cache, elf, includes, jobs, linker, nasm
from .cache import Cache
from .config import Settings
from .errors import AsmsetupError, AssembleError, SourceError
from .files import placed, same_content
from .includes import INCLUDE_DIR
from .jobs import Job, Queue
from .linker import LinkerOptions
from .nasm import AssemblerOptions, Macro, Nasm
from .objects import ObjectFile, Objects
from .target import Target

Say = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """What one extension says about its assembly sources."""

    name: str
    """The module's full name, with its packages."""
    sources: tuple[str, ...]
    options: AssemblerOptions
    limited_api: int | None = None
    """The lowest version of a stable-ABI module, as Py_LIMITED_API has it."""
    universal: bool = False
    """One module for every CPython, free-threaded ones included."""


@dataclass(frozen=True)
class ModuleFile:
    """A module to link from objects that are there."""

    name: str
    path: str
    objects: tuple[str, ...]
    exported: tuple[str, ...]
    options: LinkerOptions


class Builder:
    """Builds the modules of one project, each object once."""

    def __init__(
        self, settings: Settings, target: Target, folder: str, say: Say, warn: Say
    ) -> None:
        """``folder`` takes everything built on the way; ``say`` tells progress, ``warn`` the rest."""
        self.settings = settings
        self.target = target
        self.folder = folder
        self.queue = Queue(settings.jobs or jobs.available())
        self.reader = includes.Reader()
        self._say = say
        self._warn = warn
        self._lock = threading.Lock()
        self._jobs: dict[str, Job | None] = {}
        self._done = 0

    @cached_property
    def nasm(self) -> Nasm:
        """The NASM of this build; looked for when there is something to assemble."""
        return nasm.find(self.settings.nasm)

    @cached_property
    def _objects(self) -> Objects:
        return Objects(self.nasm, self.reader, self._cache, self.settings.launcher)

    @cached_property
    def _cache(self) -> Cache | None:
        if not self.settings.cache:
            return None
        return Cache(cache.folder(os.environ), cache.size_limit(os.environ), self._warn)

    @cached_property
    def ld(self) -> str:
        """The linker of this build; looked for when there is something to link."""
        return linker.find(self.settings.ld)

    def plan(self, recipe: Recipe) -> list[ObjectFile]:
        """Return the objects a recipe asks for, one a source, in the sources' order.

        Raises SourceError naming each source that is not there.
        """
        missing = [source for source in recipe.sources if not os.path.isfile(source)]
        if missing:
            raise SourceError(
                "\n".join(f"{source}: there is no such source file" for source in missing),
                f"Extension {recipe.name!r} names it; paths start from {os.getcwd()}",
            )
        return [self._object(recipe, source) for source in recipe.sources]

    def _object(self, recipe: Recipe, source: str) -> ObjectFile:
        options = self._options(recipe, source)
        return ObjectFile(source, self._object_path(source, options), options)

    def _options(self, recipe: Recipe, source: str) -> AssemblerOptions:
        include_dirs = (*search_path(source, recipe.options.include_dirs), INCLUDE_DIR)
        args = (*self.settings.nasm_args, *recipe.options.args)
        # What a source does not ask for it is not told: so its object is the same for every
        # Python, unless it really depends on one.
        mentioned = self.reader.closure(source, include_dirs, args).mentioned
        facts = [macro for macro in self._target_macros(recipe) if macro[0] in mentioned]
        return replace(
            recipe.options,
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
            facts.append(("Py_LIMITED_API", f"0x{recipe.limited_api:08X}"))
        return facts

    def _object_path(self, source: str, options: AssemblerOptions) -> str:
        """Return where the object goes: named by its source and by a hash of its command.

        So x.c and x.asm, a/x.asm and b/x.asm, and one source with two sets of
        macros never meet, and two extensions that ask for the same object do.
        """
        # asmsetup's own folder is another one in each isolated build: it is named, not spelt.
        own = tuple("<asmsetup>" if d == INCLUDE_DIR else d for d in options.include_dirs)
        command = nasm.command("nasm", source, "", replace(options, include_dirs=own))
        digest = hashlib.blake2b(json.dumps(command).encode(), digest_size=8).hexdigest()
        return os.path.join(self.folder, f"{os.path.basename(source)[-100:]}.{digest}.o")

    def start(self, objects: Iterable[ObjectFile], *, vital: bool) -> None:
        """Queue those objects that are not up to date; ``require`` waits for them.

        When a vital one fails, nothing that has not started will.
        """
        new = {wanted.path: wanted for wanted in objects if wanted.path not in self._jobs}
        stale = {
            path: (Job(partial(self._make, wanted), vital), self._objects.cost(wanted))
            for path, wanted in new.items()
            if not self._objects.is_up_to_date(wanted)
        }
        # All are known before the first one is done: the count that is shown is right.
        self._jobs.update({path: stale[path][0] if path in stale else None for path in new})
        for job, cost in stale.values():
            self.queue.add(job, cost)

    def is_up_to_date(self, wanted: ObjectFile) -> bool:
        """Tell whether a started object was up to date before."""
        return self._jobs[wanted.path] is None

    def _make(self, wanted: ObjectFile) -> None:
        verb, warnings = "cached", self._objects.from_cache(wanted)
        if warnings is None:
            verb, warnings = "nasm", self._objects.assemble(wanted)
        with self._lock:
            self._done += 1
            self._say(f"[{self._done}/{self._count}] {verb} {wanted.source}")
            if warnings:
                self._warn(warnings)

    @property
    def _count(self) -> int:
        return sum(job is not None for job in self._jobs.values())

    def require(
        self, objects: Iterable[ObjectFile], others: Iterable[Job] = (), *, vital: bool
    ) -> None:
        """Wait until these objects and other jobs are done; raise all errors if one has failed.

        For a vital module that is also when any other vital object failed.
        Raises AssembleError with everything NASM said.
        """
        own = [*others, *(job for wanted in objects if (job := self._jobs[wanted.path]))]
        self.queue.wait(own)
        if all(job.error is None for job in own) and not (vital and self.queue.stopped):
            return
        everything = [job for job in self._jobs.values() if job is not None and job.vital]
        _raise_all(self.queue.wait([*own, *everything]))

    def finish(self) -> None:
        """Let nothing start any more, and leave the cache in order."""
        self.queue.stop()
        if "_cache" in self.__dict__ and self._cache is not None:
            self._cache.close()

    def link(self, module: ModuleFile) -> None:
        """Link a module of nothing but assembly. Raises LinkError with ld's own words."""
        facts = [elf.read(path) for path in module.objects]
        script = self.version_script(module.name, module.exported)
        self._say(f"ld {module.path}")
        with placed(module.path) as partial:
            said = linker.link(
                linker.command(
                    self.ld, module.objects, partial, script, module.options, _c_library(facts)
                )
            )
            if same_content(partial, module.path):
                os.remove(partial)
        if said:
            self._warn(said)

    def version_script(self, name: str, exported: Iterable[str]) -> str:
        """Write the linker script that exports these names of a module; return its path."""
        path = os.path.join(self.folder, f"{name}.exports")
        with placed(path) as partial, open(partial, "w", encoding="utf-8") as file:
            file.write(linker.version_script(exported))
        return path


def _raise_all(errors: Iterable[BaseException]) -> None:
    """Raise the errors as one; what is no error of the user's first, as it is."""
    distinct = list(dict.fromkeys(errors))
    if not distinct:
        raise AssembleError("the build was stopped")
    for error in distinct:
        if len(distinct) == 1 or not isinstance(error, AsmsetupError):
            raise error
    raise AssembleError("\n".join(map(str, distinct)))


def search_path(source: str, include_dirs: Sequence[str]) -> tuple[str, ...]:
    """Return where NASM looks after the project root: the source's folder, then include_dirs."""
    folder = os.path.dirname(source) or os.curdir
    return tuple(dict.fromkeys((folder, *include_dirs)))


def entry_points(name: str) -> tuple[str, str]:
    """Return the names CPython looks up in the module ``name`` (PEP 489, PEP 793)."""
    short = name.rpartition(".")[2]
    try:
        suffix = "_" + short.encode("ascii").decode()
    except UnicodeEncodeError:
        suffix = "U_" + short.encode("punycode").replace(b"-", b"_").decode()
    return f"PyInit{suffix}", f"PyModExport{suffix}"


def _c_library(objects: Sequence[elf.ElfFacts]) -> list[str]:
    """Return the C library's files if any name the objects leave open is not CPython's."""
    undefined = {symbol.name for facts in objects for symbol in facts.undefined}
    if all(name.startswith(("Py", "_Py")) for name in undefined):
        return []
    return linker.c_library_files()

"""One run of a command that compiles: what arrives at its compiler object becomes recipes and modules.

What the extensions say beforehand only starts work early. Nothing outlives the run.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from setuptools import Command, Extension
from setuptools.extension import Library

from ..assemble.nasm import AssemblerOptions, ObjectFile
from ..assemble.queue import Job
from ..build import Builder, Wanted
from ..errors import AsmsetupError, SourceError
from ..files import same_content
from ..link.linker import GasObject, ModuleFile, entry_points
from ..plan import Recipe
from ..suffixes import is_assembly, is_gas, is_ours
from . import declared
from .compiler import COMPILE, added_include_dirs, is_stock, plain
from .extensions import namesakes, require_portable, require_sound, require_universal
from .flags import assembly_calls, linker_options, other_calls, require_ungrouped
from .session import (
    FAILURES,
    concern,
    is_elsewhere,
    is_universal,
    lasting_folder,
    lowest_version,
    parallel_jobs,
    reporter,
    settings,
    setuptools_errors,
)
from .tags import target_of

if TYPE_CHECKING:
    from .c_objects import CObjects

_OUTPUT = "objects", "output_filename"

_STACK_NOTE = (
    *("--before", "[section .note.GNU-stack noalloc noexec nowrite progbits]"),
    *("--before", "[section .text]"),
)
"""For a library's objects: who links it may not be us, and silence asks for an executable stack."""


class BuildRun:
    """One run of build_ext or build_clib."""

    def __init__(self, command: Command) -> None:
        self._command: Any = command
        self._lock = threading.Lock()
        self._building: dict[int, Extension] = {}
        self._builder: Builder | None = None
        self._c_objects: CObjects | None = None
        self._linking: set[int] = set()
        self.is_stopped = False
        self._guessed = False
        self._compiled: set[str] = set()
        """The objects that a C compiler has made."""
        self._gas: dict[str, GasObject] = {}
        """The objects of sources for GAS."""
        self._named: dict[str, str] = {}
        """The objects of libraries, by the names that ``object_filenames`` gives them."""

    @contextmanager
    def building(self, ext: Extension) -> Iterator[None]:
        """Count what this thread compiles and links as an extension's."""
        thread = threading.get_ident()
        self._building[thread] = ext
        try:
            yield
        finally:
            del self._building[thread]

    @property
    def extension(self) -> Extension | None:
        """The extension that is being built, as far as that is known."""
        own = self._building.get(threading.get_ident())
        under_way = list(self._building.values())
        # A command class may compile in threads of its own.
        return own if own is not None or len(under_way) != 1 else under_way[0]

    def concerns(self, sources: Iterable[Any]) -> bool:
        """Return whether compiling these is asmsetup's matter."""
        ext = self.extension
        if any(is_assembly(source) or is_gas(source) for source in sources):
            return True
        return ext is not None and (
            not ext.sources
            or is_ours(ext)
            or isinstance(ext.extra_compile_args, dict)
            or is_universal(self._command.distribution)
        )

    def is_to_link(self, objects: Sequence[str]) -> bool:
        """Return whether linking these is asmsetup's matter: some were assembled in this run.

        False for asmsetup's own calls, which come through a method that a project has replaced.
        """
        if self._builder is None or threading.get_ident() in self._linking:
            return False
        if isinstance(self.extension, declared.Library):
            return True
        return bool(self._builder.assembled(objects)) or any(
            path in self._named or path in self._gas for path in objects
        )

    def stop(self) -> None:
        """Start nothing more."""
        self.is_stopped = True
        if self._builder is not None:
            self._builder.jobs.stop()

    def finish(self) -> None:
        """End the run, and save what it found out."""
        if self._builder is not None:
            self._builder.finish()

    def compile(
        self, chosen: Any, below: Callable[..., list[str]], given: Mapping[str, Any]
    ) -> list[str]:
        """Do what ``compile`` of the wrapped compiler object is asked to do, with NASM for its sources.

        Raises setuptools' errors.
        """
        ext = self.extension
        with setuptools_errors():
            require_sound(ext, given)
            if is_elsewhere(self._command.distribution):
                from . import elsewhere  # only on other machines

                return elsewhere.compile_rest(chosen, below, ext, given)
            given = plain(given)
            sources = given["sources"]
            if any(map(is_assembly, sources)):
                concern(self._command.distribution)
            if is_universal(self._command.distribution):
                require_universal(ext, sources)
            builder = self._ready()
            if not builder.target.is_host:
                require_portable(ext, sources, universal=self._settings.universal)
            self._start_early(chosen)
            planned = self._objects(chosen, ext, given, builder.plan_again)
            jobs = builder.start(self._wanted(planned, ext))
            others, started = self._start_c(chosen, below, ext, given)
            builder.jobs.require([*jobs, *started])
        made = [*((item.source, item.path) for item in planned), *others]
        for source, path in others:
            if is_gas(source):
                self._gas[path] = GasObject(source, path)
            else:
                self._compiled.add(path)
        if ext is None or isinstance(ext, Library):
            self._name(made, given)
        place = {source: number for number, source in enumerate(sources)}
        return [path for _, path in sorted(made, key=lambda each: place[each[0]])]

    def _name(self, made: Sequence[tuple[str, str]], given: Mapping[str, Any]) -> None:
        compiler, folder = self._command.compiler, given.get("output_dir") or ""
        names = compiler.object_filenames([source for source, _ in made], output_dir=folder)
        self._named.update(zip(names, (path for _, path in made), strict=True))

    def _ready(self) -> Builder:
        with self._lock:
            if self._builder is None:
                command = self._command
                chosen = settings(command.distribution)
                self._settings = chosen._replace(
                    debug=chosen.debug or bool(command.debug),
                    jobs=parallel_jobs(command) or chosen.jobs,
                )
                folder = os.path.join(lasting_folder(command), "asm")
                machine = target_of(command, self._settings.target)
                self._builder = Builder(self._settings, machine, folder, reporter(command))
            return self._builder

    def _ready_for_c(self) -> CObjects:
        from .c_objects import CObjects  # assembly alone needs none of it

        builder = self._ready()
        with self._lock:
            if self._c_objects is None:
                self._c_objects = CObjects(builder)
            return self._c_objects

    def _start_early(self, chosen: Any) -> None:
        """Queue what the extensions will ask for, as far as it shows; the first time only."""
        with self._lock:
            guessed, self._guessed = self._guessed, True
        if guessed:
            return
        builder = self._ready()
        # An object that two extensions share is as vital as the one that needs it most.
        extensions = sorted(self._extensions(), key=lambda ext: bool(ext.optional))
        with builder.steps.counting():
            for ext in extensions:
                # Reported when this extension's turn comes.
                with suppress(AsmsetupError, TypeError):
                    self._planned(chosen, ext, partial(self._guessed_objects, ext))
        for ext in extensions:
            with suppress(AsmsetupError, TypeError, *FAILURES):
                if is_stock(chosen):
                    self._start_c(chosen, _never, ext, self._guess(ext), guess=True)

    def _guess(self, ext: Extension) -> dict[str, Any]:
        """Return what distutils calls ``compile`` with for an extension."""
        given = {
            "sources": ext.sources,
            "output_dir": self._command.build_temp,
            "macros": [*ext.define_macros, *((name,) for name in ext.undef_macros)],
            "include_dirs": ext.include_dirs,
            "debug": self._command.debug,
            "extra_postargs": ext.extra_compile_args or [],
            "depends": ext.depends,
        }
        return plain(given)

    def _guessed_objects(self, ext: Extension, planned: Iterable[ObjectFile]) -> None:
        self._ready().start(self._wanted(planned, ext), guess=True)

    def _planned(
        self, chosen: Any, ext: Extension, planned: Callable[[list[ObjectFile]], object] = list
    ) -> list[ObjectFile]:
        given = self._guess(ext)
        require_sound(ext, given)
        return self._objects(chosen, ext, given, partial(self._ready().plan, planned=planned))

    def _objects(
        self,
        chosen: Any,
        ext: Extension | None,
        given: Mapping[str, Any],
        plan: Callable[[Recipe], list[ObjectFile]],
    ) -> list[ObjectFile]:
        """Return NASM's objects of a call of ``compile``; raise one SourceError for all sources."""
        calls = assembly_calls(ext, given, is_stock(chosen))
        planned: list[ObjectFile] = []
        errors: list[SourceError] = []
        for call in calls:
            try:
                planned += plan(self._recipe(chosen, ext, call))
            except SourceError as error:
                errors.append(error)
        if errors:
            ways_out = dict.fromkeys(way for error in errors for way in error.ways_out)
            raise SourceError("\n".join(error.what for error in errors), *ways_out)
        return planned

    def _wanted(self, planned: Iterable[ObjectFile], ext: Extension | None) -> list[Wanted]:
        return [Wanted(item, id(ext), not getattr(ext, "optional", False)) for item in planned]

    def _start_c(
        self,
        chosen: Any,
        below: Callable[..., list[str]],
        ext: Extension | None,
        given: Mapping[str, Any],
        *,
        guess: bool = False,
    ) -> tuple[list[tuple[str, str]], list[Job]]:
        """Queue the sources besides assembly; return each with its object, and the jobs to wait for."""
        others = [source for source in given["sources"] if not is_assembly(source)]
        objects: list[tuple[str, str]] = []
        jobs: list[Job] = []
        if not others:
            return objects, jobs
        from . import c_objects, elsewhere  # assembly alone needs neither

        given = elsewhere.with_macro(given, ext)
        if self._settings.split_debug:
            given["debug"] = True
        if not is_stock(chosen):
            require_ungrouped(ext, others)
            return c_objects.compile_as_given(chosen, below, others, given), jobs
        for call in other_calls(chosen, ext, given):
            options = {
                name: call.get(name) for name in COMPILE if name not in ("sources", "output_dir")
            }
            made, started = self._ready_for_c().start(
                chosen,
                call["sources"],
                options,
                id(ext),
                vital=not getattr(ext, "optional", False),
                guess=guess,
            )
            objects += zip(call["sources"], made, strict=True)
            jobs += started
        return objects, jobs

    def _extensions(self) -> list[Extension]:
        """Return the extensions with assembly in them, as they are known now."""
        known = getattr(self._command, "extensions", None) or ()
        return list(filter(is_ours, known))

    def _recipe(self, chosen: Any, ext: Extension | None, given: Mapping[str, Any]) -> Recipe:
        """Return what a call of ``compile`` and the compiler object ask NASM for."""
        macros = [*(given.get("macros") or ()), *chosen.macros]
        include_dirs = [*(given.get("include_dirs") or ()), *added_include_dirs(chosen)]
        is_library = ext is None or isinstance(ext, Library)
        return Recipe(
            name=ext.name if ext is not None else "",
            # setuptools sorts them before it compiles: sorted here too, both are one recipe.
            sources=tuple(sorted(given["sources"])),
            options=AssemblerOptions(
                include_dirs=tuple(include_dirs),
                define=tuple((macro[0], macro[1]) for macro in macros if len(macro) == 2),
                undefine=tuple(macro[0] for macro in macros if len(macro) == 1),
                args=(*(_STACK_NOTE if is_library else ()), *given["extra_postargs"]),
                debug=self._settings.debug or bool(given.get("debug")),
            ),
            limited_api=self._limited_api(ext),
            universal=self._settings.universal,
            kind="Library" if isinstance(ext, declared.Library) else "Extension",
        )

    def _limited_api(self, ext: Extension | None) -> tuple[int, int] | None:
        if ext is None or isinstance(ext, Library):
            return None
        # The file name shows what setuptools made of py_limited_api for this interpreter.
        fullname = self._command.get_ext_fullname(ext.name)
        filename: str = self._command.get_ext_filename(fullname)
        if ".abi3" not in os.path.basename(filename):
            return None
        return lowest_version(self._command.distribution, self._settings)

    def link(self, chosen: Any, below: Callable[..., None], given: Mapping[str, Any]) -> None:
        """Do what ``link_shared_object`` of the wrapped compiler object is asked to do.

        Raises setuptools' errors.
        """
        ext, given = self.extension, plain(given)
        path = os.path.join(given.get("output_dir") or "", given["output_filename"])
        objects = [self._named.get(each, each) for each in given["objects"]]
        call = {**given, "objects": objects, "output_dir": None}
        if isinstance(ext, Library):
            with self._replaced(path) as archive:
                self._linked(below, {**call, "output_filename": archive}, _OUTPUT)
            return
        builder = self._ready()
        with setuptools_errors():
            module = self._module(chosen, ext, path, objects, call)
            builder.check(module, lambda: self._other_modules(chosen, ext))
            if module.compiled:
                from . import driver  # assembly alone is linked without one

                link = partial(self._linked, below, first=_OUTPUT)
                driver.link(builder, chosen, link, module, call)
            else:
                builder.link(module)
            builder.write_stub(module)
        # Of other settings, universal or not: it would be packed as well, or imported instead.
        for other in namesakes(path):
            os.remove(other)

    def _linked(
        self, below: Callable[..., None], given: Mapping[str, Any], first: Sequence[str]
    ) -> None:
        """Call a method of the wrapped object, the ``first`` arguments by position."""
        options = {name: value for name, value in given.items() if name not in first}
        thread = threading.get_ident()
        self._linking.add(thread)
        try:
            below(*(given[name] for name in first), **options)
        finally:
            self._linking.discard(thread)

    def archive(self, chosen: Any, below: Callable[..., None], given: Mapping[str, Any]) -> None:
        """Do what ``create_static_lib`` of the wrapped compiler object is asked to do."""
        objects = [self._named.get(each, each) for each in given["objects"]]
        folder = given.get("output_dir") or chosen.output_dir or ""
        path = chosen.library_filename(given["output_libname"], output_dir=folder)
        with self._replaced(path) as archive:
            where = {"objects": objects, "output_dir": os.path.dirname(archive)}
            self._linked(below, {**given, **where}, ("objects", "output_libname"))

    @contextmanager
    def _replaced(self, path: str) -> Iterator[str]:
        """Yield where to write an archive; it takes the place of ``path``, with no member of the old one."""
        builder = self._ready()
        os.makedirs(builder.folder, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=builder.folder) as folder:
            made = os.path.join(folder, os.path.basename(path))
            yield made
            if not same_content(made, path):
                os.makedirs(os.path.dirname(path) or os.curdir, exist_ok=True)
                os.replace(made, path)

    def _module(
        self,
        chosen: Any,
        ext: Extension | None,
        path: str,
        objects: Sequence[str],
        given: Mapping[str, Any],
    ) -> ModuleFile:
        """Return the module that a call of ``link_shared_object`` asks for."""
        assembled = self._ready().assembled(objects)
        gas = [self._gas[path] for path in objects if path in self._gas]
        made = {*(item.path for item in assembled), *(item.path for item in gas)}
        name = ext.name if ext is not None else os.path.basename(path).partition(".")[0]
        is_library = isinstance(ext, declared.Library)
        # setuptools adds an entry point of its own to what the user exports.
        entries = entry_points(name)
        exported = (each for each in given.get("export_symbols") or () if each not in entries)
        others = [each for each in (*objects, *chosen.objects) if each not in made]
        return ModuleFile(
            name=name,
            path=path,
            assembled=tuple(assembled),
            gas=tuple(gas),
            compiled=tuple(each for each in others if each in self._compiled),
            extra_objects=tuple(each for each in others if each not in self._compiled),
            entry_points=() if is_library else entries,
            exported=tuple(exported),
            options=linker_options(chosen, given, self._settings),
            limited_api=self._limited_api(ext),
            universal=self._settings.universal and not is_library,
        )

    def _other_modules(self, chosen: Any, ext: Extension | None) -> Iterator[ModuleFile]:
        """Yield the other modules that must come out well and are of nothing but assembly."""
        for other in self._extensions():
            if other is ext or other.optional or not all(map(is_assembly, other.sources)):
                continue
            with suppress(AsmsetupError, TypeError):  # Reported when its turn comes.
                planned = self._planned(chosen, other)
                self._ready().jobs.require(
                    self._ready().start(self._wanted(planned, other), guess=True)
                )
                objects = [*(item.path for item in planned), *other.extra_objects]
                path = str(self._command.get_ext_fullpath(other.name))
                given = plain({**vars(other), "extra_postargs": other.extra_link_args})
                yield self._module(chosen, other, path, objects, given)


def _never(*args: object, **given: object) -> list[str]:
    raise TypeError("a guess is not compiled by anybody else's method")

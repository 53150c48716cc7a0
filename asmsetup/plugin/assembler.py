"""Stands before the compiler object of a build_ext command and takes the assembly out.

All ways of building an extension, a user's or another plugin's command class
included, come down to two calls of that object, ``compile`` and
``link_shared_object``. Sources for NASM are taken out of the first; a module
of nothing but assembly is linked by ld in the second.
"""

from __future__ import annotations

import copy
import json
import logging
import os
import sys
import sysconfig
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from setuptools import Extension
from setuptools.command.build_ext import build_ext

from ..assemble.nasm import AssemblerOptions, ObjectFile
from ..assemble.queue import Job
from ..build import Builder, Recipe, Reporter, entry_points
from ..errors import AsmsetupError
from ..facts import target
from ..files import atomic_write, same_text, write_text
from ..link import linker
from ..link.linker import LinkerOptions, ModuleFile
from ..suffixes import is_assembly
from .c_sources import CSources, understood
from .extensions import ExtraArgs, args_for, by_language, is_mixed, namesakes, normalized
from .run_paths import run_paths_as_asked
from .session import lowest_version, settings, setuptools_errors


class Assembler:
    """What stands before the compiler object of one build_ext command."""

    def __init__(self, command: build_ext) -> None:
        self._command = command
        self._lock = threading.Lock()
        self._building = threading.local()
        self._started = False
        chosen = settings()
        self._settings = chosen._replace(
            debug=chosen.debug or bool(command.debug),
            jobs=_parallel(command) or chosen.jobs,
        )
        self._builder = Builder(
            self._settings,
            target.running(),
            os.path.join(_lasting_folder(command), "asm"),
            Reporter(
                progress=lambda text: command.announce(text, logging.INFO),
                warning=lambda text: command.announce(text, logging.WARNING),
                detail=lambda text: command.announce(text, logging.DEBUG),
            ),
        )

    @contextmanager
    def building(self, ext: Extension, *, settled: bool) -> Iterator[Extension]:
        """Yield the extension as the classes below are to see it.

        Inside, this thread's calls of the compiler are about this extension.
        When all extensions are ``settled``, as they will be built, the first
        call starts assembling for all; ``compile`` waits for the objects of its
        own. Raises setuptools' errors.
        """
        with setuptools_errors():
            ext = normalized(ext)
            own = self._plan(ext)
            with self._lock:
                self._take_place()
                if settled:
                    self._start_all()
                    self._builder.start((item, not ext.optional) for item in own)
        self._building.ext = ext
        try:
            yield self._as_seen_below(ext, own if settled else None)
        finally:
            self._building.ext = None

    def _as_seen_below(self, ext: Extension, objects: list[ObjectFile] | None) -> Extension:
        wanted = copy.copy(ext)
        # setuptools adds PyInit_ to the list it finds.
        wanted.export_symbols = list(ext.export_symbols)
        # distutils goes by time stamps alone, and takes a missing file for a new one. Linking
        # assembly is cheaper than any question whether it must be, and changes no file in vain.
        if is_mixed(ext) and objects is not None and self._is_as_recorded(ext, objects):
            headers = (
                self._c_sources.files_read(ext.sources, self._command.build_temp)
                if self._c_sources
                else []
            )
            wanted.depends = [*ext.depends, *(item.path for item in objects), *headers]
        else:
            wanted.depends = [*ext.depends, f"always build {ext.name}"]
        return wanted

    def _is_as_recorded(self, ext: Extension, objects: list[ObjectFile]) -> bool:
        """Tell whether nothing has changed in a mixed module but, perhaps, the C it is made of."""
        return all(map(self._builder.is_up_to_date, objects)) and same_text(
            self._record_path(ext), self._record(ext, objects)
        )

    def _record_path(self, ext: Extension) -> str:
        return os.path.join(self._builder.folder, f"{ext.name}.inputs")

    def _record(self, ext: Extension, objects: list[ObjectFile]) -> str:
        """Return all that a mixed module is built from, apart from the content of its C sources."""
        said = [vars(ext), [item.path for item in objects], self._settings]
        return json.dumps([*said, os.environ.get("CFLAGS")], default=str, sort_keys=True)

    def _start_all(self) -> None:
        if self._started:
            return
        self._started = True
        # An object that two extensions share is as vital as the one that needs it most.
        extensions = sorted(self._extensions(), key=lambda ext: bool(ext.optional))
        planned = []
        for ext in extensions:
            with suppress(AsmsetupError):  # Told when this extension's turn comes.
                planned += [(item, not ext.optional) for item in self._plan(normalized(ext))]
        self._builder.start(planned)
        if self._c_sources is not None and not self._generates_sources():
            self._c_sources.nothing_writes_headers()
            self._start_all_c(self._c_sources, filter(is_mixed, extensions))

    def _start_all_c(self, c_sources: CSources, extensions: Iterable[Extension]) -> None:
        # distutils has one object for a source, whatever it is compiled with: a source that an
        # earlier extension has too waits for its turn.
        taken: set[str] = set()
        for ext in extensions:
            with suppress(AsmsetupError):
                ext = normalized(ext)
                if not self._is_as_recorded(ext, self._plan(ext)):
                    self._start_c(c_sources, ext, sorted(set(ext.sources) - taken))
            taken.update(ext.sources)

    def _generates_sources(self) -> bool:
        """Tell whether C of one extension may be written while another one is built."""
        known = tuple(self._compiler.src_extensions)
        sources = (str(source) for ext in self._command.extensions for source in ext.sources)
        return not all(is_assembly(source) or source.endswith(known) for source in sources)

    def _start_c(self, c_sources: CSources, ext: Extension, sources: list[str]) -> None:
        """Queue C sources with the words that setuptools will call ``compile`` with."""
        extra_args = ext.extra_compile_args or []
        for args, group in by_language(self._compiler, ext, sources, extra_args):
            c_sources.start(
                group,
                self._command.build_temp,
                _macros(ext),
                ext.include_dirs,
                self._command.debug,
                None,
                args,
                depends=ext.depends,
                vital=not ext.optional,
            )

    def finish(self) -> None:
        """Let nothing of this build start any more, and leave everything in order."""
        self._builder.finish()

    def _extensions(self) -> list[Extension]:
        return [ext for ext in self._command.extensions if any(map(is_assembly, ext.sources))]

    def _plan(self, ext: Extension) -> list[ObjectFile]:
        recipe = self._recipe(
            ext, ext.sources, _macros(ext), ext.include_dirs, ext.extra_compile_args
        )
        return self._builder.plan(recipe)

    def _recipe(
        self,
        ext: Extension,
        sources: Iterable[str],
        macros: Iterable[tuple[str, str | None] | tuple[str]],
        include_dirs: Iterable[str],
        extra_args: ExtraArgs,
    ) -> Recipe:
        """Return what ``compile`` is told of an extension, and the command beside it, as a recipe."""
        command = self._command
        macros = [*macros, *(command.define or ()), *((name,) for name in command.undef or ())]
        return Recipe(
            name=ext.name,
            # setuptools sorts them before it compiles: sorted here too, both are one recipe.
            sources=tuple(sorted(filter(is_assembly, sources))),
            options=AssemblerOptions(
                include_dirs=(*include_dirs, *_added_include_dirs(command)),
                define=tuple((macro[0], macro[1]) for macro in macros if len(macro) == 2),
                undefine=tuple(macro[0] for macro in macros if len(macro) == 1),
                args=tuple(args_for("nasm", ext, extra_args)),
                debug=self._settings.debug,
            ),
            limited_api=self._limited_api(ext),
            universal=self._settings.universal,
        )

    def _limited_api(self, ext: Extension) -> tuple[int, int] | None:
        # The file name shows what setuptools made of py_limited_api for this interpreter.
        fullname = self._command.get_ext_fullname(ext.name)
        filename: str = self._command.get_ext_filename(fullname)
        if ".abi3" not in os.path.basename(filename):
            return None
        return lowest_version(self._command.distribution, self._settings)

    def _take_place(self) -> None:
        """Replace the two calls on the compiler object that is in use now."""
        compiler: Any = self._command.compiler
        if getattr(compiler.compile, "__self__", None) is self:
            return
        self._compiler = compiler
        self._compile = compiler.compile
        self._link_shared_object = compiler.link_shared_object
        self._c_sources = None
        if understood(compiler, self._compile):
            self._c_sources = CSources(compiler, self._builder)
        compiler.compile = self.compile
        compiler.link_shared_object = self.link_shared_object

    def compile(
        self,
        sources: Sequence[str],
        output_dir: str | None = None,
        macros: list[Any] | None = None,
        include_dirs: list[str] | None = None,
        debug: bool = False,
        extra_preargs: list[str] | None = None,
        extra_postargs: ExtraArgs = None,
        depends: list[str] | None = None,
    ) -> list[str]:
        """CCompiler.compile, with NASM for its sources; one object a source, in their order."""
        ext = getattr(self._building, "ext", None)
        planned: list[ObjectFile] = []
        vital = not getattr(ext, "optional", False)
        with setuptools_errors():
            if ext is not None and any(map(is_assembly, sources)):
                recipe = self._recipe(
                    ext, sources, macros or [], include_dirs or [], extra_postargs
                )
                planned = self._builder.plan(recipe)
                with self._lock:
                    self._builder.start((item, vital) for item in planned)
            groups = by_language(self._compiler, ext, sources, extra_postargs)
        objects: dict[str, str] = {}
        jobs: list[Job] = []
        for args, group in groups:
            how = (group, output_dir, macros, include_dirs, debug, extra_preargs, args)
            if self._c_sources is not None and ext is not None:
                compiled, started = self._c_sources.start(*how, depends=ext.depends, vital=vital)
                jobs += started
            else:
                compiled = self._compile(*how, depends)
            objects.update(zip(group, compiled, strict=True))
        with setuptools_errors():
            self._builder.require(planned, jobs, vital=vital)
        objects.update((item.source, item.path) for item in planned)
        return [objects[source] for source in sources]

    def link_shared_object(
        self,
        objects: list[str],
        output_filename: str,
        output_dir: str | None = None,
        libraries: list[str] | None = None,
        library_dirs: list[str] | None = None,
        runtime_library_dirs: list[str] | None = None,
        export_symbols: list[str] | None = None,
        debug: bool = False,
        extra_preargs: list[str] | None = None,
        extra_postargs: list[str] | None = None,
        build_temp: str | None = None,
        target_lang: str | None = None,
    ) -> None:
        """CCompiler.link_shared_object, with ld for a module of nothing but assembly."""
        ext = getattr(self._building, "ext", None)

        def link_with_driver(output: str, flags: list[str]) -> None:
            with run_paths_as_asked(self._compiler) if flags else nullcontext():
                self._link_shared_object(
                    objects,
                    output,
                    output_dir,
                    libraries,
                    library_dirs,
                    runtime_library_dirs,
                    export_symbols,
                    debug,
                    extra_preargs,
                    [*(extra_postargs or ()), *flags],
                    build_temp,
                    target_lang,
                )

        if ext is None:
            link_with_driver(output_filename, [])
            return
        with setuptools_errors():
            options = self._linker_options(
                libraries or (),
                library_dirs or (),
                runtime_library_dirs or (),
                extra_postargs or (),
            )
            module = self._module(ext, output_filename, objects, options)
            self._builder.check(module, lambda: self._other_modules(ext))
            if is_mixed(ext):
                with self._builder.checked_output(module) as partial:
                    link_with_driver(partial, self._driver_flags(module))
                with atomic_write(self._record_path(ext)) as partial:
                    write_text(partial, self._record(ext, self._plan(ext)))
            else:
                self._builder.link(module)
        # Of other settings, universal or not: it would be packed as well, or imported instead.
        for path in namesakes(output_filename):
            os.remove(path)

    def _linker_options(
        self,
        libraries: Iterable[str],
        library_dirs: Iterable[str],
        runtime_library_dirs: Iterable[str],
        extra_args: Sequence[str],
    ) -> LinkerOptions:
        compiler = self._compiler
        return LinkerOptions.of(
            library_dirs=(*library_dirs, *compiler.library_dirs),
            libraries=(*libraries, *compiler.libraries),
            runtime_library_dirs=(*runtime_library_dirs, *compiler.runtime_library_dirs),
            ld_args=self._settings.ld_args,
            ldflags=self._settings.ldflags,
            link_args=extra_args,
            debug=self._settings.debug,
        )

    def _module(
        self, ext: Extension, path: str, objects: Sequence[str], options: LinkerOptions
    ) -> ModuleFile:
        """Return the module that is linked from ``objects``, the user's own among them."""
        assembled = self._builder.assembled(objects)
        extra = (*ext.extra_objects, *self._compiler.objects)
        made = {item.path for item in assembled}
        return ModuleFile(
            name=ext.name,
            path=path,
            assembled=tuple(assembled),
            compiled=tuple(path for path in objects if path not in made and path not in extra),
            extra_objects=extra,
            entry_points=entry_points(ext.name),
            exported=tuple(ext.export_symbols),
            options=options,
            limited_api=self._limited_api(ext),
            universal=self._settings.universal,
        )

    def _other_modules(self, ext: Extension) -> Iterator[ModuleFile]:
        """Yield the other modules that must come out well and are of nothing but assembly."""
        for other in self._extensions() if self._started else ():
            if other.name == ext.name or other.optional or is_mixed(other):
                continue
            other = normalized(other)
            planned = self._plan(other)
            self._builder.require(planned, vital=True)
            options = self._linker_options(
                other.libraries,
                other.library_dirs,
                other.runtime_library_dirs,
                other.extra_link_args,
            )
            path = str(self._command.get_ext_fullpath(other.name))
            yield self._module(other, path, [item.path for item in planned], options)

    def _driver_flags(self, module: ModuleFile) -> list[str]:
        """Return what the C compiler's driver must be told when there is assembly in the module."""
        script = self._builder.version_script(module)
        own = [word for flag in self._settings.ld_args for word in ("-Xlinker", flag)]
        return [*linker.driver_flags(script, debug=self._settings.debug), *own]


def _macros(ext: Extension) -> list[tuple[str, str | None] | tuple[str]]:
    """Return macros to define, and those to undefine as tuples of one, as ``compile`` gets them."""
    return [*ext.define_macros, *((name,) for name in ext.undef_macros)]


def _parallel(command: build_ext) -> int | None:
    """Return the number given with -j; without one all cores are used anyway."""
    parallel = command.parallel
    # True stands for a number that setuptools is to choose.
    return parallel if type(parallel) is int else None


def _added_include_dirs(command: build_ext) -> list[str]:
    """Return the include folders named on the command line; Python's own hold nothing for NASM."""
    paths = sysconfig.get_paths()
    own = {paths["include"], paths["platinclude"], os.path.join(sys.exec_prefix, "include")}
    return [folder for folder in command.include_dirs or () if folder not in own]


def _lasting_folder(command: build_ext) -> str:
    """Return the folder for what is built on the way.

    An editable build gets a temporary one from setuptools; objects are worth
    keeping, so there it is the one of ordinary builds.
    """
    if not command.editable_mode:
        return str(command.build_temp)
    build = command.get_finalized_command("build")
    return os.path.join(
        str(build.build_base), f"temp.{build.plat_name}-{sys.implementation.cache_tag}"
    )

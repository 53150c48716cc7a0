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
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import chain
from typing import Any

from setuptools import Extension
from setuptools.command.build_ext import build_ext

from .. import linker, target
from ..build import Builder, ModuleFile, ObjectFile, Recipe, Talk
from ..errors import AsmsetupError
from ..files import placed, same_text, write_text
from ..hook import is_assembly
from ..linker import LinkerOptions
from ..nasm import AssemblerOptions
from .extensions import ExtraArgs, args_for, by_language, exported, is_mixed
from .session import lowest_version, settings, setuptools_errors


class Assembler:
    """What stands before the compiler object of one build_ext command."""

    def __init__(self, command: build_ext) -> None:
        self._command = command
        self._lock = threading.Lock()
        self._building = threading.local()
        self._required: list[ObjectFile] | None = None
        chosen = settings()
        self._settings = replace(chosen, debug=chosen.debug or bool(command.debug))
        self._builder = Builder(
            self._settings,
            target.running(),
            os.path.join(_lasting_folder(command), "asm"),
            Talk(
                progress=lambda text: command.announce(text, logging.INFO),
                warning=lambda text: command.announce(text, logging.WARNING),
                detail=lambda text: command.announce(text, logging.DEBUG),
            ),
        )

    @contextmanager
    def building(self, ext: Extension) -> Iterator[Extension]:
        """Yield the extension as the classes below are to see it, its objects up to date.

        Inside, this thread's calls of the compiler are about this extension.
        The first call assembles for all extensions in one go. Raises
        setuptools' errors for what stands in the way of this one.
        """
        with setuptools_errors():
            with self._lock:
                self._take_place()
                self._assemble_all()
            own = self._up_to_date(self._plan(ext), () if ext.optional else self._required)
        self._building.ext = ext
        try:
            yield self._as_seen_below(ext, own)
        finally:
            self._building.ext = None

    def _assemble_all(self) -> None:
        if self._required is not None:
            return
        extensions = [ext for ext in self._command.extensions if any(map(is_assembly, ext.sources))]
        planned = [(ext, self._plan_or_nothing(ext)) for ext in extensions]
        self._builder.bring_up_to_date(chain.from_iterable(objects for _, objects in planned))
        self._required = [item for ext, objects in planned if not ext.optional for item in objects]

    def _up_to_date(
        self, objects: list[ObjectFile], beside: Iterable[ObjectFile] | None = ()
    ) -> list[ObjectFile]:
        """Assemble what an extension's own commands have changed since; report ``beside`` too."""
        with self._lock:
            self._builder.bring_up_to_date(objects)
        self._builder.require(chain(objects, beside or ()))
        return objects

    def _as_seen_below(self, ext: Extension, objects: list[ObjectFile]) -> Extension:
        wanted = copy.copy(ext)
        # distutils goes by time stamps alone, and takes a missing file for a new one. Linking
        # assembly is cheaper than any question whether it must be, and changes no file in vain.
        if is_mixed(ext) and same_text(self._record_path(ext), self._record(ext, objects)):
            wanted.depends = [*ext.depends, *(item.path for item in objects)]
        else:
            wanted.depends = [*ext.depends, f"always build {ext.name}"]
        return wanted

    def _record_path(self, ext: Extension) -> str:
        return os.path.join(self._builder.folder, f"{ext.name}.inputs")

    def _record(self, ext: Extension, objects: list[ObjectFile]) -> str:
        """Return all that a mixed module is built from, apart from the content of its C sources."""
        said = [vars(ext), [item.path for item in objects], asdict(self._settings)]
        return json.dumps([*said, os.environ.get("CFLAGS")], default=str, sort_keys=True)

    def _plan_or_nothing(self, ext: Extension) -> list[ObjectFile]:
        # What is wrong with another extension is told when its turn comes.
        try:
            return self._plan(ext)
        except AsmsetupError:
            return []

    def _plan(self, ext: Extension) -> list[ObjectFile]:
        undefined = [(name,) for name in ext.undef_macros]
        macros = [*ext.define_macros, *undefined]
        recipe = self._recipe(ext, ext.sources, macros, ext.include_dirs, ext.extra_compile_args)
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
            sources=tuple(filter(is_assembly, sources)),
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

    def _limited_api(self, ext: Extension) -> int | None:
        # The file name shows what setuptools made of py_limited_api for this interpreter.
        fullname = self._command.get_ext_fullname(ext.name)
        filename: str = self._command.get_ext_filename(fullname)
        if ".abi3" not in os.path.basename(filename):
            return None
        major, minor = lowest_version(self._command.distribution, self._settings)
        return major << 24 | minor << 16

    def _take_place(self) -> None:
        """Replace the two calls on the compiler object that is in use now."""
        compiler: Any = self._command.compiler
        if getattr(compiler.compile, "__self__", None) is self:
            return
        self._compiler = compiler
        self._compile = compiler.compile
        self._link_shared_object = compiler.link_shared_object
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
        objects: dict[str, str] = {}
        with setuptools_errors():
            if ext is not None and any(map(is_assembly, sources)):
                recipe = self._recipe(
                    ext, sources, macros or [], include_dirs or [], extra_postargs
                )
                objects = self._assembled(recipe)
            groups = by_language(self._compiler, ext, sources, extra_postargs)
        for args, group in groups:
            compiled = self._compile(
                group, output_dir, macros, include_dirs, debug, extra_preargs, args, depends
            )
            objects.update(zip(group, compiled, strict=True))
        return [objects[source] for source in sources]

    def _assembled(self, recipe: Recipe) -> dict[str, str]:
        return {item.source: item.path for item in self._up_to_date(self._builder.plan(recipe))}

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
        if ext is not None and not is_mixed(ext):
            compiler = self._compiler
            options = LinkerOptions(
                library_dirs=(*(library_dirs or ()), *compiler.library_dirs),
                libraries=(*(libraries or ()), *compiler.libraries),
                runtime_library_dirs=(
                    *(runtime_library_dirs or ()),
                    *compiler.runtime_library_dirs,
                ),
                args=tuple(
                    linker.for_ld(
                        [*self._settings.ld_args, *self._settings.ldflags, *(extra_postargs or ())]
                    )
                ),
                debug=self._settings.debug,
            )
            module = ModuleFile(
                ext.name,
                output_filename,
                (*objects, *compiler.objects),
                exported(ext),
                options,
            )
            with setuptools_errors():
                self._builder.link(module)
            return
        with placed(output_filename) as partial:
            self._link_shared_object(
                objects,
                partial,
                output_dir,
                libraries,
                library_dirs,
                runtime_library_dirs,
                export_symbols,
                debug,
                extra_preargs,
                [*(extra_postargs or ()), *self._driver_flags(ext)],
                build_temp,
                target_lang,
            )
        if ext is not None:
            record = self._record(ext, self._plan(ext))
            with placed(self._record_path(ext)) as partial:
                write_text(partial, record)

    def _driver_flags(self, ext: Extension | None) -> list[str]:
        """Return what the C compiler's driver must be told when there is assembly in the module."""
        if ext is None:
            return []
        script = self._builder.version_script(ext.name, exported(ext))
        own = [word for flag in self._settings.ld_args for word in ("-Xlinker", flag)]
        return [*linker.driver_flags(script, debug=self._settings.debug), *own]


def _added_include_dirs(command: build_ext) -> list[str]:
    """Return the include folders named on the command line; Python's own hold nothing for NASM."""
    own = {sysconfig.get_path("include"), sysconfig.get_path("platinclude")}
    own.add(os.path.join(sys.exec_prefix, "include"))
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

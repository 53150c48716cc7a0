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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from . import elf, includes, linker, nasm
from .config import Settings
from .errors import AsmsetupError, AssembleError, SourceError
from .files import placed, same_content, write_text
from .linker import LinkerOptions
from .nasm import AssemblerOptions, Macro, Nasm
from .target import Target

INCLUDE_DIR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "include")
"""The folder of asmsetup's own includes."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Talk:
    """Where a build says what it has to say; what fails is raised instead."""

    progress: Say
    warning: Say
    detail: Say
    """The commands run, for those who ask (-v)."""


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
class ObjectFile:
    """An object to assemble: everything that decides its content but the files read."""

    source: str
    path: str
    options: AssemblerOptions


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

    def __init__(self, settings: Settings, target: Target, folder: str, talk: Talk) -> None:
        """``folder`` takes everything that is built on the way to modules."""
        self.settings = settings
        self.target = target
        self.folder = folder
        self._talk = talk
        self._planned: dict[Recipe, list[ObjectFile]] = {}
        self._reader = includes.Reader()
        self._outcome: dict[str, AsmsetupError | None] = {}

    @cached_property
    def nasm(self) -> Nasm:
        """The NASM of this build; looked for when there is something to assemble."""
        return nasm.find(self.settings.nasm)

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
        mentioned = self._reader.closure(source, include_dirs, args).mentioned
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

    def bring_up_to_date(self, objects: Iterable[ObjectFile]) -> None:
        """Assemble what is not up to date. Failures are kept for ``require``."""
        todo = {wanted.path: wanted for wanted in objects if wanted.path not in self._outcome}
        for number, wanted in enumerate(todo.values(), 1):
            self._talk.progress(f"[{number}/{len(todo)}] nasm {wanted.source}")
            self._outcome[wanted.path] = self._assembled(wanted)

    def _assembled(self, wanted: ObjectFile) -> AsmsetupError | None:
        try:
            with placed(wanted.path) as partial:
                command = nasm.command(self.nasm.path, wanted.source, partial, wanted.options)
                self._talk.detail(shlex.join(command))
                warnings = nasm.assemble(command, wanted.source)
        except AsmsetupError as error:
            return error
        if warnings:
            self._talk.warning(warnings)
        return None

    def require(self, objects: Iterable[ObjectFile]) -> None:
        """Raise AssembleError with all that NASM said of these objects, if it refused any."""
        outcomes = (self._outcome[wanted.path] for wanted in objects)
        failed = list(dict.fromkeys(filter(None, outcomes)))
        if len(failed) == 1:
            raise failed[0]
        if failed:
            raise AssembleError("\n".join(map(str, failed)))

    def link(self, module: ModuleFile) -> None:
        """Link a module of nothing but assembly. Raises LinkError with ld's own words."""
        facts = [elf.read(path) for path in module.objects]
        script = self.version_script(module.name, module.exported)
        self._talk.progress(f"ld {module.path}")
        with placed(module.path) as partial:
            command = linker.command(
                self.ld, module.objects, partial, script, module.options, _c_library(facts)
            )
            self._talk.detail(shlex.join(command))
            said = linker.link(command)
            if same_content(partial, module.path):
                os.remove(partial)
        if said:
            self._talk.warning(said)

    def version_script(self, name: str, exported: Iterable[str]) -> str:
        """Write the linker script that exports these names of a module; return its path."""
        path = os.path.join(self.folder, f"{name}.exports")
        with placed(path) as partial:
            write_text(partial, linker.version_script(exported))
        return path


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

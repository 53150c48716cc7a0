"""Build one source to a module, without a project."""

from __future__ import annotations

import keyword
import os
import sys
import sysconfig
import warnings
from typing import NamedTuple

from ..assemble.nasm import AssemblerOptions, Macro, ObjectFile
from ..build import Builder, Recipe, Reporter, entry_points
from ..config import Settings
from ..errors import SourceError
from ..facts import target
from ..link.linker import LinkerOptions, ModuleFile
from ..suffixes import is_assembly


class Options(NamedTuple):
    """How to build a source."""

    settings: Settings = Settings()
    include_dirs: tuple[str, ...] = ()
    define: tuple[Macro, ...] = ()


class Built(NamedTuple):
    """A module that was built from one source."""

    source: str
    name: str
    path: str
    object: ObjectFile


class BuildWarning(UserWarning):
    """What NASM or a check of asmsetup warns of, in a source that was built on the fly."""


def module_name(source: str) -> str:
    """Return the name of the module that ``source`` is for: the file's, without its suffix.

    Raises SourceError when no module can have that name.
    """
    if not is_assembly(source):
        raise SourceError(
            f"{source} is not a source for NASM: its name does not end in .asm or .nasm"
        )
    name = os.path.splitext(os.path.basename(source))[0]
    if not name.isidentifier() or keyword.iskeyword(name):
        raise SourceError(
            f"{source}: no module can be called {name!r}",
            "rename the file: its name without .asm must be one that Python can import,",
            "and the one that PyModule gives the module",
        )
    return name


def build(source: str, folder: str, work: str, options: Options, reporter: Reporter) -> Built:
    """Build the module of ``source`` into ``folder``; objects and the like go to ``work``.

    Raises an AsmsetupError when it cannot be built, or would not work.
    """
    settings = options.settings
    name = module_name(source)
    builder = Builder(settings, target.running(), work, reporter)
    recipe = Recipe(
        name,
        (source,),
        AssemblerOptions(options.include_dirs, options.define, debug=settings.debug),
        universal=settings.universal,
    )
    try:
        objects = builder.assemble(recipe)
        path = os.path.join(folder, name + suffix(settings))
        module = _module(name, path, objects, settings)
        builder.check(module, lambda: ())
        builder.link(module)
        return Built(source, name, path, objects[0])
    finally:
        builder.finish()


def suffix(settings: Settings) -> str:
    """Return how the file name of a module ends."""
    return ".so" if settings.universal else str(sysconfig.get_config_var("EXT_SUFFIX"))


def _module(name: str, path: str, objects: list[ObjectFile], settings: Settings) -> ModuleFile:
    return ModuleFile(
        name=name,
        path=path,
        assembled=tuple(objects),
        compiled=(),
        extra_objects=(),
        entry_points=entry_points(name),
        exported=(),
        options=LinkerOptions.of(
            ld_args=settings.ld_args, ldflags=settings.ldflags, debug=settings.debug
        ),
        universal=settings.universal,
    )


def on_the_fly() -> Reporter:
    """Return a reporter for code that builds while it runs: warnings are Python's, the rest is silent."""
    return Reporter(
        progress=_silent,
        warning=lambda text: warnings.warn(text, BuildWarning, stacklevel=6),
        detail=_silent,
    )


def on_standard_error(*, verbose: bool) -> Reporter:
    """Return a reporter for commands; ``verbose`` shows the commands that are run as well."""
    return Reporter(_print, _print, _print if verbose else _silent)


def _print(text: str) -> None:
    print(text, file=sys.stderr)


def _silent(text: str) -> None:
    pass

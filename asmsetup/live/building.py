"""Build one source to a module, without a project."""

from __future__ import annotations

import keyword
import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager

from .. import program
from ..assemble.nasm import AssemblerOptions, Macro, ObjectFile
from ..build import Builder
from ..check import Finding
from ..config import Settings
from ..errors import SourceError
from ..facts import target
from ..files import unreadable
from ..link.linker import LinkerOptions, ModuleFile, entry_points
from ..named import NamedTuple
from ..plan import Recipe, no_source
from ..progress import Reporter
from ..suffixes import is_assembly


class Options(NamedTuple):
    """The options for building a source."""

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
    """A warning of NASM or of a check, in a source that was built on the fly."""


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


class Examined(NamedTuple):
    """A source that was assembled and not linked."""

    source: str
    object: ObjectFile
    listing: str
    findings: list[Finding]


def build(source: str, folder: str, work: str, options: Options, reporter: Reporter) -> Built:
    """Build the module of ``source`` into ``folder``; objects and the like go to ``work``.

    Raises an AsmsetupError when it cannot be built, or would not work.
    """
    path = os.path.join(folder, module_name(source) + suffix(options.settings))
    with _assembled(source, path, work, options, reporter) as (builder, module):
        builder.check(module, lambda: ())
        builder.link(module)
    return Built(source, module.name, path, module.assembled[0])


def examine(source: str, work: str, options: Options, reporter: Reporter) -> Examined:
    """Assemble ``source``, with objects and the like in ``work``, and judge it.

    Raises an AsmsetupError when it cannot be assembled.
    """
    with _assembled(source, "", work, options, reporter) as (builder, module):
        (made,) = module.assembled
        return Examined(source, made, builder.listing(made), builder.findings(module))


@contextmanager
def _assembled(
    source: str, path: str, work: str, options: Options, reporter: Reporter
) -> Iterator[tuple[Builder, ModuleFile]]:
    """Yield the builder of a source and its module, whose objects are up to date."""
    settings = options.settings
    name = module_name(source)
    if why := unreadable(source):
        raise SourceError(f"{source}: {no_source(source, why)}")
    builder = Builder(settings, target.running(), work, reporter)
    assembler = AssemblerOptions(options.include_dirs, options.define, debug=settings.debug)
    recipe = Recipe(name, (source,), assembler, universal=settings.universal)
    try:
        objects = builder.assemble(recipe)
        yield builder, _module(name, path, objects, settings)
    except KeyboardInterrupt:
        # The process is a notebook's or a prompt's, and goes on.
        builder.jobs.stop()
        program.kill_running()
        raise
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
            ld_args=settings.ld_args,
            ldflags=settings.ldflags,
            strip="none" if settings.debug else "all",
        ),
        universal=settings.universal,
    )


def silent(warnings: list[str]) -> Reporter:
    """Return a reporter for code that builds while it runs: only ``warnings`` is called."""
    return Reporter(_silent, warnings.append, _silent)


def on_standard_error(*, verbose: bool) -> Reporter:
    """Return a reporter for commands; ``verbose`` shows the commands that are run as well."""
    return Reporter(_print, _print, _print if verbose else _silent)


def _print(text: str) -> None:
    print(text, file=sys.stderr)


def _silent(text: str) -> None:
    pass

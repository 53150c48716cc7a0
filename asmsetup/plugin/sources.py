"""The files that a project's assembly reads, for its sdist. Runs no tool and raises nothing of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from setuptools import Command, Distribution, Extension

from ..assemble import includes
from ..assemble.state import BuildState
from ..errors import SourceError
from ..suffixes import is_gas
from . import declared, flags
from .compiler import pythons_include_dirs
from .extensions import assembly_sources, require_sound_groups
from .session import BuildError, lasting_folder, settings

if TYPE_CHECKING:
    from ..assemble import gas


def choose_sources(dist: Distribution) -> None:
    """Have extensions built for the platform that the settings name, if they name one."""
    try:
        platform = settings(dist).target
    except BuildError:
        return  # reported when something is built
    for ext in dist.ext_modules or ():
        if platform is not None and isinstance(ext, declared.Extension):
            ext.choose(platform)


def shipped_files(command: Command, *, with_includes: bool = True) -> list[str]:
    """Return the assembly sources and all they include that belong into the sdist.

    ``command`` is the project's build_ext, finalized. The paths are relative to the project;
    an sdist holds nothing from elsewhere, and nothing that a link leads to there.
    """
    project = _Project(command)
    files = _files_read(command, with_includes=with_includes)
    return [path for path in files if project.why_not_shipped(path) is None]


def makes_sdist(dist: Distribution) -> bool:
    """Return whether an sdist may be made, or its files be listed: true but for a wheel alone."""
    return "sdist" in dist.command_obj or not is_for_wheel(dist)


def is_for_wheel(dist: Distribution) -> bool:
    """Return whether the command line names nothing but a wheel."""
    # Code that calls the methods of a Distribution sets no commands, or an empty list of them.
    commands = getattr(dist, "commands", None) or ()
    return bool(commands) and {*commands} <= {"bdist_wheel", "editable_wheel"}


def missing_from_sdist(command: Command) -> list[str]:
    """Return why an sdist will not build: a line for each file that it cannot hold."""
    missing = [
        f"{source} cannot be read, so it is not included in the sdist"
        for source in assembly_sources(_extensions(command))
        if not os.path.isfile(source) or not os.access(source, os.R_OK)
    ]
    computed = [
        f"a macro makes the name of a file that {source} reads, so that file is not"
        " included in the sdist unless MANIFEST.in names it"
        for ext in _extensions(command)
        for source, wanted in _commands(ext, command)
        if is_gas(source) and _gas(source, wanted).computed
    ]
    project = _Project(command)
    reasons = ((path, project.why_not_shipped(path)) for path in _files_read(command))
    unfit = [f"{path} {why}, so it is not included in the sdist" for path, why in reasons if why]
    return [*missing, *unfit, *dict.fromkeys(computed)]


def _extensions(command: Command) -> list[Extension]:
    return list(command.distribution.ext_modules or ())


def _files_read(command: Command, *, with_includes: bool = True) -> list[str]:
    """Return the extensions' sources and the files that they name, relative to the project."""
    reader = _reader(command) if with_includes else None
    args = _settings_args(command)
    found: dict[str, None] = {}
    for ext in _extensions(command):
        if isinstance(ext, declared.Extension):
            there = filter(os.path.isfile, ext.of_all_platforms)
            found.update((os.path.relpath(each), None) for each in there)
        if isinstance(ext, declared.Library):
            found.update((os.path.relpath(each), None) for each in declared.texts(ext.headers))
        if reader is None:
            found.update(dict.fromkeys(assembly_sources([ext])))
            continue
        for source, wanted in _commands(ext, command):
            found.update(dict.fromkeys(_read(source, wanted, reader, args)))
    return list(dict.fromkeys(map(os.path.relpath, found)))


def _reader(command: Command) -> includes.Reader:
    """Return a reader that knows what a build has read in this folder."""
    folder = os.path.join(lasting_folder(command), "asm")
    return includes.Reader(BuildState(os.path.join(folder, "state")))


def _read(
    source: str, wanted: flags.Command, reader: includes.Reader, settings_args: tuple[str, ...]
) -> Iterable[str]:
    """Return the files that a source is assembled from; ``settings_args`` are for each of them."""
    if is_gas(source):
        # A system's headers do not belong to the project.
        files = _gas(source, wanted).files
        return [path for path in files if path == source or not _is_outside(path)]
    args = (*settings_args, *wanted.args)
    folders = list(includes.search_path(source, wanted.include_dirs))
    define = [(each[0], each[1]) for each in wanted.macros]
    return reader.closure(source, folders, args, define).files


def _gas(source: str, wanted: flags.Command) -> gas.Closure:
    from ..assemble import gas  # few projects have such sources

    folders = [*wanted.include_dirs, *(w[2:] for w in wanted.args if w.startswith("-I"))]
    return gas.closure([source], folders, preprocessed=not source.endswith(".s"))


def _is_outside(path: str) -> bool:
    return os.path.relpath(path).startswith(os.pardir + os.sep)


class _Project:
    """The folder of a project, as an sdist sees it."""

    def __init__(self, command: Command) -> None:
        """``command`` is the project's build_ext, finalized."""
        self._inside = os.path.realpath(os.curdir) + os.sep
        base = str(command.get_finalized_command("build").build_base)
        self._build_base = os.path.relpath(base)
        self._folders: dict[str, str] = {}
        """The real paths of the folders that were asked for."""

    def why_not_shipped(self, path: str) -> str | None:
        """Return why an sdist does not hold a file, None when it does."""
        if path.startswith(os.pardir + os.sep):
            return "is outside of the project"
        if not (where := self._real(path)).startswith(self._inside):
            return f"is a symbolic link to {where}, which is outside of the project"
        # setuptools takes these folders out of every sdist.
        first = path.split(os.sep)[0]
        if path.startswith(self._build_base + os.sep):
            return f"is in {self._build_base}, the folder of what is built"
        if first in ("RCS", "CVS", ".svn", ".hg", ".git", ".bzr", "_darcs"):
            return f"is in {first}, a folder of version control"
        return None

    def _real(self, path: str) -> str:
        if os.path.islink(path):
            return os.path.realpath(path)
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return os.path.join(self._folders[folder], name)


def _settings_args(command: Command) -> tuple[str, ...]:
    try:
        return settings(command.distribution).nasm_args
    except BuildError:
        return ()  # reported when something is built


def _commands(ext: Extension, command: Command) -> Iterator[tuple[str, flags.Command]]:
    """Yield each source with what it is assembled with; once where the groups it is in are unsound."""
    groups = _sound_groups(ext)
    macros = tuple(
        (macro[0], macro[1] if macro[1] is None else str(macro[1]))
        for macro in ext.define_macros or ()
        if _is_definition(macro)
    )
    folders = tuple(_include_dirs(ext, command))
    for source in assembly_sources([ext]):
        language = "gas" if is_gas(source) else "nasm"
        words = flags.args_for(source, language, ext.extra_compile_args, is_mixed=language == "gas")
        args = tuple(word for word in words if isinstance(word, str))
        plain = flags.Command(macros, folders, args)
        for wanted in flags.commands(source, language, plain, groups):
            yield source, wanted


def _sound_groups(ext: Extension) -> flags.Groups:
    if isinstance(ext, declared.Extension):
        try:
            require_sound_groups(ext)
        except SourceError:
            return {}  # reported when something is built
    return flags.groups_of(ext)


def _include_dirs(ext: Extension, command: Command) -> Iterator[str]:
    """Yield the folders that a build searches besides Python's own."""
    own = pythons_include_dirs()
    for folder in (*(ext.include_dirs or ()), *(getattr(command, "include_dirs", None) or ())):
        # Wrong ones are reported when something is built.
        if isinstance(folder, str | os.PathLike) and folder not in own:
            yield os.fspath(folder)


def _is_definition(macro: object) -> bool:
    return isinstance(macro, tuple) and len(macro) == 2 and isinstance(macro[0], str)

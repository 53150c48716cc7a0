"""The setuptools entry point: looks for assembly, and does nothing in projects without it.

This module runs in every setuptools build of every environment asmsetup is
installed in, so it imports nothing but on demand.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from setuptools import Command, Distribution

_COMMANDS = frozenset({"build_clib", "build_ext", "build_py", "sdist", "bdist_wheel"})
_BUILDING = frozenset({"build_clib", "build_ext", "bdist_wheel"})


def finalize_distribution_options(dist: Distribution) -> None:
    """Have ``dist`` hand out commands that know assembly once it has any to build.

    setuptools calls this before it reads the configuration files
    (``setuptools.finalize_distribution_options``), too early to know the
    extensions and the user's command classes. So nothing is decided here: the
    question is put each time a command is asked for, and whatever class comes
    out of setuptools then is the one that is extended.
    """
    command_class = dist.get_command_class

    def get_command_class(command: str) -> type[Command]:
        found: type[Command] = command_class(command)
        if _asks_for_requirements(dist) and command == "egg_info" and _has_assembly(dist):
            from .plugin import requirements

            requirements.ask_for_nasm(dist)
        if _makes_metadata_alone(dist):
            return found  # nothing in it comes from assembly
        if command in _COMMANDS and (
            _has_assembly(dist) or (command in _BUILDING and is_required())
        ):
            from . import plugin

            return plugin.extended(command, found)  # type: ignore[arg-type]
        return found

    dist.get_command_class = get_command_class


def _makes_metadata_alone(dist: Distribution) -> bool:
    # A distribution has commands when it has read a command line.
    commands = getattr(dist, "commands", None)
    # `python setup.py egg_info` lists the files of an sdist as well.
    return commands == ["dist_info"] or (commands == ["egg_info"] and _asks_for_requirements(dist))


def _asks_for_requirements(dist: Distribution) -> bool:
    # setuptools' backend asks with a Distribution of its own, which turns what is to be fetched
    # into the answer of get_requires_for_build_wheel.
    return type(dist).__module__ == "setuptools.build_meta"


def _has_assembly(dist: Distribution) -> bool:
    if not (dist.ext_modules or dist.libraries):
        return False
    from .suffixes import has_assembly

    return has_assembly(dist)


def is_required() -> bool:
    """Return whether the project in the current folder asks for asmsetup.

    Its own command classes may come to its only assembly while they build.
    """
    try:
        with open("pyproject.toml", "rb") as file:
            if b"asmsetup" not in file.read().lower():
                return False
    except OSError:
        return False
    from . import config

    return config.requires_asmsetup(".")

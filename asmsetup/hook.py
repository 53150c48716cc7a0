"""The setuptools entry point: looks for assembly, and stays out of the way where there is none.

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
        # A distribution has commands when it has read a command line.
        if getattr(dist, "commands", None) == ["dist_info"]:
            return found  # metadata alone, in which nothing comes from assembly
        if command in _COMMANDS and (
            _has_assembly(dist) or (command in _BUILDING and is_required())
        ):
            from . import plugin

            return plugin.extended(command, found)  # type: ignore[arg-type]
        if command == "egg_info" and _has_assembly(dist):
            from . import plugin

            plugin.ask_for_nasm(dist)
        return found

    dist.get_command_class = get_command_class


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

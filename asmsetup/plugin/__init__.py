"""The setuptools plugin: Extensions and commands in; recipes, log messages and errors out.

Each command class (commands.py) is mixed in front of the class that the project uses;
compiler.py catches what setuptools compiles and links, run.py makes recipes and modules of it,
and tags.py decides the wheel's tag. No other part of asmsetup
imports setuptools.
"""

from __future__ import annotations

from functools import cache

from setuptools import Command
from setuptools.command.build_ext import build_ext as _build_ext

from .bdist_wheel import BdistWheel
from .commands import BuildClib, BuildExt, BuildPy, Sdist
from .requirements import ask_for_nasm

__all__ = ["ask_for_nasm", "build_ext", "extended"]

_LAYERS = {
    "build_clib": BuildClib,
    "build_ext": BuildExt,
    "build_py": BuildPy,
    "sdist": Sdist,
    "bdist_wheel": BdistWheel,
}


@cache
def extended(command: str, base: type[Command]) -> type[Command]:
    """Return a subclass of ``base`` that also builds assembly; ``base`` itself if it already does."""
    layer = _LAYERS[command]
    if issubclass(base, layer):
        return base
    return type(command, (layer, base), {"__doc__": base.__doc__})


class build_ext(BuildExt, _build_ext):  # noqa: N801 (the command's name)
    """setuptools' build_ext with assembly, for a project that names its command class."""

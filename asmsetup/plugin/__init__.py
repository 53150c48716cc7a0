"""The setuptools plugin: Extensions and commands in; recipes, log messages and errors out.

Its commands are layers over whatever classes a project uses. No other part of asmsetup
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
    """Return ``base`` with assembly laid over it; ``base`` itself where it is there already."""
    layer = _LAYERS[command]
    if issubclass(base, layer):
        return base
    return type(command, (layer, base), {"__doc__": base.__doc__})


class build_ext(BuildExt, _build_ext):  # noqa: N801 (the command's name)
    """setuptools' build_ext with assembly, for a project that names its command class."""

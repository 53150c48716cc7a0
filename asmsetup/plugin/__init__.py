"""The setuptools plugin: Extensions and commands in; recipes, log messages and errors out.

Each command class (commands.py) is mixed in front of the class that the project uses;
compiler.py catches what setuptools compiles and links, run.py makes recipes and modules of it,
and tags.py decides the wheel's tag. No other part of asmsetup
imports setuptools.
"""

from __future__ import annotations

from functools import cache

from setuptools import Command


@cache
def extended(command: str, base: type[Command]) -> type[Command]:
    """Return a subclass of ``base`` that also builds assembly; ``base`` itself if it already does."""
    layer = _layer(command)
    if issubclass(base, layer):
        return base
    return type(command, (layer, base), {"__doc__": base.__doc__})


def _layer(command: str) -> type[Command]:
    # A declared.Extension needs no command, and no command but one of them makes wheels.
    if command == "bdist_wheel":
        from .bdist_wheel import BdistWheel

        return BdistWheel
    from .commands import LAYERS

    return LAYERS[command]

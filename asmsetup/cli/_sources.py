"""The options of the commands that build one source."""

from __future__ import annotations

import argparse
import os

from .. import config
from ..assemble.nasm import Macro
from ..live.building import Options
from ._includes import add_include


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the source, and how to build it."""
    parser.add_argument("source", metavar="SOURCE", help="a .asm file")
    parser.add_argument(
        *("-D", "--define"),
        metavar="NAME[=VALUE]",
        action="append",
        default=[],
        help="define a macro for NASM",
    )
    add_include(parser)


def build_options(
    options: argparse.Namespace, *, debug: bool = False, universal: bool = False
) -> Options:
    """Return how to build the source: as the settings of its folder and the command line say."""
    settings = config.load(os.path.dirname(options.source) or os.curdir, os.environ)
    return Options(
        settings._replace(debug=debug or settings.debug, universal=universal or settings.universal),
        tuple(options.include),
        tuple(map(_macro, options.define)),
    )


def _macro(definition: str) -> Macro:
    name, equals, value = definition.partition("=")
    return name, value if equals else None

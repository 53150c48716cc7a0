"""The source of the commands that write what its typed functions need."""

from __future__ import annotations

import argparse
import sys

from ..assemble import includes
from ..assemble.includes import INCLUDE_DIR, search_path
from ..errors import SourceError
from ..files import atomic_write, unreadable, write_text
from ._includes import add_include


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the source and the options."""
    parser.add_argument("source", metavar="SOURCE", help="a .asm file")
    parser.add_argument(
        *("-o", "--output"), metavar="FILE", help="the file to write, in place of standard output"
    )
    add_include(parser)


def files(options: argparse.Namespace) -> list[str]:
    """Return the source and the texts it includes. Raises SourceError if it cannot be read."""
    if why := unreadable(options.source):
        raise SourceError(f"{options.source}: {why}")
    folders = (*search_path(options.source, options.include), INCLUDE_DIR)
    closure = includes.closure(options.source, folders)
    return [path for path in closure.files if path not in closure.incbinned]


def write(options: argparse.Namespace, text: str) -> None:
    """Write the text to the file that was asked for, or to standard output."""
    if options.output is None:
        sys.stdout.write(text)
        return
    with atomic_write(options.output) as partial:
        write_text(partial, text)

"""asmsetup bindings: what a source's typed functions need, for NASM run by hand."""

from __future__ import annotations

import argparse
import sys

from ..assemble import includes
from ..assemble.includes import INCLUDE_DIR, search_path
from ..bind import bindings_for
from ..errors import SourceError
from ..files import atomic_write, unreadable, write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("source", metavar="SOURCE", help="a .asm file")
    parser.add_argument(
        *("-o", "--output"), metavar="FILE", help="the file to write, in place of standard output"
    )
    parser.add_argument(
        *("-I", "--include"),
        metavar="FOLDER",
        action="append",
        default=[],
        help="look for includes in this folder, too",
    )


def run(options: argparse.Namespace) -> int:
    """Write the bindings. Raises SourceError for a source that cannot be read."""
    if why := unreadable(options.source):
        raise SourceError(f"{options.source}: {why}")
    folders = (*search_path(options.source, options.include), INCLUDE_DIR)
    closure = includes.closure(options.source, folders)
    text = bindings_for(closure.files, INCLUDE_DIR)
    if options.output is None:
        sys.stdout.write(text)
        return 0
    with atomic_write(options.output) as partial:
        write_text(partial, text)
    return 0

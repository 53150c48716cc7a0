"""asmsetup build: an importable module from one source, without a project."""

from __future__ import annotations

import argparse
import os
import tempfile

from ..live.building import build, on_standard_error
from ._sources import add_arguments as add_source
from ._sources import build_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_source(parser)
    parser.add_argument(
        *("-o", "--output"),
        metavar="FOLDER",
        help="the folder for the module, in place of the source's",
    )
    parser.add_argument(
        "--universal", action="store_true", help="one module for every CPython from 3.10 on"
    )
    parser.add_argument("--debug", action="store_true", help="with line numbers, not stripped")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the commands")


def run(options: argparse.Namespace) -> int:
    """Build the module and print its path. Raises AsmsetupError when it cannot be built."""
    folder = options.output or os.path.dirname(options.source) or os.curdir
    how = build_options(options, universal=options.universal, debug=options.debug)
    with tempfile.TemporaryDirectory(prefix="asmsetup-") as work:
        reporter = on_standard_error(verbose=options.verbose)
        built = build(options.source, folder, work, how, reporter)
    print(os.path.normpath(built.path))
    return 0

"""asmsetup annotate: a page of HTML with what the machine sees of each line of a source."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile

from ..check.machine_code import require_decoder
from ..files import atomic_write, write_text
from ..live.building import examine, on_standard_error
from ._sources import add_arguments as add_source
from ._sources import build_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_source(parser)
    parser.add_argument(
        *("-o", "--output"),
        metavar="FILE",
        help="the page, in place of SOURCE.html; - for standard output",
    )
    parser.add_argument(
        "--perf",
        metavar="FILE",
        help="what perf script wrote of a run with the module, to show the hot lines",
    )
    parser.add_argument(
        "--costs",
        metavar="PROCESSOR",
        help="show the cycles of instructions as llvm-mca knows them: of skylake, znver4 and"
        " others; native is this machine's",
    )


def run(options: argparse.Namespace) -> int:
    """Write the page and print its path.

    Raises AsmsetupError when the source cannot be assembled or a tool is missing, and OSError
    for a file that cannot be read.
    """
    require_decoder()
    from ..annotate.lines import annotate
    from ..annotate.page import page

    perf = ""
    if options.perf:
        with open(options.perf, encoding="utf-8", errors="replace") as file:
            perf = file.read()
    with tempfile.TemporaryDirectory(prefix="asmsetup-") as work:
        reporter = on_standard_error(verbose=False)._replace(progress=lambda text: None)
        how = build_options(options, debug=True)
        examined = examine(options.source, work, how, reporter)
        text = page(annotate(examined, how.settings, perf, processor=options.costs))
    if options.output == "-":
        sys.stdout.write(text)
        return 0
    path = options.output or f"{os.path.splitext(options.source)[0]}.html"
    with atomic_write(path) as partial:
        write_text(partial, text)
    print(path)
    return 0

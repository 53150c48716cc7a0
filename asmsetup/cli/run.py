"""asmsetup run: build one source, and run Python code with the module in a child process."""

from __future__ import annotations

import argparse
import tempfile

from ..errors import UsageError
from ..live.building import build, on_standard_error
from ..live.child import Work
from ..live.child import run as run_child
from ._sources import add_arguments as add_source
from ._sources import build_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_source(parser)
    parser.add_argument(
        "-c",
        nargs=argparse.REMAINDER,
        metavar="CODE",
        dest="code",
        help="Python code, which sees the module by its name, and its arguments",
    )
    parser.add_argument(
        "script", nargs="*", metavar="SCRIPT", help="a Python script, and its arguments"
    )


def run(options: argparse.Namespace) -> int:
    """Build the module and run the code; return the code's exit code.

    Without code or a script, a Python prompt is shown. Raises UsageError for -c without code,
    and AsmsetupError when the source cannot be built.
    """
    if options.code == []:
        raise UsageError("-c needs Python code", 'for example:   -c "print(1)"')
    text, arguments = (None, options.script)
    if options.code:
        text, *arguments = options.code
    with tempfile.TemporaryDirectory(prefix="asmsetup-") as work:
        reporter = on_standard_error(verbose=False)._replace(progress=lambda text: None)
        how = build_options(options, debug=True)
        built = build(options.source, work, work, how, reporter)
        return run_child(Work([built], text, arguments))

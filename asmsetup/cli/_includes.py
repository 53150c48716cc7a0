"""The option -I of commands that read sources."""

from __future__ import annotations

import argparse


def add_include(parser: argparse.ArgumentParser) -> None:
    """Add -I, which may be given several times."""
    parser.add_argument(
        *("-I", "--include"),
        metavar="FOLDER",
        action="append",
        default=[],
        help="look for includes in this folder, too",
    )

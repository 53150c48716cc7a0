"""asmsetup include-dir: the folder of python.inc, for NASM run by hand and for editors."""

from __future__ import annotations

import argparse

from ..assemble.includes import INCLUDE_DIR


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command: it has none."""


def run(options: argparse.Namespace) -> int:
    """Print the folder."""
    print(INCLUDE_DIR)
    return 0

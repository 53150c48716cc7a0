"""asmsetup bindings: what a source's typed functions need, for NASM run by hand."""

from __future__ import annotations

import argparse

from ..assemble.includes import INCLUDE_DIR
from ..bind import bindings_for
from ._declared import add_arguments, files, write

__all__ = ["add_arguments", "run"]


def run(options: argparse.Namespace) -> int:
    """Write the bindings. Raises SourceError for a source that cannot be read."""
    write(options, bindings_for(files(options), INCLUDE_DIR))
    return 0

"""asmsetup stubs: the stub of a source's module, for type checkers and editors."""

from __future__ import annotations

import argparse

from ..assemble.includes import INCLUDE_DIR
from ..bind import stub_for
from ..bind.signature import SignatureError
from ..errors import SourceError
from ._declared import add_arguments, files, write

__all__ = ["add_arguments", "run"]


def run(options: argparse.Namespace) -> int:
    """Write the stub. Raises SourceError for a wrong signature."""
    try:
        text = stub_for(files(options), INCLUDE_DIR)
    except SignatureError as error:
        raise SourceError(f"{options.source}: {error}") from None
    write(options, text)
    return 0

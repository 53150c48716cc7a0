"""The command line: asmsetup, or python -m asmsetup.

Standard output is the result, standard error is talk. Exit code 0: done; 2: a
wrong command line; 3: it could not be done.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from ..assemble import cache
from ..assemble.cache import Statistics
from ..errors import AsmsetupError, ConfigError

_FAILED = 3
_JSON_VERSION = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    try:
        try:
            options = _parser().parse_args(arguments)
            return _cache(clear=options.clear, as_json=options.json)
        finally:
            sys.stdout.flush()  # now, when it can still be told that it cannot be written
    except AsmsetupError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {error.filename or 'standard output'}: {error.strerror}", file=sys.stderr)
        if error.filename is None:
            _discard_output()
    return _FAILED


def _discard_output() -> None:
    # What is left in the buffer would be written, and fail, once more at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Version(argparse.Action):
    """Prints the version, which takes long to find and is seldom asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib import metadata

        print(f"asmsetup {metadata.version('asmsetup')}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="asmsetup", description="Ship hand-written x86-64 assembly in Python packages."
    )
    about = "show the version and end"
    parser.add_argument("--version", action=_Version, nargs=0, help=about)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    about = "show what the object cache holds and what it was good for, or clear it"
    command = commands.add_parser("cache", help=about, description=about.capitalize() + ".")
    command.add_argument("--clear", action="store_true", help="remove everything from it")
    command.add_argument("--json", action="store_true", help="write JSON")
    return parser


def _cache(*, clear: bool, as_json: bool) -> int:
    store = cache.open_cache(os.environ, _warn)
    if store is None:
        raise ConfigError(
            "there is no object cache: this user has no home folder",
            "name a folder for it:   ASMSETUP_CACHE_DIR=/path/to/folder",
        )
    before = store.statistics()
    if clear:
        store.clear()
    if as_json:
        shown = store.statistics() if clear else before
        print(json.dumps({"version": _JSON_VERSION, **shown._asdict()}))
    elif clear:
        print(f"removed {before.entries} entries, {_size(before.bytes)}, from {before.folder}")
    else:
        print(_described(before))
    return 0


def _described(shown: Statistics) -> str:
    asked = shown.hits + shown.misses
    share = f" ({shown.hits / asked:.0%})" if asked else ""
    lines = {
        "folder": shown.folder,
        "entries": str(shown.entries),
        "size": f"{_size(shown.bytes)} of {_size(shown.limit)}",
        "hits": f"{shown.hits} of {asked}{share}",
        "damaged": str(shown.damaged),
    }
    return "\n".join(f"{name:9}{value}" for name, value in lines.items())


def _size(count: int) -> str:
    for unit, shift in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >= 1 << shift:
            return f"{count / (1 << shift):.1f} {unit}"
    return f"{count} bytes"


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)

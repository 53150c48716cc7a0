"""asmsetup cache: what the object cache holds and what it was good for."""

from __future__ import annotations

import argparse
import json
import os
import sys

from ..assemble import cache
from ..assemble.cache import Statistics
from ..errors import ConfigError

_JSON_VERSION = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--clear", action="store_true", help="remove everything from it")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(options: argparse.Namespace) -> int:
    """Show what the cache holds, or clear it."""
    store = cache.open_cache(os.environ, _warn)
    if store is None:
        raise ConfigError(
            "there is no object cache: this user has no home folder",
            "name a folder for it:   ASMSETUP_CACHE_DIR=/path/to/folder",
        )
    before = store.statistics()
    if options.clear:
        store.clear()
    if options.json:
        shown = store.statistics() if options.clear else before
        print(json.dumps({"version": _JSON_VERSION, **shown._asdict()}))
    elif options.clear:
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

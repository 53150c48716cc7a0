"""Fetch the interpreters and tools of the test matrix into the cache.

What cannot be had is named, with the reason, and the rest goes on.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.matrix.interpreters import (
    MINORS,
    Interpreter,
    Inventory,
    save_inventory,
)
from tools.matrix.packages import UnavailableError
from tools.matrix.recipes import Recipe, say

STAMP = ".complete"


def collect(recipes: Sequence[Recipe], cache: Path) -> Inventory:
    """Make what the cache lacks, and write the inventory of all that it has then."""
    parts = {recipe.folder: use(recipe, cache) for recipe in recipes}
    for recipe in recipes:
        # Before each, too: others may be testing with what is there.
        save_inventory(sum(filter(None, parts.values()), Inventory()), cache)
        parts[recipe.folder] = parts[recipe.folder] or fetch(recipe, cache)
    inventory = sum(filter(None, parts.values()), Inventory())
    save_inventory(inventory, cache)
    return inventory


def use(recipe: Recipe, cache: Path) -> Inventory | None:
    """Return what the recipe has put into the cache, None when it is not there or does not work."""
    stamp = cache / recipe.folder / STAMP
    if not stamp.is_file() or stamp.read_text() != fingerprint(recipe):
        return None
    try:
        return recipe.publish(cache)
    except UnavailableError as error:
        say(f"{recipe.folder} in the cache is damaged: {error}")
        return None


def fetch(recipe: Recipe, cache: Path) -> Inventory:
    """Carry the recipe out. What is cut short has no stamp, and is made again by the next run."""
    say(f"fetching {', '.join(recipe.provides)}")
    folder = cache / recipe.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        recipe.make(cache)
        found = recipe.publish(cache)
    except UnavailableError as error:
        say(f"{', '.join(recipe.provides)}: {error}")
        return Inventory(missing=dict.fromkeys(recipe.provides, str(error)))
    (folder / STAMP).write_text(fingerprint(recipe))
    return found


def fingerprint(recipe: Recipe) -> str:
    """Return what changes with the recipe, so that what another one made is not taken for its own."""
    return hashlib.sha256(repr(recipe).encode()).hexdigest()


@contextmanager
def alone(cache: Path) -> Iterator[None]:
    """Hold the cache against other runs; several checkouts may share one."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that fills {cache}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def report(machine: Sequence[Interpreter], inventory: Inventory) -> str:
    """Return what the tests can use, one thing a line, and what they have to do without."""
    found = [*machine, *inventory.interpreters]
    lines = [
        f"{each.name:<15} {'.'.join(map(str, each.version)):<8} {each.libc:<12} {each.command[0]}"
        for each in found
    ]
    lines += [f"{name:<34} {path}" for name, path in inventory.tools.items()]
    lines += [f"missing: {name}: {reason}" for name, reason in inventory.missing.items()]
    absent = set(MINORS) - {each.version[1] for each in found}
    lines += [f"missing: 3.{minor}: neither installed nor fetched" for minor in sorted(absent)]
    return "\n".join(lines)

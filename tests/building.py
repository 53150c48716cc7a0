"""Objects built by the pipeline itself, without setuptools: in this process, in the current folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from asmsetup.assemble.nasm import AssemblerOptions
from asmsetup.build import Builder, Wanted
from asmsetup.config import Settings
from asmsetup.facts import target
from asmsetup.plan import Recipe
from asmsetup.progress import Reporter

UNCACHED = Settings(cache=False)


def ignore(text: str) -> None:
    """Print nothing."""


def build_objects(
    sources: Sequence[str],
    options: AssemblerOptions | None = None,
    settings: Settings = UNCACHED,
    *,
    python: target.Target | None = None,
    folder: str = "build",
    warn: Callable[[str], None] | None = None,
    afresh: bool = False,
) -> list[str]:
    """Build the objects of sources; return what was done, as "nasm a.asm" or "cached a.asm", sorted.

    Warnings go to ``warn``, or without it fail. With ``afresh``, what an older
    build has left is removed before.
    """
    done: list[str] = []
    reporter = Reporter(done.append, warn or pytest.fail, ignore)
    builder = Builder(settings, python or target.running(), folder, reporter)
    objects = builder.plan(Recipe("m", tuple(sources), options or AssemblerOptions()))
    if afresh:
        for path in Path(folder).glob("*"):
            path.unlink()
    jobs = builder.start(Wanted(item, "m") for item in objects)
    try:
        builder.jobs.require(jobs)
    finally:
        builder.finish()
    assert all(Path(item.path).stat().st_size for item in objects)
    # "[1/2] nasm a.asm"
    return sorted(line.split(" ", 1)[1] for line in done)


def assembled(done: Sequence[str]) -> list[str]:
    """Return the sources among what ``build_objects`` returned that NASM was run for."""
    return [line.removeprefix("nasm ") for line in done if line.startswith("nasm ")]

"""Links a module with the compiler driver that setuptools chose, unless it would come out as it is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

from ..build import Builder
from ..errors import LinkError
from ..link import linker
from ..link.given import LD_ARGS, LDFLAGS, LINK_ARGS, Given, words_of
from ..link.linker import ModuleFile
from . import c_objects, linked
from .compiler import is_stock
from .run_paths import run_paths_as_asked
from .session import FAILURES

_REPLACED = "output_filename", "extra_preargs", "extra_postargs"

Link = Callable[[Mapping[str, Any]], None]
"""Calls ``link_shared_object`` of the wrapped compiler object with these arguments."""


def link(
    builder: Builder, chosen: Any, below: Link, module: ModuleFile, given: Mapping[str, Any]
) -> None:
    """Link a mixed module as a call of ``link_shared_object`` asks for.

    Raises LinkError and CheckError.
    """
    own = _flags(builder, module, module.options.given)
    call = {**given, "extra_postargs": [*(given.get("extra_postargs") or ()), *own]}
    record = os.path.join(builder.folder, f"{module.name}.inputs")
    with run_paths_as_asked(chosen):
        made_from = linked.inputs(chosen, call)
        if linked.is_current(record, made_from, module.path):
            builder.reporter.detail(f"{module.path} is up to date")
            return
        trial = partial(_try, builder, chosen, module, given)
        # Methods that a project has replaced may turn a call into anything.
        tries = is_stock(chosen)
        hints = builder.naming_options_at_fault(module, trial) if tries else nullcontext()
        with hints, builder.checked_output(module) as output:
            try:
                below({**call, "output_filename": output})
            except FAILURES as error:
                raise LinkError(str(error)) from error
        linked.keep(record, made_from, module.path)


def _flags(builder: Builder, module: ModuleFile, given: Sequence[Given]) -> list[str]:
    """Return what the driver needs when there is assembly in the module."""
    script = builder.version_script(module)
    own = (word for flag in words_of(given, LD_ARGS) for word in ("-Xlinker", flag))
    return [*linker.driver_flags(script, module.options), *own]


def _try(
    builder: Builder,
    chosen: Any,
    module: ModuleFile,
    call: Mapping[str, Any],
    kept: Sequence[Given],
    output: str,
) -> None:
    """Link to another path with nothing but these options, and print nothing."""
    twin = c_objects.copy_of(chosen)
    c_objects.captured(twin)
    ldflags = words_of(module.options.given, LDFLAGS)
    for name in ("linker_so", "linker_so_cxx"):
        command = getattr(chosen, name, None) or ()
        setattr(twin, name, _replaced(command, ldflags, words_of(kept, LDFLAGS)))
    flags = [*words_of(kept, LINK_ARGS), *_flags(builder, module, kept)]
    options = {name: value for name, value in call.items() if name not in ("objects", *_REPLACED)}
    try:
        twin.link_shared_object(call["objects"], output, **options, extra_postargs=flags)
    except subprocess.SubprocessError as error:
        raise LinkError(str(error)) from error
    except FAILURES as error:
        raise LinkError(str(error)) from error


def _replaced(command: Sequence[str], words: Sequence[str], by: Sequence[str]) -> list[str]:
    """Return a command with other words in the place of these, which setuptools appended to it."""
    command, size = list(command), len(words)
    for start in range(len(command) - size, 0, -1):
        if command[start : start + size] == list(words):
            return [*command[:start], *by, *command[start + size :]]
    return command

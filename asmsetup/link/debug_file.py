"""Debug information in a file of its own, which gdb finds by the module's build id or its debuglink."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .. import program
from ..errors import LinkError

SUFFIX = ".debug"
"""The suffix after the module's file name; the debuglink holds the whole name."""

_INSTALL = program.ways_to_get("binutils", "OBJCOPY", "objcopy", is_setting=False)


def path_of(folder: str, module: str, name: str) -> str:
    """Return where a build keeps the file of a module, whose own file has this ``name``."""
    return os.path.join(folder, "debug", *module.split(".")[:-1], name + SUFFIX)


def split(module: str, path: str) -> None:
    """Move the debug information of ``module`` to the file ``path``, and strip the module.

    Raises ToolError without objcopy, and LinkError when it fails.
    """
    wanted = os.environ.get("OBJCOPY") or "objcopy"
    tool = program.find("objcopy", wanted, _INSTALL, chosen_by="OBJCOPY", arguments="")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    for command in commands(tool, module, path):
        done = program.run(command)
        if done.status:
            raise LinkError(done.output or f"objcopy {program.how_it_ended(done)}")


def commands(objcopy: str, module: str, path: str) -> list[Sequence[str]]:
    """Return the commands that make the file ``path`` and strip ``module``."""
    return [
        (objcopy, "--only-keep-debug", module, path),
        (objcopy, "--strip-all", f"--add-gnu-debuglink={path}", module),
    ]

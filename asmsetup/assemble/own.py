"""asmsetup's own includes, given to NASM so that no file of the project's replaces them.

They include each other by names such as python/module.inc, and NASM looks in the current
directory first, then in the folders of the command in their order.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable

from .includes import INCLUDE_DIR, own_digest

_FOLDER, _RENAMED = "python", "asmsetup-python"
_IN_COPY = r"/asmsetup-[0-9a-f]{16}/"


def include_dir(searched: Iterable[str], build_folder: str) -> str:
    """Return the folder of asmsetup's includes for a source; the folders ``searched`` come first.

    That is INCLUDE_DIR, but where a project has files of the same names: there it is a copy
    in the build folder, in which the includes have names that no project uses.
    """
    if any(map(_has_our_names, ("", *searched))):
        return _renamed_copy(build_folder)
    return INCLUDE_DIR


def is_ours(path: str) -> bool:
    """Return whether a file is one of asmsetup's includes, or of their copy."""
    is_in_copy = "/asmsetup-" in path and re.search(_IN_COPY, path) is not None
    return is_in_copy or path.startswith(INCLUDE_DIR + os.sep)


def _has_our_names(folder: str) -> bool:
    theirs = os.path.join(folder, _FOLDER)
    if not os.path.isdir(theirs):
        return False
    ours = os.path.join(INCLUDE_DIR, _FOLDER)
    return any(
        os.path.lexists(os.path.join(theirs, os.path.relpath(os.path.join(parent, name), ours)))
        for parent, _, names in os.walk(ours)
        for name in names
    )


def _renamed_copy(build_folder: str) -> str:
    copy = os.path.join(build_folder, f"asmsetup-{own_digest()[:16]}")
    if os.path.isdir(copy):
        return copy
    os.makedirs(build_folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build_folder) as folder:
        made = os.path.join(folder, "include")
        shutil.copytree(INCLUDE_DIR, made, copy_function=_copy_renamed)
        os.rename(os.path.join(made, _FOLDER), os.path.join(made, _RENAMED))
        try:
            os.rename(made, copy)
        except OSError:
            if not os.path.isdir(copy):  # else another build was quicker
                raise
    return copy


def _copy_renamed(source: str, target: str) -> str:
    with open(source, "rb") as file:
        text = file.read()
    with open(target, "wb") as file:
        file.write(text.replace(f'"{_FOLDER}/'.encode(), f'"{_RENAMED}/'.encode()))
    return target

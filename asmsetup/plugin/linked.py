"""Modules that a compiler driver links: up to date by their inputs, not by time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..files import atomic_write, hash_of, same_text, write_text
from .c_objects import state

_ENVIRONMENT = ("LIBRARY_PATH", "LD_RUN_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX")
"""Variables that change a module and are not in the command (GCC's and ld's manuals)."""

_NO_INPUT = frozenset({"output_filename", "output_dir", "build_temp"})


def inputs(chosen: Any, call: Mapping[str, Any]) -> str:
    """Return a digest of all that a call of ``link_shared_object`` makes a module from."""
    words = [name for name in call if name not in _NO_INPUT]
    files = dict.fromkeys([*call["objects"], *chosen.objects, *_named_files(call, chosen)])
    parts = [
        "module 1",
        state(chosen, linking=True),
        {name: call[name] for name in words},
        {path: hash_of(path) for path in files},
        [os.environ.get(name) for name in _ENVIRONMENT],
    ]
    text = json.dumps(parts, default=str, sort_keys=True)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def is_current(record: str, made_from: str, module: str) -> bool:
    """Return whether the module exists, is undamaged, and was made from these inputs."""
    return same_text(record, _text(made_from, module))


def keep(record: str, made_from: str, module: str) -> None:
    """Write down what the module was made from."""
    with atomic_write(record) as partial:
        write_text(partial, _text(made_from, module))


def _text(made_from: str, module: str) -> str:
    return f"{made_from}\n{hash_of(module)}\n"


def _named_files(call: Mapping[str, Any], chosen: Any) -> Iterator[str]:
    """Yield the files that options name, and the libraries that are found in the folders given."""
    args = [*(call.get("extra_preargs") or ()), *(call.get("extra_postargs") or ())]
    folders = [*(call.get("library_dirs") or ()), *chosen.library_dirs]
    libraries = [*(call.get("libraries") or ()), *chosen.libraries]
    for word in (part for arg in args for part in str(arg).split(",")):
        if word.startswith("-l"):
            libraries.append(word[2:])
        elif word.startswith("-L"):
            folders.append(word[2:])
        else:
            yield from filter(os.path.isfile, (word, word.partition("=")[2]))
    folders += os.environ.get("LIBRARY_PATH", "").split(os.pathsep)
    yield from _libraries(libraries, folders)


def _libraries(names: Iterable[str], folders: Sequence[str]) -> Iterator[str]:
    for name in names:
        files = [name[1:]] if name.startswith(":") else [f"lib{name}.so", f"lib{name}.a"]
        paths = (os.path.join(folder, file) for folder in folders for file in files if folder)
        yield from filter(os.path.isfile, paths)

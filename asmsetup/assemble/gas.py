"""Finds the files that sources for GAS (.S and .s) read, in their text: for sdists, and where compilers report none.

A compiler lists what its preprocessor has read (-MD), and nothing that the assembler has:
.include and .incbin. Runs no tool.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from ..files import open_regular
from ..named import NamedTuple

_WORDS = rb"""(?xsi)
      /\*.*?\*/ | //[^\n]*                     # comments
    | \#(?![ \t]*define\b)[^\n]*               # comments, and lines for the preprocessor
    | '\\?[^\n]                                # a character
    | (?<![\w.$@])\.(include|incbin)\b[ \t]*(?:"([^"\\\n]*)"|([^\n]))
    | "(?:\\.|[^"\\\n])*"
    """
"""The directives, wherever in a line; and comments, characters and strings, which may hold their names."""

_CPP_INCLUDE = rb'(?mi)^[ \t]*#[ \t]*include\b[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>|([a-z_]\w*)[ \t]*(?=[(/\r\n]|\Z))'


class Closure(NamedTuple):
    """Files, and everything they name."""

    files: tuple[str, ...]
    computed: bool
    """A name is made by a macro, so that it is not known what is read."""


def closure(paths: Iterable[str], include_dirs: Sequence[str], *, preprocessed: bool) -> Closure:
    """Return the files with all that they ``.include`` and ``.incbin``, and all that these do.

    With ``preprocessed``, #include counts as well; it is for those who do not ask a compiler.
    A file that is not found is left out.
    """
    found: dict[str, None] = {}
    computed = False
    waiting = [(path, True) for path in paths]
    while waiting:
        path, is_text = waiting.pop(0)
        if path in found:
            continue
        found[path] = None
        text = _content(path) if is_text else b""
        for directive, name, other in filter(any, re.findall(_WORDS, text)):
            computed |= bool(other)
            is_read = directive.lower() == b"include"
            waiting += _found(os.fsdecode(name), ("", *include_dirs), is_read)
        for quoted, angled, other in re.findall(_CPP_INCLUDE, text) if preprocessed else ():
            computed |= bool(other)
            own = (os.path.dirname(path),) if quoted else ()
            waiting += _found(os.fsdecode(quoted or angled), (*own, *include_dirs), True)
    return Closure(tuple(found), computed)


def _found(name: str, folders: Sequence[str], is_text: bool) -> list[tuple[str, bool]]:
    paths = (os.path.join(folder, name) for folder in folders if name)
    return [(path, is_text) for path in paths if os.path.isfile(path)][:1]


def _content(path: str) -> bytes:
    try:
        with open_regular(path) as file:
            return file.readall()
    except (OSError, ValueError):
        return b""  # reported by the compiler

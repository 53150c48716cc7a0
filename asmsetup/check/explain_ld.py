"""Adds to what linkers say: the source line they mean, and what to do about it.

Their own words stay as they are, so that they can be searched for. Pure: texts in, text out.
Checked with GNU ld 2.40 and 2.47.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from .listing import SourceLine

Locate = Callable[[str, str, int], "SourceLine | None"]
"""The source line of (file as ld calls it, section, offset)."""


def explain_ld(output: str, locate: Locate) -> str:
    """Return ld's messages, with the source line of each place and a hint where one is known."""
    return "\n".join(_explained_ld(output.splitlines(), locate))


def without_text_relocations(output: str) -> str:
    """Return ld's messages without the warnings of text relocations, which name no place."""
    kept = [line for line in output.splitlines() if not _TEXT_RELOCATION.search(line)]
    return "\n".join(kept)


_TEXT_RELOCATION = re.compile(
    r"warning: (?:relocation .*in read-only section|creating (?:a )?DT_TEXTREL)"
)
_LD_PLACE = re.compile(r"(?P<file>[^\s:]+):\((?P<section>[^()+]+)\+0x(?P<offset>[0-9a-f]+)\)")


def _explained_ld(output: Sequence[str], locate: Locate) -> Iterator[str]:
    reported = set()
    for message in output:
        yield message
        for place in _LD_PLACE.finditer(message):
            if line := locate(place["file"], place["section"], int(place["offset"], 16)):
                yield f"    {line.file}:{line.number}: {line.text}"
        for pattern, advice in _LD_HINTS:
            found = re.search(pattern, message)
            if found and advice not in reported:
                reported.add(advice)
                yield f"  {advice.format(*found.groups())}"


_LD_HINTS = (
    (
        r"cannot find -l([^\s:]+)",
        "no lib{0}.so or lib{0}.a in Extension(library_dirs=[...]) or the system's folders; a"
        " distribution's -dev package often holds it",
    ),
    (r"undefined reference to `(?!_?Py)([^']+)'", "name the library that defines it:   Extension(libraries=[...])"),
    (r"multiple definition of `([^']+)'", "rename one, or take it out of GLOBAL where no other source uses it"),
    (
        r"recompile with -fPIC",
        "what is not position-independent cannot go into a module: compile C with -fPIC, and in"
        " assembly reach names by [rel name], [rel name wrt ..got] and name wrt ..plt",
    ),
    (
        r"hidden symbol `([^']+)'.* isn't defined",
        "it is declared hidden, so one of this module's own sources must define it",
    ),
    (
        r"plugin needed to handle lto object",
        "an object was compiled with -flto, which only the compiler's driver can link: compile it without",
    ),
    (
        r"file (?:not recognized|in wrong format)|incompatible with .* output",
        "only x86-64 ELF objects can be linked: was it made for another machine or system?",
    ),
    (r"undefined version|version node not found", "check the version script among the linker's arguments"),
)  # fmt: skip

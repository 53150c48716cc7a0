"""Rules about libraries for ctypes and cffi: there is no Python in them, so that any Python can load them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .findings import ERROR, Finding
from .places import ObjectPlaces

_ENTRY_POINT = r"Py(Init|ModExport)U?_\w+"
_WAYS_OUT = (
    "a module that Python imports:   asmsetup.Extension(...)",
    "a library for ctypes or cffi:   take it out",
)


def check(objects: Sequence[ObjectPlaces]) -> Iterator[Finding]:
    """Yield a finding for each name of Python's that a library defines or uses."""
    for places in objects:
        for symbol in places.object.facts.globals:
            name = symbol.name
            if not name.startswith(("Py", "_Py")):
                continue
            if symbol.section is None:
                what = f"`{name}' is CPython's, and a library runs in any Python, or in none"
                for place in places.uses(name):
                    yield place.finding("python-in-library", ERROR, what, *_WAYS_OUT)
            elif re.fullmatch(_ENTRY_POINT, name):
                what = f"`{name}' makes a module that Python imports, and this is a library"
                line = places.declaration(name, "global")
                yield places.finding(line, "python-in-library", ERROR, what, _WAYS_OUT)

"""The names that a module may use when its file is named for the stable ABI."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...facts import cpython_abi
from ...versions import OLDEST, Version
from ..names import outside_stable_abi
from . import decode
from .analysis import Verdict
from .tables import TableFault
from .walk import Fault

_RULE = "outside-stable-abi"
_WHEEL_TAG = re.compile(r"-cp3(\d+)-abi3t?-")


def promised_by(name: str) -> Version | None:
    """Return the oldest Python that a file promises to run on: a module, or one in a wheel."""
    wheel = _WHEEL_TAG.search(name)
    if wheel is not None:
        return max((3, int(wheel[1])), OLDEST)
    return OLDEST if name.endswith((".abi3.so", ".abi3t.so")) else None


def faults_of(verdict: Verdict, promised: Version) -> Iterator[Fault]:
    """Yield a fault where code first uses a name that the promised versions may not have."""
    image = verdict.image
    seen: set[str] = set()
    for at, found in sorted(verdict.engine.table.items()):
        if found is None:
            continue
        memory = found.operation.memory
        name = image.externals.get(found.goal)
        if name is None and memory is not None and memory.base == decode.RIP:
            name = image.slots.get(memory.displacement)
        if name is not None and name not in seen and (what := _outside(verdict, name, promised)):
            seen.add(name)
            function = max((start for start in verdict.roots if start <= at), default=at)
            yield Fault(_RULE, at, function, what, None)


def table_faults_of(verdict: Verdict, promised: Version) -> Iterator[TableFault]:
    """Yield a fault for each such name whose address stands in data."""
    for place, name in sorted(verdict.image.imported_data.items()):
        if what := _outside(verdict, name, promised):
            yield TableFault(_RULE, place, what)


def _outside(verdict: Verdict, name: str, promised: Version) -> str | None:
    if not name.startswith(("Py", "_Py")) or name in verdict.image.weak:
        return None
    found = outside_stable_abi(name, promised, cpython_abi)
    return found[2] if found is not None else None

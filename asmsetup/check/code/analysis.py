"""Follows every function of an image and gathers what was found; see the package."""

from __future__ import annotations

from dataclasses import dataclass, field

from .engine import Engine, Watch
from .exits import NOT_CODE
from .image import Image
from .marks import C_FUNCTION, CALLBACK, ENTRY_POINT, GENERATED, INTERNAL, METHOD
from .roots import Root, find_roots, pointed_at
from .tables import TableEntry, TableFault, check_tables, find_entries
from .walk import Fault, Gap

_PYTHON = (METHOD, CALLBACK, ENTRY_POINT)


@dataclass
class Verdict:
    """The findings in an image, by address."""

    image: Image
    engine: Engine
    roots: dict[int, Root]
    entries: list[TableEntry]
    faults: list[Fault] = field(default_factory=list)
    table_faults: list[TableFault] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    """Functions that were not looked at: the image is too large."""

    @property
    def instructions(self) -> int:
        """The number of instructions found."""
        return sum(1 for found in self.engine.table.values() if found is not None)

    @property
    def visits(self) -> int:
        """The number of instructions followed; those followed twice count twice."""
        return self.engine.notes.visits


def analyse(image: Image, watch: Watch | None = None) -> Verdict:
    """Follow every function of an image, with ``watch`` looking on; return what was found."""
    entries = find_entries(image)
    roots = find_roots(image, entries)
    engine = Engine(image, roots, watch)
    called = _called_by_generated(engine, roots)
    declared = image.marks.routines.items()
    engine.functions |= {start for start, root in roots.items() if root.role in _PYTHON}
    engine.functions |= {start for start, each in declared if each.role != INTERNAL}
    engine.functions.update(called)
    engine.run(start for start in sorted(roots) if roots[start].role != GENERATED)
    _follow_pointers(image, engine, roots, called)
    no_code = {gap.function for gap in engine.notes.gaps.values() if gap.why == NOT_CODE}
    faults = sorted(engine.notes.faults.values(), key=lambda fault: fault.at)
    return Verdict(
        image,
        engine,
        roots,
        entries,
        [f for f in faults if f.function not in no_code and not _is_allowed(image, f)],
        list(check_tables(image, entries)),
        sorted(engine.notes.gaps.values()),
        engine.skipped,
    )


def _called_by_generated(engine: Engine, roots: dict[int, Root]) -> list[int]:
    """Return what generated code calls: it is proved itself, and what it calls is not."""
    called: set[int] = set()
    for start in [start for start, root in roots.items() if root.role == GENERATED]:
        called |= engine.scan(start).callees
    return sorted(called)


def _follow_pointers(
    image: Image, engine: Engine, roots: dict[int, Root], called: list[int]
) -> None:
    """Analyse what only pointers lead to: a function, unless a switch inside of one jumps there."""
    covered: set[int] = set()
    for start in engine.walks:
        covered |= engine.scans[start].instructions
    sized = [(root.start, root.end) for root in roots.values() if root.end]
    pending = [*called, *pointed_at(image), *sorted(engine.taken)]
    for target in pending:
        if target in roots or target in covered or not image.is_code(target):
            continue
        if image.is_inside(target) or any(start < target < end for start, end in sized):
            continue  # a place inside of a function, which it jumps to through the pointer
        if image.text(target) is not None:
            continue
        roots[target] = Root(target, image.name(target), C_FUNCTION)
        if target not in engine.functions:
            engine.guessed.add(target)
        before = set(engine.taken)
        engine.run([target])
        covered |= engine.scans[target].instructions
        pending += sorted(engine.taken - before)


def _is_allowed(image: Image, fault: Fault) -> bool:
    return any(
        allowed.rule == fault.rule
        and allowed.start <= fault.at < max(allowed.end, allowed.start + 1)
        for allowed in image.marks.permissions
    )

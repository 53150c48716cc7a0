"""Judges the objects of a module that is being built: findings for the build's own report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...config import Level
from ...facts import elf
from ...facts.elf import ElfFacts
from ...files import read_lines
from .. import formats
from ..machine_code import Verdict as Judged
from . import analysis, levels
from .analysis import Verdict
from .load import load_objects
from .rules import RULES
from .verdicts import findings_of


def judge(
    objects: Sequence[tuple[str, ElfFacts]],
    public: frozenset[str],
    baseline: Level,
    with_lines: Callable[[], Sequence[bytes]],
) -> Judged:
    """Return what is wrong with objects, named by their sources, that become one module.

    ``public`` are the names that others call; ``with_lines`` returns the same objects with line
    numbers, and is called when there is a finding. Raises ObjectError for a damaged object.
    """
    verdict, needs = _follow(objects, public, baseline)
    if _count(verdict):
        named = [
            (name, elf.read(name, content))
            for (name, _), content in zip(objects, with_lines(), strict=True)
        ]
        verdict, needs = _follow(named, public, baseline)
    found = findings_of(verdict, objects[0][0], read_lines)
    return Judged(
        [formats.as_finding(each) for each in found if RULES[each.rule].in_builds],
        [*_levels(objects, verdict, needs), *_gaps(verdict)],
    )


def _count(verdict: Verdict) -> int:
    broken = [fault.rule for fault in verdict.faults]
    broken += [fault.rule for fault in verdict.table_faults]
    return sum(RULES[rule].in_builds for rule in broken)


def _follow(
    objects: Sequence[tuple[str, ElfFacts]], public: frozenset[str], baseline: Level
) -> tuple[Verdict, list[levels.Need]]:
    image = load_objects(objects)
    image.public = public
    verdict = analysis.analyse(image)
    needs = levels.needs_of(verdict.engine, verdict.roots)
    verdict.faults += levels.faults_of(verdict, needs, baseline)
    return verdict, needs


def _levels(
    objects: Sequence[tuple[str, ElfFacts]], verdict: Verdict, needs: list[levels.Need]
) -> list[str]:
    names = " ".join(name for name, _ in objects)
    return formats.levels(names, needs, levels.variant_of(verdict, needs)) if needs else []


def _gaps(verdict: Verdict) -> Iterator[str]:
    for gap in verdict.gaps:
        yield f"{verdict.image.name(gap.function)} was not followed to its end: {gap.why}"

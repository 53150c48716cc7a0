"""Puts what the analysis found into findings: at the user's line, with the way that leads there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...named import NamedTuple
from . import decode
from .analysis import Verdict
from .image import Image
from .rules import RULES
from .state import Step
from .walk import Fault

_BRANCHES_SHOWN = 6

SourceText = Callable[[str], Sequence[str]]
"""Returns the lines of a source, nothing when it cannot be read."""


class CodeFinding(NamedTuple):
    """One instruction or table that breaks a rule."""

    rule: str
    severity: str
    file: str
    """The source, or the object or module when the line is not known."""
    line: int | None
    function: str
    address: int
    what: str
    text: str
    """The source line."""
    way: tuple[str, ...]
    """The branches that lead there, in their order."""
    cure: str
    about: tuple[str, ...] = ()
    """The label and the section that it is about, behind the name of their file."""


class EntryState(NamedTuple):
    """A function that Python finds in a table, and whether it was checked."""

    kind: str
    name: str
    function: str
    reason: str
    """The reason it was not checked completely; empty when it was."""


TOO_LARGE = "the file is too large: not looked at"
"""The reason where the limit of work for one file was reached before a function."""


def findings_of(verdict: Verdict, target: str, source: SourceText) -> list[CodeFinding]:
    """Return what an image's verdict holds against it, sorted by place."""
    found = [_of_code(verdict, fault, target, source) for fault in verdict.faults]
    for fault in verdict.table_faults:
        rule = RULES[fault.rule]
        place = verdict.image.name(fault.place)
        found.append(
            CodeFinding(
                *(rule.name, rule.severity, target, None, place, fault.place, fault.what, ""),
                *((), rule.cure),
            )
        )
    return sorted(dict.fromkeys(found), key=lambda f: (f.file, f.line or 0, f.address, f.rule))


def _of_code(verdict: Verdict, fault: Fault, target: str, source: SourceText) -> CodeFinding:
    rule = RULES[fault.rule]
    image = verdict.image
    root = verdict.roots.get(fault.function)
    function = root.name if root is not None else image.name(fault.function)
    place = image.lines.at(fault.at)
    if place is None or place.line < 1:  # a damaged table may have any number
        file, line, text = target, None, f"{function}{fault.at - fault.function:+#x}"
    else:
        file, line = place
        lines = source(file)
        text = lines[line - 1].strip() if line <= len(lines) else ""
    way = _way(verdict, fault)
    return CodeFinding(
        *(rule.name, rule.severity, file, line, function, fault.at, fault.what, text, way),
        rule.cure,
        _about(image, fault.about),
    )


def _about(image: Image, address: int) -> tuple[str, ...]:
    section = image.stretch(address) if address else None
    if section is None:
        return ()
    label = image.label_before(address)
    return tuple(f"{section.file}:{name}" for name in (label, section.name) if name)


def _way(verdict: Verdict, fault: Fault) -> tuple[str, ...]:
    steps: list[str] = []
    step = fault.way
    while step is not None and len(steps) < _BRANCHES_SHOWN:
        words = _step(verdict, fault.function, step)
        if not steps or steps[-1] != words:
            steps.append(words)
        step = step.before
    return tuple(reversed(steps))


def addresses_of_way(verdict: Verdict, fault: Fault) -> list[int]:
    """Return the instructions from the function's start to the one that breaks a rule.

    Of a way that went round a loop it is the last round; only the last instruction where the
    way is not known.
    """
    branches: dict[int, int] = {}
    way = fault.way
    while way is not None:
        branches.setdefault(way.at, way.goal)
        way = way.before
    passed: dict[int, None] = {}
    here = fault.function
    while here not in passed and (found := verdict.engine.decoded(here)) is not None:
        passed[here] = None
        if here == fault.at:
            return list(passed)
        flow, goal = found.operation.flow, found.goal
        goes_on = flow == decode.JUMP and verdict.image.is_code(goal)
        here = branches.get(here, goal if goes_on else found.next)
    return [fault.at]


def _step(verdict: Verdict, function: int, step: Step) -> str:
    found = verdict.engine.decoded(step.at)
    is_taken = found is None or step.goal != found.next
    place = verdict.image.lines.at(step.at)
    where = f"line {place.line}" if place is not None else f"{step.at - function:+#x}"
    return f"{where} {'jumps' if is_taken else 'does not jump'}"


def entries_of(verdict: Verdict) -> list[EntryState]:
    """Return every entry of the tables and every entry point, with what was checked of it."""
    gaps: dict[int, str] = {gap.function: gap.why for gap in reversed(verdict.gaps)}
    states: list[EntryState] = []
    for entry in verdict.entries:
        reason = _reason(verdict, entry.function, gaps)
        name = verdict.image.name(entry.function)
        states.append(EntryState(entry.kind, entry.name, name, reason))
    tabled = {entry.function for entry in verdict.entries}
    for start, root in sorted(verdict.roots.items()):
        if start not in tabled and root.is_declared:
            states.append(
                EntryState("function", root.name, root.name, _reason(verdict, start, gaps))
            )
    return states


def _reason(verdict: Verdict, function: int, gaps: dict[int, str]) -> str:
    if not verdict.image.is_code(function):
        return "its address is not code"
    reached = [function]
    seen = {function}
    while reached:
        at = reached.pop()
        walk = verdict.engine.walks.get(at)
        why = gaps.get(at) or (TOO_LARGE if verdict.skipped and walk is None else "")
        if why:
            return why + ("" if at == function else f" (in {verdict.image.name(at)})")
        for callee in walk.callees if walk is not None else ():
            if callee not in seen:
                seen.add(callee)
                reached.append(callee)
    return ""

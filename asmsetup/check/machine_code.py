"""Has the machine code of a build judged before it is linked: which objects together, and when.

What was judged once is kept in the build's state. The decoder and the analysis are loaded only
for objects that were not: a build in which nothing changed does not import them.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from ..assemble.nasm import ObjectFile
from ..assemble.state import BuildState
from ..config import Level
from ..errors import ToolError
from ..facts.elf import ElfFacts
from ..named import NamedTuple
from ..rules import MachineCode
from .findings import Finding

DECODER = "iced_x86"
INSTALL = "install it:   pip install 'asmsetup[check]'"
REQUIRE = 'or add "asmsetup[check]" to requires in [build-system]'

_MOST_BYTES = 250_000
"""The most code that is judged at once; more would keep a build waiting for seconds."""


class Verdict(NamedTuple):
    """The findings in objects that were judged together."""

    findings: list[Finding]
    notes: list[str]
    """The processor features each routine needs, and the routines not followed to their end."""


def judges(wanted: MachineCode) -> bool:
    """Return whether builds judge machine code: it is not switched off, and there is a decoder."""
    return wanted is not False and find_spec(DECODER) is not None


def require_decoder() -> None:
    """Raise ToolError, with how to install it, unless the decoder of machine code is installed."""
    if find_spec(DECODER) is None:
        raise ToolError("the decoder of machine code, iced-x86, is not installed", INSTALL)


class Judge:
    """Judges the objects of one build, those that call each other together."""

    def __init__(
        self,
        wanted: MachineCode,
        baseline: Level,
        state: BuildState,
        with_lines: Callable[[ObjectFile], bytes],
        show: Callable[[str], None],
    ) -> None:
        """``with_lines`` returns an object with line numbers; ``show`` gets the notes.

        Raises ToolError when the project wants it and the decoder is missing.
        """
        self._is_on = judges(wanted)
        if wanted and not self._is_on:
            raise ToolError(
                "the project wants its machine code judged, and the decoder, iced-x86, is missing",
                INSTALL,
                REQUIRE,
                "or let it be judged where the decoder is installed: take check out of the settings",
            )
        self._only_errors = wanted == "errors"
        self._baseline = baseline
        self._state = state
        self._with_lines = with_lines
        self._show = show

    def findings(
        self,
        objects: Sequence[ObjectFile],
        facts: Mapping[str, ElfFacts],
        is_public: Callable[[str], bool],
    ) -> list[Finding]:
        """Return what breaks a rule in the code of one module.

        ``facts`` are those of each object by its path, and ``is_public`` says which names
        others than these objects call: the interpreter, or C code.
        """
        if not self._is_on:
            return []
        found: list[Finding] = []
        for group in _groups(objects, facts):
            verdict = self._verdict(group, facts, is_public)
            found += [f for f in verdict.findings if f.is_error or not self._only_errors]
            for note in verdict.notes:
                self._show(note)
        return found

    def _verdict(
        self,
        group: Sequence[ObjectFile],
        facts: Mapping[str, ElfFacts],
        is_public: Callable[[str], bool],
    ) -> Verdict:
        public = sorted({name for each in group for name in _defined(facts[each.path])})
        public = list(filter(is_public, public))
        contents = [self._content(each, facts[each.path]) for each in group]
        code = json.dumps([judged_by(), self._baseline, public, contents])
        key = hashlib.sha256(code.encode()).hexdigest()
        # What was found stands at lines of the sources, as they were then.
        records = [self._state.record(each.path) for each in group]
        sources = [record.full_digest for record in records if record is not None]
        kept = _kept(self._state.verdict(group[0].path))
        if kept and kept.key == key and (not kept.findings or kept.sources == sources):
            return Verdict(list(map(_finding, kept.findings)), kept.notes)
        verdict = self._judged(group, facts, frozenset(public))
        if len(sources) == len(group):
            found = [list(each) for each in verdict.findings]
            self._state.set_verdict(group[0].path, list(_Kept(key, sources, found, verdict.notes)))
        return verdict

    def _content(self, made: ObjectFile, facts: ElfFacts) -> str:
        record = self._state.record(made.path)
        return record.content if record is not None else hashlib.sha256(facts.data).hexdigest()

    def _judged(
        self, group: Sequence[ObjectFile], facts: Mapping[str, ElfFacts], public: frozenset[str]
    ) -> Verdict:
        sizes = (s.size for o in group for s in facts[o.path].sections if s.executable)
        if sum(sizes) > _MOST_BYTES:
            named = group[0].source + (f" and {len(group) - 1} others" if group[1:] else "")
            return Verdict([], [f"{named}: too much code to judge here: use asmsetup check"])
        from .code.building import judge  # the decoder takes a while to import

        return judge(
            [(each.source, facts[each.path]) for each in group],
            public,
            self._baseline,
            lambda: [self._with_lines(each) for each in group],
        )


class _Kept(NamedTuple):
    """A verdict as the build's state keeps it."""

    key: str
    sources: list[str]
    findings: list[list[Any]]
    notes: list[str]


def _kept(entry: list[Any] | None) -> _Kept | None:
    return _Kept(*entry) if entry is not None and len(entry) == len(_Kept._fields) else None


def _finding(fields: list[Any]) -> Finding:
    found = Finding(*fields)
    found = found._replace(ways_out=tuple(found.ways_out), also=tuple(found.also))
    return found._replace(about=tuple(found.about))


def _groups(
    objects: Sequence[ObjectFile], facts: Mapping[str, ElfFacts]
) -> Iterator[list[ObjectFile]]:
    """Yield the objects, those that use each other's names together."""
    owner: dict[str, int] = {}
    for number, each in enumerate(objects):
        for name in _defined(facts[each.path]):
            owner.setdefault(name, number)
    parents = list(range(len(objects)))

    def first(number: int) -> int:
        while parents[number] != number:
            parents[number] = number = parents[parents[number]]
        return number

    for number, each in enumerate(objects):
        for symbol in facts[each.path].undefined:
            if symbol.name in owner:
                one, other = sorted((first(number), first(owner[symbol.name])))
                parents[other] = one
    groups: dict[int, list[ObjectFile]] = {}
    for number, each in enumerate(objects):
        groups.setdefault(first(number), []).append(each)
    yield from groups.values()


def _defined(facts: ElfFacts) -> Iterable[str]:
    return (symbol.name for symbol in facts.globals if symbol.section is not None)


@functools.cache
def judged_by(*folders: str) -> str:
    """Return a digest of what judges: another version of it may find something else.

    ``folders`` are further folders of the package that count.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    digest = hashlib.sha256()
    judging = os.path.join("check", "code"), "facts", os.path.join("facts", "elf"), "data"
    for folder in (*judging, *folders):
        for name in sorted(os.listdir(os.path.join(package, folder))):
            if name.endswith((".py", ".txt")):
                with open(os.path.join(package, folder, name), "rb") as file:
                    digest.update(file.read())
    return digest.hexdigest()

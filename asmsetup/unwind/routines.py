"""Which routines of an object get a table, and why others get none.

A table that is wrong is worse than none: a debugger without one guesses, and says so. So a
routine gets one only if all its paths were followed and the frame is known on each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..check.code import decode
from ..check.code.analysis import Verdict, analyse
from ..check.code.function import UNKNOWN_JUMP
from ..check.code.image import Image
from ..check.code.values import RSP, Frame
from .places import Watcher
from .table import Row, Stretch, row

_OF_THE_STACK = frozenset(
    (
        *("kept-register", "stack-at-return", "return-address", "falls-off"),
        *("saved-overwritten", "slot-unset"),
    )
)
"""A routine that breaks one of these has another frame than it seems to have, or is not a routine."""
_SHARES_CODE = "it shares code with a routine that gets none"


class Routines:
    """The routines of one object that nothing says yet how to unwind."""

    def __init__(self, image: Image, is_described: Callable[[int], bool]) -> None:
        """``is_described`` says whether an address has a table already."""
        watcher = Watcher()
        verdict = analyse(image, watcher)
        self._image = image
        self._engine = verdict.engine
        self._functions = watcher.functions()
        self._places = watcher.places()
        self._rows: dict[int, Row] = {}
        self.refused: dict[int, str] = {}
        """The reasons why routines get no table, by their addresses."""
        ours = [at for at in sorted(self._places) if not is_described(at)]
        self._refuse_incomplete(verdict)
        self._choose(ours)
        self._spread(ours)
        self._rows = {at: each for at, each in self._rows.items() if not self._is_refused(at)}
        self.refused = {at: why for at, why in self.refused.items() if not is_described(at)}

    def stretches(self) -> Iterator[Stretch]:
        """Yield the code that gets a table, in its order."""
        start = end = 0
        rows: list[tuple[int, Row]] = []
        for at, each in self._rows.items():
            if at != end or at in self._engine.walks:
                if rows:
                    yield Stretch(start, end, tuple(rows))
                start, rows = at, []
            rows.append((at, each))
            end = self._decoded(at).next
        if rows:
            yield Stretch(start, end, tuple(rows))

    def _decoded(self, at: int) -> decode.Decoded:
        found = self._engine.table[at]
        assert found is not None  # it was followed
        return found

    def _is_refused(self, at: int) -> bool:
        return not self.refused.keys().isdisjoint(self._functions[at])

    def _refuse_incomplete(self, verdict: Verdict) -> None:
        engine = self._engine
        for start in verdict.skipped:
            self.refused[start] = "the source is too large to be followed to its end"
        for gap in verdict.gaps:
            self.refused.setdefault(gap.function, gap.why)
        for fault in engine.notes.faults.values():
            if fault.rule in _OF_THE_STACK:
                self.refused.setdefault(fault.function, f"{fault.what} [{fault.rule}]")
        jumping = [gap.function for gap in verdict.gaps if gap.why == UNKNOWN_JUMP]
        if not jumping:
            return
        for start in jumping:
            self._let_run_anywhere(start)
        named = _named(self._image)
        for start, root in engine.roots.items():
            if not root.is_declared and start not in named:
                why = "only a pointer leads to it, and a jump that could not be followed may, too"
                self.refused.setdefault(start, why)

    def _let_run_anywhere(self, start: int) -> None:
        """Count everything up to the next routine as part of this one, as it may jump there."""
        end = min((other for other in self._engine.walks if other > start), default=1 << 64)
        for at, functions in self._functions.items():
            if start < at < end:
                functions.add(start)

    def _choose(self, ours: list[int]) -> None:
        """Choose what to say of each instruction."""
        end = 0
        for at in ours:
            found = self._decoded(at)
            if at < end:
                self._refuse(at, "instructions overlap")
            places = self._places[at]
            if found.operation.flow in (decode.CALL, decode.CALL_VALUE):
                places = places.through_call()
            chosen = row(places)
            end = found.next
            if isinstance(chosen, str):
                self._refuse(at, chosen)
            else:
                self._rows[at] = chosen

    def _refuse(self, at: int, why: str) -> None:
        for function in self._functions[at]:
            self.refused.setdefault(function, why)

    def _spread(self, ours: list[int]) -> None:
        """Refuse what relies on refused routines, or runs through their code."""
        for start, walk in self._engine.walks.items():
            for callee in sorted(walk.callees):
                if not self._returns_as_c_does(callee):
                    name = self._image.name(callee)
                    why = f"it calls {name}, which does not return as a C function does"
                    self.refused.setdefault(start, why)
        shared = [self._functions[at] for at in ours if len(self._functions[at]) > 1]
        count = -1
        while count != len(self.refused):
            count = len(self.refused)
            for functions in shared:
                if not self.refused.keys().isdisjoint(functions):
                    for function in functions:
                        self.refused.setdefault(function, _SHARES_CODE)

    def _returns_as_c_does(self, callee: int) -> bool:
        """Return whether rsp is known to be what it was when a routine comes back."""
        summary = self._engine.summaries.get(callee)
        if summary is None or summary.is_public:
            return True
        exit_ = summary.exit
        return summary.is_complete and (exit_ is None or exit_.registers[RSP] == Frame(0, 8))


def _named(image: Image) -> set[int]:
    """Return where functions begin by what the object says of its own names."""
    return {each.address for each in image.symbols if each.is_global or each.is_function}

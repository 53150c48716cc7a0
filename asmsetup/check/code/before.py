"""The state before each instruction: the stack, the registers that are saved, those in use."""

from __future__ import annotations

from collections.abc import Iterator

from ...named import NamedTuple
from .analysis import Verdict
from .blocks import find_blocks
from .image import Image
from .state import RELEASED, State, is_plain
from .values import (
    CHANGED_BY_CALLS,
    KEPT,
    NAMES,
    RSP,
    Entry,
    Frame,
    Imported,
    Label,
    Result,
    Value,
    same,
)


class Before(NamedTuple):
    """The state before an instruction, on all paths that lead to it."""

    depths: tuple[int, ...] = ()
    """Bytes below the return address, one number where all paths agree; empty when not known."""
    aligned: bool | None = None
    """Whether rsp is a multiple of 16, as calls need it; None when that is not known."""
    saved: tuple[str, ...] = ()
    """The registers of the caller that lie on the stack."""
    live: tuple[str, ...] = ()
    """The registers whose values are still read."""
    values: tuple[str, ...] = ()
    """The known contents of live registers: "rax = result of PyLong_FromLong"."""
    is_without_gil: bool = False


class Watcher:
    """Keeps what the analysis knows before each instruction; hand it to ``analyse``."""

    def __init__(self) -> None:
        self._states: dict[int, dict[tuple[int, Value], State]] = {}

    def __call__(self, function: int, at: int, state: State) -> None:
        """Keep a state; the last one at a place is what holds on all paths with its stack."""
        known = self._states.setdefault(at, {})
        known[function, state.registers[RSP]] = state.copy()

    def forget(self, function: int) -> None:
        """Drop the states in a function that is followed anew."""
        for known in self._states.values():
            for key in [key for key in known if key[0] == function]:
                del known[key]

    def before(self, verdict: Verdict) -> dict[int, Before]:
        """Return what is known before each instruction that was followed, by its address."""
        live: dict[int, int] = {}
        for start, walk in verdict.engine.walks.items():
            image, scan = verdict.image, verdict.engine.scans[start]
            blocks = find_blocks(
                *(start, scan.instructions, verdict.engine.table.get),
                *(walk.tables, image),
            )
            for at, block in blocks.blocks.items():
                live[at] = live.get(at, 0) | block.live
        return {
            at: self._before(verdict, at, live.get(at, 0))
            for at, known in self._states.items()
            if known
        }

    def _before(self, verdict: Verdict, at: int, live: int) -> Before:
        places = self._states[at]
        first, *others = places.values()
        state = first.copy()
        for other in others:
            state.join(other)
        frames = [place for _, place in places if isinstance(place, Frame) and not place.base]
        known = len(frames) == len(places)
        depths = sorted({-frame.offset for frame in frames}) if known else []
        used = [number for number in range(16) if _is_used(state, number, live)]
        return Before(
            tuple(depths),
            _alignment(verdict, places),
            tuple(_saved(state, min(depths, default=None))),
            tuple(NAMES[number] for number in used),
            tuple(_described(verdict.image, state, used)),
            state.gil == RELEASED,
        )


def _is_used(state: State, number: int, live: int) -> bool:
    """Return whether a register holds something that is read, other than for the caller."""
    if number == RSP or not live >> number & 1:
        return False
    return bool(CHANGED_BY_CALLS >> number & 1) or not same(state.registers[number], Entry(number))


def _alignment(verdict: Verdict, places: dict[tuple[int, Value], State]) -> bool | None:
    known = {verdict.engine.walks[function].residue(place) for function, place in places}
    aligned = {None if each is None or each[0] % 16 else each[1] % 16 == 0 for each in known}
    return aligned.pop() if len(aligned) == 1 else None


def _saved(state: State, depth: int | None) -> Iterator[str]:
    """Yield the registers whose values at entry are in the frame, as far as it reaches."""
    for number in KEPT:
        for key, value in state.stack.items():
            is_inside = is_plain(key) and key < 0 and (depth is None or key >= -depth)
            if is_inside and same(value, Entry(number)):
                yield NAMES[number]
                break


def _described(image: Image, state: State, used: list[int]) -> Iterator[str]:
    for number in used:
        value = state.registers[number]
        words = _in_words(image, value)
        if words and not same(value, Entry(number)):
            yield f"{NAMES[number]} = {words}"


def _in_words(image: Image, value: Value) -> str:
    """Describe a value; return an empty text where nothing helpful is known."""
    if isinstance(value, int):
        return f"{value:#x}" if abs(value) > 255 else str(value)
    if isinstance(value, Entry):
        return f"{NAMES[value.register]} at entry"
    if isinstance(value, Frame):
        return "an address on the stack"
    if isinstance(value, Result):
        return f"result of {value.name}" + (", not NULL" if value.tested else "")
    if isinstance(value, Imported):
        return f"address of {value.name}"
    return f"address of {image.name(value.address)}" if isinstance(value, Label) else ""

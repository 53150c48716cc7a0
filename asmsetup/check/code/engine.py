"""Follows every function of an image over all its paths, each instruction about once.

Where paths meet, what holds on both is kept (a worklist with joins); paths that come with
different stack depths are followed separately. Routines that only the module itself calls are
summed up, and the sum is put in where they are called.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from . import decode
from .decode import Decoded, Decoding, Operation
from .function import FunctionAnalysis
from .image import Image
from .own_calls import Summary
from .roots import Root, pointed_at
from .state import State
from .walk import Notes, Walk

_DIRECT = {decode.CALL_VALUE: decode.CALL, decode.JUMP_VALUE: decode.JUMP}

MOST_INSTRUCTIONS = 1_000_000
"""The limit of work for one image; the rest is reported as not checked."""


class Watch(Protocol):
    """Looks on while functions are followed."""

    def __call__(self, function: int, at: int, state: State) -> None:
        """Get the address of an instruction and what is known before it, which is not to be kept."""

    def forget(self, function: int) -> None:
        """Get a function that is followed anew: what was known in it does not hold."""


@dataclass
class Scan:
    """The facts about a function that need no values."""

    leaders: set[int] = field(default_factory=set)
    instructions: set[int] = field(default_factory=set)
    callees: set[int] = field(default_factory=set)


class Engine:
    """The analysis of one image."""

    def __init__(self, image: Image, roots: dict[int, Root], watch: Watch | None = None) -> None:
        """``watch`` is called before each instruction that is followed, each time it is."""
        self.image = image
        self.watch = watch
        self.roots = roots
        self.notes = Notes()
        self.summaries: dict[int, Summary] = {}
        self.walks: dict[int, Walk] = {}
        self.table: dict[int, Decoded | None] = {}
        self.scans: dict[int, Scan] = {}
        self.skipped: list[int] = []
        self.named_data: set[int] = set()
        self.taken: set[int] = set()
        """Addresses that instructions take: of functions, perhaps."""
        self.functions: set[int] = set()
        """The addresses of functions that Python, bindings or macros call."""
        self.guessed: set[int] = set()
        """The addresses that are followed because something points there; it may be data."""
        self.pointed = set(pointed_at(image))
        """The addresses of code that stand in data."""
        self._cold_parts: dict[str, list[tuple[int, int]]] = {}
        self.unreachable: set[int] = set()
        """The addresses without code, to which compilers jump where the source says that this never happens."""
        for symbol in image.symbols:
            if ".cold" in symbol.name or ".part" in symbol.name:
                part = symbol.address, symbol.address + symbol.size
                self._cold_parts.setdefault(symbol.name.partition(".")[0], []).append(part)
                if symbol.is_function and not symbol.size:
                    self.unreachable.add(symbol.address)
        self._current: tuple[int, int, Decoding | None] = (0, 0, None)
        self._decoders: dict[int, Decoding] = {}
        self._shared: dict[bytes, Operation] = {}

    def decoded(self, address: int) -> Decoded | None:
        """Return the instruction at an address, or None."""
        try:
            return self.table[address]
        except KeyError:
            low, high, decoder = self._current
            if not low <= address < high:
                self._current = low, high, decoder = self._decoder(address)
            found = decoder.at(address, self._shared) if decoder is not None else None
            if found is not None and found.operation.flow != decode.NEXT:
                found = self._led_on(found)
            self.table[address] = found
            return found

    def _led_on(self, found: Decoded) -> Decoded:
        """Return a branch as the direct one that it is, when linkage leads back into the image."""
        operation, image = found.operation, self.image
        flow = _DIRECT.get(operation.flow)
        if flow is None:
            goal = image.detours.get(found.goal)
            return found if goal is None else found._replace(goal=goal)
        memory = operation.memory
        if memory is None or memory.base != decode.RIP or memory.index_register >= 0:
            return found
        goal = image.constant(memory.displacement)
        if goal is None or not image.is_code(goal):
            return found
        return found._replace(operation=operation._replace(flow=flow), goal=goal)

    def _decoder(self, address: int) -> tuple[int, int, Decoding | None]:
        """Return the decoder of the code around an address, and how far it goes."""
        stretch = self.image.stretch(address)
        if stretch is None:
            return address, address + 1, None
        end = stretch.start + len(stretch.content)
        if not stretch.executable or address >= end:
            return address, address + 1, None
        decoder = self._decoders.get(stretch.start)
        if decoder is None:
            decoder = Decoding(bytes(stretch.content), stretch.start)
            self._decoders[stretch.start] = decoder
        return stretch.start, end, decoder

    def returns(self, goal: int) -> bool:
        """Return whether a function of the image may return, by its author, its name and compilers."""
        image = self.image
        return goal not in image.marks.not_returning and image.returns(image.name(goal))

    def run(self, starts: Iterable[int]) -> None:
        """Analyse the functions at these addresses, and all that they call."""
        for start in starts:
            for each in self._callees_first(start):
                if each in self.summaries:
                    continue
                if self.notes.visits > MOST_INSTRUCTIONS:
                    if each in self.roots:
                        self.skipped.append(each)
                    continue
                self.summaries[each] = FunctionAnalysis(self, each).analyse()

    def forget(self, function: int) -> None:
        """Take back what was found in a function, which is followed anew."""
        self.notes.forget(function)
        if self.watch is not None:
            self.watch.forget(function)

    def extents(self, root: Root | None) -> list[tuple[int, int]]:
        """Return where the code of a function lies, its rarely executed part with it."""
        if root is None or not root.end:
            return []
        parts = self._cold_parts.get(root.name.partition(".")[0], [])
        return [(root.start, root.end), *parts]

    def not_run_into(self, start: int) -> AbstractSet[int]:
        """Return where the function at an address ends, as another one begins.

        Other functions may run into each other on purpose; compilers say how long theirs are.
        """
        root = self.roots.get(start)
        is_told_apart = start in self.functions and (root is None or not root.end)
        return self.functions if is_told_apart else frozenset()

    def run_nested(self, start: int) -> None:
        """Analyse a function that another one turned out to call while it is followed."""
        for each in self._callees_first(start):
            if each not in self.summaries and each not in self.walks:
                self.summaries[each] = FunctionAnalysis(self, each).analyse()

    def _callees_first(self, start: int) -> list[int]:
        """Return the functions that are reached from one by direct calls, the called before."""
        order: list[int] = []
        seen = {start}
        path = [(start, iter(sorted(self.scan(start).callees)))]
        while path:
            current, rest = path[-1]
            callee = next(rest, None)
            if callee is None:
                order.append(current)
                path.pop()
            elif callee not in seen and callee not in self.summaries:
                seen.add(callee)
                path.append((callee, iter(sorted(self.scan(callee).callees))))
        return order

    def scan(self, start: int, more: Iterable[int] = ()) -> Scan:
        """Return the places that branches of a function lead to, and what it calls."""
        scan = self.scans.get(start)
        if scan is None:
            scan = self.scans[start] = Scan()
            more = (start,)
        pending = list(more)
        scan.leaders.update(pending)
        while pending:
            self._scan_from(start, pending.pop(), scan, pending)
        return scan

    def _scan_from(self, start: int, at: int, scan: Scan, pending: list[int]) -> None:
        seen, table, others = scan.instructions, self.table, self.not_run_into(start)
        while at not in seen:
            found = table.get(at) or self.decoded(at)
            if found is None:
                return
            seen.add(at)
            operation = found.operation
            memory = operation.memory
            if memory is not None and memory.base == decode.RIP:
                self.named_data.add(memory.displacement)
                if operation.effect == decode.ADDRESS:
                    self.taken.add(memory.displacement)
            if operation.flow != decode.NEXT and not self._scan_flow(start, found, scan, pending):
                return
            at = found.next
            if at in others:
                return

    def _scan_flow(self, start: int, found: Decoded, scan: Scan, pending: list[int]) -> bool:
        """Record where a branch or call leads; return whether the code after it is reached."""
        flow, goal, image = found.operation.flow, found.goal, self.image
        if flow in (decode.BRANCH, decode.JUMP):
            self._scan_branch(start, goal, scan, pending)
            return flow == decode.BRANCH
        if flow not in (decode.CALL, decode.CALL_VALUE):
            return flow == decode.SYSTEM
        returns = found.next not in image.ends
        if flow == decode.CALL_VALUE or goal == found.next:
            return returns
        if goal in image.externals:
            return returns and image.returns(image.externals[goal])
        if image.is_code(goal):
            scan.callees.add(goal)
            return returns and self.returns(goal)
        return returns

    def _scan_branch(self, start: int, goal: int, scan: Scan, pending: list[int]) -> None:
        if goal in self.image.externals or not self.image.is_code(goal):
            return
        if goal in self.unreachable:
            return
        if goal in self.roots and goal != start:
            scan.callees.add(goal)
            # It may be a tail call, or code that both share: the state there tells.
        if goal not in scan.leaders:
            scan.leaders.add(goal)
            if goal not in self.roots or goal == start:
                pending.append(goal)

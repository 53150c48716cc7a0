"""The blocks of a function, the order to follow them in, and which registers matter where.

All of it is read from the instructions alone. The order makes a path wait for those that meet
it; where a loop begins, what the loop changes is known before it is followed; and a register
that is not read any more cannot make two paths differ. So nearly every instruction is looked
at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from . import decode
from .decode import Decoded
from .image import Image
from .prototypes import Prototype, prototype
from .values import (
    ARGUMENTS,
    CHANGED_BY_CALLS,
    GENERAL_MASK,
    KEPT_MASK,
    RAX,
    RDX,
    RSP,
    XMM0,
)

_ALWAYS_LIVE = KEPT_MASK | 1 << RSP
_EVERYTHING = (1 << 56) - 1
_RESULTS = 1 << RAX | 1 << RDX | 0b11 << XMM0 | _ALWAYS_LIVE
_ALL_ARGUMENTS = (
    sum(1 << register for register in ARGUMENTS) | 1 << RAX | 0xFF << XMM0 | _ALWAYS_LIVE | 1 << 10
)


@dataclass
class Block:
    """Instructions that are executed one after the other."""

    start: int
    successors: list[int] = field(default_factory=list)
    leaves: list[int] = field(default_factory=list)
    """The last instruction before each of them."""
    uses: int = 0
    """The registers that are read before they are written."""
    writes: int = 0
    stores: list[tuple[int, int, int]] = field(default_factory=list)
    """Stores through rsp and rbp: register, displacement, size."""
    live: int = 0
    rank: int = 0

    def add(self, at: int, following: int) -> None:
        """Record that another block may follow an instruction."""
        self.leaves.append(at)
        self.successors.append(following)


@dataclass
class Loop:
    """The blocks of a loop, with the registers and slots that they write."""

    inside: set[int] = field(default_factory=set)
    writes: int = 0
    stores: set[tuple[int, int, int]] = field(default_factory=set)


@dataclass
class Blocks:
    """A function's blocks by their addresses, with what was found out about them."""

    blocks: dict[int, Block]
    loops: dict[int, Loop]

    def rank(self, at: int) -> int:
        """Return the place of a block in the order; the last for one not known yet."""
        block = self.blocks.get(at)
        return block.rank if block is not None else 1 << 30

    def is_inside(self, head: int, at: int) -> bool:
        """Return whether an instruction is in the loop that begins at a block."""
        return self._block_of(at) in self.loops[head].inside

    def is_in_each_turn(self, head: int, at: int) -> bool:
        """Return whether every way from a block back to itself passes an instruction."""
        return head not in self._reached(head, [at])

    def is_reached(self, head: int, at: int, without: Sequence[int]) -> bool:
        """Return whether a way leads from a block to an instruction and passes none of the others."""
        place = self._block_of(at)
        is_before = any(place <= other < at for other in without)
        return not is_before and (place == head or place in self._reached(head, without))

    def _reached(self, head: int, without: Sequence[int]) -> set[int]:
        """Return the blocks that ways from a block lead to which pass none of these instructions."""
        last = {self._block_of(other): other for other in sorted(without, reverse=True)}
        reached: set[int] = set()
        pending = [head]
        while pending:
            block = self.blocks[pending.pop()]
            limit = last.get(block.start, 1 << 64)
            for leaves, following in zip(block.leaves, block.successors, strict=True):
                if leaves < limit and following in self.blocks and following not in reached:
                    reached.add(following)
                    pending.append(following)
        return reached

    def _block_of(self, at: int) -> int:
        return max((start for start in self.blocks if start <= at), default=at)


def find_blocks(
    start: int,
    leaders: Iterable[int],
    decoded: Callable[[int], Decoded | None],
    tables: Mapping[int, tuple[int, ...]],
    image: Image,
) -> Blocks:
    """Return the blocks of the function of an image at ``start``.

    ``tables`` says where jumps through tables lead.
    """
    finder = _Finder(set(leaders), decoded, tables, image)
    blocks = {at: finder.block(at) for at in sorted(finder.leaders)}
    order = _order(start, blocks)
    for rank, at in enumerate(order):
        blocks[at].rank = rank
    for at in blocks.keys() - set(order):
        blocks[at].rank = len(order)
    _spread_liveness(order, blocks)
    return Blocks(blocks, _find_loops(order, blocks))


class _Finder:
    def __init__(
        self,
        leaders: set[int],
        decoded: Callable[[int], Decoded | None],
        tables: Mapping[int, tuple[int, ...]],
        image: Image,
    ) -> None:
        self.leaders = leaders
        self._decoded = decoded
        self._tables = tables
        self._image = image

    def block(self, start: int) -> Block:
        """Return the block that begins at an address."""
        block = Block(start)
        at = start
        while True:
            found = self._decoded(at)
            if found is None:
                block.uses |= _EVERYTHING & ~block.writes
                return block
            operation = found.operation
            block.uses |= operation.uses & ~block.writes
            memory = operation.memory
            if memory is not None and memory.written and memory.base in (4, 5):
                block.stores.append((memory.base, memory.displacement, memory.size))
            if operation.flow != decode.NEXT:
                if not self._end(block, found):
                    return block
            else:
                block.writes |= operation.writes
            if found.next in self.leaders:
                block.add(at, found.next)
                return block
            at = found.next

    def _end(self, block: Block, found: Decoded) -> bool:
        """Record a branch or call; return whether the block goes on behind it."""
        flow = found.operation.flow
        if flow in (decode.CALL, decode.CALL_VALUE):
            return self._call(block, found)
        if flow == decode.BRANCH:
            if found.goal in self.leaders:
                block.add(found.at, found.goal)
            else:
                block.uses |= _ALL_ARGUMENTS & ~block.writes
            block.writes |= found.operation.writes
            return True
        if flow == decode.JUMP:
            if found.goal in self.leaders:
                block.add(found.at, found.goal)
            else:
                block.uses |= _ALL_ARGUMENTS & ~block.writes
        elif flow == decode.JUMP_VALUE:
            goals = self._tables.get(found.at)
            for goal in goals or ():
                block.add(found.at, goal)
            block.uses |= (_ALL_ARGUMENTS if goals is None else 0) & ~block.writes
        elif flow == decode.RETURN:
            block.uses |= _RESULTS & ~block.writes
        elif flow == decode.SYSTEM:
            block.uses |= _EVERYTHING & ~block.writes
            return True
        return False

    def _call(self, block: Block, found: Decoded) -> bool:
        image = self._image
        name = image.externals.get(found.goal)
        memory = found.operation.memory
        if name is None and memory is not None and memory.base == decode.RIP:
            name = image.slots.get(memory.displacement)
        if name is None and found.operation.flow == decode.CALL:
            block.uses |= _EVERYTHING & ~block.writes  # a routine may have its own convention
            return True
        known = prototype(name) if name is not None else Prototype("?", "", known=False)
        passed = _ALL_ARGUMENTS
        if known.known:
            passed = sum(1 << register for register in ARGUMENTS[: known.words]) | 0xFF << XMM0
            if known.variadic:
                passed = _ALL_ARGUMENTS
        block.uses |= passed & ~block.writes
        block.writes |= CHANGED_BY_CALLS
        if found.next in image.ends:
            return False
        return known.returns and (name is None or image.returns(name))


def _order(start: int, blocks: dict[int, Block]) -> list[int]:
    """Return the blocks so that each comes after those that lead to it, loops apart."""
    order: list[int] = []
    seen = {start}
    path = [(start, iter(reversed(blocks[start].successors)))] if start in blocks else []
    while path:
        at, rest = path[-1]
        following = next(rest, None)
        if following is None:
            order.append(at)
            path.pop()
        elif following not in seen and following in blocks:
            seen.add(following)
            path.append((following, iter(reversed(blocks[following].successors))))
    order.reverse()
    return order


def _spread_liveness(order: list[int], blocks: dict[int, Block]) -> None:
    changed = True
    while changed:
        changed = False
        for at in reversed(order):
            block = blocks[at]
            after = 0
            for following in block.successors:
                other = blocks.get(following)
                after |= other.live if other is not None else _EVERYTHING
            live = block.uses | (after & ~block.writes) | _ALWAYS_LIVE
            if live != block.live:
                block.live = live
                changed = True


def _find_loops(order: list[int], blocks: dict[int, Block]) -> dict[int, Loop]:
    """Return the loops by where they begin."""
    before: dict[int, list[int]] = {}
    backward: dict[int, list[int]] = {}
    for at in order:
        for following in blocks[at].successors:
            before.setdefault(following, []).append(at)
            if following in blocks and blocks[following].rank <= blocks[at].rank:
                backward.setdefault(following, []).append(at)
    return {head: _loop(head, ends, blocks, before) for head, ends in backward.items()}


def _loop(
    head: int, ends: list[int], blocks: dict[int, Block], before: dict[int, list[int]]
) -> Loop:
    inside = {head}
    loop = Loop(inside)
    pending = list(ends)
    while pending:
        at = pending.pop()
        if at not in inside:
            inside.add(at)
            pending += before.get(at, ())
    for at in inside:
        loop.writes |= blocks[at].writes
        loop.stores.update(blocks[at].stores)
    loop.writes &= GENERAL_MASK
    return loop

"""The state at one place of a function, and how two states are joined."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...named import NamedTuple
from .values import (
    CHANGED_BY_CALLS,
    KEPT,
    RAX,
    RETURN_ADDRESS,
    RSP,
    Entry,
    Frame,
    Label,
    Marker,
    Result,
    Sometimes,
    Value,
    joined,
    same,
    sometimes,
)

if TYPE_CHECKING:
    from .decode import Memory

_CHANGING = tuple(number for number in range(16) if CHANGED_BY_CALLS >> number & 1)

HELD, RELEASED, PARTLY, UNKNOWN = "held", "released", "released on some paths", "unknown"
"""The states of the GIL."""


class Step(NamedTuple):
    """A branch that was passed on the way to a place; the way is kept to be printed only."""

    at: int
    goal: int
    before: Step | None


class LastCall(NamedTuple):
    """The call after which the registers that calls may change were not set again."""

    at: int
    name: str


MXCSR, X87 = 1, 2


class Control(NamedTuple):
    """A place that holds control bits of ``kind``: MXCSR or X87."""

    kind: int
    place: Frame | Label
    size: int
    is_old: bool
    """They are those of the function's entry."""


class Flags(NamedTuple):
    """The meaning of the flags: how a register compares with a number or another register."""

    register: int
    """-1 for a slot of the global offset table, which is compared with 0, KNOWN for ``number``,
    GONE for a value that is in no register any more."""
    size: int
    name: str
    """The name of the slot that was compared."""
    other: int
    """The other register; -1 when compared with a number."""
    number: int = 0
    place: Frame | Memory | None = None
    """The memory that is compared, in the register's place."""
    value: Value = None
    """The value of GONE."""


KNOWN, GONE = -3, -4
"""In place of a register: what is compared with 0 is a number, or something was subtracted."""

STACK_BASE_SHIFT = 40


def stack_key(base: int, offset: int) -> int:
    """Return the key of the 8-byte slot that holds an address of the stack."""
    return (base << STACK_BASE_SHIFT) + (offset & ~7)


def is_plain(key: int) -> bool:
    """Return whether a slot is named by its distance from rsp at entry."""
    return -(1 << STACK_BASE_SHIFT - 1) < key < 1 << STACK_BASE_SHIFT - 1


class State:
    """Everything that is known at one place; ``copy`` it before it is changed."""

    __slots__ = (
        *("registers", "vectors", "stack", "stale", "half", "fresh", "flags", "backwards"),
        *("upper", "mmx", "gil", "present", "last", "way", "given", "buffers"),
        *("changed_control", "controls", "maybe", "bounded", "intact", "owned", "void", "partly"),
    )

    registers: list[Value]
    vectors: dict[int, Value]
    """Vector and mask registers that hold a register's value at entry."""
    stack: dict[int, Value]
    """The slots of the frame that were written, by ``stack_key``."""
    stale: int
    """The registers that a call may have changed since they were set, a bit each."""
    half: int
    """Those whose upper halves an int result leaves undefined."""
    fresh: int
    """Those that hold on some path what they held at entry."""
    intact: int
    """Those that do on every path."""
    flags: Flags | None
    backwards: bool | str | None
    """The direction flag; PARTLY where only some paths have set it, None behind a branch there."""
    upper: bool
    """The upper halves of ymm registers may be in use."""
    mmx: bool
    gil: str
    present: frozenset[str]
    """The weak names whose address was found not to be zero."""
    last: LastCall | None
    way: Step | None
    given: int | None
    """The lowest slot whose address a call was given on every path."""
    buffers: frozenset[int]
    """The slots that hold a buffer of another object on every path."""
    partly: frozenset[int]
    """Those that hold one on some paths only, and no branch was passed since."""
    owned: frozenset[Result]
    """The new references that this function has to give back, on every path that has them."""
    void: frozenset[Result]
    """Those that are NULL on every path."""
    changed_control: int
    """Which control bits were changed: MXCSR, X87."""
    controls: frozenset[Control]
    """The places that hold control words."""
    bounded: tuple[Frame | Memory, int, int] | None
    """A place that was just found to be less than a number, and its size."""
    maybe: bool
    """Some slots are Sometimes, or the GIL is released on some paths."""

    def __init__(self) -> None:
        self.registers = []
        self.vectors = {}
        self.stack = {}
        self.stale = 0
        self.half = 0
        self.fresh = 0
        self.intact = 0
        self.flags = None
        self.backwards = False
        self.upper = False
        self.mmx = False
        self.gil = UNKNOWN
        self.present = frozenset()
        self.last = None
        self.way = None
        self.given = None
        self.buffers = frozenset()
        self.partly = frozenset()
        self.owned = frozenset()
        self.void = frozenset()
        self.changed_control = 0
        self.controls = frozenset()
        self.bounded = None
        self.maybe = False

    def copy(self) -> State:
        """Return the same in an object of its own."""
        new = State.__new__(State)
        new.registers = self.registers.copy()
        new.vectors = self.vectors.copy() if self.vectors else {}
        new.stack = self.stack.copy()
        new.stale, new.half, new.fresh = self.stale, self.half, self.fresh
        new.intact = self.intact
        new.flags, new.backwards, new.upper, new.mmx = (
            *(self.flags, self.backwards, self.upper),
            self.mmx,
        )
        new.gil, new.present, new.last, new.way = self.gil, self.present, self.last, self.way
        new.given, new.buffers, new.owned = self.given, self.buffers, self.owned
        new.void, new.partly = self.void, self.partly
        new.changed_control, new.controls = self.changed_control, self.controls
        new.maybe, new.bounded = self.maybe, self.bounded
        return new

    def slot(self, place: Frame) -> Value:
        """Return what a slot holds."""
        return self.stack.get(stack_key(place.base, place.offset))

    def is_set(self, key: int) -> bool:
        """Return whether a slot of the function's own frame was written on every path."""
        if key >= 0 and is_plain(key):
            return True
        if self.given is not None and key >= self.given:
            return True
        return key in self.stack and type(self.stack[key]) is not Sometimes

    def pass_branch(self) -> None:
        """Forget what only some paths have done: the branch may depend on that, too."""
        self.partly = frozenset()
        if self.maybe:
            self.maybe = False
            if self.gil is PARTLY:
                self.gil = UNKNOWN
            if self.backwards is PARTLY:
                self.backwards = None
            for key in [key for key, value in self.stack.items() if type(value) is Sometimes]:
                self.stack[key] = None

    def forget_dead(self, live: int) -> None:
        """Forget registers that are not read any more; ``live`` has a bit for each that is."""
        self.stale &= live
        self.half &= live
        self.intact &= live
        self.flags = self.bounded = None
        registers = self.registers
        for number in _CHANGING:
            if not live >> number & 1:
                registers[number] = None

    def expect_loop(self, writes: int, stores: Iterable[tuple[int, int, int]]) -> None:
        """Forget what a loop that begins here changes, as far as it is only a number."""
        registers = self.registers
        for number in range(16):
            if writes >> number & 1 and type(registers[number]) not in (Entry, Frame):
                registers[number] = None
        for base, displacement, size in stores:
            place = registers[base]
            if type(place) is not Frame:
                continue
            first = stack_key(place.base, place.offset + displacement)
            last = stack_key(place.base, place.offset + displacement + max(size, 1) - 1)
            for key in range(first, last + 8, 8):
                if key not in self.stack or type(self.stack[key]) not in (Entry, Frame, Marker):
                    self.stack[key] = None

    def has_moved(self, other: State) -> bool:
        """Return whether an address in the frame is another one here than in ``other``, or lost."""
        pairs = [*zip(self.registers, other.registers, strict=True)]
        pairs += [(self.stack.get(key), value) for key, value in other.stack.items()]
        return any(type(value) is Frame and mine != value for mine, value in pairs)

    def lose_depth(self, base: int) -> None:
        """Set rsp to ``base``, an unknown place; forget what was counted from it before."""
        for number, value in enumerate(self.registers):
            if type(value) is Frame and value.base == base:
                self.registers[number] = None
        self.stack = {
            key: None if type(value) is Frame and value.base == base else value
            for key, value in self.stack.items()
            if (key + (1 << STACK_BASE_SHIFT - 1)) >> STACK_BASE_SHIFT != base
        }
        self.registers[RSP] = Frame(base, 0)

    def is_told_apart(self, other: State) -> bool:
        """Return whether a constant says on which of two paths a kept register was changed, or
        that one of them gives up a reference instead of returning it."""
        mine, others = self.registers, other.registers
        if self.owned or other.owned:
            kinds = {type(mine[RAX]), type(others[RAX])}
            if kinds == {int, Result} and 0 in (mine[RAX], others[RAX]):
                return True
        for number in KEPT:
            one, two = mine[number], others[number]
            if one is not two and same(one, Entry(number)) != same(two, Entry(number)):
                break
        else:
            return False
        both = zip(mine, others, strict=True)
        return any(type(a) is type(b) is int and a != b for a, b in both)

    def join(self, other: State) -> bool:
        """Keep what holds here and in ``other``; return whether anything was lost."""
        changed = self._join_registers(other)
        changed |= self._join_stack(other)
        changed |= self._join_masks(other)
        changed |= self._join_rest(other)
        if changed:
            self.way, self.last = other.way, other.last or self.last
        return changed

    def _join_registers(self, other: State) -> bool:
        changed = False
        mine, others = self.registers, other.registers
        for number in range(16):
            one, two = mine[number], others[number]
            if one is two or one is None:
                continue
            both = joined(one, two)
            if both is not one and not same(both, one):
                mine[number] = both
                changed = True
        for number in [n for n, v in self.vectors.items() if not same(v, other.vectors.get(n))]:
            del self.vectors[number]
            changed = True
        return changed

    def _join_stack(self, other: State) -> bool:
        mine, others = self.stack, other.stack
        if mine == others:
            return False
        changed = False
        for key, one in mine.items():
            if key in others:
                two = others[key]
                if one is two or one is None:
                    continue
                both = joined(one, two)
            else:
                both = None if other.is_set(key) else sometimes(one)
            if both is not one and not same(both, one):
                mine[key] = both
                changed = True
        for key in others:
            if key not in mine:
                mine[key] = None if self.is_set(key) else sometimes(others[key])
                changed = True
        self.maybe |= changed
        return changed

    def _join_masks(self, other: State) -> bool:
        before = self.stale, self.half, self.fresh, self.intact
        self.stale |= other.stale
        self.half |= other.half
        self.fresh |= other.fresh
        self.intact &= other.intact
        return before != (self.stale, self.half, self.fresh, self.intact)

    def _join_rest(self, other: State) -> bool:
        if self._rest() == (before := other._rest()):
            self.maybe |= other.maybe
            return False
        before = self._rest()
        self.upper |= other.upper
        self.mmx |= other.mmx
        self.changed_control |= other.changed_control
        self.controls &= other.controls
        if self.backwards != other.backwards:
            self.backwards = None if None in (self.backwards, other.backwards) else PARTLY
            self.maybe |= self.backwards is PARTLY
        if self.gil != other.gil:
            both = {self.gil, other.gil}
            self.gil = UNKNOWN if UNKNOWN in both else PARTLY
            self.maybe |= self.gil is PARTLY
        self.present &= other.present
        self.partly |= other.partly | (self.buffers ^ other.buffers)
        self.buffers &= other.buffers
        self.owned = self.owned & (other.owned | other.void) | other.owned & self.void
        self.void &= other.void
        self.maybe |= other.maybe
        if self.given is None or other.given is None:
            self.given = None
        else:
            self.given = max(self.given, other.given)
        return before != self._rest()

    def _rest(self) -> tuple[object, ...]:
        return (
            *(self.upper, self.mmx, self.changed_control, self.backwards, self.gil),
            *(self.controls, self.present, self.buffers, self.given, self.owned, self.void),
            self.partly,
        )


def at_entry() -> State:
    """Return what is known where a function is entered, whatever calls it."""
    state = State()
    state.registers = [Entry(number) for number in range(16)]
    state.registers[RSP] = Frame(0, 0)
    state.stack = {0: RETURN_ADDRESS}
    state.fresh = state.intact = (1 << 48) - 1
    return state

"""The values that a register or a stack slot may hold at one place of a function.

An ``int`` is that constant. ``None`` is a value nothing is known of. All others say where the
value comes from, which is what the rules ask about.
"""

from __future__ import annotations

from typing import TypeAlias

from ...named import NamedTuple

RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 = range(16)
"""Registers are numbered as instructions encode them; vector and mask registers follow."""
XMM0 = 16
K0 = 48

NAMES = (
    *("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"),
    *(f"r{number}" for number in range(8, 16)),
    *(f"xmm{number}" for number in range(32)),
    *(f"k{number}" for number in range(8)),
)

ARGUMENTS = (RDI, RSI, RDX, RCX, R8, R9)
KEPT = (RBX, RBP, R12, R13, R14, R15)
KEPT_MASK = sum(1 << register for register in KEPT)
GENERAL_MASK = 0xFFFF
VECTOR_MASK = ((1 << 40) - 1) << XMM0
"""The vector and mask registers; a C function may change each of them."""
CHANGED_BY_CALLS = (GENERAL_MASK & ~KEPT_MASK & ~(1 << RSP)) | VECTOR_MASK


class Entry(NamedTuple):
    """The register's value at the function's entry."""

    register: int


class Frame(NamedTuple):
    """An address in the stack: ``offset`` bytes from a base.

    Base 0 is rsp at entry, where the return address lies. The others are places where rsp was
    aligned or moved by an unknown distance, named by the instruction's address.
    """

    base: int
    offset: int


class Passed(NamedTuple):
    """A value that the caller's frame held at the function's entry, ``offset`` bytes above rsp."""

    offset: int


class Result(NamedTuple):
    """The result of the call at an address."""

    at: int
    name: str
    tested: bool
    """It is known not to be NULL; of a number, not to be negative."""


class Copy(NamedTuple):
    """A number that is not known; what was moved at an address, and where from, hold the same."""

    at: int
    size: int
    """How many bytes of it they share."""


class Lower(NamedTuple):
    """The lower 32 bits of the result of a call, with zeros above."""

    result: Result


class Imported(NamedTuple):
    """The address of a name that another module defines."""

    name: str


class Label(NamedTuple):
    """An address inside the module itself."""

    address: int


class Below(NamedTuple):
    """An unsigned number less than a limit."""

    limit: int


class Scaled(NamedTuple):
    """A multiple of ``by``, by a number less than ``limit``."""

    limit: int
    by: int


class Item(NamedTuple):
    """An item of a table of distances or addresses."""

    table: int
    size: int
    items: int
    """How many items the table can have; 0 when that is not known."""


class Target(NamedTuple):
    """A base plus an item of a table of distances: where a switch jumps to."""

    table: int
    size: int
    items: int
    base: int


class Multiple(NamedTuple):
    """Any multiple of a power of two."""

    of: int


class Low(NamedTuple):
    """A value whose low byte is known."""

    byte: int


class Marker(NamedTuple):
    """One of the values below."""

    text: str


class Sometimes(NamedTuple):
    """A slot that only some paths have written."""

    value: Entry | None
    """The register that they save there; None for anything else."""


RETURN_ADDRESS = Marker("return address")
SMALL = Marker("0 or 1")
LOADED = Marker("a word of memory outside of the module")
OWN = Marker("an address computed from one of the module's own")

Value: TypeAlias = (
    int
    | Entry
    | Frame
    | Passed
    | Result
    | Lower
    | Copy
    | Imported
    | Label
    | Below
    | Scaled
    | Item
    | Target
    | Multiple
    | Low
    | Marker
    | Sometimes
    | None
)


def same(one: Value, other: Value) -> bool:
    """Return whether two values are known to be the same one."""
    # Tuples of different kinds may be equal.
    return one is other or (one == other and type(one) is type(other))


def joined(one: Value, other: Value) -> Value:
    """Return what is known of a value that is either of two."""
    if same(one, other):
        return one
    if type(one) is Result and type(other) is Result and one[:2] == other[:2]:
        return one if not one.tested else other
    if type(one) is Sometimes or type(other) is Sometimes:
        return _sometimes_joined(one, other)
    if _is_small(one) and _is_small(other):
        return SMALL
    return None


def sometimes(value: Value) -> Value:
    """Return what a slot holds that only one of two paths has written."""
    if type(value) is Sometimes:
        return value
    return Sometimes(value if type(value) is Entry else None)


def _sometimes_joined(one: Value, other: Value) -> Value:
    first, second = sometimes(one), sometimes(other)
    return first if same(first, second) else Sometimes(None)


def _is_small(value: Value) -> bool:
    return value is SMALL or (type(value) is int and value <= 1)

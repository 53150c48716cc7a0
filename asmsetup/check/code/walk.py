"""The results of analysing one function: frames, findings, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...named import NamedTuple
from .image import Image
from .prototypes import prototype
from .state import State, Step
from .values import Entry, Frame, Value


class Fault(NamedTuple):
    """A rule that one instruction breaks, before it is put into words for the user."""

    rule: str
    at: int
    function: int
    what: str
    way: Step | None
    about: int = 0
    """The address that it is about, where that is another one."""


class Gap(NamedTuple):
    """The reason why a function could not be followed to its end."""

    function: int
    at: int
    why: str


@dataclass
class Notes:
    """The findings in an image so far."""

    faults: dict[tuple[str, int], Fault] = field(default_factory=dict)
    gaps: dict[tuple[int, int], Gap] = field(default_factory=dict)
    misaligned: dict[tuple[int, Value], int] = field(default_factory=dict)
    """The first call with a misaligned rsp, by the function and the depth of the stack."""
    visits: int = 0
    """The number of instructions looked at; those looked at twice count twice."""

    def forget(self, function: int) -> None:
        """Take out what was found in a function, which is followed anew."""
        self.faults = {key: f for key, f in self.faults.items() if f.function != function}
        self.gaps = {key: gap for key, gap in self.gaps.items() if gap.function != function}
        self.misaligned = {key: at for key, at in self.misaligned.items() if key[0] != function}


@dataclass
class Walk:
    """One function on its way through the analysis."""

    image: Image
    notes: Notes
    function: int
    is_public: bool
    """It is called as the C ABI says: by C code, or through a pointer."""
    bases: dict[int, tuple[int, int]] = field(default_factory=lambda: {0: (16, 8)})
    """For each base of frame addresses, (n, r): the base is r modulo n."""
    frames_above: dict[int, Frame] = field(default_factory=dict)
    """For each base that an aligned rsp gave: where rsp was before."""
    reads: int = 0
    """The registers whose values at entry are used on every path, a bit each."""
    changes: int = 0
    """The registers that are written, by what is called, too."""
    alignment: int | None = None
    """rsp modulo 16 at entry, as a call in it requires; None where no call does."""
    tests_alignment: bool = False
    """It tests itself how rsp is aligned, and requires nothing of its callers."""
    needs_gil: str | None = None
    """A function that is called with the GIL as it was at entry, and needs it."""
    callees: set[int] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)
    kept_in_data: dict[int, Entry] = field(default_factory=dict)
    """The registers that were saved in the module's data, by its addresses."""
    leaves_caller: bool = False
    """It takes its return address off the stack, and returns to its caller's caller."""
    escaped: int | None = None
    """The lowest slot whose address a call was given so far."""
    buffer_calls: dict[int, int] = field(default_factory=dict)
    """For each call that asks for a buffer: the slot of its Py_buffer."""
    releases: dict[int, int] = field(default_factory=dict)
    """For each call that releases one: that slot."""
    extents: list[tuple[int, int]] = field(default_factory=list)
    """The addresses of the function's own code; empty when its size is not known."""
    is_described: bool = False
    """It is a function of its own for certain, whether or not its code's place is known."""
    starts_of_data: set[int] = field(default_factory=set)
    """Addresses that code of the image names: a table does not go on over one."""
    tables: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """The addresses that switches jump to, by the jump's address."""

    def report(self, rule: str, at: int, what: str, state: State, about: int = 0) -> None:
        """Note that the instruction at an address breaks a rule, because of what is at another."""
        fault = Fault(rule, at, self.function, what, state.way, about)
        self.notes.faults.setdefault((rule, at), fault)

    def give_up(self, at: int, why: str) -> None:
        """Note that what follows an address is not known."""
        self.notes.gaps.setdefault((self.function, at), Gap(self.function, at, why))

    def may_be_null(self, name: str) -> bool:
        """Return whether a function reports its failures by returning NULL."""
        return prototype(name).result == "n"

    def residue(self, address: Value) -> tuple[int, int] | None:
        """Return (n, r) when an address of the stack is known to be r modulo n."""
        if type(address) is not Frame:
            return None
        of, rest = self.bases.get(address.base, (1, 0))
        return of, (rest + address.offset) % of

"""Finds the functions of an image: where analysis begins, and how each is called."""

from __future__ import annotations

from collections.abc import Iterator

from ...bind.layout import registers_of
from ...bind.signature import SignatureError, parse
from ...named import NamedTuple
from ..slots import INT_ARGUMENTS
from .image import Image, Named
from .marks import (
    C_FUNCTION,
    CALLBACK,
    ENTRY_POINT,
    INTERNAL,
    METHOD,
    Routine,
)
from .tables import TableEntry, arguments_passed
from .values import ARGUMENTS, NAMES

_ENTRY_POINTS = ("PyInit_", "PyInitU_", "PyModExport_", "PyModExportU_")

# What compilers' start files put into every module.
_OF_START_FILES = frozenset(
    (
        *("_init", "_fini", "_start", "deregister_tm_clones", "register_tm_clones"),
        *("__do_global_dtors_aux", "frame_dummy", "__x86.get_pc_thunk.bx"),
    )
)

_METH_VARARGS, _METH_KEYWORDS, _METH_FASTCALL, _METH_METHOD = 1, 2, 0x80, 0x200


class Root(NamedTuple):
    """A function."""

    start: int
    name: str
    role: int
    """One of the roles of marks.py."""
    flags: int = 0
    end: int = 0
    """Behind its last byte; 0 when it is not known."""
    is_declared: bool = False
    """Its author or compiler says so: it is not a guess."""
    passed: int | None = None
    """How many arguments the slot of a type gets that it is in, if it is in one."""
    int_argument: int | None = None
    """Which of them is an int, counted from 0."""

    @property
    def is_public(self) -> bool:
        """It is called as the C ABI says."""
        return self.role != INTERNAL

    @property
    def arguments(self) -> int | None:
        """How many general registers hold arguments; None when that is not known."""
        if self.role == ENTRY_POINT:
            return 0
        if self.role != METHOD:
            return self.passed if self.role == CALLBACK else None
        flags = self.flags & ~0x70
        if flags & _METH_METHOD:
            return 5
        if flags & _METH_FASTCALL:
            return 4 if flags & _METH_KEYWORDS else 3
        if flags & _METH_VARARGS:
            return 3 if flags & _METH_KEYWORDS else 2
        return 2  # METH_NOARGS passes NULL in the second


def find_roots(image: Image, entries: list[TableEntry]) -> dict[int, Root]:
    """Return the functions by their addresses: those declared, named, or entered in a table."""
    roots: dict[int, Root] = {}
    passed = arguments_passed(image)
    for symbol in image.symbols:
        if root := _from_symbol(image, symbol):
            known = roots.get(root.start)
            if known is None or (symbol.is_global and not known.is_declared):
                roots[root.start] = root
    for entry in entries:
        if image.is_code(entry.function):
            known = roots.get(entry.function)
            name = known.name if known is not None else image.name(entry.function)
            end = known.end if known is not None else 0
            role = METHOD if entry.flags else CALLBACK
            count = passed.get(entry.function)
            narrow = INT_ARGUMENTS.get(entry.name) if entry.kind == "slot" else None
            start, flags = entry.function, entry.flags
            roots[start] = Root(start, name, role, flags, end, True, count, narrow)
    for routine in image.marks.routines.values():
        if image.is_code(routine.start):
            roots[routine.start] = _from_mark(routine, roots.get(routine.start))
    return roots


def registers_passed(image: Image, start: int, root: Root | None) -> int | None:
    """Return the registers that a function is passed something in, a bit each, if it is known."""
    if root is not None and (count := root.arguments) is not None:
        return sum(1 << register for register in ARGUMENTS[:count])
    signatures = image.marks.prototypes.get(start)
    if signatures is None:
        return None
    passed: set[str] = set()
    for text in signatures:
        try:
            passed |= registers_of(parse(text, typed=True))
        except (SignatureError, ValueError):
            return None  # the file is damaged
    return sum(1 << NAMES.index(register) for register in passed)


def _from_mark(routine: Routine, known: Root | None) -> Root:
    end = routine.end if routine.end > routine.start else 0
    role, flags, passed = routine.role, routine.flags, None
    if role == C_FUNCTION and known is not None and known.role in (CALLBACK, ENTRY_POINT):
        role, passed = known.role, known.passed
    narrow = known.int_argument if known is not None else None
    return Root(routine.start, routine.name, role, flags, end, True, passed, narrow)


def _from_symbol(image: Image, symbol: Named) -> Root | None:
    if not image.is_code(symbol.address) or symbol.name in _OF_START_FILES:
        return None
    if ".cold" in symbol.name or not (symbol.is_function or symbol.is_global):
        return None
    if image.public is not None and symbol.name not in image.public:
        return None  # the module's own: it may have a convention of its own
    if "." in symbol.name and not symbol.size:
        return None  # a label inside of a function of NASM's, which C cannot call
    end = symbol.address + symbol.size if symbol.size else 0
    if symbol.name.startswith(_ENTRY_POINTS):
        return Root(symbol.address, symbol.name, ENTRY_POINT, 0, end, True)
    return Root(symbol.address, symbol.name, C_FUNCTION, 0, end, symbol.is_function)


def pointed_at(image: Image) -> Iterator[int]:
    """Yield the addresses of code that stand in data: functions, or places a switch jumps to."""
    for place, target in sorted(image.pointers.items()):
        stretch = image.stretch(place)
        if stretch is None or stretch.name.startswith((".init_array", ".fini_array", ".got")):
            continue
        if not stretch.executable and image.is_code(target):
            yield target

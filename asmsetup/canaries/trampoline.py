"""The trampolines of this interpreter: assembles and loads them, and reads their events.

Knows memory, not CPython's tables: a thunk stands for one function, an event for one fault.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import Struct

from .. import config
from ..assemble.nasm import AssemblerOptions
from ..build import Builder
from ..config import Settings
from ..errors import AsmsetupError
from ..facts import target
from ..files import write_text
from ..link import linker
from ..named import NamedTuple
from ..plan import Recipe
from ..progress import Reporter

SOURCE = Path(__file__).with_name("trampoline.asm")

RECORD_SIZE = 64
THUNK_SIZE = 16
_RECORD = Struct("<QQ8sIIIIQ16x")
_EVENT = Struct("<IIQQQQ24x16Q64x")
_CONTEXT = "r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rsp"
_IN_CONTEXT = {name: place for place, name in enumerate(_CONTEXT.split())}
REGISTERS = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"]
REGISTERS += [f"r{number}" for number in range(8, 16)]
"""By their numbers in machine code."""

Hook = Callable[[int, int], None]
_HOOK = ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_uint64)


class Interface(NamedTuple):
    """The addresses and numbers that trampoline.asm exports, in its order."""

    entry_thunks: int
    entry_records: int
    entry_count: int
    api_thunks: int
    api_records: int
    api_count: int
    events: int
    event_count: int
    event_limit: int
    slots_begin: int
    slots_end: int
    layout: int
    start: int
    install_handlers: int


class Event(NamedTuple):
    """A fault that a trampoline found; see EVENT_ in trampoline.asm for its numbers."""

    kind: int
    detail: int
    function: int | None
    """The number of the entry thunk."""
    value: int
    other: int
    api: int | None
    """The number of the API's thunk."""
    registers: tuple[int, ...]
    """The contents of REGISTERS at a crash."""


class Thunks:
    """One of the two arrays of thunks, given out one after another."""

    def __init__(self, code: int, records: int, limit: int) -> None:
        self._code = code
        self._records = records
        self._limit = limit
        self.count = 0

    def add(
        self, target: int, letters: bytes = b"", result: int = 0, flags: int = 0, hook: int = 0
    ) -> int:
        """Return the number of a new thunk for ``target``.

        Raises AsmsetupError when all are taken.
        """
        number = self.count
        if number == self._limit:
            raise AsmsetupError(
                f"--asm-abi has room for {self._limit} functions, and the modules have more",
                "name fewer modules:   pytest --asm-abi=MODULE",
            )
        row = _RECORD.pack(target, 0, letters, len(letters), result, flags, 0, hook)
        ctypes.memmove(self._records + number * RECORD_SIZE, row, RECORD_SIZE)
        self.count += 1
        return number

    def address(self, number: int) -> int:
        """Return where the code of a thunk is."""
        return self._code + number * THUNK_SIZE

    def target_of(self, address: int) -> int | None:
        """Return what the thunk at ``address`` stands for; None if there is no thunk."""
        if not self._code <= address < self._code + self._limit * THUNK_SIZE:
            return None
        return _qword(self._records + (address - self._code) // THUNK_SIZE * RECORD_SIZE)

    def calls(self, number: int) -> int:
        """Return how often a thunk has been called."""
        return _qword(self._records + number * RECORD_SIZE + 8)

    def number_of(self, record: int) -> int | None:
        """Return the number of the thunk with the record at this address, None for no address."""
        return (record - self._records) // RECORD_SIZE if record else None

    def forget_gains(self, number: int) -> None:
        """Make a function report kept references once more."""
        ctypes.c_uint32.from_address(self._records + number * RECORD_SIZE + 36).value = 0


class Trampoline:
    """The loaded trampolines. There is one in a process."""

    def __init__(self, hook: Hook) -> None:
        """``hook`` gets a number and the address of six arguments before an API that asks for it.

        Raises AsmsetupError when NASM or ld is missing or fails.
        """
        self._library = _load()
        values = (ctypes.c_uint64 * len(Interface._fields)).in_dll(self._library, "interface")
        self.interface = Interface(*values)
        each = self.interface
        self.entries = Thunks(each.entry_thunks, each.entry_records, each.entry_count)
        self.apis = Thunks(each.api_thunks, each.api_records, each.api_count)
        self._hook = _HOOK(hook)  # kept: ctypes frees a callback without references
        main = ctypes.pythonapi.PyInterpreterState_Get
        main.restype = ctypes.c_void_p
        start = ctypes.PYFUNCTYPE(None, _HOOK, ctypes.c_void_p)(each.start)
        start(self._hook, main())

    def install_handlers(self) -> None:
        """Make crashes of wrapped functions events; to be called after faulthandler.enable."""
        ctypes.PYFUNCTYPE(None)(self.interface.install_handlers)()

    def take_events(self) -> tuple[list[Event], int]:
        """Return the events since the last time, and how many more there was no room for."""
        counter = ctypes.c_uint64.from_address(self.interface.event_count)
        found, counter.value = counter.value, 0
        kept = min(found, self.interface.event_limit)
        return list(self._events(kept)), found - kept

    def _events(self, count: int) -> Iterator[Event]:
        data = ctypes.string_at(self.interface.events, count * _EVENT.size)
        for kind, detail, record, value, other, api, *held in _EVENT.iter_unpack(data):
            function, called = self.entries.number_of(record), self.apis.number_of(api)
            registers = tuple(held[_IN_CONTEXT[name]] for name in REGISTERS)
            yield Event(kind, detail, function, value, other, called, registers)


def _qword(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


def _load() -> ctypes.CDLL:
    loaded = config.load(os.curdir, os.environ)
    settings = Settings(nasm=loaded.nasm, ld=loaded.ld, cache=loaded.cache)
    # The library stays mapped when its file is gone.
    with tempfile.TemporaryDirectory(prefix="asmsetup-") as folder:
        return ctypes.CDLL(_build(settings, folder))


def _build(settings: Settings, folder: str) -> str:
    """Assemble and link the trampolines for the running interpreter; return the library's path."""
    silent = Reporter(_ignore, _ignore, _ignore)
    builder = Builder(settings, target.running(), folder, silent)
    recipe = Recipe("trampoline", (str(SOURCE),), AssemblerOptions())
    try:
        objects = builder.assemble(recipe)
    finally:
        builder.finish()
    script, library = os.path.join(folder, "exports"), os.path.join(folder, "trampoline.so")
    write_text(script, linker.version_script(["interface"]))
    paths = [each.path for each in objects]
    linker.link(
        linker.command(builder.ld, paths, library, script, linker.LinkerOptions(strip="none"))
    )
    return library


def _ignore(text: str) -> None:
    """Print nothing: errors are raised."""

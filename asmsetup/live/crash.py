"""Name the routine in which a process crashes.

A signal handler in Python reads where the processor stood and looks for it in the module that
was mapped there. It runs in a process that is about to die: when it fails as well, the signal
kills the process as it would have without it.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence

from .. import program
from ..facts import elf
from ..named import NamedTuple
from .building import Built

_SIGNALS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP)
_SA_SIGINFO, _SA_ONSTACK = 0x4, 0x08000000
# From 3.14 on Python takes any other stack for one that has overflowed.
_FLAGS = _SA_SIGINFO if sys.version_info >= (3, 14) else _SA_SIGINFO | _SA_ONSTACK
_STACK_SIZE = 1 << 20
# ucontext_t of x86-64 Linux: flags, link and stack_t (40 bytes), then the registers in the
# order of <sys/ucontext.h>, of which rip is number 16.
_RIP = 40 + 8 * 16

_Handler = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class _Action(ctypes.Structure):
    """struct sigaction of x86-64 Linux, the same in glibc and musl."""

    _fields_ = (
        ("handler", _Handler),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


class _Stack(ctypes.Structure):
    """stack_t."""

    _fields_ = (
        ("base", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("size", ctypes.c_size_t),
    )


class Routine(NamedTuple):
    """The place in a source that the processor had reached."""

    name: str
    source: str
    line: int | None

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return f"{self.name} ({place})"


def report_crashes(modules: Callable[[], Sequence[Built]], advice: str) -> None:
    """Make this process name, when it crashes, the routine of the ``modules`` it was in.

    ``advice`` is the line printed below. Python's own traceback follows.
    """
    faulthandler.enable()
    library = ctypes.CDLL(None)
    stack = ctypes.create_string_buffer(_STACK_SIZE)
    library.sigaltstack(ctypes.byref(_Stack(ctypes.addressof(stack), 0, _STACK_SIZE)), None)
    old = {number: _Action() for number in _SIGNALS}

    def handle(number: int, info: int, context: int) -> None:
        library.sigaction(number, ctypes.byref(old[signal.Signals(number)]), None)
        address = ctypes.c_size_t.from_address(context + _RIP).value
        os.write(2, _report(number, address, modules(), advice).encode())
        # Delivered when this one returns, for faulthandler to have its turn.
        signal.raise_signal(number)

    handler = _Handler(handle)
    for number in _SIGNALS:
        action = _Action(handler, (ctypes.c_ulong * 16)(), _FLAGS, None)
        library.sigaction(number, ctypes.byref(action), ctypes.byref(old[number]))
    _kept.extend((handler, stack, old))


_kept: list[object] = []
"""The stack and the handler whose addresses the system has: they must stay alive."""


def _report(number: int, address: int, modules: Sequence[Built], advice: str) -> str:
    found = next(routines_at(address, modules), None)
    where = "outside of the routines that were built here" if found is None else f"in {found}"
    return f"\nerror: {program.signal_name(number)} {where}\n  {advice}\n"


def routines_at(address: int, modules: Sequence[Built]) -> Iterator[Routine]:
    """Yield the routine whose code is at an address of this process."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        lines = maps.read().splitlines()
    for line in lines:
        span, _, offset, _, _, *path = line.split(maxsplit=5)
        start, end = (int(each, 16) for each in span.split("-"))
        if path and start <= address < end:
            for built in modules:
                if os.path.realpath(built.path) == path[0]:
                    yield from _routine(built, address - start + int(offset, 16))


def _routine(built: Built, offset: int) -> Iterator[Routine]:
    """Yield the routine at an offset of the module's file."""
    text = elf.read(built.path).section(".text")
    if text is None or not text.offset <= offset < text.offset + text.size:
        return
    within = offset - text.offset
    labels = [
        symbol
        for symbol in elf.read(built.object.path).symbols
        if symbol.section == ".text" and symbol.name and symbol.value <= within
    ]
    if labels:
        name = max(labels, key=lambda symbol: symbol.value).name
        yield Routine(name, built.source, _line(built.path, text.address + within))


def _line(path: str, address: int) -> int | None:
    """Return the line at an address of a module, None when it has no line numbers."""
    addr2line = shutil.which("addr2line")
    if addr2line is None:
        return None
    line = (
        program.run([addr2line, "-e", path, hex(address)]).output.rpartition(":")[2].split(" ")[0]
    )
    return int(line) if line.isdecimal() and line != "0" else None

"""Puts events into words: what happened in which function, then how to mend it."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from fnmatch import fnmatchcase

from ..named import NamedTuple
from .modules import Function, Module, Wrapper, mappings
from .operand import address_registers
from .trampoline import REGISTERS, Event

_JUNK_HIGH = 0x5EEDC0DE
_GAINED = 14


class Fault(NamedTuple):
    """A rule that a function has broken."""

    rule: str
    function: str
    text: str
    cure: str

    def __str__(self) -> str:
        return f"{self.function}: {self.text} [{self.rule}]\n  {self.cure}"


class Allowed(NamedTuple):
    """A rule that a function may break: ``rule: function``, where both may be patterns."""

    rule: str
    function: str

    @classmethod
    def parse(cls, line: str) -> Allowed:
        """Return the allowance in a line of the setting; ValueError for another line."""
        rule, colon, function = line.partition(":")
        if not colon or not rule.strip() or not function.strip():
            raise ValueError(line)
        return cls(rule.strip(), function.strip())

    def covers(self, fault: Fault) -> bool:
        """Return whether this allows the fault."""
        return fnmatchcase(fault.rule, self.rule) and fnmatchcase(fault.function, self.function)


class Reporter:
    """Knows the names of functions."""

    def __init__(self, wrapper: Wrapper) -> None:
        self._wrapper = wrapper

    def name(self, event: Event) -> str:
        """Return the name of the function that an event is about."""
        if event.function is None:
            return self._wrapper.apis[event.api or 0].module.name
        return self._wrapper.functions[event.function].name

    def fault(self, event: Event) -> Fault:
        """Return an event in words."""
        rule, tell, cure = _WORDS[event.kind]
        return Fault(rule, self.name(event), tell(self, event), cure)

    def leak(self, event: Event, type_name: str) -> Fault:
        """Return the words for references that a function has kept and nothing accounts for."""
        return Fault(
            "references-kept",
            self.name(event),
            f"keeps {_references(event.detail)} to an argument ({type_name}), and nothing holds it",
            "give back each new reference on every path, the error's too:   Py_DECREF",
        )

    def api(self, event: Event) -> str:
        """Return the name of the API that an event is about."""
        return "?" if event.api is None else self._wrapper.apis[event.api].name

    def place(self, address: int) -> str:
        """Return where an address is: function and module, or file."""
        for module in self._wrapper.modules:
            if module.has_code_at(address):
                return _place_in(module, address, self._wrapper.functions)
        for each in mappings():
            if each.start <= address < each.end:
                return os.path.basename(each.path) or "unnamed memory"
        return f"{address:#x}"


def _place_in(module: Module, address: int, functions: list[Function]) -> str:
    offset = address - module.base
    near = [each for each in functions if each.module is module and each.target <= address]
    nearest = max(near, key=lambda each: each.target, default=None)
    name = f", {address - nearest.target} bytes into {nearest.name}" if nearest else ""
    return f"{os.path.basename(module.path)}+{offset:#x}{name}"


def _references(count: int) -> str:
    return "a reference" if count == 1 else f"{count} references"


def _held(value: int) -> str:
    source = _source(value)
    return f"{source} ({value:#x})" if source else f"{value:#x}"


def _source(value: int) -> str:
    """Return the origin of a junk value; empty for any other value."""
    if value >> 32 != _JUNK_HIGH:
        return ""
    number, left_by = value >> 16 & 0xFF, value >> 24 & 0x7F
    match left_by:
        case 1:
            return f"what {_register(number)} happened to hold when the function began"
        case 2:
            return f"what a call may leave in {_register(number)}"
        case 3 | 4:
            return "stack memory that was never written"
        case 5:
            return f"the caller's {_register(number)}"
    return "the upper half of an int, which was not set"


def _register(number: int) -> str:
    return REGISTERS[number] if number < len(REGISTERS) else f"xmm{number - len(REGISTERS)}"


def _register_changed(_: Reporter, event: Event) -> str:
    return f"returns with another {_register(event.detail)}: {_held(event.value)}"


def _stack_off(_: Reporter, event: Event) -> str:
    off = event.value - (1 << 64 if event.value >> 63 else 0)
    return f"returns with rsp {abs(off)} bytes too {'high' if off > 0 else 'low'}"


def _crash(reporter: Reporter, event: Event) -> str:
    name = signal.Signals(event.detail).name
    called = "" if event.api is None else f" inside {reporter.api(event)}"
    used = _used(event)
    return f"crashes with {name}{called} at {reporter.place(event.value)}{used}"


def _used(event: Event) -> str:
    """Return a phrase for the junk that the instruction at a crash was given; empty if none."""
    code = ctypes.string_at(event.value, 15) if _is_mapped(event.value) else b""
    through = address_registers(code) if code else ()
    values = [event.registers[number] for number in (*through, *range(len(REGISTERS)))]
    source = next(filter(None, map(_source, values)), "")
    return f", using {source}" if source else ""


def _is_mapped(address: int) -> bool:
    return any(each.start <= address < each.end - 16 and "x" in each.flags for each in mappings())


def _lost(_: Reporter, event: Event) -> str:
    return f"gives away {_references(event.detail)} to an argument, which is its caller's"


_Sentence = Callable[[Reporter, Event], str]


def _plain(text: str) -> _Sentence:
    return lambda reporter, event: text.format(api=reporter.api(event), value=event.value)


_WORDS: dict[int, tuple[str, _Sentence, str]] = {
    1: (
        "kept-registers",
        _register_changed,
        "save it and give it back on every return:   PyKeep, or push and pop",
    ),
    2: (
        "stack",
        _stack_off,
        "take from the stack what was put there, on every path:   PyLocal, or push and pop in pairs",
    ),
    3: ("direction-flag", _plain("returns with the direction flag set"), "clear it:   cld"),
    4: (
        "x87",
        _plain("returns with x87 or MMX registers in use"),
        "empty them before each return:   emms",
    ),
    5: (
        "upper-halves",
        _plain("returns with upper halves of YMM registers in use, which slows SSE code down"),
        "clear them before each return:   vzeroupper",
    ),
    6: (
        "mxcsr",
        _plain("returns with other control bits in MXCSR (rounding, exceptions): {value:#x}"),
        "keep the caller's and load it again:   stmxcsr and ldmxcsr",
    ),
    7: (
        "x87-control",
        _plain("returns with another x87 control word: {value:#x}"),
        "keep the caller's and load it again:   fnstcw and fldcw",
    ),
    8: (
        "gil",
        _plain("returns without the GIL"),
        "take it again on every path:   Py_END_ALLOW_THREADS",
    ),
    9: (
        "no-exception",
        _plain("returns an error ({value:#x}) without an exception"),
        "set one:   PyRaise; or return what is not an error",
    ),
    10: (
        "exception",
        _plain("returns a value ({value:#x}) with an exception set"),
        "return NULL or -1 after an error, or clear it:   PyCall PyErr_Clear",
    ),
    11: (
        "exception-lost",
        _plain("loses the exception that was set when it was called"),
        "keep it:   PyErr_Fetch and PyErr_Restore around what may set another",
    ),
    12: (
        "exception-left",
        _plain("leaves an exception, and has no result that says so"),
        "report it where it happens:   PyErr_WriteUnraisable",
    ),
    13: (
        "references-lost",
        _lost,
        "take a reference before it is given away:   Py_NewRef, Py_INCREF",
    ),
    15: (
        "buffer-not-released",
        _plain("returns with a buffer that it has not released"),
        "release it on every path:   PyBuffer, which does, or PyBuffer_Release",
    ),
    16: (
        "buffer-twice",
        _plain("gets a second buffer into a view that still holds one"),
        "release the first, or use a view for each:   PyBuffer_Release",
    ),
    17: (
        "stack-alignment",
        _plain("calls {api} with a stack that is not aligned to 16 bytes"),
        "an even number of pushes, or sub rsp, 8, before each call:   PyRoutine does that",
    ),
    18: (
        "direction-flag",
        _plain("calls {api} with the direction flag set"),
        "clear it before the call:   cld",
    ),
    19: (
        "gil",
        _plain("calls {api} without the GIL"),
        "call it after Py_END_ALLOW_THREADS",
    ),
    20: (
        "crash",
        _crash,
        "see what is read there; calls may change rax, rcx, rdx, rsi, rdi, r8 to r11 and xmm0 to xmm15",
    ),
}
RULES = frozenset(rule for rule, _, _ in _WORDS.values()) | {"references-kept"}


def is_gain(event: Event) -> bool:
    """Return whether the event holds an object to look at after the test."""
    return event.kind == _GAINED

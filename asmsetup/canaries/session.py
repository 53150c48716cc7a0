"""One run of pytest under canaries: which modules, what was found, what was never called."""

from __future__ import annotations

import os
import sys

import pytest

from ..errors import AsmsetupError
from ..facts import elf
from . import leaks
from .modules import Wrapper
from .report import RULES, Allowed, Fault, Reporter, is_gain
from .trampoline import Event


class Session:
    """The canaries of this process."""

    def __init__(self, names: str, allowed: list[str]) -> None:
        """Assemble the trampolines and wait for imports.

        ``names`` are modules or packages, separated by commas; all modules of nothing but assembly
        when empty. Raises pytest.UsageError when that cannot be done.
        """
        self._names = tuple(filter(None, names.split(",")))
        self._allowed = [_allowed(line) for line in allowed]
        self._held: list[Event] = []
        self._refuse_imported()
        try:
            self._wrapper = Wrapper(self._wanted)
        except AsmsetupError as error:
            raise pytest.UsageError(f"--asm-abi: {error}") from error
        self._reporter = Reporter(self._wrapper)
        self._wrapper.install()

    def _refuse_imported(self) -> None:
        for name in self._names:
            if os.sep in name or os.path.exists(name):
                raise pytest.UsageError(
                    f"--asm-abi={name}: that is a path, and a module's name belongs here\n"
                    f"  without a module:   pytest {name} --asm-abi"
                )
            if getattr(sys.modules.get(name), "__file__", "").endswith(".so"):
                raise pytest.UsageError(
                    f"--asm-abi={name}: the module has been imported before the plugin\n"
                    "  import it later: in conftest.py or in the tests"
                )

    def _wanted(self, name: str, path: str) -> bool:
        if self._names:
            return any(name == each or name.startswith(f"{each}.") for each in self._names)
        return _is_assembly(path)

    def install_handlers(self) -> None:
        """Make crashes of wrapped functions faults of the test."""
        self._wrapper.trampoline.install_handlers()

    def report(self, *, leaks: bool) -> str:
        """Return what was found since the last call, as text; empty if nothing was.

        With ``leaks``, references that functions kept since are looked for as well.
        """
        events, more = self._wrapper.trampoline.take_events()
        self._held += filter(is_gain, events)
        faults = [self._reporter.fault(each) for each in events if not is_gain(each)]
        if leaks:
            faults += self._leaks()
        lines = list(dict.fromkeys(str(each) for each in faults if not self._is_allowed(each)))
        if more and lines:
            lines.append(f"and {more} more")
        if self._wrapper.errors:
            lines += [f"asm-abi itself failed: {error!r}" for error in self._wrapper.errors]
            self._wrapper.errors.clear()
        return "\n".join(lines)

    def _leaks(self) -> list[Fault]:
        events, self._held = self._held, []
        for event in events:
            if event.function is not None:
                self._wrapper.trampoline.entries.forget_gains(event.function)
        return [
            self._reporter.leak(held.events[0], type(held.object).__name__)
            for held in leaks.by_object(events)
            if held.unexplained()
        ]

    def _is_allowed(self, fault: Fault) -> bool:
        return any(each.covers(fault) for each in self._allowed)

    def missing(self) -> list[str]:
        """Return the names for which no module was imported."""
        loaded = [each.name for each in self._wrapper.modules]
        return [
            name
            for name in self._names
            if not any(each == name or each.startswith(f"{name}.") for each in loaded)
        ]

    def summary(self, *, every: bool) -> list[str]:
        """Return lines about what ran; with ``every``, each function that was never called."""
        entries = self._wrapper.trampoline.entries
        functions = self._wrapper.functions
        idle = [each.name for number, each in enumerate(functions) if not entries.calls(number)]
        lines = [
            f"{', '.join(each.name for each in self._wrapper.modules) or 'no module'}: "
            f"{len(functions) - len(idle)} of {len(functions)} functions called, "
            f"{len(self._wrapper.apis)} functions of others around them"
        ]
        lines += [f"never imported: {name}" for name in self.missing()]
        if every:
            lines += [f"never called: {name}" for name in idle]
        return lines


def _allowed(line: str) -> Allowed:
    try:
        allowed = Allowed.parse(line)
    except ValueError:
        raise pytest.UsageError(
            f"asm_abi_allow: {line!r} is not a rule and a function\n"
            "  write it like this:   references-lost: counter.remove"
        ) from None
    if "*" not in allowed.rule and allowed.rule not in RULES:
        raise pytest.UsageError(
            f"asm_abi_allow: there is no rule {allowed.rule!r}\n"
            f"  the rules are: {', '.join(sorted(RULES))}"
        )
    return allowed


def _is_assembly(path: str) -> bool:
    """Return whether a module is nothing but assembly, or says that NASM made some of it."""
    try:
        facts = elf.read(path)
    except AsmsetupError:
        return False
    if (comment := facts.section(".comment")) and b"Netwide Assembler" in facts.content(comment):
        return True
    # A compiler's driver links start-up code, plain ld does not.
    return facts.section(".init") is None and facts.section(".init_array") is None

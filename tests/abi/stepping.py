"""Runs Python code one instruction at a time, and compares the unwind tables of a module with the truth.

The truth is what stands in the registers and on the stack where each function is entered: the
canonical frame address is above the return address, and the kept registers are the caller's.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from elftools.dwarf.callframe import FDE
from elftools.dwarf.dwarf_expr import DWARFExprParser
from elftools.dwarf.structs import DWARFStructs
from elftools.elf.elffile import ELFFile

_TRACEME, _CONT, _SINGLESTEP, _GETREGS = 0, 7, 9, 12
# user_regs_struct, in its order (sys/user.h).
_REGISTERS = (
    *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx"),
    *("rsi", "rdi", "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base"),
    *("ds", "es", "fs", "gs"),
)
# DWARF's numbers of the registers (psABI, figure 3.36).
_DWARF = dict(enumerate(("rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp")))
_DWARF |= {number: f"r{number}" for number in range(8, 16)}
_EXPRESSIONS = DWARFExprParser(
    DWARFStructs(little_endian=True, dwarf_format=32, address_size=8, dwarf_version=4)
)
_KEPT = ("rbx", "rbp", "r12", "r13", "r14", "r15")
_MOST_STEPS = 3_000_000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Frame(NamedTuple):
    """A function that was entered."""

    start: int
    cfa: int
    kept: dict[str, int]


@dataclass
class Outcome:
    """What was compared."""

    instructions: set[int]
    """The places in the module at which tables and truth were compared."""
    wrong: list[str]
    without: set[int]
    """The places in routines at which there is no table."""


def rows_of(module: Path) -> dict[int, tuple[int, list[dict[Any, Any]]]]:
    """Return, for each function that has a table, its end and the rows, by its address."""
    with module.open("rb") as file:
        entries = ELFFile(file).get_dwarf_info().EH_CFI_entries()
        return {
            entry["initial_location"]: (
                entry["initial_location"] + entry["address_range"],
                entry.get_decoded().table,
            )
            for entry in entries
            if isinstance(entry, FDE)
        }


def compare(python: Sequence[str], code: str, module: Path) -> Outcome:
    """Step through ``code``, which ``python`` runs behind an import of the module."""
    process = os.fork()
    if process == 0:
        _run(python, code, module)
    os.waitpid(process, 0)  # of the exec
    _ptrace(_CONT, process)
    os.waitpid(process, 0)  # the code's own signal: the module is loaded
    try:
        return _follow(process, rows_of(module), _base(process, module))
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _run(python: Sequence[str], code: str, module: Path) -> None:
    name = module.name.partition(".")[0]
    text = (
        f"import os, signal, sys; sys.path.insert(0, {str(module.parent)!r}); import {name}\n"
        f"os.kill(os.getpid(), signal.SIGSTOP)\n{code}\nos.kill(os.getpid(), signal.SIGSTOP)\n"
    )
    try:
        _ptrace(_TRACEME, 0)
        os.execvp(python[0], [*python, "-S", "-c", text])  # noqa: S606, traced from its start
    finally:
        os._exit(1)


def _ptrace(request: int, process: int, data: Any = None) -> None:
    if _libc.ptrace(request, process, None, data) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _base(process: int, module: Path) -> int:
    """Return where the module is loaded."""
    for line in Path(f"/proc/{process}/maps").read_text().splitlines():
        if line.endswith(str(module)):
            low, _, rest = line.partition("-")
            return int(low, 16) - int(rest.split()[2], 16)
    raise AssertionError(f"{module} is not loaded")


def _steps(process: int) -> Iterator[dict[str, int]]:
    """Yield the registers before each instruction, until the code stops itself."""
    buffer = ctypes.create_string_buffer(8 * len(_REGISTERS))
    for _ in range(_MOST_STEPS):
        _ptrace(_SINGLESTEP, process)
        _, status = os.waitpid(process, 0)
        if not os.WIFSTOPPED(status) or os.WSTOPSIG(status) != signal.SIGTRAP:
            return
        _ptrace(_GETREGS, process, buffer)
        yield dict(zip(_REGISTERS, struct.unpack(f"<{len(_REGISTERS)}Q", buffer), strict=True))
    raise AssertionError("the code does not come to its end")


def _follow(
    process: int, tables: dict[int, tuple[int, list[dict[Any, Any]]]], base: int
) -> Outcome:
    outcome = Outcome(set(), [], set())
    frames: list[Frame] = []
    low, high = min(tables), max(end for end, _ in tables.values())
    with open(f"/proc/{process}/mem", "rb", buffering=0) as memory:
        for registers in _steps(process):
            at = registers["rip"] - base
            while frames and registers["rsp"] >= frames[-1].cfa:
                frames.pop()
            if not low <= at < high:
                continue
            enters = at in tables and _is_entry(tables[at][1][0])
            if enters and (not frames or registers["rsp"] + 8 < frames[-1].cfa):
                kept = {name: registers[name] for name in _KEPT}
                frames.append(Frame(at, registers["rsp"] + 8, kept))
            elif at in tables and (not enters or registers["rsp"] + 8 == frames[-1].cfa):
                frames[-1] = frames[-1]._replace(start=at)  # it was jumped to
            _compare_one(outcome, tables, frames, registers, at, memory)
    return outcome


def _is_entry(row: dict[Any, Any]) -> bool:
    """Return whether functions are called there, and not jumped to with a frame of their own."""
    return bool(row["cfa"].expr is None and row["cfa"].offset == 8)


def _compare_one(
    outcome: Outcome,
    tables: dict[int, tuple[int, list[dict[Any, Any]]]],
    frames: Sequence[Frame],
    registers: dict[str, int],
    at: int,
    memory: Any,
) -> None:
    start = max((each for each in tables if each <= at), default=None)
    if start is None or at >= tables[start][0] or not frames:
        outcome.without.add(at)
        return
    row = [each for each in tables[start][1] if each["pc"] <= at][-1]
    cfa = _computed(row["cfa"], registers, memory)
    outcome.instructions.add(at)
    frame = frames[-1]
    if cfa != frame.cfa:
        outcome.wrong.append(f"{at:#x}: the frame is {cfa - frame.cfa} bytes off")
        return
    for number, name in _DWARF.items():
        if name not in _KEPT:
            continue
        if _restored(row.get(number), name, cfa, registers, memory) != frame.kept[name]:
            outcome.wrong.append(f"{at:#x}: {name} is not the caller's")


def _restored(rule: Any, name: str, cfa: int, registers: dict[str, int], memory: Any) -> int:
    """Return what a register is in the caller, as the table says."""
    if rule is None or rule.type in ("SAME_VALUE", "UNDEFINED"):
        return registers[name]
    if rule.type == "OFFSET":
        return _word(memory, cfa + rule.arg)
    if rule.type == "REGISTER":
        return registers[_DWARF[rule.arg]]
    assert rule.type == "EXPRESSION", rule
    return _word(memory, _evaluated(rule.arg, registers, memory))


def _computed(rule: Any, registers: dict[str, int], memory: Any) -> int:
    if rule.expr is None:
        return registers[_DWARF[rule.reg]] + int(rule.offset)
    return _evaluated(rule.expr, registers, memory)


def _evaluated(expression: list[int], registers: dict[str, int], memory: Any) -> int:
    stack: list[int] = []
    for operation in _EXPRESSIONS.parse_expr(expression):
        name = operation.op_name
        if name.startswith("DW_OP_breg"):
            stack.append(registers[_DWARF[operation.op - 0x70]] + operation.args[0])
        elif name == "DW_OP_deref":
            stack.append(_word(memory, stack.pop()))
        else:
            assert name == "DW_OP_plus_uconst", name
            stack.append(stack.pop() + operation.args[0])
    return stack.pop()


def _word(memory: Any, address: int) -> int:
    memory.seek(address)
    return int.from_bytes(memory.read(8), sys.byteorder)

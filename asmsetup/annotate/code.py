"""Each instruction of an object, as objdump reads it, with the stack and the level it needs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .. import program
from ..errors import ToolError
from ..facts import elf

_SECTION = re.compile(r"Disassembly of section (.+):$")
_INSTRUCTION = re.compile(r"\s*([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*\t?(?:(\S+)\s*(.*))?$")
_RELOCATION = re.compile(r"\s*[0-9a-f]+: R_X86_64_\S+\t(\S+?)(?:[+-]0x[0-9a-f]+)?$")
_TARGET = re.compile(r"([0-9a-f]+) <")
_STOPS = re.compile(r"(?:bnd |notrack )?(?:jmp|ret|ud2|hlt|iret)")
_AMOUNT = re.compile(r"rsp,(?:\[rsp([+-]0x[0-9a-f]+)\]|0x([0-9a-f]+))$")
_SAVED = frozenset({"rbx", "rbp", "r12", "r13", "r14", "r15"})

BASE = "x86-64"
_V2 = re.compile(
    r"popcnt|crc32|pshufb|phadd|phsub|psign|pmaddubsw|pmulhrsw|palignr|pabs|pblend|blend|round|"
    r"pmin[su][bdw]|pmax[su][bdw]|pmulld|pmuldq|ptest|pinsr[bdq]|pextr[bdq]|pmovsx|pmovzx|pcmpeqq|"
    r"pcmpgtq|pcmp[ei]str|packusdw|mpsadbw|movntdqa|insertps|extractps|dpp|movddup|movs[hl]dup|"
    r"hadd|hsub|addsub|lddqu|cmpxchg16b"
)
_V3 = re.compile(
    r"v|andn$|bextr|bls[ir]|blsmsk|bzhi|mulx|pdep|pext$|rorx|sarx|shlx|shrx|tzcnt|lzcnt|movbe"
)
_BESIDE = re.compile(r"v?(pclmul|aes|sha\d|gf2p8)")
"""Extensions that no level has."""
_IN_BASE = re.compile(r"(verr|verw|pmin(?:sw|ub)|pmax(?:sw|ub)|pextrw|pinsrw)$")


class Stack(NamedTuple):
    """The stack before an instruction, as far as it is known."""

    depth: int
    """Bytes below the return address."""
    saved: tuple[str, ...] = ()
    """Registers that are pushed and that calls preserve."""

    @property
    def aligned(self) -> bool:
        """Whether rsp is a multiple of 16, as calls need it."""
        return self.depth % 16 == 8


@dataclass
class Instruction:
    """One instruction of an object."""

    section: str
    offset: int
    content: bytes
    mnemonic: str
    operands: str
    symbol: str = ""
    """Filled in by the linker."""
    stack: Stack | None = None

    @property
    def target(self) -> int | None:
        """Where a jump in the section goes; None for all else."""
        found = _TARGET.search(self.operands)
        if self.mnemonic.startswith(("j", "loop")) and found and not self.symbol:
            return int(found[1], 16)
        return None

    @property
    def text(self) -> str:
        """The instruction as it is shown."""
        operands = re.sub(r"\s+<.*>|\s+#.*", "", self.operands)
        name = f"  ; {self.symbol}" if self.symbol else ""
        return f"{self.mnemonic} {operands}".rstrip() + name

    @property
    def level(self) -> str:
        """The level of the x86-64 psABI that it needs, or the extension beside them."""
        if beside := _BESIDE.match(self.mnemonic):
            return f"+{beside[1]}"
        if "zmm" in self.operands or re.search(r"\bk[0-7]\b", self.operands):
            return "x86-64-v4"
        if _IN_BASE.match(self.mnemonic):
            return BASE
        if _V3.match(self.mnemonic):
            return "x86-64-v3"
        return "x86-64-v2" if _V2.match(self.mnemonic) else BASE


def read(path: str) -> list[Instruction]:
    """Return the instructions of the object at ``path``, in the order of its sections.

    Raises ToolError without objdump.
    """
    objdump = shutil.which("objdump")
    if objdump is None:
        ways = program.ways_to_get("binutils", "PATH", "objdump")[:4]
        raise ToolError("cannot find objdump, which reads the instructions", *ways)
    said = program.run([objdump, "-d", "-r", "-z", "--insn-width=15", "-M", "intel", path]).said
    found = list(_instructions(said.splitlines()))
    starts = _starts(elf.read(path).symbols)
    for section in dict.fromkeys(each.section for each in found):
        _follow(
            {each.offset: each for each in found if each.section == section},
            starts.get(section, ()),
        )
    return found


def _instructions(lines: Iterable[str]) -> Iterator[Instruction]:
    section, last = "", None
    for line in lines:
        if named := _SECTION.match(line):
            section = named[1]
        elif found := _INSTRUCTION.match(line):
            if last is not None:
                yield last
            offset, content, mnemonic, operands = found.groups(default="")
            last = Instruction(section, int(offset, 16), bytes.fromhex(content), mnemonic, operands)
        elif (relocated := _RELOCATION.match(line)) and last is not None:
            last.symbol = relocated[1]
    if last is not None:
        yield last


def _starts(symbols: Iterable[elf.Symbol]) -> dict[str, list[int]]:
    starts: dict[str, list[int]] = {}
    for symbol in symbols:
        if symbol.section is not None:
            starts.setdefault(symbol.section, []).append(symbol.value)
    return starts


def _follow(code: dict[int, Instruction], starts: Sequence[int]) -> None:
    """Note the stack at each instruction that a label leads to.

    The labels are followed in their order: one inside a routine is reached from its start.
    """
    seen: set[int] = set()
    for start in sorted(starts):
        waiting: list[tuple[int, Stack | None]] = [] if start in seen else [(start, Stack(0))]
        while waiting:
            offset, stack = waiting.pop()
            if offset in seen or offset not in code:
                continue
            seen.add(offset)
            each = code[offset]
            each.stack = stack
            after = None if stack is None else _after(each, stack)
            if each.target is not None:
                waiting.append((each.target, after))
            if not _STOPS.match(each.mnemonic):
                waiting.append((offset + len(each.content), after))


def _after(each: Instruction, stack: Stack) -> Stack | None:
    """Return the stack after an instruction, None when that cannot be known."""
    operands = each.operands
    if each.mnemonic.startswith("push"):
        saved = (*stack.saved, operands) if operands in _SAVED else stack.saved
        return Stack(stack.depth + 8, saved)
    if each.mnemonic.startswith("pop") and each.mnemonic != "popcnt":
        return Stack(stack.depth - 8, tuple(name for name in stack.saved if name != operands))
    if not operands.startswith("rsp,"):
        return None if each.mnemonic in ("leave", "enter") else stack
    amount = _AMOUNT.match(operands)
    if amount is None or each.mnemonic not in ("add", "sub", "lea"):
        return stack if each.mnemonic in ("cmp", "test") else None
    by = int(amount[1] or amount[2], 16)
    if by >= 1 << 63:  # objdump writes negative numbers as large ones
        by -= 1 << 64
    return stack._replace(depth=stack.depth + (by if each.mnemonic == "sub" else -by))

"""The costs of instructions on a processor: latency and throughput, as llvm-mca knows them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from iced_x86 import Decoder, FlowControl, Formatter, FormatterSyntax

from .. import program
from ..errors import ToolError
from ..named import NamedTuple
from .code import Seen

_INSTALL = (
    "Debian, Ubuntu:   apt-get install llvm",
    "Fedora, RHEL:     dnf install llvm",
    "Arch:             pacman -S llvm",
)
_TURNS = 100


class Cost(NamedTuple):
    """The costs of one instruction, in cycles."""

    latency: int
    """Until its result can be used, with operands in the first cache."""
    interval: float
    """Between the starts of two that do not depend on each other: the reciprocal throughput."""


class Costs(NamedTuple):
    """The costs of the instructions of an object."""

    processor: str
    """As LLVM calls it."""
    of: dict[int, Cost]
    """By address; instructions that LLVM does not know are left out."""
    turns: dict[int, float]
    """The cycles of one turn of an innermost loop, by the address of the jump that ends it."""


def costs(instructions: Sequence[Seen], processor: str) -> Costs:
    """Return the costs on a processor of instructions in the order of their addresses.

    Raises ToolError if llvm-mca is missing or does not know the processor.
    """
    tool = program.find("llvm-mca", "llvm-mca", _INSTALL, chosen_by="", arguments="")
    mca = _Mca(tool, processor)
    texts = {each.address: _as_gas(each) for each in instructions}
    known = mca.each(sorted({*texts.values()}))
    of = {address: known[text] for address, text in texts.items() if text in known}
    turns = {}
    for loop in _loops(instructions):
        if all(each.address in of for each in loop):
            turns[loop[-1].address] = mca.turn([texts[each.address] for each in loop])
    return Costs(mca.name, of, turns)


def _as_gas(instruction: Seen) -> str:
    """Return an instruction as LLVM reads it, with numbers in the place of names."""
    formatter = Formatter(FormatterSyntax.GAS)
    decoded = Decoder(64, instruction.content, ip=instruction.address).decode()
    return str(formatter.format(decoded))


def _loops(instructions: Sequence[Seen]) -> Iterator[Sequence[Seen]]:
    """Yield the instructions of each loop that ends with its only jump, and calls nothing."""
    at = {each.address: index for index, each in enumerate(instructions)}
    for index, each in enumerate(instructions):
        first = min((at[goal] for goal in each.goals if goal in at), default=index + 1)
        loop = instructions[first : index + 1]
        if loop and all(map(_goes_on, loop[:-1])):
            yield loop


def _goes_on(instruction: Seen) -> bool:
    """Return whether the next instruction is always the one that is run next."""
    decoded = Decoder(64, instruction.content).decode()
    return bool(decoded.flow_control == FlowControl.NEXT)


class _Mca:
    """llvm-mca for one processor."""

    def __init__(self, tool: str, processor: str) -> None:
        """Raise ToolError when the processor is not known."""
        self._command = (tool, "-march=x86-64", f"-mcpu={processor}", "-json")
        found = self._run(["nop"], "-instruction-info")
        if found is None:
            raise ToolError(
                f"{tool} has no costs of the instructions of {processor!r}",
                f"list what it knows:   {tool} -march=x86-64 -mcpu=help",
            )
        self.name = str(found["TargetInfo"]["CPUName"])

    def each(self, texts: Sequence[str]) -> dict[str, Cost]:
        """Return the costs by instruction; one that is unknown makes llvm-mca fail for all."""
        found = self._run(texts, "-instruction-info") if texts else None
        listed = found["CodeRegions"][0]["InstructionInfoView"]["InstructionList"] if found else ()
        if len(listed) == len(texts):
            costs = (Cost(each["Latency"], each["RThroughput"]) for each in listed)
            return dict(zip(texts, costs, strict=True))
        half = len(texts) // 2
        return {**self.each(texts[:half]), **self.each(texts[half:])} if half else {}

    def turn(self, texts: Sequence[str]) -> float:
        """Return the cycles of one of many turns of a loop."""
        found = self._run(texts, "-summary-view", f"-iterations={_TURNS}")
        return float(found["CodeRegions"][0]["SummaryView"]["TotalCycles"]) / _TURNS

    def _run(self, texts: Sequence[str], *options: str) -> Any:
        """Return the JSON that llvm-mca writes about instructions, None if it fails."""
        with tempfile.TemporaryDirectory(prefix="asmsetup-") as folder:
            source, output = os.path.join(folder, "code.s"), os.path.join(folder, "costs.json")
            with open(source, "w", encoding="utf-8") as file:
                file.writelines(f"{text}\n" for text in texts)
            views = ("-all-views=false", *options)
            done = program.run([*self._command, *views, source, "-o", output])
            if done.status or "is not a recognized processor" in done.output:
                return None
            with open(output, encoding="utf-8") as file:
                return json.load(file)

"""Measure `asmsetup check`: false reports on compiled code, seeded faults found, speed, levels.

    python -m bench.check_code [--objects FOLDER]... [--faults N]

Every extension module of the interpreters at hand is checked (code that works, so each error
is taken for a false one and printed), and so is what lies in the folders given with --objects:
objects and modules, such as CPython's own at several levels of optimization, or ISA-L's. Then
faults are seeded into the machine code of these, one at a time, and those that are missed are
printed by their kind. Nothing is written.
"""

from __future__ import annotations

import argparse
import random
import sys
import sysconfig
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from asmsetup.assemble.includes import INCLUDE_DIR
from asmsetup.check.code import decode
from asmsetup.check.code.analysis import Verdict, analyse
from asmsetup.check.code.decode import Decoded
from asmsetup.check.code.image import Image, load_module, load_objects
from asmsetup.check.code.levels import needs_of
from asmsetup.check.code.prototypes import prototype
from asmsetup.check.code.rules import RULES
from asmsetup.check.code.values import ARGUMENTS, KEPT, RAX, RSP
from asmsetup.errors import AsmsetupError
from asmsetup.facts import elf

from .projects import REPOSITORY

_SHOWN = 20
_NOP = 0x90
_EXAMPLES = ("counter", "crc32c", "sayit")
# What is in the names of multi-versioned routines, and the least level that it says.
_NAMED_LEVELS = {"avx512": 3, "_avx2": 2, "_avx": 2, "_sse42": 1, "_sse": 0}


class Mutant(NamedTuple):
    """A fault to seed: some bytes of code replaced by others of the same length."""

    kind: str
    at: int
    content: bytes


@dataclass
class Totals:
    """What came out for all files together."""

    files: int = 0
    functions: int = 0
    instructions: int = 0
    visits: int = 0
    seconds: float = 0.0
    errors: list[str] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)
    gaps: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print all figures; return 1 when an error was reported in code that works."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=Path, action="append", default=[], metavar="FOLDER")
    parser.add_argument("--faults", type=int, default=400, help="how many of each kind to seed")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    modules = Path(str(sysconfig.get_config_var("DESTSHARED")))
    files = [path for folder in (modules, *options.objects) for path in _code_in(folder)]
    totals = Totals()
    for path in files:
        _check(path, totals)
    _print_totals(totals)
    _print_example()
    _print_levels(files)
    _print_faults(files, options.faults, random.Random(options.seed))
    return int(bool(totals.errors))


def _code_in(folder: Path) -> list[Path]:
    return sorted((*folder.rglob("*.o"), *folder.rglob("*.so"))) if folder.is_dir() else []


def _load(path: Path, data: bytes | None = None) -> Image:
    facts = elf.read(path, data)
    if facts.kind == "module":
        return load_module(path.name, facts)
    return load_objects([(path.name, facts)])


def _check(path: Path, totals: Totals) -> None:
    try:
        image = _load(path)
        start = time.process_time()
        verdict = analyse(image)
        totals.seconds += time.process_time() - start
    except AsmsetupError as error:
        totals.refused.append(f"{path.name}: {error}")
        return
    totals.files += 1
    totals.functions += len(verdict.roots)
    totals.instructions += verdict.instructions
    totals.visits += verdict.visits
    totals.gaps.update(gap.why for gap in verdict.gaps)
    for fault in verdict.faults:
        if RULES[fault.rule].severity == "warning":
            totals.warnings[fault.rule] += 1
        else:
            place = image.lines.at(fault.at)
            name = image.name(fault.function)
            totals.errors.append(f"{path.name} {name} {fault.rule} {place}: {fault.what}")
    totals.errors += [f"{path.name} {fault.rule}: {fault.what}" for fault in verdict.table_faults]


def _print_totals(totals: Totals) -> None:
    print(f"{totals.files} files, {totals.functions} functions, {totals.instructions} instructions")
    print(f"errors: {len(totals.errors)}")
    _list(totals.errors)
    print(f"warnings: {sum(totals.warnings.values())} {dict(totals.warnings)}")
    print(f"incomplete: {sum(totals.gaps.values())} {dict(totals.gaps)}")
    _list(totals.refused)
    speed = totals.instructions / max(totals.seconds, 1e-9)
    each = totals.visits / max(totals.instructions, 1)
    print(f"{speed:,.0f} instructions a second, each looked at {each:.2f} times")


def _list(lines: Sequence[str]) -> None:
    for line in lines[:_SHOWN]:
        print(f"  {line}")
    if len(lines) > _SHOWN:
        print(f"  and {len(lines) - _SHOWN} more")


def _print_example() -> None:
    """How long the counter example takes, the best of several times."""
    with tempfile.TemporaryDirectory() as folder:
        image_path = _assembled("counter", Path(folder))
        times = []
        for _ in range(5):
            start = time.perf_counter()
            analyse(_load(image_path))
            times.append(time.perf_counter() - start)
    print(f"examples/counter: {min(times) * 1000:.0f} ms")


def _assembled(name: str, folder: Path) -> Path:
    from asmsetup import program
    from asmsetup.assemble import nasm

    source = REPOSITORY / "examples" / name / f"{name}.asm"
    output = folder / f"{name}.o"
    options = nasm.AssemblerOptions((INCLUDE_DIR,), (("PY_UNIVERSAL", "1"),), debug=True)
    found = nasm.find(None)
    command = nasm.command(found.path, str(source), str(output), options)
    program.run(command, nasm.environment(), ())
    return output


def _print_levels(files: Iterable[Path]) -> None:
    """Whether routines whose names say what they need are found to need that."""
    agree, differ = 0, []
    for path in files:
        if path.suffix != ".o" or not any(part in path.name for part in _NAMED_LEVELS):
            continue
        verdict = analyse(_load(path))
        needs = {need.name: need for need in needs_of(verdict.engine, verdict.roots)}
        for root in verdict.roots.values():
            wanted = next((lv for part, lv in _NAMED_LEVELS.items() if part in root.name), None)
            if wanted is None or not root.name.startswith(path.stem):
                continue
            need = needs.get(root.name)
            ranks = ("x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4", "beyond")
            if wanted and (need is None or ranks.index(need.level) < wanted):
                differ.append(f"{root.name}: {need}")
            else:
                agree += 1
    print(f"levels: {agree} routines need what their names say, {len(differ)} do not")
    _list(differ)


def _print_faults(files: Sequence[Path], count: int, chance: random.Random) -> None:
    pools: dict[str, list[tuple[Path, Mutant]]] = defaultdict(list)
    chosen = [path for path in files if path.stat().st_size < 400_000]
    for path in chance.sample(chosen, min(len(chosen), 60)):
        for mutant in _mutants(analyse(_load(path))):
            pools[mutant.kind].append((path, mutant))
    for kind, pool in sorted(pools.items()):
        seeded = chance.sample(pool, min(count, len(pool)))
        missed = [
            f"{path.name} {mutant.at:#x}" for path, mutant in seeded if not _found(path, mutant)
        ]
        share = 1 - len(missed) / len(seeded)
        print(f"seeded: {kind}: {len(seeded) - len(missed)} of {len(seeded)} found ({share:.1%})")
        _list(missed[:5])


def _found(path: Path, mutant: Mutant) -> bool:
    """Whether the fault is reported, and only in the function that has it."""
    image = _load(path)
    before = {(fault.rule, fault.at) for fault in analyse(_load(path)).faults}
    stretch = image.stretch(mutant.at)
    assert stretch is not None
    at = mutant.at - stretch.start
    stretch.content[at : at + len(mutant.content)] = mutant.content
    return bool({(fault.rule, fault.at) for fault in analyse(image).faults} - before)


def _mutants(verdict: Verdict) -> Iterator[Mutant]:
    engine = verdict.engine
    seen: set[int] = set()
    for start in verdict.roots:
        scan = engine.scans.get(start)
        for at in sorted(scan.instructions - seen) if scan is not None else ():
            seen.add(at)
            found = engine.table.get(at)
            if found is not None:
                yield from _of(verdict, found)


def _of(verdict: Verdict, found: Decoded) -> Iterator[Mutant]:
    operation = found.operation
    nothing = bytes([_NOP]) * (found.next - found.at)
    if operation.effect == decode.PUSH and operation.target in KEPT:
        yield Mutant("push deleted", found.at, nothing)
    elif operation.effect == decode.POP and operation.target in KEPT:
        yield Mutant("pop deleted", found.at, nothing)
        after = verdict.engine.table.get(found.next)
        if after is not None and after.operation.effect == decode.POP:
            first, second = (_bytes(verdict, each) for each in (found, after))
            if after.operation.target in KEPT:
                yield Mutant("pops swapped", found.at, second + first)
    elif operation.target == RSP and operation.effect in (decode.ADD, decode.SUBTRACT):
        if operation.source < 0 and operation.memory is None:
            yield Mutant("rsp adjustment deleted", found.at, nothing)
    elif operation.effect == decode.ZERO and operation.target == RAX:
        name, _ = _next_call(verdict, found, 1 << RAX)
        if name is not None and prototype(name).variadic:
            yield Mutant("al deleted", found.at, nothing)
    is_set = operation.effect in _SETS and operation.target in ARGUMENTS
    name, is_behind = _next_call(verdict, found, 1 << operation.target) if is_set else (None, False)
    if name is not None and is_behind and operation.target in ARGUMENTS[: prototype(name).words]:
        yield Mutant("argument deleted", found.at, nothing)


_SETS = (decode.MOVE, decode.LOAD, decode.ADDRESS, decode.ZERO, decode.SET)


def _bytes(verdict: Verdict, found: Decoded) -> bytes:
    stretch = verdict.image.stretch(found.at)
    assert stretch is not None
    return bytes(stretch.content[found.at - stretch.start : found.next - stretch.start])


def _next_call(verdict: Verdict, found: Decoded, written: int) -> tuple[str | None, bool]:
    """Return the call that gets what an instruction sets, and whether a call came before."""
    image, table = verdict.image, verdict.engine.table
    at, name = found.next, None
    for _ in range(16):
        following = table.get(at)
        if following is None:
            break
        if following.operation.flow in (decode.CALL, decode.CALL_VALUE):
            memory = following.operation.memory
            name = image.externals.get(following.goal)
            if name is None and memory is not None:
                name = image.slots.get(memory.displacement)
            break
        if following.operation.flow != decode.NEXT or following.operation.writes & written:
            break
        at = following.next
    return name, _is_behind_call(verdict, found)


def _is_behind_call(verdict: Verdict, found: Decoded) -> bool:
    """Whether a call precedes the instruction in the same straight piece of code."""
    previous = _previous(verdict, found)
    for _ in range(8):
        if previous is None:
            return False
        if previous.operation.flow in (decode.CALL, decode.CALL_VALUE):
            return True
        if previous.operation.flow != decode.NEXT:
            return False
        previous = _previous(verdict, previous)
    return False


def _previous(verdict: Verdict, found: Decoded) -> Decoded | None:
    for length in range(1, 16):
        before = verdict.engine.table.get(found.at - length)
        if before is not None and before.next == found.at:
            return before
    return None


if __name__ == "__main__":
    sys.exit(main())

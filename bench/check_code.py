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
import functools
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
from asmsetup.check.code.engine import Engine
from asmsetup.check.code.image import Image
from asmsetup.check.code.levels import needs_of
from asmsetup.check.code.load import load_module, load_objects
from asmsetup.check.code.prototypes import prototype
from asmsetup.check.code.roots import Root, find_roots
from asmsetup.check.code.rules import RULES
from asmsetup.check.code.tables import find_entries
from asmsetup.check.code.values import ARGUMENTS, KEPT, RAX, RSP
from asmsetup.errors import AsmsetupError
from asmsetup.facts import elf

from .projects import REPOSITORY

_SHOWN = 20
_NOP = 0x90
_EXAMPLES = ("counter", "crc32c", "sayit")
# What is in the names of multi-versioned routines, and the least level that it says.
_NAMED_LEVELS = {
    "avx512": 3,
    "avx512icl": 3,
    "avx2": 2,
    "avx": 2,
    "fma3": 2,
    "bmi2": 2,
    "sse42": 1,
    "sse4": 1,
    "ssse3": 1,
    "sse3": 1,
    "sse2": 0,
    "sse": 0,
}


class Mutant(NamedTuple):
    """A fault to seed: some bytes of code replaced by others of the same length."""

    kind: str
    at: int
    content: bytes


@dataclass
class Totals:
    """The result for all files together."""

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
    """Return the seconds that the counter example takes, the best of several times."""
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
    """Print how many routines are found to need the level of processor in their names, and the others."""
    agree, differ = 0, []
    ranks = ("x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4", "beyond")
    for path in files:
        if path.suffix != ".o":
            continue
        verdict = analyse(_load(path))
        needs = {need.name: need for need in needs_of(verdict.engine, verdict.roots)}
        incomplete = {gap.function for gap in verdict.gaps}
        for root in verdict.roots.values():
            parts = reversed(root.name.split("_"))
            wanted = next((_NAMED_LEVELS[part] for part in parts if part in _NAMED_LEVELS), None)
            need = needs.get(root.name)
            if wanted and (need is None or ranks.index(need.level) < wanted):
                why = " (incomplete)" if root.start in incomplete else ""
                differ.append(f"{root.name}: {need.features if need else 'nothing'}{why}")
            elif wanted is not None:
                agree += 1
    print(f"levels: {agree} routines need what their names say, {len(differ)} do not")
    _list(differ)


def _print_faults(files: Sequence[Path], count: int, chance: random.Random) -> None:
    pools: dict[str, list[tuple[Path, int, Mutant]]] = defaultdict(list)
    chosen = [path for path in files if path.stat().st_size < 400_000]
    for path in chance.sample(chosen, min(len(chosen), 60)):
        for start, mutant in _mutants(analyse(_load(path))):
            pools[mutant.kind].append((path, start, mutant))
    for kind, pool in sorted(pools.items()):
        seeded = chance.sample(pool, min(count, len(pool)))
        missed = [
            f"{path.name} {mutant.at:#x}: {reason}"
            for path, start, mutant in sorted(seeded)
            if (reason := _missed(path, start, mutant)) is not None
        ]
        share = 1 - len(missed) / len(seeded)
        print(f"seeded: {kind}: {len(seeded) - len(missed)} of {len(seeded)} found ({share:.1%})")
        why = Counter(line.partition(": ")[2] for line in missed)
        _list([f"{number} missed: {reason}" for reason, number in why.most_common()])
        _list(missed[:_NAMED])


_NAMED = 5


def _missed(path: Path, start: int, mutant: Mutant) -> str | None:
    """Return why a fault in the function at ``start`` is not reported; None when it is."""
    image, roots = _loaded(path)
    before, _ = _judge(image, roots, start)
    stretch = image.stretch(mutant.at)
    assert stretch is not None
    at = mutant.at - stretch.start
    kept = stretch.content[at : at + len(mutant.content)]
    stretch.content[at : at + len(mutant.content)] = mutant.content
    after, gaps = _judge(image, roots, start)
    stretch.content[at : at + len(mutant.content)] = kept
    if after - before:
        return None
    if gaps:
        return f"incomplete, {gaps[0]}"
    if "rsp" in mutant.kind and _finds_rsp_again(image, roots, start):
        return "rsp comes back from rbp, and calls are aligned: it works all the same"
    return "no rule is broken on any path"


def _finds_rsp_again(image: Image, roots: dict[int, Root], start: int) -> bool:
    engine = Engine(image, roots)
    found = map(engine.decoded, engine.scan(start).instructions)
    return any(each is not None and each.operation.effect == decode.LEAVE for each in found)


@functools.lru_cache(4)
def _loaded(path: Path) -> tuple[Image, dict[int, Root]]:
    image = _load(path)
    return image, find_roots(image, find_entries(image))


def _judge(
    image: Image, roots: dict[int, Root], start: int
) -> tuple[set[tuple[str, int]], list[str]]:
    """Return what is reported in one function, and why it could not be followed, if so."""
    engine = Engine(image, roots)
    engine.run([start])
    notes = engine.notes
    faults = {(f.rule, f.at) for f in notes.faults.values() if f.function == start}
    return faults, [gap.why for gap in notes.gaps.values() if gap.function == start]


def _mutants(verdict: Verdict) -> Iterator[tuple[int, Mutant]]:
    """Yield faults to seed, each with the function that it belongs to."""
    engine = verdict.engine
    for start, root in verdict.roots.items():
        scan = engine.scans.get(start)
        for at in sorted(scan.instructions) if scan is not None else ():
            found = engine.table.get(at)
            # A scan goes on behind calls that do not return, into other functions.
            if found is not None and start <= at < root.end:
                yield from ((start, mutant) for mutant in _of(verdict, found))


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
            content = bytearray(_bytes(verdict, found))
            content[3] ^= 8  # the lowest byte of the number, behind prefix, opcode and operand
            yield Mutant("rsp adjustment 8 bytes off", found.at, bytes(content))
    elif operation.effect == decode.ZERO and operation.target == RAX:
        name = _next_call(verdict, found, 1 << RAX)
        if name is not None and prototype(name).variadic:
            yield Mutant("al deleted", found.at, nothing)
    if operation.effect in _SETS and operation.target in ARGUMENTS:
        name = _next_call(verdict, found, 1 << operation.target)
        behind = _call_before(verdict, found)
        if name is not None and operation.target in ARGUMENTS[: prototype(name).words]:
            if behind and prototype(behind).returns:
                yield Mutant("argument deleted", found.at, nothing)
            elif behind == "":
                yield Mutant(
                    "argument deleted behind a call of the module's own", found.at, nothing
                )


_SETS = (decode.MOVE, decode.LOAD, decode.ADDRESS, decode.ZERO, decode.SET)


def _bytes(verdict: Verdict, found: Decoded) -> bytes:
    stretch = verdict.image.stretch(found.at)
    assert stretch is not None
    return bytes(stretch.content[found.at - stretch.start : found.next - stretch.start])


def _next_call(verdict: Verdict, found: Decoded, written: int) -> str | None:
    """Return the name of the function that gets what an instruction sets."""
    at = found.next
    for _ in range(16):
        following = verdict.engine.table.get(at)
        if following is None:
            return None
        if following.operation.flow in (decode.CALL, decode.CALL_VALUE):
            return _name_called(verdict, following) or None
        if following.operation.flow != decode.NEXT or following.operation.writes & written:
            return None
        at = following.next
    return None


def _name_called(verdict: Verdict, call: Decoded) -> str:
    """Return the name of another module's function that is called; empty for any other."""
    image, memory = verdict.image, call.operation.memory
    name = image.externals.get(call.goal)
    if name is None and memory is not None and memory.base == decode.RIP:
        name = image.slots.get(memory.displacement)
    return name or ""


def _call_before(verdict: Verdict, found: Decoded) -> str | None:
    """Return what is called before the instruction in the same straight piece of code, as
    ``_name_called`` does; None when nothing is."""
    previous = _previous(verdict, found)
    for _ in range(8):
        if previous is None:
            return None
        if previous.operation.flow in (decode.CALL, decode.CALL_VALUE):
            return _name_called(verdict, previous)
        if previous.operation.flow != decode.NEXT:
            return None
        previous = _previous(verdict, previous)
    return None


def _previous(verdict: Verdict, found: Decoded) -> Decoded | None:
    for length in range(1, 16):
        before = verdict.engine.table.get(found.at - length)
        if before is not None and before.next == found.at:
            return before
    return None


if __name__ == "__main__":
    sys.exit(main())

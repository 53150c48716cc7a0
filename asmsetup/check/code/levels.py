"""Which processors each routine runs on: the CPU features it needs, and who calls it unguarded.

The features are those of iced-x86's tables; levels are the psABI's x86-64, x86-64-v2, -v3 and
-v4. What a routine calls or jumps to counts for it, too, except where the way there passes a
test of the processor: PyDispatch, cpuid, or what compilers call for __builtin_cpu_supports.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from iced_x86 import CpuidFeature, Mnemonic

from ...config import LEVELS, Level
from ...named import NamedTuple
from . import decode
from .analysis import Verdict
from .engine import Engine
from .marks import CALLBACK, ENTRY_POINT, METHOD
from .roots import Root
from .walk import Fault

_OF_LEVEL = {
    1: ("SSE3", "SSSE3", "SSE4_1", "SSE4_2", "POPCNT", "CMPXCHG16B"),
    2: ("AVX", "AVX2", "BMI1", "BMI2", "F16C", "FMA", "LZCNT", "MOVBE", "XSAVE"),
    3: ("AVX512F", "AVX512BW", "AVX512CD", "AVX512DQ", "AVX512VL"),
}
# Every x86-64 processor has them; or they do nothing where they are unknown.
_EVERYWHERE = frozenset(
    (
        *("INTEL8086", "INTEL8086_ONLY", "INTEL186", "INTEL286", "INTEL386", "INTEL486", "X64"),
        *("CMOV", "CPUID", "FPU", "FPU287", "FPU387", "FXSR", "MMX", "SSE", "SSE2", "CX8"),
        *("SYSCALL", "TSC", "PAUSE", "MULTIBYTENOP", "CLFSH", "RDPMC", "CET_IBT", "CET_SS"),
        *("PREFETCHW", "MSR", "SEP", "SMM", "RTM"),
    )
)
_NAMES = {value: name for name, value in vars(CpuidFeature).items() if isinstance(value, int)}
_LEVEL_OF = {name: level for level, names in _OF_LEVEL.items() for name in names}
_DISPATCH_NAMES = {"AVX512F": "AVX512F", "SSE4_1": "SSE41", "SSE4_2": "SSE42", "BMI1": "BMI1"}
_TESTS_OF_COMPILERS = frozenset(("__cpu_model", "__cpu_indicator_init", "__cpu_features2"))


class Need(NamedTuple):
    """The processor features that one routine needs."""

    function: int
    name: str
    level: str
    """The lowest level that has all of it; "beyond" for what no level has."""
    features: tuple[str, ...]
    """More than x86-64 itself, as PyCPU_ names them, sorted."""
    through: str
    """The routine it calls that needs them; empty when it is the routine itself."""
    at: int
    """An instruction that needs the most."""


def needs_of(engine: Engine, roots: dict[int, Root]) -> list[Need]:
    """Return what each function needs, with what it calls without a test, by address."""
    own = {start: _own_features(engine, start) for start in engine.scans}
    guards = {start for start in engine.scans if _tests_processor(engine, start)}
    needs = []
    for start, root in sorted(roots.items()):
        features: dict[str, tuple[int, int]] = {}
        for at in _reached(engine, start, guards):
            for feature, place in own.get(at, {}).items():
                features.setdefault(feature, (at, place))
        if not features:
            continue
        worst = max(features, key=_rank)
        routine, place = features[worst]
        through = "" if routine == start else engine.image.name(routine)
        needs.append(
            Need(
                *(start, root.name, level_name(_rank(worst))),
                *(tuple(sorted(_dispatch_name(name) for name in features)), through, place),
            )
        )
    return needs


def faults_of(verdict: Verdict, needs: list[Need], baseline: Level) -> Iterator[Fault]:
    """Yield a fault for each function that Python calls and that needs more than a baseline."""
    called = _called_by_python(verdict)
    for need in needs:
        missing = [
            name for name in need.features if _rank_of_dispatch(name) > LEVELS.index(baseline)
        ]
        if need.function in called and missing:
            who = f"{need.through}, which it calls," if need.through else "it"
            if need.through == need.name:  # a typed function and its routine
                who = "the routine of that name that it calls"
            what = (
                f"{need.name} is called on every processor, and {who} needs {' '.join(missing)}:"
                f" more than {baseline}, the declared baseline"
            )
            yield Fault("cpu-level", need.at, need.function, what, None)


def variant_of(verdict: Verdict, needs: list[Need]) -> list[str]:
    """Return the properties of a wheel variant that runs where these functions do.

    They are spelt as PEP 825 (a draft) and its provider for x86-64 spell them. What is reached
    through a test of the processor needs nothing.
    """
    called = _called_by_python(verdict)
    features = {name for need in needs if need.function in called for name in need.features}
    ranks = {name: _rank_of_dispatch(name) for name in features}
    level = max((rank for rank in ranks.values() if rank < len(LEVELS)), default=0)
    beyond = sorted(name.lower() for name, rank in ranks.items() if rank == len(LEVELS))
    return [
        f"x86_64 :: level :: v{level + 1}",
        *(f"x86_64 :: {name} :: on" for name in beyond),
    ]


def _called_by_python(verdict: Verdict) -> set[int]:
    called = {entry.function for entry in verdict.entries}
    return called | {s for s, root in verdict.roots.items() if root.role in _CALLED_BY_PYTHON}


_CALLED_BY_PYTHON = (METHOD, CALLBACK, ENTRY_POINT)


def _rank_of_dispatch(name: str) -> int:
    return _rank(next((own for own, other in _DISPATCH_NAMES.items() if other == name), name))


def level_name(rank: int) -> str:
    """Return the name of a level by its number; "beyond" for more than the last."""
    return LEVELS[rank] if rank < len(LEVELS) else "beyond"


def level_and_extensions(features: Iterable[int]) -> tuple[Level, tuple[str, ...]]:
    """Return the level that an instruction with these features needs, and what no level has."""
    names = {_NAMES[number] for number in features} - _EVERYWHERE
    rank = max((_LEVEL_OF[name] for name in names if name in _LEVEL_OF), default=0)
    return LEVELS[rank], tuple(sorted(name for name in names if name not in _LEVEL_OF))


def _rank(feature: str) -> int:
    return _LEVEL_OF.get(feature, len(LEVELS))


def _dispatch_name(feature: str) -> str:
    return _DISPATCH_NAMES.get(feature, feature)


def _own_features(engine: Engine, start: int) -> dict[str, int]:
    """Return the features that a routine's own instructions need, with one place each."""
    features: dict[str, int] = {}
    for at in sorted(engine.scans[start].instructions):
        found = engine.table.get(at)
        if found is None:
            continue
        # xgetbv is how one tests the processor: it stands behind cpuid.
        if found.operation.mnemonic == Mnemonic.XGETBV:
            continue
        for number in found.operation.features:
            name = _NAMES[number]
            if name not in _EVERYWHERE:
                features.setdefault(name, at)
    return features


def _tests_processor(engine: Engine, start: int) -> bool:
    for at in engine.scans[start].instructions:
        found = engine.table.get(at)
        if found is None:
            continue
        if found.operation.mnemonic == Mnemonic.CPUID:
            return True
        memory = found.operation.memory
        if memory is not None and memory.base == decode.RIP:
            name = engine.image.slots.get(memory.displacement)
            if name in _TESTS_OF_COMPILERS:
                return True
    return False


def _reached(engine: Engine, start: int, guards: set[int]) -> list[int]:
    """Return a routine and those that it calls or jumps to, up to the ones that test."""
    order, seen = [start], {start}
    for at in order:
        if at in guards:
            continue
        scan, walk = engine.scans.get(at), engine.walks.get(at)
        callees = (scan.callees if scan is not None else set()) | (
            walk.callees if walk is not None else set()
        )
        if any(callee in guards for callee in callees):
            continue  # what it does depends on the processor it found
        for callee in sorted(callees - seen):
            seen.add(callee)
            order.append(callee)
    return order

# mypy: ignore-errors
"""What a debug build counts: no call of `macros` or `typed` adds or takes a reference for good."""

from __future__ import annotations

import array
import contextlib
import gc
import sys

import macros
import typed

# They keep or wait on purpose; load's indexes are those of check_loads.
LEFT_OUT = {"hold", "drop", "sleep", "load", "wait", "wait_free"}
CALLS = 200
FEW = 20
"""References that Python's own caches may come to hold meanwhile; a leak is CALLS of them."""


class Index:
    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


THING = object()
ARGUMENTS = [
    *((), (1,), (THING,), (None,), (Index(5),), (Index(2**70),)),
    *(("x",), ("\udc80",), (b"",), (b"abc", bytearray(3)), (b"abc", b"abc")),
    *((array.array("d", [1, 2]),), (1, 2, 3), (1, 2, 3, 4, 5, 6, 7)),
]
WITH_KEYWORDS = [
    *(((1,), {"a": THING}), ((), {"a": THING, "b": 1}), ((1,), {"z": THING}), ((1, 2), {"b": 2})),
    *(((1,), {"value": 2}), ((), {"value": 2**70}), ((1, 2, 3, 4), {"e": 1, "\udc80": 3})),
]


def uses_of_the_type():
    counter = macros.Counter()
    return [
        lambda: macros.Counter().add(1),
        lambda: macros.Counter().add("1"),
        lambda: macros.Counter().twice,
        lambda: setattr(macros.Counter(), "callback", THING),
        lambda: setattr(macros.Counter(), "twice", 4),
        lambda: delattr(macros.Counter(), "twice"),
        lambda: memoryview(macros.Counter()).release(),
        *(getattr(counter, name) for name in ("defining_class", "cls", "static", "type")),
        *(getattr(typed.Box(), name) for name in ("put", "get", "add", "twice")),
    ]


def functions():
    for module in (macros, typed):
        for name in sorted(set(vars(module)) - LEFT_OUT):
            if callable(vars(module)[name]):
                yield vars(module)[name]


def repeat(function, args, kwargs, times):
    for _ in range(times):
        with contextlib.suppress(Exception):
            function(*args, **kwargs)


def growth(function, args, kwargs):
    """By how many references the calls change the total."""
    repeat(function, args, kwargs, 20)
    gc.collect()
    before = sys.gettotalrefcount()
    repeat(function, args, kwargs, CALLS)
    gc.collect()
    return sys.gettotalrefcount() - before


def check_totals():
    """Whether the arguments fit or not: errors have paths of their own."""
    gc.disable()
    cases = [
        *((each, (), {}) for each in uses_of_the_type()),
        *((each, args, {}) for each in functions() for args in ARGUMENTS),
        *((each, *given) for each in functions() for given in WITH_KEYWORDS),
    ]
    assert len(cases) > 1000
    grown = [(*case, growth(*case)) for case in cases]
    assert [each for each in grown if abs(each[-1]) > FEW] == []


if __name__ == "__main__":
    check_totals()

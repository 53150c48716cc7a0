# mypy: ignore-errors
"""References, buffers, memory and the GIL: typed functions give back all that they take."""

from __future__ import annotations

import array
import contextlib
import sys
import threading
from pathlib import Path

import pytest
import typed
from arguments import BadBool, BadIndex, Float, Index, raised


def exports(data):
    """Return whether something holds the bytearray's buffer."""
    try:
        data.append(0)
    except BufferError:
        return True
    data.pop()
    return False


def test_buffers_are_released_on_every_path():
    def fails(*args, **kwargs):
        with pytest.raises((TypeError, OverflowError, BufferError, LookupError)):
            typed.three(*args, **kwargs)

    a, b, c = bytearray(b"a"), bytearray(b"b"), bytearray(2)
    items = memoryview(c).cast("H")
    assert typed.three(a, b, items, 1) == 1111
    fails(a, b, items, "no int")
    fails(a, b, items, 2**31)
    fails(a, b, c, 1)
    fails(a, b, 1, 1)
    fails(a, b"read-only", items, 1)
    fails(a, 1, items, 1)
    fails(1, b, items, 1)
    fails(a, b, items)
    fails(a, b, items, 1, x=1)
    fails(a, b, items, BadIndex())
    items.release()
    assert not any(map(exports, (a, b, c)))
    assert exports(a) is False
    with memoryview(a):
        assert exports(a) is True


def counted(*objects):
    return [sys.getrefcount(each) for each in objects]


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("as_i64", (Index(10**15),), {}),
        ("as_u64", (Index(10**15),), {}),
        ("as_u32", (Index(2**40),), {}),
        ("as_u64", (Index(-1),), {}),
        ("as_i32", (BadIndex(),), {}),
        ("as_u32", (BadIndex(),), {}),
        ("as_double", (Float(1.5),), {}),
        ("as_bool", (BadBool(),), {}),
        ("as_object", (object(),), {}),
        ("convert_str", (Float(1.0),), {}),
        ("convert_str_2", (object(), Float(1.0)), {}),
        ("convert_writable", (Float(1.0),), {}),
        ("items_double", (bytearray(3),), {}),
        ("length", (Float(1.0),), {}),
        ("f", (object(), object()), {}),
        ("f", (), {"a": object(), "b": object()}),
        ("f", (object(),), {"b": object(), "x": object()}),
        ("f", (object(), object(), object()), {"b": object()}),
        ("l", (object(),), {"b": object()}),
        ("p", (object(),), {}),
        ("by_hand", (object(),), {"greeting": object()}),
        ("by_hand_positional", (object(), object(), object()), {}),
    ],
)
def test_references_are_given_back(name, args, kwargs):
    function = getattr(typed, name)
    objects = [*args, *kwargs.values(), *kwargs]
    before = counted(*objects)
    for _ in range(10):
        try:
            function(*args, **kwargs)
        except Exception as error:
            error.__traceback__ = None
    assert counted(*objects) == before


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal, and counted by nobody")
@pytest.mark.parametrize("function", [typed.nothing, typed.none_str])
def test_none_is_counted_where_it_is(function):
    before = sys.getrefcount(None)
    results = [function() for _ in range(1000)]
    added = sys.getrefcount(None) - before
    assert results == [None] * 1000
    del results
    # The test's own frames may come and go in between.
    assert abs(added - 1000) < 50
    assert abs(sys.getrefcount(None) - before) < 50


KEYWORDS_IN_ANOTHER_INTERPRETER = """
import typed
for _ in range(1000):
    assert typed.lengths(ab=2, a=1) == 12345678
    assert typed.lengths(1, 2, abcd=9, **{"".join(["a", "bc"]): 8}) == 12895678
    assert typed.by_hand(1, mark=3, greeting=2) == (1, 2, 3)
try:
    typed.lengths(1, 2, other=3)
except TypeError as error:
    assert "'other'" in str(error)
"""


def test_keywords_in_several_interpreters():
    """Names are other objects there, and the GIL another since 3.12."""
    interpreters = pytest.importorskip(
        "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    )
    code = f"import sys; sys.path[:] = {sys.path!r}\n{KEYWORDS_IN_ANOTHER_INTERPRETER}"
    errors = []

    def work():
        number = interpreters.create()
        try:
            if sys.version_info >= (3, 13):
                errors.extend(filter(None, [interpreters.exec(number, code)]))
            else:
                interpreters.run_string(number, code)
        finally:
            interpreters.destroy(number)

    # Before 3.12 there is one GIL, and a thread cannot run another's interpreter beside it.
    threads = [
        threading.Thread(target=work) for _ in range(4 if sys.version_info >= (3, 12) else 1)
    ]
    for thread in threads:
        thread.start()
        exec(KEYWORDS_IN_ANOTHER_INTERPRETER, {})  # noqa: S102
    for thread in threads:
        thread.join()
    assert errors == []


def resident():
    """Bytes of memory the process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def test_a_million_calls_leave_no_memory_behind():
    data = bytearray(100)
    numbers = array.array("d", range(10))

    def calls(count):
        for _ in range(count):
            typed.order(1, 10**9, c=10**12, e=10**15)
            typed.as_u64(2**63)
            typed.as_double(1.5)
            typed.as_str("some text")
            typed.as_bytes(data)
            typed.scale(numbers, factor=1.0)
            typed.fill(data, byte=1)
            typed.default_str()

    def failures(count):
        for _ in range(count):
            with contextlib.suppress(TypeError):
                typed.order(1, c=10**12, x=3, e=10**15)
            with contextlib.suppress(TypeError):
                typed.three(data, data, data, 1)
            with contextlib.suppress(TypeError):
                typed.convert_str(data)

    calls(20_000)
    failures(5_000)
    before = resident()
    calls(125_000)
    failures(30_000)
    assert resident() - before < 2**20


@pytest.mark.parametrize("name", ["wait", "wait_free"])
def test_gil(name):
    """A routine that waits for another thread goes on only if it has released the GIL."""
    flag = bytearray(1)
    started = threading.Event()

    def raise_flag():
        started.wait()
        flag[0] = 1

    thread = threading.Thread(target=raise_flag)
    thread.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        started.set()
        # Without the GIL released, it waits in vain.
        seen = getattr(typed, name)(flag, 2**24 if name == "wait_free" else 2**16)
    finally:
        sys.setswitchinterval(interval)
        thread.join()
    assert seen or name == "wait"


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("f", (1,), {"x": 2}),
        ("f", (1, 2, 3), {"b": 1}),
        ("l", (1,), {}),
        ("p", (1,), {}),
        ("convert_str", (1,), {}),
        ("convert_str", (...,), {}),
        ("convert_writable", (b"",), {}),
        ("items_double", (b"12345678",), {}),
        ("as_i32", (2**40,), {}),
        ("as_u32", (2**40,), {}),
        ("as_u64", (Index(2**63),), {}),
        ("as_cstr", ("a\0",), {}),
        ("as_bytes", (b"x" * 100,), {}),
        ("as_str", ("x" * 100,), {}),
        ("as_double", (1.25,), {}),
    ],
)
def test_every_allocation_fails_once(name, args, kwargs):
    testcapi = pytest.importorskip("_testcapi")
    function = getattr(typed, name)

    def outcome(first):
        try:
            testcapi.set_nomemory(first, first + 1)
            try:
                result = function(*args, **kwargs)
            finally:
                testcapi.remove_mem_hooks()
        except Exception as error:
            return type(error)
        return result

    last = outcome(1000)
    _floats = [each + 0.5 for each in range(500)]  # so many that none is left to be used again
    outcomes = [outcome(first) for first in range(40)]
    assert MemoryError in outcomes
    assert all(each is MemoryError or each == last for each in outcomes)


def test_threads():
    """Typed functions have no state of their own."""
    errors = []

    def work(number):
        data = bytearray(64)
        for i in range(2000):
            typed.fill(data, number)
            if (
                data != bytes([number]) * 64
                or typed.order(1, c=number, e=i) != 12045 + 100 * number + i - 5
            ):
                errors.append((number, i))
            if "takes no" in raised(typed.as_str, i):
                errors.append(i)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_free_threading_stays():
    if hasattr(sys, "_is_gil_enabled") and not sys.flags.gil:
        assert not sys._is_gil_enabled()

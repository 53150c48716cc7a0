"""What the module `macros` must do. Runs in each interpreter: `python check_macros.py [NAME ...]`."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import weakref

import macros
from isolated import run_isolated

FREE_THREADED = hasattr(sys, "_is_gil_enabled") and "free-threading" in sys.version
IMMORTAL = sys.version_info >= (3, 12)


def raises(error, message, function, *arguments):
    caught = None
    try:
        function(*arguments)
    except error as raised:
        caught = raised
    assert type(caught) is error, repr(caught)
    assert caught.args[0] == message, caught.args


def check_module():
    assert macros.__doc__ == "Every macro of python.inc.\nAnd no more."
    assert (macros.ANSWER, macros.NEGATIVE, macros.NAME, macros.LAST) == (42, -1, "macros", 1)
    assert (macros.LEAST, macros.MOST) == (-(1 << 63), (1 << 63) - 1)
    assert macros.__name__ == "macros"


def check_gil_stays_off():
    if FREE_THREADED:
        assert not sys._is_gil_enabled()


def check_doc():
    assert macros.none.__doc__ == "Return None."
    assert macros.none.__text_signature__ == "($module, /)"
    assert macros.plain.__doc__ == "Written without PyFunction."
    assert macros.true.__doc__ is None


def check_singletons():
    assert macros.none() is None
    assert macros.plain() is None
    assert macros.true() is True
    assert macros.false() is False


def check_singletons_are_counted_where_they_are():
    if IMMORTAL:
        return  # nothing counts them: no mistake could show
    for thing, function in ((None, macros.none), (True, macros.true), (False, macros.false)):
        before = sys.getrefcount(thing)
        results = [function() for _ in range(1000)]
        assert abs(sys.getrefcount(thing) - before - 1000) < 10
        del results
        assert abs(sys.getrefcount(thing) - before) < 10


def check_calling_conventions():
    assert macros.self() is macros
    thing = object()
    assert macros.one(thing) is thing
    assert macros.positional(1, thing) == (1, thing)
    assert macros.keyworded(1) is None
    assert macros.keyworded(1, a=thing) == {"a": thing}
    assert macros.fast_last(1, 2, thing) is thing
    assert macros.fast_names(1) is None
    assert macros.fast_names(1, b=2, c=3) == ("b", "c")
    counter = macros.Counter()
    assert counter.defining_class() is macros.Counter
    assert type("Derived", (macros.Counter,), {})().defining_class() is macros.Counter
    assert macros.Counter.cls() is macros.Counter
    assert macros.Counter.static(thing) is thing


def check_tail_call():
    assert macros.tail("12") == 12
    raises(ValueError, "invalid literal for int() with base 10: 'x'", macros.tail, "x")


def check_loads():
    assert [macros.load(index) for index in range(3)] == [Ellipsis, int, ValueError]
    assert [macros.is_none(thing) for thing in (None, 0)] == [True, False]


def check_errors():
    raises(ValueError, "1 -2 3 100%", macros.fail)
    raises(KeyError, "[5] 7 -1 9", macros.fail_with_four, [5])
    raises(ValueError, "1 2", macros.fail_from_memory)
    raises(RuntimeError, "no value", macros.fail_plainly)
    own = type("Own", (Exception,), {})
    raises(own, f"{own!r} 5", macros.own_exception, own)
    raises(own, "plain", macros.own_exception_in_memory, own)
    raises(TypeError, "fast_last() takes at least one argument", macros.fast_last)


def check_vectors():
    assert macros.build() == 3.25


def check_frames():
    assert macros.alignment() == 0
    assert macros.keeps() is True
    assert macros.pushed("a") == ("a", "a")


def check_references():
    thing = object()
    before = sys.getrefcount(thing)
    macros.hold(thing)
    assert sys.getrefcount(thing) == before + 1
    macros.drop(thing)
    assert sys.getrefcount(thing) == before
    for function in (macros.hold_and_drop, macros.one, macros.is_none):
        for _ in range(100):
            function(thing)
        assert sys.getrefcount(thing) == before, function


def check_last_reference():
    class Witness:
        pass

    thing = Witness()
    alive = weakref.ref(thing)
    macros.hold(thing)
    del thing
    gc.collect()
    assert alive() is not None
    thing = alive()
    macros.drop(thing)
    del thing
    assert alive() is None


def check_singletons_are_not_lost():
    if IMMORTAL:
        return  # nothing counts them: no mistake could show
    before = {thing: sys.getrefcount(thing) for thing in (None, True, False)}
    for _ in range(1000):
        macros.none(), macros.true(), macros.false()
        macros.hold(None), macros.drop(None)
        macros.hold_and_drop(True)
    after = {thing: sys.getrefcount(thing) for thing in before}
    assert all(abs(after[thing] - before[thing]) < 50 for thing in before), (before, after)


def check_buffers():
    assert macros.first(b"a") == 97
    assert macros.first(memoryview(b"xyz")[1:]) == 121
    raises(ValueError, "empty buffer", macros.first, b"")
    raises(TypeError, "a bytes-like object is required, not 'int'", macros.first, 1)
    target = bytearray(3)
    assert macros.copy(b"abc", target) is None
    assert target == b"abc"


def check_buffers_are_released():
    source, target = bytearray(b"abc"), bytearray(3)
    raises(ValueError, "3 bytes into 2", macros.copy, source, bytearray(2))
    raises(TypeError, "a bytes-like object is required, not 'int'", macros.copy, 1, target)
    raises(TypeError, "a bytes-like object is required, not 'int'", macros.copy, source, 1)
    raises(BufferError, "Object is not writable.", macros.copy, source, b"abc")
    raises(TypeError, "copy() takes 2 arguments (1 given)", macros.copy, source)
    macros.copy(source, target)
    macros.first(source)
    raises(ValueError, "empty buffer", macros.first, bytearray())
    source.clear()  # BufferError if a buffer of it were still out
    target.clear()


def check_gil_is_released():
    # Who holds the lock keeps it until it gives it away: then nobody else can get in between.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        assert any(another_thread_ran_meanwhile() for _ in range(50))
    finally:
        sys.setswitchinterval(interval)


def another_thread_ran_meanwhile():
    order = []
    started = threading.Event()

    def sleeps():
        started.set()
        macros.sleep()
        order.append("awake")

    thread = threading.Thread(target=sleeps)
    thread.start()
    started.wait()
    order.append("here")
    thread.join()
    return order == ["here", "awake"]


def check_dispatch():
    assert macros.level() in range(4)
    assert macros.level() == macros.level()
    assert (macros.add_six(), macros.add_six()) == (21, 21)


def check_newer_names():
    assert macros.newer() == (314 if sys.version_info >= (3, 14) else 310)


def check_type():
    counter = macros.Counter()
    counter.add(5)
    counter.add(-1)
    assert (counter.value, counter.twice, counter.thrice) == (4, 8, 12)
    assert macros.Counter.__doc__ == "Counts."
    assert macros.Counter.__module__ == "tests.macros"
    assert macros.Counter.__name__ == macros.Counter.__qualname__ == "Counter"
    assert counter.type() is macros.Counter
    counter.twice = 20
    assert counter.value == 10
    raises(TypeError, "cannot delete twice", delattr, counter, "twice")
    raises(TypeError, "'str' object cannot be interpreted as an integer", counter.add, "1")
    for readonly in ("value", "thrice"):
        try:
            setattr(counter, readonly, 1)
        except AttributeError:
            continue
        raise AssertionError(f"{readonly} was set")
    assert isinstance(macros.Plain(), macros.Plain)


def check_type_is_a_buffer():
    counter = macros.Counter()
    counter.add(0x0102)
    with memoryview(counter) as view:
        assert bytes(view) == b"\x02\x01" + bytes(6)
        view[2] = 3
    assert counter.value == 0x030102


def check_collection():
    class Derived(macros.Counter):
        pass

    class Witness:
        pass

    for kind in (macros.Counter, Derived):
        witness = Witness()
        alive = weakref.ref(witness)
        cycle = kind()
        cycle.callback = [cycle, witness]
        del cycle, witness
        gc.collect()
        assert alive() is None
        witness = Witness()
        alive = weakref.ref(witness)
        owner = kind()
        owner.callback = witness
        del owner, witness
        assert alive() is None
        gc.collect()


def check_types_are_collected():
    """Objects keep their type alive, and give it back."""
    gc.collect()
    before = sys.getrefcount(macros.Counter)
    many = [macros.Counter() for _ in range(100)]
    del many
    gc.collect()
    assert sys.getrefcount(macros.Counter) == before


def check_constant_memory():
    """A million calls, on every path, leave nothing behind."""
    target = bytearray(3)
    thing = object()

    def calls(rounds):
        for _ in range(rounds):
            macros.none()
            macros.one(thing)
            macros.hold_and_drop(thing)
            macros.copy(b"abc", target)
            counter = macros.Counter()
            counter.add(1)
            _ = counter.twice
            counter.callback = thing
            with contextlib.suppress(ValueError):
                macros.first(b"")
            with contextlib.suppress(BufferError):
                macros.copy(b"abc", b"abc")

    calls(20_000)
    before = resident()
    calls(100_000)
    # The pages of Python's own arenas come and go; a leaked object a call would be 16 MB.
    assert resident() - before < 2 << 20


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def check_threads():
    counter = macros.Counter()
    thing = object()
    before = sys.getrefcount(thing)

    def work():
        for _ in range(20_000):
            counter.add(1)
            macros.hold(thing)
            macros.hold_and_drop(thing)
            macros.drop(thing)
            macros.first(b"abc")
            macros.Counter()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.value == 80_000
    assert sys.getrefcount(thing) == before


def check_subinterpreters():
    code = "import macros; assert macros.true() is True; assert macros.Counter().value == 0"
    for _ in range(3):
        run_isolated(code)
    assert macros.true() is True


if __name__ == "__main__":
    for name in sys.argv[1:] or [each for each in globals() if each.startswith("check_")]:
        globals()[name]()

# mypy: ignore-errors
"""What functions with ``*rest``, with sequences, and methods in shared slots do when they are called."""

from __future__ import annotations

import array
import contextlib
import gc
import struct
import sys

import more


def refused(error, text, call, *arguments, **keywords):
    try:
        raise AssertionError(call(*arguments, **keywords))
    except error as raised:
        said = str(raised)
    assert text in said, said


def check_rest():
    assert [more.total(5), more.total(5, "a", None)] == [5, 7]
    assert [more.none(), more.none(1, 2)] == [0, 2]
    assert [more.opt(), more.opt(1), more.opt(1, 2), more.opt(1, 2, 3, 4)] == [570, 170, 120, 122]
    assert more.many(1, 2, 3, 4, 5, 6, 7) == 7
    refused(TypeError, "at least 1 argument, got 0", more.total)
    refused(TypeError, "at least 5 arguments, got 1", more.many, 1)
    refused(TypeError, "takes no keyword arguments", more.total, first=1)
    refused(TypeError, "", more.total, "a", 1)
    assert more.total.__text_signature__ == "($module, first, /, *rest)"
    assert more.none.__text_signature__ == "($module, /, *rest)"
    assert [more.g(1), more.g(1, 2), more.g(1, 2, 3, 4)] == [0, 0, 2]
    assert [more.every(), more.every(1, 2, 3)] == [0, 3]
    refused(TypeError, "at least 1 argument, got 0", more.g)


def check_keywords_behind_rest():
    p = more.pick
    assert [p(), p(1), p(1, "x"), p(1, "x", "y", at=1)] == [None, None, "x", "y"]
    assert [p(other=3), p(1, at=0, other=3), p(1, *"abc", other=4, at=2)] == [3, 3, "c"]
    assert [p(1, "a", "b", other=7, at=at) for at in range(3)] == ["a", "b", 7]
    assert [more.need(last=1), more.need(7, 8, last=1), more.need(7, scale=0.5, last=-1)] == [
        2,
        6,
        0,
    ]
    assert more.buffers(b"12", 0, 0, 0, b=b"1234") == 4432
    assert more.buffers(b"12", c="ab", b=b"") == 2002
    assert more.stacked("a", "b", c=1, d=b"12") == 9201
    assert more.stacked("a", "b", 3, 4, 5, e=4, d=b"12", c=1) == 4231
    refused(TypeError, "'last'", more.need)
    refused(TypeError, "'last'", more.need, 1, 2)
    refused(TypeError, "'last'", more.need, 1, scale=2)
    refused(TypeError, "more", more.need, 1, last=2, more=3)
    refused(TypeError, "at least 1 argument, got 0", more.buffers, b=b"")
    refused(TypeError, "at least 2 arguments, got 1", more.stacked, "a", c=1, d=b"")
    refused(TypeError, "", more.pick, a=1)
    refused(TypeError, "", more.pick, 1, 2, a=1)
    refused(TypeError, "", more.buffers, b"", 1, 2, b=3)
    refused(OverflowError, "", more.need, last=2**63)
    assert more.pick.__text_signature__ == "($module, a=5, /, *rest, at=0, other=None)"
    assert more.need.__text_signature__ == "($module, /, *rest, last, scale=2)"


def check_sequences():
    assert [more.sumi([1, 2, 3]), more.sumi((4,)), more.sumi([]), more.sumi(range(10))] == [
        6,
        4,
        0,
        45,
    ]
    assert more.sumi([True, 2**63 - 1, -(2**63)]) == 0
    assert [more.sumb(), more.sumb(None), more.sumb([255, 1])] == [0, 0, 256]
    assert [more.sumf([1, 2.5], 2), more.sumf([-1.0]), more.sumf(values=())] == [7.0, -1.0, 0.0]
    assert more.sumh([1, -2], [3, 4.5]) == 6
    refused(TypeError, "'values' must be sequence of numbers, not int", more.sumi, 5)
    refused(TypeError, "cannot be interpreted as an integer", more.sumi, [1.5])
    refused(TypeError, "cannot be interpreted as an integer", more.sumi, "12")
    refused(TypeError, "must be real number", more.sumf, [1, "a"])
    refused(OverflowError, "", more.sumi, [2**63])
    refused(OverflowError, "", more.sumb, [-1])
    refused(OverflowError, "does not fit the type of the items", more.sumb, [256])
    refused(OverflowError, "does not fit the type of the items", more.sumh, [-32769], [])
    refused(TypeError, "'more' must be sequence of numbers, not int", more.sumh, [1], 3)
    refused(TypeError, "must be sequence of numbers or None, not float", more.sumb, 1.5)
    refused(ZeroDivisionError, "", more.sumi, (1 // n for n in (1, 0)))

    class Shrinking:
        def __index__(self):
            numbers.clear()
            return 1

    numbers = [Shrinking(), 2, 3]
    refused(IndexError, "", more.sumi, numbers)


def check_shapes():
    matrix = memoryview(struct.pack("6d", *range(1, 7))).cast("B").cast("d", (2, 3))
    column = memoryview(bytearray(24)).cast("d", (3, 1))
    assert (more.shape(matrix), more.c(matrix)) == ((2, 3, 24, 8), (2, 3))
    assert more.f(column) == (3, 1)
    numbers = memoryview(array.array("i", [1, 2, 3, 4]))
    assert (more.strided(numbers), more.strided(numbers[::2], 1)) == (30, 4)
    assert (more.strided(numbers[::-1]), more.strided(numbers[1::2])) == (30, 18)
    assert (more.absent(), more.absent(None, None), more.absent(matrix) != 0) == (0, 0, True)
    assert more.two(1, matrix, matrix) == 26.0
    refused(TypeError, "bytes-like object is required", more.shape, [1])
    refused(TypeError, "'a' must be a buffer of f64 items, not of", more.shape, numbers)
    line = memoryview(bytearray(16)).cast("d")
    refused(TypeError, "'a' must be a buffer of 2 dimensions, not 1", more.shape, line)
    refused(BufferError, "", more.f, matrix)


def check_shapes_of_any_order():
    try:
        from _testbuffer import ND_FORTRAN, ND_WRITABLE, ndarray
    except ImportError:
        return
    c = ndarray([float(n) for n in range(6)], shape=[2, 3], format="d")
    flags = ND_FORTRAN | ND_WRITABLE
    f = ndarray([float(n) for n in range(6)], shape=[2, 3], format="d", flags=flags)
    assert (more.shape(c), more.shape(f)) == ((2, 3, 24, 8), (2, 3, 8, 16))
    assert more.shape(c[::-1, ::2]) == (2, 2, -24, 16)
    assert (more.c(c), more.f(f)) == ((2, 3), (2, 3))
    refused(BufferError, "not C-contiguous", more.c, f)
    refused(BufferError, "not C-contiguous", more.c, c[:, ::2])
    refused(BufferError, "not writable", more.f, c)


def check_comparisons():
    v = more.Vector(7)
    assert (v == 7, v == 8, v != 7, v != 8, v == 7) == (True, False, False, True, True)
    assert (v == "a", v != "a", v < 8, v < 7, v < 6) == (False, True, True, False, False)
    refused(TypeError, "'>' not supported", lambda: v > 5)
    refused(TypeError, "'<' not supported", lambda: v < "a")
    refused(OverflowError, "", lambda: v == 2**70)
    refused(TypeError, "unhashable", hash, v)


def check_operators():
    v = more.Vector(7)
    assert (v + 1, 10 + v, 20 - v, v * 2.5, v**3) == (8, 3, 13, 17.5, 10)
    refused(TypeError, "unsupported operand", lambda: v + "a")
    refused(TypeError, "concatenate", lambda: "a" + v)
    refused(TypeError, "unsupported operand", lambda: v - 1)
    refused(TypeError, "", lambda: v * "a")
    refused(TypeError, "", lambda: pow(v, 3, 5))
    same = v
    v += 5
    assert v is same
    assert v.x == 12

    class Sub(more.Vector):
        def __add__(self, other):
            return "sub", super().__add__(other)

    assert (Sub(1) + 1, 1 + Sub(1), Sub(1) == 1, Sub(1) != 1) == (("sub", 2), 0, True, False)


def check_items():
    v, dumb = more.Vector(7), more.Dumb()
    v[3] = 4
    assert v.x == 304
    del v[9]
    assert v.x == -9
    refused(TypeError, "", v.__setitem__, "a", 1)
    refused(TypeError, "", v.__setitem__, 1, "a")
    refused(TypeError, "", v.__delitem__, "a")
    dumb["a"] = 1
    refused(TypeError, "'Dumb' object does not support item deletion", dumb.__delitem__, "a")


def check_what_is_inherited():
    table, emptied, number = more.Table(a=1), more.Emptied(a=1), more.Number(5)
    table["b"] = 2
    assert (table, table == {"a": 1}, table != 3) == ({"a": 1}, True, True)
    del table["a"]
    emptied["b"] = 2
    del emptied["a"]
    assert (table, emptied) == ({}, {"a": 1, "b": 2})
    refused(KeyError, "a", table.__delitem__, "a")
    assert (number == 5, number != 5, number > 7, number < 3) == (True, False, False, True)
    assert (hash(number), {number: 1}[5]) == (5, 1)
    refused(TypeError, "unhashable", hash, table)

    looked = more.Looked(more.Table, table)
    assert (looked.keys(), looked.abc) == (table.keys(), 3)


class Derived(more.Best):
    def __hash__(self):
        return super().__hash__() + 1

    def __lt__(self, other):
        return "derived", super().__lt__(other)

    def __delattr__(self, name):
        super().__delattr__(name)

    def __setattr__(self, name, value):
        super().__setattr__(name, value)


def check_what_is_inherited_in_a_module():
    best, derived = more.Best(), Derived()
    assert (best < 5, best < -5, best > 5, best == best) == (True, False, True, True)
    assert ((derived < 5), derived > 5, derived == best) == (("derived", True), True, False)
    assert {best: 1, more.Ranked(): 2}[best] == 1
    assert hash(derived) == object.__hash__(derived) + 1
    refused(TypeError, "'>=' not supported", lambda: best >= 5)
    derived.anything = best.anything = 5
    del derived.anything, best.anything
    assert not hasattr(derived, "anything")


def check_what_descriptors_inherit():
    cleared = more.Cleared()

    class Owner:
        field = cleared

    owner = Owner()
    owner.field = 3
    assert cleared.x == 3
    del owner.field
    assert cleared.x == -1
    refused(AttributeError, "__delete__", more.Field().__delete__, owner)


def check_attributes():
    thing, closed = more.Open(), more.Closed()
    thing.x = 5
    assert (thing.x, thing.abc, thing.__class__) == (5, 3, more.Open)
    refused(AttributeError, "_abc", getattr, thing, "_abc")
    refused(TypeError, "", setattr, thing, "x", "a")
    del_x = more.Open.__delattr__  # Python's own, as there is no other
    refused(AttributeError, "", del_x, thing, "abc")
    assert (closed.x, closed.abc, hasattr(closed, "_")) == (1, 3, False)
    del closed.anything
    assert more.Closed.x.__get__(closed) == -1
    closed_x = more.Closed.__setattr__
    closed_x(closed, "x", 4)
    assert more.Closed.x.__get__(closed) == 4


def check_descriptors():
    kept, deleted = more.Property(), more.Deleted()

    class Owner:
        value, other = kept, deleted

    owner = Owner()
    assert (owner.value is owner, Owner.value) == (True, None)
    owner.value = 7
    assert kept.x == 7
    refused(TypeError, "", setattr, owner, "value", "a")
    refused(AttributeError, "__delete__", delattr, owner, "value")
    del owner.other
    assert deleted.x == -1
    refused(AttributeError, "__set__", setattr, owner, "other", 1)


def check_awaiting():
    ended = []

    async def work():
        async for each in more.Awaited():
            ended.append((each, await more.Awaited()))
            break

    refused(StopIteration, "", work().send, None)
    assert ended == [(None, None)]
    counts = sys.getrefcount(more.Awaited)
    for _ in range(100):
        check_attributes()
    assert sys.getrefcount(more.Awaited) == counts


def check_static():
    assert (more.Vector.twice(4), more.Vector(1).twice(a=5), more.Vector.nothing()) == (8, 10, 42)
    assert more.Vector.twice.__text_signature__ == "(a)"
    assert more.Vector.nothing.__text_signature__ == "()"


def check_leaks():
    v, thing, shared = more.Vector(1), object(), memoryview(bytes(48)).cast("d", (2, 3))

    def work():
        assert (v == thing) is False
        assert v != 3
        assert more.total(1, thing, thing) == 3
        assert more.sumi([1, 2]) == 3
        v[1] = 2
        for buffer in (shared, shared.cast("B")):
            with contextlib.suppress(TypeError):
                more.shape(buffer)
        check_what_is_inherited_in_a_module()
        for wrong in (lambda: v + thing, lambda: more.sumi([1, thing]), lambda: more.sumf(thing)):
            refused(TypeError, "", wrong)

    work()
    gc.collect()
    counted = [thing, more.Vector, more.sumi]
    before = [sys.getrefcount(each) for each in counted]
    blocks = sys.getallocatedblocks()
    for _ in range(1000):
        work()
    gc.collect()
    assert [sys.getrefcount(each) for each in counted] == before
    assert sys.getallocatedblocks() - blocks < 100


for name, check in list(globals().items()):
    if name.startswith("check_"):
        check()

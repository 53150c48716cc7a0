"""The sum of products against Python's own, and what callers may get wrong."""

from __future__ import annotations

import array
import operator
import sys

import pytest
from mixed import dot


def doubles(values):
    return array.array("d", values)


@pytest.mark.parametrize("size", [*range(20), 31, 32, 33, 1000, 100_003])
def test_small_integers_are_exact(size):
    a = doubles((i * 7919) % 2001 - 1000 for i in range(size))
    b = doubles((i * 104_729) % 2003 - 1000 for i in range(size))
    assert dot(a, b) == sum(map(operator.mul, a, b))


def test_any_buffer_of_doubles():
    a = doubles([1.0, 2.0, 3.0])
    assert dot(memoryview(a)[1:], memoryview(a)[1:]) == 13.0


def test_not_a_number():
    assert dot(doubles([float("inf")]), doubles([0.0])) != 0.0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((), TypeError, "dot() takes 2 arguments (0 given)"),
        ((doubles([1]), doubles([1, 2])), ValueError, "1 numbers and 2"),
        ((b"12345678", doubles([1])), TypeError, "need a buffer of doubles ('d'), not of 'B'"),
        (
            (doubles([1]), array.array("f", [1])),
            TypeError,
            "need a buffer of doubles ('d'), not of 'f'",
        ),
        ((doubles([1]), 1), TypeError, "a bytes-like object is required, not 'int'"),
        (
            (memoryview(doubles([1, 2, 3]))[::2], doubles([1, 2])),
            BufferError,
            "memoryview: underlying buffer is not C-contiguous",
        ),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error) as caught:
        dot(*arguments)
    assert str(caught.value) == message


def test_buffers_are_released():
    a, b = doubles([1.0]), doubles([1.0, 2.0])
    dot(a, a)
    with pytest.raises(ValueError, match="numbers"):
        dot(a, b)
    with pytest.raises(TypeError):
        dot(a, 1)
    a.append(0.0)  # BufferError if one were still out
    b.append(0.0)


def test_references():
    a = doubles([1.0])
    before = sys.getrefcount(a)
    for _ in range(1000):
        dot(a, a)
    assert sys.getrefcount(a) == before

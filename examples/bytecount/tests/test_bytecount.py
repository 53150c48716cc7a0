"""The counts against Python's own."""

from __future__ import annotations

import os
import random

import pytest
from bytecount import count_all, count_byte


@pytest.mark.parametrize("size", [*range(40), 255, 256, 257, 100_003])
def test_counts(size):
    data = random.Random(size).randbytes(size)
    assert [count_byte(data, value) for value in range(256)] == [data.count(v) for v in range(256)]
    assert count_all(data) == [data.count(value) for value in range(256)]


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255])
def test_more_equal_bytes_than_a_byte_holds(value):
    assert count_byte(bytes([value]) * 10_000, value) == 10_000


@pytest.mark.parametrize("value", [-1, 256])
def test_values_that_are_no_byte(value):
    with pytest.raises(ValueError, match="from 0 to 255"):
        count_byte(b"", value)


def test_the_file_and_its_header_are_named_for_no_python():
    import bytecount

    folder = os.listdir(os.path.dirname(bytecount.__file__))
    assert {"libbytecount.so", "bytecount.h"} <= {*folder}

"""The checksum against its definition, and what callers may get wrong."""

from __future__ import annotations

import array
import hashlib
import sys
import threading

import pytest
from crc32c import crc32c


def noise(size):
    return hashlib.shake_128(b"crc32c").digest(size)


def by_definition(data, value=0):
    """One bit at a time."""
    value ^= 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "value"),
    [
        # RFC 3720, appendix B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        # the check value of the catalogues of checksums
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_published_values(data, value):
    assert crc32c(data) == value


# Around each boundary of the kernel: 8 bytes, and blocks of 3 * 64, 3 * 512 and 3 * 4096.
@pytest.mark.parametrize("size", [*range(18), 191, 192, 193, 1535, 1536, 1737, 12287, 12288, 14025])
def test_every_path_of_the_kernel(size):
    data = noise(size + 7)
    for offset in (0, 1, 7):
        view = memoryview(data)[offset : offset + size]
        assert crc32c(view) == by_definition(view)


def test_in_pieces():
    data = noise(200_000)
    whole = crc32c(data)
    for cut in (0, 1, 65_535, 65_536, 100_003, 200_000):
        assert crc32c(data[cut:], crc32c(data[:cut])) == whole


def test_any_buffer():
    values = array.array("d", [1.5, -2.0])
    assert crc32c(values) == crc32c(values.tobytes()) == crc32c(bytearray(values.tobytes()))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((), TypeError, "crc32c() takes 1 or 2 positional arguments but 0 were given"),
        ((b"", 0, 0), TypeError, "crc32c() takes 1 or 2 positional arguments but 3 were given"),
        (("text",), TypeError, "a bytes-like object is required, not 'str'"),
        ((b"", "0"), TypeError, "an integer is required"),
        ((b"", -1), OverflowError, "can't convert negative value to unsigned int"),
        ((b"", 1 << 32), OverflowError, "value does not fit into 32 bits"),
        ((b"", 1 << 64), OverflowError, "Python int too large to convert to C unsigned long"),
        (
            (memoryview(b"abcd")[::2],),
            BufferError,
            "memoryview: underlying buffer is not C-contiguous",
        ),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error) as caught:
        crc32c(*arguments)
    assert type(caught.value) is error
    if "integer" not in message and "convert" not in message:  # CPython's own words vary
        assert str(caught.value) == message


def test_buffers_are_released():
    data = bytearray(100_000)
    crc32c(data)
    with pytest.raises(OverflowError):
        crc32c(data, 1 << 32)
    data.clear()  # BufferError if one were still out


def test_references():
    data = noise(10)
    before = sys.getrefcount(data)
    for _ in range(1000):
        crc32c(data)
    assert sys.getrefcount(data) == before


def test_threads():
    data = noise(1_000_000)
    expected = crc32c(data)
    results = []
    threads = [threading.Thread(target=lambda: results.append(crc32c(data))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 8


def test_free_threading_stays():
    if "free-threading" in sys.version:
        assert not sys._is_gil_enabled()


def test_signature():
    assert crc32c.__text_signature__ == "($module, data, value=0, /)"

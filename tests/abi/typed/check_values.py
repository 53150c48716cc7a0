# mypy: ignore-errors
"""Values that typed functions take and return, inside each interpreter: test_typed.py runs this with its pytest."""

from __future__ import annotations

import array
import gc
import inspect
import struct

import pytest
import typed
from arguments import BadBool, BadIndex, Float, Index, raised

INT = -(2**31), 2**31 - 1
UINT = 0, 2**32 - 1
LONG = -(2**63), 2**63 - 1
ULONG = 0, 2**64 - 1


@pytest.mark.parametrize(
    ("name", "borders"),
    [
        ("as_i32", INT),
        ("as_u32", UINT),
        ("as_i64", LONG),
        ("as_u64", ULONG),
        ("free_i64", LONG),
        ("free_u32", UINT),
    ],
)
def test_integers(name, borders):
    function = getattr(typed, name)
    lowest, highest = borders
    for value in {lowest, lowest + 1, -1, 0, 1, 255, 2**31, 2**32 - 1, highest - 1, highest}:
        if lowest <= value <= highest:
            assert function(value) == value
            assert function(Index(value)) == value
    assert function(True) == 1
    for value in (lowest - 1, highest + 1, -(2**64), 2**64, 2**200, -(2**200)):
        with pytest.raises(OverflowError):
            function(value)
        with pytest.raises(OverflowError):
            function(Index(value))


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("as_i32", 2**31, "Python int too large to convert to C int"),
        ("as_i32", -(2**200), "Python int too large to convert to C int"),
        ("as_i64", 2**63, "Python int too large to convert to C long"),
        ("as_u32", 2**32, "Python int too large to convert to C unsigned int"),
        ("as_u32", -1, "can't convert negative value to unsigned int"),
        ("as_u64", 2**64, "Python int too large to convert to C unsigned long"),
        ("as_u64", -1, "can't convert negative value to unsigned int"),
    ],
)
def test_overflow_in_words(name, value, error):
    assert raised(getattr(typed, name), value) == f"OverflowError: {error}"


@pytest.mark.parametrize("name", ["as_i32", "as_u32", "as_i64", "as_u64"])
def test_what_is_no_integer(name):
    function = getattr(typed, name)
    text = "TypeError: '{}' object cannot be interpreted as an integer"
    assert raised(function, 1.0) == text.format("float")
    assert raised(function, "1") == text.format("str")
    assert raised(function, None) == text.format("NoneType")
    assert raised(function, BadIndex()) == "LookupError: no index"


@pytest.mark.parametrize("name", ["as_double", "as_f64", "as_float", "free_double"])
def test_double(name):
    function = getattr(typed, name)
    for value in (0.0, -0.0, 1.5, -1.0, 5e-324, 1.7976931348623157e308, float("inf")):
        assert struct.pack("d", function(value)) == struct.pack("d", value)
    assert str(function(float("nan"))) == "nan"
    assert function(3) == 3.0
    assert function(-1) == -1.0
    assert function(True) == 1.0
    assert function(Float(2.5)) == 2.5
    assert function(Float(-1.0)) == -1.0
    assert function(Index(7)) == 7.0
    assert raised(function, "1.0") == "TypeError: must be real number, not str"
    assert raised(function, 10**400) == "OverflowError: int too large to convert to float"


@pytest.mark.parametrize("name", ["as_f32", "free_float"])
def test_float(name):
    function = getattr(typed, name)
    for value in (0.0, 1.5, -1.0, 0.1, 1e-45, 3.4028234663852886e38, float("-inf")):
        assert function(value) == struct.unpack("f", struct.pack("f", value))[0]
    assert function(1e39) == float("inf")
    assert raised(function, None) == "TypeError: must be real number, not NoneType"


@pytest.mark.parametrize("name", ["as_bool", "free_bool"])
def test_bool(name):
    function = getattr(typed, name)
    for value in (True, False, 0, 2, "", "x", None, [], 0.0, 256):
        assert function(value) is bool(value)
    assert raised(function, BadBool()) == "LookupError: no truth"


def test_object():
    value = object()
    assert typed.as_object(value) is value
    assert typed.default_object() is None
    assert typed.default_object(value=value) is value


@pytest.mark.parametrize("name", ["as_bytes", "free_bytes"])
def test_bytes(name):
    function = getattr(typed, name)
    assert function(b"") == b""
    assert function(b"a\0b") == b"a\0b"
    assert function(bytearray(b"abc")) == b"abc"
    assert function(memoryview(b"abcdef")[2:4]) == b"cd"
    assert function(array.array("H", [1])) == b"\1\0"
    assert raised(function, "a") == "TypeError: a bytes-like object is required, not 'str'"
    text = raised(function, memoryview(b"abcdef")[::2])
    assert text == "BufferError: memoryview: underlying buffer is not C-contiguous"


@pytest.mark.parametrize("name", ["as_str", "free_str"])
def test_str(name):
    function = getattr(typed, name)
    for value in ("", "abc", "a\0b", "é", "\U0001f600" * 50):
        assert function(value) == value
    with pytest.raises(UnicodeEncodeError):
        function("\udc80")


def test_cstr():
    for value in ("", "abc", "é" * 100):
        assert typed.as_cstr(value) == value
    for length in range(40):
        for position in range(length):
            value = "x" * position + "\0" + "x" * (length - position - 1)
            assert raised(typed.as_cstr, value) == "ValueError: embedded null character"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda value: typed.convert_str(value), "convert_str() argument 'value' must be str"),
        (lambda value: typed.convert_str_2(0, value), "convert_str_2() argument 2 must be str"),
        (lambda value: typed.convert_str_o(value), "convert_str_o() argument must be str"),
        (
            lambda value: typed.convert_optional(value),
            "convert_optional() argument 'value' must be str or None",
        ),
        (lambda value: typed.as_cstr(value), "as_cstr() argument must be str"),
        (
            lambda value: typed.convert_writable(value),
            "convert_writable() argument 'value' must be read-write bytes-like object",
        ),
        (
            lambda value: typed.fill_o(value),
            "fill_o() argument must be read-write bytes-like object",
        ),
    ],
)
def test_wrong_type_in_words(call, error):
    class Mine:
        pass

    for value, name in [
        (1, "int"),
        (b"", "bytes"),
        (..., "ellipsis"),
        (Mine(), "Mine"),
        (struct.Struct("i"), "_struct.Struct"),
        (gc, "module"),
    ]:
        assert raised(call, value) == f"TypeError: {error}, not {name}"


def test_not_none():
    assert raised(typed.convert_str, None) == (
        "TypeError: convert_str() argument 'value' must be str, not None"
    )


def test_results():
    assert typed.nothing() is None
    assert typed.as_none(1) is None
    assert typed.free_none(b"") is None
    assert typed.none_bytes() is None
    assert typed.none_str() is None
    assert typed.none_cstr() is None
    with pytest.raises(UnicodeDecodeError):
        typed.bad_str(b"\xff")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("default_i32", -(2**31)),
        ("default_u32", 2**32 - 1),
        ("default_binary", 0b101),
        ("default_octal", -0o17),
        ("default_i64", -(2**63)),
        ("default_u64", 2**64 - 1),
        ("default_float", struct.unpack("f", struct.pack("f", 0.1))[0]),
        ("default_double", -1e-3),
        ("default_whole", 3.0),
        ("default_bool", True),
        ("default_object", None),
        ("default_str", "a, (b)"),
        ("none_str", None),
        ("default_cstr", "abc"),
        ("none_cstr", None),
        ("default_bytes", b"xyz"),
        ("none_bytes", None),
        ("none_writable", None),
        ("none_doubles", None),
    ],
)
def test_defaults(name, value):
    function = getattr(typed, name)
    assert function() == value
    shown = inspect.signature(function).parameters["value"].default
    assert shown == (0.1 if name == "default_float" else value)
    if value is None:
        assert function(None) is None


NULL_IS = 4242


@pytest.mark.parametrize(
    ("name", "borders"),
    [
        ("optional_i32", INT),
        ("optional_u32", UINT),
        ("optional_i64", LONG),
        ("optional_u64", ULONG),
        ("optional_bool", (0, 1)),
    ],
)
def test_optional_numbers(name, borders):
    function = getattr(typed, name)
    assert function() == function(None) == NULL_IS
    assert [function(value) for value in borders] == list(borders)
    assert inspect.signature(function).parameters["value"].default is None
    if name != "optional_bool":
        assert raised(function, 1.5).startswith("TypeError: 'float' object")


def test_optional_numbers_beside_others():
    assert typed.optional_f64() == typed.optional_f64(None) == 0.0
    assert typed.optional_f64(value=2.5) == 2.5
    assert typed.optional_free(1) == typed.optional_free(1, None) == NULL_IS
    assert typed.optional_free(1, value=5) == 5
    assert raised(typed.optional_free, 1, "x").startswith("TypeError: 'str' object")


def test_several_results():
    assert typed.pair_of(1, 2.5) == (2, 5.0)
    assert typed.pair_of(b=-1, a=-1) == (0, -2.0)
    assert typed.all_of(-1) == (-1, 2**32 - 1, -1, 2**64 - 1, 0.5, 0.25, True)
    assert raised(typed.raise_tuple, b"") == "LookupError: from the routine"
    assert typed.seventh(1, 2, 3, 4, 5, 6) == (1, 6)


def test_methods_of_the_class():
    box = typed.Box.of(5)
    assert type(box) is typed.Box
    assert box.get() == 5
    assert str(inspect.signature(typed.Box.of)) == "(value)"


def test_slots():
    made = typed.Slots(3)
    assert (len(made), hash(made), int(made), -made, repr(made)) == (3, 3, 3, -3, "Box")
    assert (made[4], 3 in made, 4 in made, bool(made), bool(typed.Slots(0))) == (
        7,
        True,
        False,
        True,
        False,
    )
    assert (made(1), made(1, 2), made(1, b=2, c=3)) == (324, 306, 9)
    assert hash(typed.Slots(-1)) == -2
    assert list(typed.Slots(value=3)) == [3, 2, 1]
    assert len(typed.Slots()) == len(typed.Slots(extra=b"x")) == 7
    assert made.__enter__() is made


def test_slots_that_fail():
    made = typed.Slots(3)
    assert raised(made).startswith("TypeError: __call__() ")
    assert raised(made, 1, 2, 3).startswith("TypeError: __call__() takes ")
    assert raised(made, 1, d=2).startswith("TypeError: ")
    assert raised(typed.Slots, "x").startswith("TypeError: 'str' object")
    assert raised(typed.Slots, extra=1).startswith("TypeError: a bytes-like object")
    assert raised(made.__init__, "x").startswith("TypeError: 'str' object")
    assert raised(lambda: made["x"]).startswith("TypeError: 'str' object")
    assert raised(lambda: "x" in made).startswith("TypeError: 'str' object")
    assert len(made) == 3


def test_given_instead_of_a_default():
    assert typed.default_i32(5) == typed.default_i32(value=5) == 5
    assert typed.default_u64(5) == 5
    assert typed.default_str("s") == typed.default_str(value="s") == "s"
    assert typed.none_str("s") == "s"
    assert typed.default_bytes(b"s") == typed.none_bytes(value=b"s") == b"s"
    assert typed.none_writable(bytearray(b"s")) == b"s"
    assert raised(typed.default_str, None).endswith("must be str, not None")
    assert raised(typed.default_bytes, None).startswith("TypeError: a bytes-like object")


CODES = {
    "i8": "b",
    "u8": "B",
    "i16": "h",
    "u16": "H",
    "i32": "i",
    "u32": "I",
    "i64": "lqn",
    "u64": "LQN",
    "f32": "f",
    "double": "d",
}


@pytest.mark.parametrize("wanted", CODES)
def test_items(wanted):
    function = getattr(typed, f"items_{wanted}")
    for item, codes in CODES.items():
        for code in codes:
            for prefix in ("", "@"):
                view = memoryview(bytearray(48)).cast(prefix + code)
                if item == wanted:
                    assert function(view) == len(view)
                else:
                    text = f"items_{wanted}() argument 'data' must be a buffer of {wanted} items"
                    assert raised(function, view) == (
                        f"TypeError: {text}, not of format '{prefix + code}'"
                    )
    for code in "?c":
        with pytest.raises(TypeError, match=f"not of format '{code.replace('?', '[?]')}'"):
            function(memoryview(bytearray(48)).cast(code))


def test_items_of_other_makers():
    """ctypes says the byte order; bytes give the format only if asked for it."""
    assert typed.items_u8(b"abc") == 3
    assert typed.items_f32(array.array("f", [1, 2])) == 2
    ctypes = pytest.importorskip("ctypes")
    assert typed.items_double((ctypes.c_double * 3)()) == 3
    assert typed.items_i32((ctypes.c_int32 * 3)()) == 3
    big = (ctypes.c_double.__ctype_be__ * 3)()
    assert raised(typed.items_double, big).endswith("items, not of format '>d'")

    class Point(ctypes.Structure):
        _fields_ = (("x", ctypes.c_double),)

    assert "must be a buffer of double items, not of format 'T{" in raised(
        typed.items_double, (Point * 2)()
    )


def test_contiguous():
    view = memoryview(array.array("d", range(6)))
    assert typed.items_double(view[1:3]) == 2
    assert raised(typed.items_double, view[::2]) == (
        "BufferError: memoryview: underlying buffer is not C-contiguous"
    )
    square = memoryview(bytes(32)).cast("d", [2, 2])
    assert typed.items_double(square) == 4


def test_writable():
    data = bytearray(b"abc")
    typed.fill(data, ord("x"))
    assert data == b"xxx"
    numbers = array.array("d", [1, 2, 3])
    typed.scale(numbers)
    typed.scale(numbers, 0.5)
    typed.scale(numbers, factor=3)
    assert list(numbers) == [3, 6, 9]
    assert raised(typed.scale, memoryview(bytes(8)).cast("d")) == (
        "BufferError: memoryview: underlying buffer is not writable"
    )


@pytest.mark.parametrize("name", ["mixed", "mixed_free"])
def test_registers_and_stack(name):
    """The routine is C's: it looks for its arguments where the C compiler does."""
    result = getattr(typed, name)(
        -5, 1.5, b"abc", -7, 2.25, array.array("H", [1, 9, 3]), 2**40, "hé", 2**32 - 1, True,
        0.125, 0.25, 0.5, 1, 2, 3, 4, 5.5, "xyz",
    )  # fmt: skip
    expected = -5 + 2 * 1.5 + 4 * 97 + 8 * 3 + 16 * -7 + 32 * 2.25 + 64 * 9
    expected += 128 * 3 + 256 * 2**40 + 512 * 104 + 1024 * 3 + 2048 * (2**32 - 1) + 4096
    expected += 3 * 0.125 + 5 * 0.25 + 7 * 0.5 + 11 + 13 * 2 + 17 * 3 + 19 * 4 + 23 * 5.5
    assert result == expected + 29 * ord("y")


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("stack_0", ()),
        ("stack_1", (1,)),
        ("stack_2", (1, 2)),
        ("stack_3", (b"",)),
        ("stack_4", (b"", "", 1, 2)),
        ("stack_4", (b"", "", 1, 2, 3, 4)),
    ],
)
def test_the_stack_is_aligned(name, args):
    assert getattr(typed, name)(*args) == 8


def test_methods():
    box = typed.Box()
    box.put(40)
    box.put(value=41)
    assert box.get() == 41
    assert box.add(1) == 42
    assert box.twice(4) == 8
    assert raised(typed.Box.add, 1, 2).startswith("TypeError")
    assert typed.in_module(1) is typed
    assert raised(typed.in_module, 0) == "LookupError: from the routine"


def test_routines_that_raise():
    for name in ("object", "i32", "u32", "i64", "double", "bool", "bytes", "str", "cstr"):
        assert raised(getattr(typed, f"raise_{name}")) == "LookupError: from the routine"
    data = bytearray(1)
    assert raised(typed.raise_u64, data) == "LookupError: from the routine"
    assert raised(typed.raise_bool_of, data) == "LookupError: from the routine"
    data.append(1)
    assert [typed.true_bool(value) for value in (-1, 0, 1)] == [True, False, True]

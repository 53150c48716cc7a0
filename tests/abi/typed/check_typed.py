# mypy: ignore-errors
"""What typed functions do, checked inside each interpreter by test_typed.py with its pytest."""

from __future__ import annotations

import array
import contextlib
import gc
import inspect
import struct
import sys
import threading
from pathlib import Path

import pytest
import typed

INT = -(2**31), 2**31 - 1
UINT = 0, 2**32 - 1
LONG = -(2**63), 2**63 - 1
ULONG = 0, 2**64 - 1


class Index:
    """An integer that is no int."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


class BadIndex:
    def __index__(self):
        raise LookupError("no index")


class Float:
    def __init__(self, value):
        self.value = value

    def __float__(self):
        return self.value


class BadBool:
    def __bool__(self):
        raise LookupError("no truth")


def raised(function, *args, **kwargs):
    """The exception as `Type: text`."""
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError(f"no exception, but {result!r}")


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


def test_arguments_in_order():
    assert typed.order(1, e=5) == 12345
    assert typed.order(1, 6, 7, e=5) == 16745
    assert typed.order(1, 6, e=5, d=8, c=9) == 16985
    assert typed.order(1, d=8, e=5, c=9) == 12985
    assert typed.three(b"12", bytearray(b"123"), array.array("H", range(4)), 5) == 2345
    assert typed.three(d=5, c=array.array("H"), b=bytearray(), a=b"") == 5
    subclass = type("Name", (str,), {})
    assert typed.order(1, **{subclass("e"): 5}) == 12345


def by_name(a, ab, abc=3, abcd=4, abcde=5, *, abcdefgh=6, abcdefghi=7, twelve_chars=8):
    """What typed.lengths is, in Python."""
    return int("".join(map(str, (a, ab, abc, abcd, abcde, abcdefgh, abcdefghi, twelve_chars))))


class Name(str):
    """A keyword that is no plain str."""


# Each makes of a name one that is equal, the second and third not identical.
SPELLINGS = [sys.intern, lambda name: "".join(list(name)), Name]
NAMES = list(inspect.signature(by_name).parameters)


@pytest.mark.parametrize("spelling", SPELLINGS, ids=["interned", "equal", "subclass"])
def test_keywords_in_every_order(spelling):
    """As Python binds them: in the order of the parameters, in another, with some left out."""
    for positional in range(6):
        rest = NAMES[positional:]
        orders = [rest[:end] for end in range(len(rest) + 1)]
        orders += [rest[start:] + rest[:start] for start in range(1, len(rest))]
        orders += [rest[::-1], rest[::2], rest[1::2], [*rest[:2], *rest[:1:-1]]]
        for order in orders:
            args = range(1, positional + 1)
            kwargs = {spelling(name): 9 - at for at, name in enumerate(order)}
            try:
                expected = by_name(*args, **kwargs)
            except TypeError:
                with pytest.raises(TypeError, match=r"^lengths\(\) missing required argument '"):
                    typed.lengths(*args, **kwargs)
            else:
                assert typed.lengths(*args, **kwargs) == expected, (positional, order)


@pytest.mark.parametrize("spelling", SPELLINGS, ids=["interned", "equal", "subclass"])
def test_names_that_are_nearly_parameters(spelling):
    """Every letter counts, and every length."""
    for name in NAMES[2:]:
        others = [name[:at] + "-" + name[at + 1 :] for at in range(len(name))]
        others += [name[1:-1] + "!", name + "!", name + "\0", "é" + name[1:], name[:-1] + "é"]
        for other in others:
            for kwargs in ({spelling(other): 3}, {"a": 1, "ab": 2, spelling(other): 3}):
                args = () if "a" in kwargs else (1, 2)
                error = raised(typed.lengths, *args, **kwargs)
                assert other in error
                assert "keyword argument" in error


@pytest.mark.parametrize("spelling", SPELLINGS, ids=["interned", "equal", "subclass"])
def test_given_twice_wherever_the_name_comes(spelling):
    for order in (["a"], ["ab", "a"], ["abc", "abcd", "a"], ["abcde", "abc", "a"]):
        args = (1,) if "ab" in order else (1, 2)
        error = raised(typed.lengths, *args, **{spelling(name): 3 for name in order})
        assert error.startswith("TypeError: argument for lengths() given by name ('a')")


def test_arguments_by_hand_in_every_order():
    for spelling in SPELLINGS:
        mark, greeting = spelling("mark"), spelling("greeting")
        assert typed.by_hand(1, **{greeting: 2, mark: 3}) == (1, 2, 3)
        assert typed.by_hand(1, **{mark: 3, greeting: 2}) == (1, 2, 3)
        assert typed.by_hand(1, 2, **{mark: 3}) == (1, 2, 3)
        assert typed.by_hand(1, **{mark: 3}) == (1, ..., 3)
        assert raised(typed.by_hand, 1, **{greeting: 2}) == (
            "TypeError: by_hand() missing required argument 'mark' (pos 3)"
        )
        assert "by_hand()" in raised(typed.by_hand, 1, **{spelling("name"): 1, mark: 3})


def test_real_defaults():
    assert typed.default_real() == -0.75
    assert typed.default_real(-1.0) == -0.75
    assert typed.default_real(second=1) == 0.0
    assert typed.default_real(2, 0.5) == 2.5
    assert str(typed.default_real(float("nan"))) == "nan"


CALLS = [
    ((), {}),
    ((1,), {}),
    ((1, 2), {}),
    ((1, 2, 3), {}),
    ((1, 2, 3, 4), {}),
    ((1, 2, 3, 4, 5), {"b": 1, "c": 2}),
    ((1,), {"a": 1}),
    ((1,), {"b": 1}),
    ((1,), {"c": 1}),
    ((1,), {"x": 1}),
    ((1,), {"b": 1, "c": 2}),
    ((1,), {"c": 1, "b": 2}),
    ((1,), {"b": 1, "x": 2}),
    ((1,), {"y": 1, "x": 2, "z": 3}),
    ((1, 2), {"b": 1}),
    ((1, 2), {"c": 1}),
    ((1, 2), {"z": 3}),
    ((1, 2), {"": 1}),
    ((1, 2, 3), {"c": 1}),
    ((1, 2, 3), {"x": 2}),
    ((), {"a": 1, "b": 2}),
    ((), {"b": 1, "a": 2}),
    ((), {"b": 1, "c": 2}),
    ((), {"a": 1, "b": 2, "c": 3}),
    ((), {"a": 1, "b": 2, "c": 3, "d": 4}),
    ((), {"c": 1}),
    ((), {"x": 1}),
    ((), {"": 1}),
    ((1,), {"\udc80": 2}),
    ((1,), {"\0": 2}),
    ((1,), {"é": 2}),
    ((1,), {"bb": 2}),
]
# Two mistakes at once: Argument Clinic's parser names the missing keyword-only argument first.
OTHER_MISTAKE_FIRST = (
    "missing required argument 'b' (pos 1)",
    "missing required argument 'c' (pos 3)",
)


@pytest.mark.parametrize("name", "fghklmnpq")
@pytest.mark.parametrize(("args", "kwargs"), CALLS)
def test_errors_of_argument_clinic(name, args, kwargs):
    clinic = pytest.importorskip("clinic")

    def outcome(module):
        try:
            return getattr(module, name)(*args, **kwargs)
        except TypeError as error:
            return str(error).replace("clinic.", "typed.")

    expected, actual = outcome(clinic), outcome(typed)
    if name in "kl" and str(expected).endswith(OTHER_MISTAKE_FIRST):
        assert actual == expected or "keyword argument" in actual or "given by name" in actual
    else:
        assert actual == expected


def test_missing_keyword_only_after_an_optional_argument():
    assert raised(typed.l, 1) == "TypeError: l() missing required argument 'c' (pos 3)"


def test_by_hand():
    assert typed.by_hand(1, 2, mark=3) == (1, 2, 3)
    assert typed.by_hand(1, mark=3) == (1, ..., 3)
    assert typed.by_hand(1, mark=3, greeting=2) == (1, 2, 3)
    assert raised(typed.by_hand, 1) == (
        "TypeError: by_hand() missing required argument 'mark' (pos 3)"
    )
    assert raised(typed.by_hand, 1, 2, 3).startswith("TypeError: by_hand() takes ")
    assert typed.by_hand_positional(1) == (1, ...)
    assert typed.by_hand_positional(1, 2) == (1, 2)
    assert raised(typed.by_hand_positional) == (
        "TypeError: by_hand_positional expected at least 1 argument, got 0"
    )
    assert raised(typed.by_hand_positional, 1, 2, 3) == (
        "TypeError: by_hand_positional expected at most 2 arguments, got 3"
    )


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("nothing", "()"),
        ("as_i64", "(value, /)"),
        ("free_i64", "(value)"),
        ("order", "(a, b=2, /, c=3, *, d=4, e)"),
        ("k", "(*, b, c=None)"),
        ("in_module", "(value, /)"),
        ("default_str", "(value='a, (b)')"),
        ("default_bytes", "(value=b'xyz')"),
        ("default_i32", "(value=-2147483648)"),
    ],
)
def test_text_signature(name, signature):
    assert str(inspect.signature(getattr(typed, name))) == signature


def test_doc():
    assert typed.nothing.__doc__ == "Does nothing."
    assert typed.told.__doc__ == "One line,\nit's the next."
    assert str(inspect.signature(typed.Box.put)) == "(self, /, value)"
    assert str(inspect.signature(typed.Box.add)) == "(self, value, /)"


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


def exports(data):
    """Whether something holds the bytearray's buffer."""
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
        seen = getattr(typed, name)(flag, 2**24)
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

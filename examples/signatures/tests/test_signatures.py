"""What signatures promises, on whichever CPython runs these tests."""

from __future__ import annotations

import array
import inspect
import math

import pytest
import signatures


@pytest.mark.parametrize(
    ("name", "arguments", "keywords", "result"),
    [
        ("answer", (), {}, 42),
        ("twice", (21,), {}, 42),
        ("twice", ("ab",), {}, "abab"),
        ("hypotenuse_squared", (3, 4.0), {}, 25.0),
        ("repeat", ("ab",), {}, "abab"),
        ("repeat", (), {"text": "ab", "times": 3}, "ababab"),
        ("total", (), {}, 0),
        ("total", (1, -1, -1, 43), {}, 42),
        ("greet", ("World",), {}, "Hello, World!"),
        ("greet", ("World",), {"greeting": "Bye"}, "Bye, World!"),
        ("clamp", (300,), {}, 255),
        ("clamp", (-3, -1), {}, -1),
        ("clamp", (), {"high": 7, "value": 8}, 7),
        ("clamp_by_hand", (-3, -1), {}, -1),
        ("clamp_by_hand", (), {"high": 7, "value": 8}, 7),
        ("hypotenuse", (3, 4), {}, 5.0),
        ("count", (b"a\0b\0",), {}, 2),
        ("count", (bytearray(b"abba"),), {"byte": ord("b")}, 2),
        ("first_word", (), {}, "some"),
        ("first_word", ("é à",), {}, "é"),
        ("first_word", ("é à",), {"skip": True}, " à"),
        ("same", (None,), {}, True),
        ("same", ([], []), {}, False),
    ],
)
def test_results(name, arguments, keywords, result):
    assert getattr(signatures, name)(*arguments, **keywords) == result


def test_scale():
    values = array.array("d", [1, 2, 3])
    signatures.scale(values, factor=math.pi)
    assert list(values) == [math.pi, 2 * math.pi, 3 * math.pi]


def test_methods():
    class Derived(signatures.Methods):
        pass

    assert Derived().defined_by() is signatures.Methods
    assert Derived.called_on() is Derived
    assert signatures.Methods.negative(3) == -3


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: signatures.answer(1), TypeError, "takes no arguments"),
        (lambda: signatures.twice(), TypeError, "takes exactly one argument"),
        (lambda: signatures.twice(None), TypeError, "unsupported operand"),
        (lambda: signatures.hypotenuse_squared(1), TypeError, "exactly 2 arguments"),
        (lambda: signatures.repeat(1), TypeError, "must be str, not int"),
        (lambda: signatures.total(1.0), TypeError, "'float' object cannot be interpreted"),
        (lambda: signatures.total(2**63 - 1, 1), OverflowError, "does not fit 64 bits"),
        (lambda: signatures.greet(), TypeError, "at least 1 positional argument"),
        (lambda: signatures.greet("x", name="y"), TypeError, "'name'"),
        (lambda: signatures.Methods().defined_by(1), TypeError, "takes no arguments"),
        (lambda: signatures.clamp(), TypeError, r"missing required argument 'value' \(pos 1\)"),
        (lambda: signatures.clamp(1, value=2), TypeError, r"name \('value'\) and position \(1\)"),
        (lambda: signatures.clamp(1.0), TypeError, "'float' object cannot be interpreted"),
        (lambda: signatures.clamp(2**63), OverflowError, "Python int too large"),
        (lambda: signatures.clamp_by_hand(1, 2, 3, 4), TypeError, "takes at most 3 arguments"),
        (lambda: signatures.count("text"), TypeError, "a bytes-like object is required"),
        (lambda: signatures.count(b"", -1), OverflowError, "negative"),
        (lambda: signatures.scale(array.array("f"), 1), TypeError, "double items, not of format"),
        (lambda: signatures.scale(b"", 1), BufferError, "not writable"),
        (lambda: signatures.first_word(b""), TypeError, "'text' must be str, not bytes"),
        (lambda: signatures.first_word("", True), TypeError, "at most 1 positional argument"),
        (lambda: signatures.same(), TypeError, "same expected at least 1 argument, got 0"),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("answer", "()"),
        ("repeat", "(text, times=2)"),
        ("total", "(*numbers)"),
        ("greet", "(name, /, greeting='Hello')"),
        ("clamp", "(value, low=0, high=255)"),
        ("clamp_by_hand", "(value, low=0, high=255)"),
        ("hypotenuse", "(a, b, /)"),
        ("first_word", "(text='some text', *, skip=False)"),
    ],
)
def test_help(name, signature):
    function = getattr(signatures, name)
    assert str(inspect.signature(function)) == signature
    assert function.__doc__


@pytest.mark.parametrize("arguments", [(5,), (-1.0,), (b"Ann",), ("Ann", 5), ("Ann", b"Hi")])
def test_greet_takes_text_only(arguments):
    with pytest.raises(TypeError):
        signatures.greet(*arguments)

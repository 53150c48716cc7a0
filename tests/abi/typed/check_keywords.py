# mypy: ignore-errors
"""Arguments by place and by keyword, and the errors of wrong calls."""

from __future__ import annotations

import array
import inspect
import sys

import pytest
import typed
from arguments import raised


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
    """Return the same as typed.lengths."""
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
    assert typed.documented.__doc__ == "One line,\nit's the next."
    assert str(inspect.signature(typed.Box.put)) == "(self, /, value)"
    assert str(inspect.signature(typed.Box.add)) == "(self, value, /)"

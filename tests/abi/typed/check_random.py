# mypy: ignore-errors
"""Calls of random signatures against the model: what arrives, what returns, errors, leaks."""

from __future__ import annotations

import array
import ctypes
import random
import sys

import randomized
from signatures import RETURNED, argument, kinds, misfit, places, signatures, words


def given():
    data = randomized.given()
    return [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]


def check(condition, *what):
    if not condition:
        raise AssertionError(what)


def arrived(signature, receiver, bound, rest):
    """Compare what the routine was given with the model's words."""
    slots = given()
    found = places(signature)
    check(not signature.receiver or slots[0] == id(receiver), signature)
    if signature.rest:
        first = sum(len(kinds(each)) for each in signature.parameters[: signature.most])
        place, stacked = found[first + 1]
        count = slots[place] if place >= 0 else slots[14 + stacked]
        check(count == len(rest), signature, rest, count)
        del found[first : first + 2]
    at = iter(found)
    for parameter, value in zip(signature.parameters, bound, strict=False):
        default_none = parameter.default == "None"
        expected = words(parameter.type, value, default_none=default_none)
        check(len(expected) == len(kinds(parameter)), signature, parameter)
        got = [
            slots[place] if place >= 0 else slots[14 + stacked]
            for place, stacked in (next(at) for _ in expected)
        ]
        what = signature.declaration, parameter, value, got
        first = expected[0]
        if parameter.type == "object":
            check(got[0] == id(value), *what)
        elif first is None:
            check(got[0] == 0, *what)
        elif first is ...:
            check(got[0] != 0, *what)
        elif isinstance(first, bytes):
            length = len(first) + (parameter.type == "cstr")
            text = first + b"\0" * (parameter.type == "cstr")
            check(length == 0 or ctypes.string_at(got[0], length) == text, *what)
        else:
            mask = 2**32 - 1 if parameter.type == "f32" else 2**64 - 1
            check(got[0] & mask == first, *what)
        check(got[1:] == expected[1:], *what)


def split(chance, signature, values):
    """The values as arguments of a call, by position or by keyword."""
    by_position = chance.randint(signature.only, signature.most)
    while by_position and by_position > signature.only and chance.random() < 0.2:
        by_position -= 1
    names = [each.name for each in signature.parameters]
    keywords = list(zip(names, values, strict=False))[by_position:]
    left = [
        pair
        for pair, parameter in zip(keywords, signature.parameters[by_position:], strict=False)
        if not (parameter.default and chance.random() < 0.4)
    ]
    chance.shuffle(left)
    rest = chance.choices(range(9), k=chance.randint(0, 3)) if signature.rest else []
    return [*values[:by_position], *rest], dict(left)


def references(values):
    """Counts of those that nothing else refers to, unlike small integers and texts."""
    own = (bytearray, array.array, list, dict, memoryview)
    return [sys.getrefcount(value) if isinstance(value, own) else 0 for value in values]


def good_call(chance, signature, receiver, function, model):
    values = [argument(chance, each.type) for each in signature.parameters]
    args, kwargs = split(chance, signature, values)
    counts = references(values)
    result = function(*args, **kwargs)
    arrived(signature, receiver, *model(*args, **kwargs))
    check(result == RETURNED[signature.result], signature, result)
    check(references(values) == counts, "leak", signature)
    for value in values:
        if isinstance(value, (bytearray, array.array)):
            value.append(1)  # not while its buffer is held
        elif isinstance(value, memoryview):
            value.release()  # the same


def raises_type_error(function, args, kwargs):
    try:
        function(*args, **kwargs)
    except TypeError:
        return True
    return False


def bad_calls(chance, signature, function, model):
    names = [each.name for each in signature.parameters]
    values = [argument(chance, each.type) for each in signature.parameters]
    args, kwargs = split(chance, signature, values)
    for other in (
        (args[:-1], kwargs),
        ((*args, 1), kwargs),
        (args, {**kwargs, "other": 1}),
        (args, {**kwargs, **({names[0]: 1} if names else {})}),
    ):
        if raises_type_error(model, *other):
            check(raises_type_error(function, *other), "no TypeError", signature, other)
    for index, parameter in enumerate(signature.parameters):
        wrong = misfit(chance, parameter.type)
        if wrong is None:
            continue
        values = [argument(chance, each.type) for each in signature.parameters]
        values[index] = wrong[0]
        positional = values[: signature.most]
        keywords = dict(zip(names[signature.most :], values[signature.most :], strict=False))
        counts = references(values)
        try:
            function(*positional, **keywords)
        except wrong[1]:
            pass
        else:
            raise AssertionError(("no error", signature, parameter, wrong))
        check(references(values) == counts, "leak", signature)


def found(signature):
    """Return the receiver that the function gets, and the function."""
    if signature.is_call:
        called = getattr(randomized, signature.name)()
        return called, called
    receiver = {"": randomized, "cls": randomized.Holder}.get(signature.receiver)
    receiver = receiver or randomized.Holder()
    return receiver, getattr(receiver, signature.name)


def main():
    chance = random.Random(1)
    for signature in signatures():
        (receiver, function), model = found(signature), signature.model()
        for _ in range(6):
            good_call(chance, signature, receiver, function, model)
        bad_calls(chance, signature, function, model)


main()

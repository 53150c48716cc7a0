# mypy: ignore-errors
"""Objects that typed functions are called with, and the errors that they raise."""

from __future__ import annotations


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

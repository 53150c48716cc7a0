"""The table that the runtime binds the arguments of a call with."""

from __future__ import annotations

import struct

from .lines import data, escaped, op, quoted
from .signature import Parameter, Signature

_RECORDS = 40
"""Bytes of the table before its records; keywords.inc names its fields."""


def table(signature: Signature) -> list[str]:
    """Return the table that the runtime binds arguments with, behind the texts it refers to.

    The name ends the format that CPython's parser is given.
    """
    parameters = signature.parameters
    only = signature.positional_only
    formats = _format(signature, strict=False), _format(signature, strict=True)
    name = -len(signature.name) - 1
    start = strict = name - len(formats[0])
    lines = []
    # CPython's parser counts the positional arguments first, where none is optional.
    if signature.least == signature.positional < len(parameters):
        text = formats[1] + signature.name
        strict = start - len(text) - 1
        lines.append(data(".py_strict_format", f"db {quoted(text)}, 0"))
    lines.append(data(".py_format", f"db {quoted(formats[0])}"))
    lines.append(data(".py_name", f"db {quoted(signature.name)}, 0"))
    lines.append(data(".py_bindings", "dd _py_names_place"))
    lines.append("    ; where the texts are; parameters, positional-only, least, most, required,")
    lines.append("    ; the first keyword; of each parameter: required, its keyword with length")
    counts = (len(parameters), only, signature.least, signature.positional, signature.required)
    fields = struct.pack("<9i", name, start, strict, *counts, _RECORDS + 3 * only)
    records = b"".join(_record(each, named=k >= only) for k, each in enumerate(parameters))
    lines.append(op("db", escaped(fields + records)))
    return lines


def _record(parameter: Parameter, *, named: bool) -> bytes:
    name = parameter.name.encode() if named else b""
    return bytes((not parameter.default, len(name))) + name + b"\0"


def _format(signature: Signature, *, strict: bool) -> str:
    """Return the format for PyArg_ParseTupleAndKeywords, up to the function's name."""
    parameters, most = signature.parameters, signature.positional
    optional_keyword = any(each.default for each in parameters[most:])
    text = ""
    for k in range(len(parameters)):
        if not strict and k == signature.least and (k < most or optional_keyword):
            text += "|"
        if k == most:
            text += "$"
        text += "O"
    return f"{text}:"

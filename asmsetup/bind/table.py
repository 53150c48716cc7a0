"""The table that the runtime binds the arguments of a call with."""

from __future__ import annotations

from .lines import data, escaped, op, quoted
from .signature import Parameter, Signature


def table(signature: Signature) -> list[str]:
    """Return the table that the runtime binds arguments with; see runtime.inc."""
    parameters = signature.parameters
    only = signature.positional_only
    formats = _format(signature, strict=False), _format(signature, strict=True)
    # CPython's parser counts the positional arguments first, where none is optional.
    differs = signature.least == signature.positional < len(parameters)
    lines = [data(".py_format", f"db {quoted(formats[0])}, 0")]
    strict = ".py_format"
    if differs:
        strict = ".py_strict_format"
        lines.append(data(strict, f"db {quoted(formats[1])}, 0"))
    texts = (f"{name} - .py_bindings" for name in (".py_name", ".py_format", strict))
    lines.append(data(".py_bindings", f"dd {', '.join(texts)}"))
    counts = (len(parameters), only, signature.least, signature.positional, signature.required)
    lines.append("    ; parameters, positional-only, least, most, required, the first keyword")
    lines.append(op("dd", f"{', '.join(map(str, counts))}, _py_bindings.records + {3 * only}"))
    lines.append(op("dd", "_py_names_place", "where the module's state has the names"))
    lines.append("    ; of each parameter: whether it is required, and the keyword with its length")
    records = b"".join(_record(each, named=k >= only) for k, each in enumerate(parameters))
    lines.append(op("db", escaped(records)))
    return lines


def _record(parameter: Parameter, *, named: bool) -> bytes:
    name = parameter.name.encode() if named else b""
    return bytes((not parameter.default, len(name))) + name + b"\0"


def _format(signature: Signature, *, strict: bool) -> str:
    """Return the format for PyArg_ParseTupleAndKeywords."""
    parameters, most = signature.parameters, signature.positional
    optional_keyword = any(each.default for each in parameters[most:])
    text = ""
    for k in range(len(parameters)):
        if not strict and k == signature.least and (k < most or optional_keyword):
            text += "|"
        if k == most:
            text += "$"
        text += "O"
    return f"{text}:{signature.name}"

"""Say in C what a routine gets and returns."""

from __future__ import annotations

from .signature import Parameter, Signature, Type

_NUMBERS = {
    ("signed", 1): "int8_t ",
    ("unsigned", 1): "uint8_t ",
    ("signed", 2): "int16_t ",
    ("unsigned", 2): "uint16_t ",
    ("signed", 4): "int32_t ",
    ("unsigned", 4): "uint32_t ",
    ("signed", 8): "int64_t ",
    ("unsigned", 8): "uint64_t ",
    ("real", 4): "float ",
    ("real", 8): "double ",
}
_OTHERS = {"bool": "bool ", "object": "PyObject *", "cstr": "const char *", "none": "void "}


def prototype(signature: Signature) -> str:
    """Return the prototype of the routine that a signature calls."""
    parameters = [f"PyObject *{signature.receiver}"] if signature.receiver else []
    for each in signature.parameters[: signature.positional]:
        parameters += _words(each)
    if signature.rest:
        parameters += [f"PyObject *const *{signature.rest}", f"size_t {signature.rest}_count"]
    for each in signature.parameters[signature.positional :]:
        parameters += _words(each)
    parameters += [f"int64_t results[{len(signature.result.items)}]"] * bool(signature.result.items)
    return f"{_result(signature.result)}{signature.name}({', '.join(parameters) or 'void'})"


def _words(parameter: Parameter) -> list[str]:
    type_, name = parameter.type, parameter.name
    if parameter.is_optional_number:
        return [f"const {_plain(type_)}*{name}"]
    if type_.kind == "str":
        return [f"const char *{name}", f"size_t {name}_length"]
    if type_.kind == "buffer":
        constant = "" if type_.writable else "const "
        item = _NUMBERS[type_.item_kind, type_.size] if type_.item else "char "
        if type_.dimensions:
            shape = (f"ptrdiff_t {name}_{each}" for each in _shape(type_))
            return [f"{constant}{item}*{name}", *shape]
        count = "count" if type_.item else "length"
        return [f"{constant}{item}*{name}", f"size_t {name}_{count}"]
    return [_plain(type_) + name]


def _shape(type_: Type) -> list[str]:
    counts = ["rows", "columns"] if type_.dimensions == 2 else ["count"]
    strides = [f"{each}_stride" for each in (["row", "column"] if counts[1:] else ["item"])]
    return counts if type_.order else counts + strides


def _plain(type_: Type) -> str:
    return _NUMBERS.get((type_.kind, type_.size)) or _OTHERS[type_.kind]


def _result(type_: Type) -> str:
    if type_.kind in ("str", "buffer"):
        return "struct { const char *text; size_t length; } "
    return "int " if type_.items else _plain(type_)

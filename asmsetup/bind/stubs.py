"""Write the stub (.pyi) of a module from the signatures of its typed functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ..named import NamedTuple
from .declarations import STRING, joined, without_comments
from .lines import unquoted
from .signature import Parameter, Signature, SignatureError, Type, parse
from .written import marked

_MACRO = re.compile(
    rf"^[ \t]*(PyModule|PyType|PyEndType|PyTypedFunction|PyFunction|PyMethod|PyConstant|PyMember|PyGetSet)\b"
    rf"[ \t]*(?:{STRING}|([\w.]+))?(.*)$",
    re.MULTILINE,
)
_DOC = re.compile(rf"doc[ \t]+((?:{STRING}|[0-9]+)(?:[ \t]*,[ \t]*(?:{STRING}|[0-9]+))*)")
_STATIC = re.compile(r",\s*static\s*(?=,|$)")

_TYPES = {
    "signed": "int",
    "unsigned": "int",
    "real": "float",
    "bool": "bool",
    "object": "Any",
    "str": "str",
    "cstr": "str",
    "none": "None",
}


_IMPORTS = {
    "Any": "from typing import Any",
    "Sequence": "from collections.abc import Sequence",
    "Buffer": "from typing_extensions import Buffer",
}


class _Member(NamedTuple):
    owner: str
    """The type it belongs to, empty for the module."""
    lines: tuple[str, ...]


def stub(texts: Iterable[str]) -> str:
    """Return the stub of the module that the texts of a source and its includes declare.

    Raises SignatureError for a wrong signature, with its function's name.
    """
    members = [each for text in texts for each in _members(without_comments(joined(text)))]
    lines = [line for each in members if not each.owner for line in each.lines]
    for owner in dict.fromkeys(each.owner for each in members if each.owner):
        own = [line for each in members if each.owner == owner for line in each.lines]
        lines += ["", f"class {owner}:", *(f"    {line}" for line in own or ["..."])]
    body = "\n".join(lines)
    imports = [text for name, text in _IMPORTS.items() if re.search(rf"\b{name}\b", body)]
    return "\n".join([*imports, *([""] if imports else []), body, ""])


def _members(text: str) -> Iterator[_Member]:
    owner = ""
    for match in _MACRO.finditer(text):
        macro, string, word, rest = match.groups()
        if macro == "PyType":
            owner = word or ""
            yield _Member(owner, ())
        elif macro == "PyEndType":
            owner = ""
        elif macro == "PyTypedFunction" and string:
            yield _Member(owner, tuple(_function(unquoted(string), rest, owner)))
        elif macro in ("PyFunction", "PyMethod"):
            name = word or unquoted(string or '""')
            own = "self, " if owner else ""
            yield _Member(owner, (f"def {name}({own}*args: Any, **kwargs: Any) -> Any: ...",))
        elif macro in ("PyMember", "PyGetSet") and string:
            yield _Member(owner, (f"{unquoted(string)}: Any",))
        elif macro == "PyConstant" and string:
            kind = "str" if re.match(rf"[ \t]*,[ \t]*{STRING}", rest) else "int"
            yield _Member(owner, (f"{unquoted(string)}: {kind}",))


def _function(text: str, rest: str, owner: str) -> Iterator[str]:
    try:
        signature = parse(text)
    except SignatureError as error:
        raise SignatureError(f"PyTypedFunction{error}") from None
    is_static = bool(owner) and _STATIC.search(re.sub(STRING, "", rest)) is not None
    if owner and signature.receiver == "cls" and signature.name != "__new__":
        yield "@classmethod"
    if is_static:
        yield "@staticmethod"
    head = f"def {signature.name}({_parameters(signature, '' if is_static else owner)}) -> {_result(signature)}:"
    documented = _DOC.search(rest)
    if documented is None:
        yield f"{head} ..."
        return
    parts = re.findall(rf"{STRING}|([0-9]+)", documented[1])
    doc = "".join(unquoted(string) if string else chr(int(number)) for string, number in parts)
    yield head
    yield f"    {doc!r}" if '"""' in doc or "\\" in doc else f'    """{doc}"""'
    yield "    ..."


def _parameters(signature: Signature, owner: str) -> str:
    parts = [signature.receiver if signature.receiver == "cls" else "self"] if owner else []
    any_object = bool(owner) and signature.name in ("__eq__", "__ne__")
    written = [
        f"{each.name}: object" if any_object else _parameter(each) for each in signature.parameters
    ]
    return ", ".join([*parts, *marked(signature, written, ": Any")])


def _parameter(parameter: Parameter) -> str:
    written = _type(parameter.type)
    if parameter.is_none and written != "Any":
        written += " | None"
    default = f" = {parameter.default.written}" if parameter.default else ""
    return f"{parameter.name}: {written}{default}"


def _type(type_: Type) -> str:
    if type_.is_sequence:
        return f"Sequence[{_TYPES[type_.item_kind]}]"
    return "Buffer" if type_.kind == "buffer" else _TYPES[type_.kind]


def _result(signature: Signature) -> str:
    result = signature.result
    if signature.name == "__new__":
        return "Any"
    if result.items:
        return f"tuple[{', '.join(map(_type, result.items))}]"
    if result.kind == "buffer":
        return "bytes | None"
    if result.kind in ("str", "cstr"):
        return "str" if signature.name in ("__str__", "__repr__") else "str | None"
    return _type(result)

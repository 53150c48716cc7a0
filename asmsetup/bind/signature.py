"""Read the signature of a typed function; knows types and defaults, writes no assembly."""

from __future__ import annotations

import ast
import functools
import keyword
import re
import struct
from collections.abc import Callable

from ..named import NamedTuple

MOST_PARAMETERS = 32
"""The most parameters that the run-time part can bind."""

_LONGEST_NAME = 255


class SignatureError(ValueError):
    """A signature is wrong; the message is for its author."""


class Type(NamedTuple):
    """The type of a parameter or a result, for the routine and for Python."""

    written: str
    """As in the signature."""
    kind: str
    """signed, unsigned, real, bool, object, str, cstr, buffer, tuple, or none."""
    size: int = 0
    """Bytes of a number, or of a buffer's item; 0 for anything else."""
    item: str = ""
    """The type of a buffer's items, as written; empty for bytes."""
    item_kind: str = ""
    writable: bool = False
    items: tuple[Type, ...] = ()
    """The types of a tuple's items."""
    is_sequence: bool = False
    """The items of a buffer are copied from a sequence of numbers."""
    dimensions: int = 0
    """Of a buffer whose shape the routine gets; else 0."""
    order: str = ""
    """C or F for a buffer of several dimensions that is contiguous; empty for one with strides."""

    @property
    def is_number(self) -> bool:
        """Return whether the routine gets or returns a number."""
        return self.kind in ("signed", "unsigned", "real", "bool")


class Default(NamedTuple):
    """The default of a parameter."""

    written: str
    value: int | float | str | bytes | None


class Parameter(NamedTuple):
    """A parameter that Python passes."""

    name: str
    type: Type
    default: Default | None = None

    @property
    def is_none(self) -> bool:
        """Return whether None is its default."""
        return self.default is not None and self.default.value is None

    @property
    def is_optional_number(self) -> bool:
        """Return whether the routine gets a pointer to a number, or a null pointer for None."""
        return self.is_none and self.type.is_number


class Signature(NamedTuple):
    """A signature that has been read."""

    text: str
    name: str
    receiver: str
    """``self``, ``cls`` or ``module`` if the routine gets the object itself; else empty."""
    parameters: tuple[Parameter, ...]
    positional_only: int
    """How many parameters are positional-only."""
    positional: int
    """How many can be given by position."""
    result: Type
    rest: str = ""
    """The name of ``*args``, which takes the further positional arguments; empty without it."""

    @property
    def least(self) -> int:
        """Return how many positional arguments a call needs."""
        return _last_required(self.parameters[: self.positional])

    @property
    def required(self) -> int:
        """Return how many parameters there are up to the last without a default."""
        return _last_required(self.parameters)

    @property
    def needs_keyword(self) -> bool:
        """Return whether some keyword-only parameter has no default."""
        return any(each.default is None for each in self.parameters[self.positional :])

    @property
    def takes_keywords(self) -> bool:
        """Return whether an argument can be given by name."""
        return self.positional_only < len(self.parameters)


NONE = Type("None", "none")

_NUMBERS = {
    "i8": ("signed", 1),
    "u8": ("unsigned", 1),
    "i16": ("signed", 2),
    "u16": ("unsigned", 2),
    "i32": ("signed", 4),
    "u32": ("unsigned", 4),
    "i64": ("signed", 8),
    "u64": ("unsigned", 8),
    "f32": ("real", 4),
    "float": ("real", 8),
    "f64": ("real", 8),
    "double": ("real", 8),
}
_OTHERS = {"bool": "bool", "object": "object", "str": "str", "cstr": "cstr", "bytes": "buffer"}

_KNOWN = (
    "i32, u32, i64, u64, float, double, bool, str, cstr, object, bytes, writable bytes, "
    "buffers such as double[], writable u8[] and f64[:, :], and sequences such as list[i64]"
)


def _last_required(parameters: tuple[Parameter, ...]) -> int:
    indices = [index for index, each in enumerate(parameters) if each.default is None]
    return indices[-1] + 1 if indices else 0


def parse(text: str, *, typed: bool = True) -> Signature:
    """Read a signature, ``name(parameter: type = default, ...) -> type``.

    With ``typed=False`` there are no types: each parameter is an object. Raises SignatureError.
    """
    if ";" in _without_strings(text):
        raise SignatureError(f": a signature holds no comment, as it has in `{text}'")
    name, opened, rest = text.partition("(")
    if not opened:
        raise SignatureError(': the signature has no `(\'; write it as "name(parameter, ...)"')
    name = name.strip()
    _expect_name(name, "a function")
    try:
        inside, result = _split_at_end(rest)
        return _Reader(text, name, typed).read(inside, result)
    except SignatureError as error:
        message = str(error)
        raise SignatureError(message if message[0] == ":" else f" {name}: {message}") from None


def _expect_name(name: str, what: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise SignatureError(f": `{name}' is not a name for {what}; use letters, digits and _")
    if len(name) > _LONGEST_NAME:
        raise SignatureError(
            f": the name of {what} has {len(name)} letters, and {_LONGEST_NAME} are the most"
        )
    if keyword.iskeyword(name):
        raise SignatureError(f": `{name}' is a keyword of Python; choose another name for {what}")


def _without_strings(text: str) -> str:
    """Return the text with each character of a quoted default as an underscore."""
    return re.sub(r"'[^']*'|\"[^\"]*\"", lambda match: "_" * len(match[0]), text)


def _split_at_end(text: str) -> tuple[str, str]:
    """Return what is before and what is after the parenthesis that ends the parameters."""
    # A quote that is left opens a string that nothing ends.
    bare = re.split("['\"]", _without_strings(text))[0]
    end = bare.find(")")
    if end < 0:
        raise SignatureError("the parameters are not closed by `)'")
    return text[:end], text[end + 1 :]


def _split(text: str) -> list[str]:
    """Return the parts of the text between commas, those in brackets and strings left alone."""
    parts, start, depth = [], 0, 0
    for index, letter in enumerate(_without_strings(text)):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    last = text[start:]
    # A comma may end the list.
    return parts + ([last] if last.strip() else [])


class _Reader:
    """Reads one signature, a parameter at a time."""

    def __init__(self, text: str, name: str, typed: bool) -> None:
        self._text = text
        self._name = name
        self._typed = typed
        self._receiver = ""
        self._parameters: list[Parameter] = []
        self._positional_only = 0
        self._positional: int | None = None
        self._rest = ""

    def read(self, inside: str, result: str) -> Signature:
        for index, part in enumerate(_split(inside)):
            self._read_part(part, first=index == 0)
        if self._positional == len(self._parameters) and not self._rest:
            raise SignatureError("no parameter after `*'")
        positional = len(self._parameters) if self._positional is None else self._positional
        return Signature(
            self._text,
            self._name,
            self._receiver,
            tuple(self._parameters),
            self._positional_only,
            positional,
            _result(result.strip()),
            self._rest,
        )

    def _read_part(self, part: str, *, first: bool) -> None:
        bare = _without_strings(part)
        equals = bare.find("=")
        head, default = (part, None) if equals < 0 else (part[:equals], part[equals + 1 :].strip())
        name, colon, type_ = (each.strip() for each in head.partition(":"))
        if name == "/":
            self._read_slash()
        elif name == "*":
            self._read_star()
        elif name.startswith("*"):
            self._read_rest(name, type_ if colon else "object", default)
        else:
            _expect_name(name, "a parameter")
            if first and not colon and name in ("self", "cls", "module"):
                self._receiver = name
            else:
                self._add(name, type_ if colon else None, default)

    def _read_slash(self) -> None:
        if not self._parameters or self._positional_only or self._positional is not None:
            raise SignatureError(
                "`/' belongs once, after the parameters that are positional-only and before `*'"
            )
        self._positional_only = len(self._parameters)

    def _read_star(self) -> None:
        if self._rest:
            raise SignatureError(f"what follows `*{self._rest}' is keyword-only; leave `*' out")
        if self._positional is not None:
            raise SignatureError("`*' belongs once, before the parameters that are keyword-only")
        self._positional = len(self._parameters)

    def _read_rest(self, name: str, type_: str, default: str | None) -> None:
        if name.startswith("**"):
            raise SignatureError(
                f"`{name}' is not possible; for keywords of any name write a PyFunction with "
                "METH_VARARGS | METH_KEYWORDS"
            )
        if self._rest:
            raise SignatureError(f"`*{self._rest}' takes all further arguments; leave `{name}' out")
        self._rest = name[1:].strip()
        _expect_name(self._rest, "a parameter")
        if type_ != "object" or default is not None:
            raise SignatureError(f"what `{name}' takes are objects: write `{name}' alone")
        if self._positional is not None:
            raise SignatureError(f"`{name}' stands in the place of `*'")
        if any(each.name == self._rest for each in self._parameters):
            raise SignatureError(f"two parameters are named `{self._rest}'")
        # Positions are all that tells these arguments from those before them.
        self._positional_only = self._positional = len(self._parameters)

    def _add(self, name: str, written: str | None, default: str | None) -> None:
        if self._typed and written is None:
            raise SignatureError(f"parameter `{name}' has no type; write `{name}: i64'")
        if len(self._parameters) == MOST_PARAMETERS:
            raise SignatureError(f"more than {MOST_PARAMETERS} parameters")
        if self._rest and not self._typed:
            raise SignatureError(
                f"no parameter may follow `*{self._rest}' here; PyTypedFunction allows it"
            )
        if name == self._rest or any(each.name == name for each in self._parameters):
            raise SignatureError(f"two parameters are named `{name}'")
        type_ = read_type(written) if self._typed and written is not None else _OBJECT
        value = None if default is None else _default(name, type_, default)
        before = self._parameters[-1] if self._parameters else None
        if value is None and self._positional is None and before and before.default:
            raise SignatureError(
                f"parameter `{name}' has no default but follows `{before.name}', which has one"
            )
        self._parameters.append(Parameter(name, type_, value))


_OBJECT = Type("object", "object")


@functools.cache  # a source has many parameters of few types
def read_type(written: str) -> Type:
    """Return the type of that name. Raises SignatureError."""
    name = written
    writable = name.startswith("writable ")
    if writable:
        name = name.removeprefix("writable ").strip()
    is_array = name.endswith("[]") and len(name) > 2
    if shaped := re.fullmatch(r"(\w+)\s*\[([\s:,1]*:[\s:,1]*)\]", name):
        return _shaped(written, shaped[1], re.sub(r"\s", "", shaped[2]), writable)
    sequence = re.fullmatch(r"(?:list|sequence)\s*\[\s*(\w+)\s*\]", name)
    if is_array:
        name = name.removesuffix("[]").strip()
    elif sequence and not writable:
        name = sequence[1]
    if name in _NUMBERS:
        kind, size = _NUMBERS[name]
        if is_array or sequence:
            copied = sequence is not None
            return Type(written, "buffer", size, name, kind, writable, is_sequence=copied)
        if size < 4:
            raise SignatureError(
                f"`{written}' is a type of buffer items only, as in `{written}[]'; "
                "take an i32 or a u32"
            )
    elif name in _OTHERS and not (is_array or sequence):
        kind, size = _OTHERS[name], 0
    else:
        raise SignatureError(f"unknown type `{written}'; the types are {_KNOWN}")
    if writable and kind != "buffer":
        raise SignatureError("only buffers can be writable: `writable bytes', `writable double[]'")
    return Type(written, kind, size, writable=writable)


_SHAPES = {":": (1, ""), ":,:": (2, ""), ":,::1": (2, "C"), "::1,:": (2, "F")}
"""The numbers of dimensions and the orders of buffers, as memoryviews are written in Cython."""


def _shaped(written: str, item: str, shape: str, writable: bool) -> Type:
    """Return the type of a buffer such as ``f64[:, ::1]``, which the routine gets the shape of."""
    if shape not in _SHAPES or item not in _NUMBERS:
        raise SignatureError(
            f"unknown type `{written}'; buffers with a shape are `f64[:]', `f64[:, :]', and "
            "contiguous ones `f64[:, ::1]' (C) and `f64[::1, :]' (Fortran)"
        )
    (kind, size), (dimensions, order) = _NUMBERS[item], _SHAPES[shape]
    return Type(written, "buffer", size, item, kind, writable, dimensions=dimensions, order=order)


def _result(text: str) -> Type:
    if not text:
        return NONE
    if not text.startswith("->"):
        raise SignatureError(f"after the parameters comes `-> type', not `{text}'")
    written = text[2:].strip()
    if written == "None":
        return NONE
    if written.startswith("tuple"):
        return _tuple(written)
    result = read_type(written)
    if result.writable or result.item:
        raise SignatureError(
            f"a result cannot be `{written}'; take a writable buffer as a parameter"
        )
    return result


def _tuple(written: str) -> Type:
    match = re.fullmatch(r"tuple\s*\[(.+)\]", written)
    items = tuple(read_type(each.strip()) for each in match[1].split(",")) if match else ()
    if not items or not all(each.is_number for each in items):
        raise SignatureError(
            f"a result cannot be `{written}'; a tuple is of numbers: `tuple[i64, double]'"
        )
    return Type(written, "tuple", items=items)


def _default(name: str, type_: Type, written: str) -> Default:
    if not written:
        raise SignatureError("no default after `='")
    takes_text = type_.kind != "buffer" or not (type_.item or type_.writable)
    rule = _DEFAULTS[type_.kind if takes_text else "object"]
    if not re.fullmatch(rule.pattern, written):
        raise SignatureError(
            f"`{written}' is not a default for `{name}: {type_.written}'; write {rule.example}"
        )
    value = rule.value(written)
    if not _fits(type_, value):
        raise SignatureError(f"the default {written} of `{name}' does not fit {type_.written}")
    return Default(written, value)


class _Rule(NamedTuple):
    """How the defaults of one kind of parameter are written."""

    example: str
    pattern: str
    value: Callable[[str], int | float | str | bytes | None] = ast.literal_eval


_INTEGER = _Rule(
    "an integer such as 1, -1 or 0xff",
    r"None|-?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|[1-9][0-9]*|0)",
    lambda written: None if written == "None" else int(written, 0),
)
_TEXT = _Rule("None or 'text', without backslashes", r"None|'[^'\\]*'|\"[^\"\\]*\"")
_DEFAULTS = {
    "signed": _INTEGER,
    "unsigned": _INTEGER,
    "real": _Rule(
        "a number such as 1, 0.5 or -1e3",
        r"None|[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?",
        lambda written: None if written == "None" else float(written),
    ),
    "bool": _Rule("True or False", "True|False|None"),
    "object": _Rule("None", "None"),
    "str": _TEXT,
    "cstr": _TEXT,
    "buffer": _Rule(
        "None or b'text', without backslashes", r"None|b'[ !#-&(-\[\]-~\"]*'|b\"[ !#-\[\]-~]*\""
    ),
}


def _fits(type_: Type, value: object) -> bool:
    if type_.kind == "signed" and isinstance(value, int):
        return -(1 << 8 * type_.size - 1) <= value < 1 << 8 * type_.size - 1
    if type_.kind == "unsigned" and isinstance(value, int):
        return 0 <= value < 1 << 8 * type_.size
    if type_.kind == "real" and isinstance(value, float):
        try:
            struct.pack("<f" if type_.size == 4 else "<d", value)
        except OverflowError:
            return False
        return abs(value) != float("inf")
    return True

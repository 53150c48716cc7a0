"""Random signatures of typed functions, and what calls of them do: a model without assembly.

Run by the build, which writes a module of them, and by check_random.py in each interpreter. Only
the standard library.
"""

from __future__ import annotations

import array
import random
import struct
from typing import Any, NamedTuple

SEED = 20240229
COUNT = 1000

INTEGERS = {
    "i32": (-(2**31), 2**31 - 1),
    "u32": (0, 2**32 - 1),
    "i64": (-(2**63), 2**63 - 1),
    "u64": (0, 2**64 - 1),
}
ITEMS = {"u8": "B", "i16": "h", "u32": "I", "i64": "q", "f32": "f", "double": "d"}
TYPES = [
    *INTEGERS,
    *("float", "double", "f32", "bool", "object", "str", "cstr", "bytes", "writable bytes"),
    *(f"{writable}{item}[]" for item in ITEMS for writable in ("", "writable ")),
    *(f"list[{item}]" for item in ITEMS),
    *(f"{item}[:]" for item in ITEMS),
]
MATRICES = [f"{item}[{shape}]" for item in ITEMS for shape in (":, :", ":, ::1", "::1, :")]
"""Buffers of two dimensions, of up to five words: not for signatures with many parameters."""
RESULTS = {
    "None": "dump",
    "i32": "dump_number",
    "u32": "dump_number",
    "i64": "dump_number",
    "u64": "dump_number",
    "bool": "dump_number",
    "float": "dump_real",
    "f32": "dump_single",
    "str": "dump_text",
    "bytes": "dump_text",
    "cstr": "dump_text",
    "object": "dump_object",
    "tuple[i64, bool, i32]": "dump_tuple",
}
NUMBER = 0xFEDCBA9876543201
RETURNED = {
    "None": None,
    "i32": 0x76543201,
    "u32": 0x76543201,
    "i64": NUMBER - 2**64,
    "u64": NUMBER,
    "bool": True,
    "float": 0.375,
    "f32": 0.375,
    "str": "hello",
    "bytes": b"hello",
    "cstr": "hello",
    "object": None,
    "tuple[i64, bool, i32]": (NUMBER - 2**64, True, 0x76543201),
}


class Parameter(NamedTuple):
    """A parameter as the signature has it; ``default`` is as written, empty for none."""

    name: str
    type: str
    default: str


class Signature(NamedTuple):
    """A function; the first ``only`` parameters are positional-only, those after ``most`` keyword-only."""

    name: str
    parameters: tuple[Parameter, ...]
    only: int
    most: int
    result: str
    nogil: bool
    rest: bool = False
    """Whether further arguments are taken, before the keyword-only parameters."""
    receiver: str = ""
    """self or cls for a method, which is passed that; empty for a function."""
    is_call: bool = False
    """The method is the `__call__` of a type of its own."""

    def _listed(self, written: list[str], receiver: str = "") -> str:
        parts = list(written)
        if self.rest or self.most < len(parts):
            parts.insert(self.most, "*rest" if self.rest else "*")
        if self.only:
            parts.insert(self.only, "/")
        return f"({', '.join([*filter(None, [receiver]), *parts])})"

    @property
    def declaration(self) -> str:
        """The line of the source."""
        written = [
            f"{name}: {type_}{f' = {default}' if default else ''}"
            for name, type_, default in self.parameters
        ]
        name = "__call__" if self.is_call else self.name
        text = f"{name}{self._listed(written, self.receiver)} -> {self.result}"
        nogil = ", nogil" if self.nogil else ""
        routine = RESULTS[self.result]
        if routine == "dump_tuple":
            registers, stacked = places(self, one_more=True)[-1]
            routine += f"_{registers if stacked < 0 else 6 + stacked}"
        return f'PyTypedFunction "{text}", calls {routine}{nogil}'

    def model(self) -> Any:
        """A Python function that returns the arguments in the order of the parameters, and the rest."""
        written = [f"{name}={default}" if default else name for name, _, default in self.parameters]
        names = "".join(f"{each.name}, " for each in self.parameters)
        namespace: dict[str, Any] = {}
        more = "rest" if self.rest else "()"
        exec(f"def model{self._listed(written)}: return ({names}), {more}", namespace)  # noqa: S102
        return namespace["model"]


def kinds(parameter: Parameter) -> str:
    """The words of a parameter: i in a register for integers, r in one for real numbers."""
    number = parameter.type in INTEGERS or parameter.type in ("float", "double", "f32", "bool")
    if parameter.type in ("float", "double", "f32") and parameter.default != "None":
        return "r"
    if parameter.type in MATRICES:
        return "iiiii" if parameter.type.endswith("[:, :]") else "iii"
    if parameter.type.endswith("[:]"):
        return "iii"
    return "i" if number or parameter.type in ("object", "cstr") else "ii"


def places(signature: Signature, *, one_more: bool = False) -> list[tuple[int, int]]:
    """Where each word goes, as the System V ABI says: its register, or -1; its place on the stack."""
    words = [*map(kinds, signature.parameters)]
    if signature.rest:
        words.insert(signature.most, "ii")
    letters = "".join(words) + ("i" if one_more else "")
    integers, reals, stacked = int(bool(signature.receiver)), 0, 0
    found = []
    for letter in letters:
        if letter == "r" and reals < 8:
            found.append((6 + reals, -1))
            reals += 1
        elif letter == "i" and integers < 6:
            found.append((integers, -1))
            integers += 1
        else:
            found.append((-1, stacked))
            stacked += 1
    return found


def signatures() -> list[Signature]:
    """The signatures, the same each time."""
    chance = random.Random(SEED)
    return [_signature(chance, f"f{number}") for number in range(COUNT)]


def declarations() -> str:
    """The functions, then a type with the methods, then those that are called."""
    lines = [each.declaration for each in signatures() if not each.receiver]
    lines.append("PyType Holder, Holder_object_size")
    lines += [each.declaration for each in signatures() if each.receiver and not each.is_call]
    lines.append("PyEndType")
    for each in signatures():
        if each.is_call:
            lines += [f"PyType {each.name}, Holder_object_size", each.declaration, "PyEndType"]
    return "\n".join(lines)


def _signature(chance: random.Random, name: str) -> Signature:
    count = chance.choice((0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 9, 12))
    only = chance.randint(0, count) if chance.random() < 0.5 else 0
    most = chance.randint(only, count) if chance.random() < 0.4 else count
    required = chance.randint(0, most)
    receiver, is_call = chance.choices(
        (("", False), ("self", False), ("cls", False), ("self", True)), (86, 8, 4, 2)
    )[0]
    rest = not is_call and chance.random() < 0.15
    only = most if rest else only  # those before it are positional-only
    nogil = not rest and not receiver and chance.random() < 0.25
    types = [*TYPES, *(MATRICES if count <= 6 else ())]
    parameters = []
    for index in range(count):
        type_ = chance.choice([each for each in types if not (nogil and each == "object")])
        optional = required <= index < most or (index >= most and chance.random() < 0.5)
        parameters.append(
            Parameter(f"p{index}", type_, _default(chance, type_) if optional else "")
        )
    results = [each for each in RESULTS if not (nogil and each == "object")]
    result = chance.choice(results)
    return Signature(name, tuple(parameters), only, most, result, nogil, rest, receiver, is_call)


def _default(chance: random.Random, type_: str) -> str:
    if chance.random() < 0.4 or type_ == "object" or "[" in type_ or "writable" in type_:
        return "None"
    if type_ in INTEGERS:
        return str(chance.choice((0, 1, *INTEGERS[type_], chance.randint(*INTEGERS[type_]))))
    return {"str": "'text'", "cstr": "'text'", "bytes": "b'text'", "bool": "True"}.get(
        type_, "-2.5"
    )


def argument(chance: random.Random, type_: str) -> Any:
    """An argument that fits."""
    if type_ in INTEGERS:
        lowest, highest = INTEGERS[type_]
        return chance.choice((lowest, highest, 0, chance.randint(lowest, highest)))
    if type_ in ("float", "double", "f32"):
        return chance.choice((0.0, -1.0, 1.5, 3, True, -0.25))
    if type_.startswith("list["):
        return [
            chance.choice((n, True, float(n) if "f" in type_ or "d" in type_ else n))
            for n in range(chance.randint(0, 5))
        ]
    if "[" in type_:
        letter = ITEMS[type_.removeprefix("writable ").partition("[")[0]]
        if type_ not in MATRICES:
            return array.array(letter, range(chance.randint(0, 5)))
        # Of the matrices that memoryview can make, those with one column are Fortran's, too.
        shape = chance.randint(1, 4), 1 if "::1, " in type_ else chance.randint(1, 4)
        items: Any = memoryview(array.array(letter, range(shape[0] * shape[1])))
        return items.cast("B").cast(letter, shape)
    return {
        "bool": chance.choice((True, False, 0, "x", [], None)),
        "object": [1],
        "str": chance.choice(("", "abc", "h\u00e9\0llo")),
        "cstr": chance.choice(("", "abc", "h\u00e9llo")),
        "bytes": chance.choice((b"", b"abc", bytearray(b"xyz"))),
        "writable bytes": bytearray(b"writable"),
    }[type_]


def misfit(chance: random.Random, type_: str) -> tuple[Any, type[Exception]] | None:
    """An argument that does not fit, and the error; None where anything fits."""
    if type_ in INTEGERS:
        lowest, highest = INTEGERS[type_]
        number = chance.choice((lowest - 1, highest + 1, 2**70))
        return chance.choice(((number, OverflowError), ("1", TypeError), (1.5, TypeError)))
    if type_ in ("bool", "object"):
        return None
    if type_ == "cstr":
        return "nu\0ll", ValueError
    if type_.startswith("list["):
        return chance.choice((5, ["1"], [None])), TypeError
    if type_ in MATRICES and chance.random() < 0.5:
        return array.array(ITEMS[type_.partition("[")[0]], [1, 2]), TypeError
    if "[" in type_:
        return memoryview(bytearray(16)).cast("?"), TypeError
    return {}, TypeError


def words(type_: str, value: Any, *, default_none: bool) -> list[Any]:
    """What the routine gets: numbers; for text and buffers the bytes; for objects themselves."""
    if value is None and default_none and ":" in type_:
        return [None, 0, 0, *((0, 0) if type_.endswith("[:, :]") else ())]
    if value is None and default_none and type_ not in ("object",):
        return [None, 0] if type_ in ("str", "bytes", "writable bytes") or "[" in type_ else [None]
    if default_none and (type_ in INTEGERS or type_ in ("float", "double", "f32", "bool")):
        return [...]  # a pointer to the number, which is gone when the routine has returned
    if type_ in INTEGERS:
        return [value % 2**64]
    if type_ in ("float", "double"):
        return [int.from_bytes(struct.pack("<d", value), "little")]
    if type_ == "f32":
        return [int.from_bytes(struct.pack("<f", value), "little")]
    if type_ == "bool":
        return [int(bool(value))]
    if type_ == "object":
        return [value]
    if type_.startswith("list["):
        return [..., len(value)]  # a copy, which is gone when the routine has returned
    if type_ in MATRICES:
        strides = value.strides if type_.endswith("[:, :]") else ()
        return [bytes(value), *value.shape, *strides]
    if type_.endswith("[:]"):
        return [bytes(value), len(value), value.itemsize]
    data = value.encode() if isinstance(value, str) else bytes(value)
    if type_ == "cstr":
        return [data]
    return [data, len(value) if type_.endswith("[]") else len(data)]

"""Every number and every name of the include files, compared with C headers and libraries.

The numbers are what NASM puts into an object, not what the generator meant to write.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from asmsetup.facts import cpython_abi
from tests.abi.headers import Headers, expression
from tests.abi.includes import Nasm, declared_names, defined_names
from tools.abi_probe import exported_names
from tools.abi_tables import UNDERSTOOD
from tools.matrix.interpreters import Interpreter, all_interpreters, for_tests

# Items compared per target. They may only grow.
FLOORS = {
    "3.10": 2641,
    "limited 3.10": 1119,
    "3.11": 2702,
    "limited 3.11": 1185,
    "3.12": 2830,
    "limited 3.12": 1229,
    "3.13": 2959,
    "limited 3.13": 1277,
    "3.13t": 2994,
    "3.14": 3011,
    "limited 3.14": 1314,
    "3.14t": 3039,
    "3.14-debug": 3017,
    "3.15": 3166,
    "limited 3.15": 1447,
    "3.15t": 3184,
    "abi3t 3.15": 1398,
    "3.15-debug": 3172,
}


@dataclass(frozen=True)
class Target:
    """One ABI as C headers and the include files describe it."""

    name: str
    interpreter: Interpreter
    c_macros: tuple[str, ...]
    nasm_macros: tuple[str, ...]

    def __str__(self) -> str:
        return self.name

    @property
    def headers(self) -> Headers:
        return Headers(self.interpreter.include_dir, self.c_macros)


def hexadecimal(version: tuple[int, ...]) -> str:
    return f"0x{version[0]:02x}{version[1]:02x}0000"


def targets() -> Iterator[Target]:
    """All that can be compiled for with the headers at hand."""
    interpreters = [each for each in for_tests(all_interpreters()) if each.has_headers]
    names = {each.name for each in interpreters}
    for interpreter in interpreters:
        if "musl" in interpreter.name or "glibc" in interpreter.name:
            continue  # another C library, the same x86-64 ABI
        version = hexadecimal(interpreter.version)
        nasm: tuple[str, ...] = (f"PY_VERSION_HEX={version}",)
        name = interpreter.name
        if interpreter.debug:
            nasm += ("Py_DEBUG=1",)
        if interpreter.free_threaded:
            yield Target(name, interpreter, (), (*nasm, "Py_GIL_DISABLED=1"))
            continue
        yield Target(name, interpreter, (), nasm)
        if interpreter.debug:
            continue
        if f"{name}t" not in names and interpreter.version >= (3, 14):
            macro = "Py_GIL_DISABLED=1"
            yield Target(f"{name}t", interpreter, (macro,), (*nasm, macro))
        limited = f"Py_LIMITED_API={version}"
        yield Target(f"limited {name}", interpreter, (limited,), (*nasm, limited))
        if interpreter.version >= (3, 15):
            yield Target(
                f"abi3t {name}",
                interpreter,
                (f"Py_TARGET_ABI3T={version}",),
                (*nasm, limited, "Py_GIL_DISABLED=1"),
            )


TARGETS = list(targets())
each_target = pytest.mark.parametrize("target", TARGETS, ids=str)


def structs_in(names: list[str]) -> frozenset[str]:
    return frozenset(name.split(".")[0] for name in names if "." in name)


def split_names() -> tuple[list[str], list[str]]:
    """Names that are expressions in C, and bit-fields, which are `name_mask` and `name_shift`."""
    names = defined_names()
    masks = [name for name in names if "." in name and name.endswith("_mask")]
    bit_fields = [name.removesuffix("_mask") for name in masks]
    of_bits = {*masks, *(f"{name}_shift" for name in bit_fields)}
    plain = [
        name for name in names if name not in of_bits and not name.startswith(("PY__", "PyCPU_"))
    ]
    return plain, bit_fields


def in_c(target: Target, names: list[str], folder: Path) -> dict[str, int]:
    """The names' values as the compiler has them, without those it does not know."""
    structs = structs_in(names)
    expressions = {name: expression(name, structs) for name in names}
    values = target.headers.values(expressions, folder)
    # A flexible array has no size; its width is that of an element.
    elements = {
        name: expressions[name].replace("_width", "").removesuffix(")") + "[0])"
        for name in names
        if name.endswith("_width") and name not in values
    }
    return values | target.headers.values(elements, folder)


def differences(nasm: dict[str, int], c: dict[str, int]) -> list[str]:
    """Return where the two differ; older headers may lack the numbers that every target has."""
    missing = {name for name in nasm.keys() - c.keys() if not UNDERSTOOD.match(name)}
    return [
        f"{name}: nasm has {nasm.get(name)}, the headers {c.get(name)}"
        for name in sorted(missing | c.keys())
        if nasm.get(name) != c.get(name)
    ]


@each_target
def test_all_items(target: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sizes, offsets, widths, bit-fields, constants and names; what C lacks, NASM lacks too."""
    # One constant is the version, to its patch release.
    version = target.headers.values({"hex": "PY_VERSION_HEX"}, tmp_path)["hex"]
    nasm = Nasm((*target.nasm_macros, f"PY_VERSION_HEX={version:#x}"), tmp_path)
    names, bit_fields = split_names()
    values = nasm.values(names)
    assert differences(values, in_c(target, names, tmp_path)) == []

    masks = nasm.values(f"{name}_mask" for name in bit_fields)
    shifts = nasm.values(f"{name}_shift" for name in bit_fields)
    present = [name for name in bit_fields if f"{name}_mask" in masks]
    c_masks = target.headers.bits(present, tmp_path)
    assert masks == {f"{name}_mask": mask for name, mask in c_masks.items()}
    assert shifts == {
        f"{name}_shift": (mask & -mask).bit_length() - 1 for name, mask in c_masks.items()
    }

    declared = nasm.symbols(declared_names())
    assert sorted(declared.keys() - expected_exports(target)) == []

    compared = len(values) + 2 * len(present) + len(declared)
    with capsys.disabled():
        print(f"\n{target.name}: {compared} items compared", end=" ")
    assert compared >= FLOORS[target.name]


def expected_exports(target: Target) -> set[str]:
    exported = set(exported_names(target.interpreter.library))
    own = "t" in target.name.split()[0]
    if own and not target.interpreter.free_threaded:  # headers, but no library of its own
        version = target.interpreter.version[:2]
        exported |= {name for name in declared_names() if cpython_abi.exported(name, version, True)}
    return exported


# Under the limited API of 3.13 Py_None is a call; its symbol is in the stable ABI all the same.
@pytest.mark.parametrize(
    "target", [target for target in TARGETS if not target.headers.limited], ids=str
)
def test_aliases(target: Target, tmp_path: Path) -> None:
    """Py_None and its like are the symbols that C takes the address of."""
    nasm = Nasm(target.nasm_macros, tmp_path)
    plain, _ = split_names()
    constants = [name for name in plain if "." not in name and not name.endswith("_size")]
    numbers = nasm.values(constants)
    symbols = nasm.symbols(name for name in constants if name not in numbers)
    aliases = {name: symbol for name, symbol in symbols.items() if symbol != name}
    assert {"Py_None", "Py_True", "Py_False", "Py_Ellipsis", "Py_NotImplemented"} <= set(aliases)
    assert target.headers.symbols(aliases, tmp_path) == aliases


def test_universal(tmp_path: Path) -> None:
    """A module for every CPython may use only what is the same in all, and the oldest numbers."""
    nasm = Nasm(("PY_UNIVERSAL=1", "PY_VERSION_HEX=0x030f0000"), tmp_path)
    plain, _ = split_names()
    values = nasm.values(plain)
    layout = [name for name in plain if "." in name or name.endswith("_size")]
    declared = nasm.symbols(declared_names())
    assert "PyObject_GetBuffer" in declared  # in the stable ABI since 3.11, exported before
    for target in TARGETS:
        assert sorted(declared.keys() - expected_exports(target)) == []
        if target.interpreter.debug:
            continue
        c = in_c(target, [name for name in values if name in layout], tmp_path)
        assert {name: c[name] for name in c if c[name] != values[name]} == {}
    oldest: dict[str, int] = {}
    for target in TARGETS:
        if target.name.startswith("limited"):
            oldest = (
                in_c(target, [name for name in values if name not in layout], tmp_path) | oldest
            )
    constants = {name: value for name, value in values.items() if name not in layout}
    if any(target.name == "limited 3.15" for target in TARGETS):
        assert oldest == constants
    else:  # what is only in headers that are not here cannot be compared
        assert oldest == {name: constants[name] for name in oldest}
    assert "PyObject_size" not in values
    assert values["Py_mod_gil"] == 4

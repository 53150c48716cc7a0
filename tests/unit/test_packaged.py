"""Native modules in a wheel: named for what they are, and for every CPython where that is promised."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from asmsetup.check import packaged
from tests.unit.test_wheel import AARCH64, CALL, FUNCTION, library, module

ENTRY = "extern {0}\nglobal PyInit_m:function\nsection .text\nPyInit_m: jmp {0} wrt ..plt\n"


def misnamed(modules: dict[str, str]) -> list[str]:
    return packaged.misnamed(packaged.facts_of(modules))


def not_universal(modules: dict[str, str]) -> list[str]:
    return packaged.not_universal(packaged.facts_of(modules))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("m.so", None),
        ("m.abi3.so", None),
        ("m.cpython-312-x86_64-linux-gnu.so", None),
        ("m.cpython-312-x86_64-linux-musl.so", None),
        ("m.abi3-x86_64-linux-gnu.so", None),
        ("libx-1.2.so", None),
        ("m.cpython-312-aarch64-linux-gnu.so", "named for aarch64 and built for x86-64 Linux"),
        ("m.cpython-312-i386-linux-gnu.so", "named for i386 and built for x86-64 Linux"),
        ("m.pypy310-pp73-aarch64-linux-gnu.so", "named for aarch64 and built for x86-64 Linux"),
        ("m.cpython-312-arm-linux-gnueabihf.so", "named for arm and built for x86-64 Linux"),
        ("m.cpython-312-darwin.so", "named for macOS and built for x86-64 Linux"),
    ],
)
def test_the_name_of_a_module(tmp_path: Path, name: str, wrong: str | None) -> None:
    found = misnamed(module(tmp_path, name, FUNCTION))

    assert found == ([f"{name} is {wrong}, so no Python can import it"] if wrong else [])


def test_built_for_another_machine(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(AARCH64)

    assert not misnamed({"m.cpython-312-aarch64-linux-gnu.so": str(path)})
    assert misnamed({"m.cpython-312-x86_64-linux-gnu.so": str(path)})
    assert not misnamed({"firmware.so": str(path)})


def test_named_for_musl_and_linked_with_glibc(tmp_path: Path) -> None:
    needed = library(tmp_path, "libc.so.6", "other")

    found = misnamed(
        module(tmp_path, "m.cpython-312-x86_64-linux-musl.so", CALL.format("other"), needed)
    )

    assert "named for musl and linked with glibc" in found[0]


@pytest.mark.parametrize(
    ("name", "function", "said"),
    [
        ("m.so", "PyModuleDef_Init", None),
        # Stable since 3.11, and in 3.10 all the same.
        ("m.so", "PyObject_GetBuffer", None),
        ("m.cpython-311-x86_64-linux-gnu.so", "PyModuleDef_Init", "is named for some Pythons only"),
        ("m.abi3.so", "PyModuleDef_Init", "is named for some Pythons only (.abi3.so)"),
        ("m.so", "PyUnicode_New", "uses `PyUnicode_New', which is not in the stable ABI of 3.10"),
        ("m.so", "PyModule_Add", "uses `PyModule_Add', which is not in the stable ABI of 3.10"),
        ("m.so", "_PyLong_New", "uses `_PyLong_New'"),
    ],
)
def test_for_every_python(tmp_path: Path, name: str, function: str, said: str | None) -> None:
    found = not_universal(module(tmp_path, name, ENTRY.format(function)))

    assert bool(found) == bool(said)
    assert said is None or found[0].startswith(f"{name} {said}")


def test_a_python_module_that_needs_a_library(tmp_path: Path) -> None:
    needed = library(tmp_path, "libc.so.6", "other")

    found = not_universal(module(tmp_path, "m.so", ENTRY.format("other"), needed))

    assert found == ["m.so needs libc.so.6, and glibc and musl share no library"]


def test_other_files_promise_nothing(tmp_path: Path) -> None:
    needed = library(tmp_path, "libc.so.6", "other")
    data = module(tmp_path, "libplain.so", CALL.format("other"), needed)
    subprocess.run(["cp", str(tmp_path / "x.o"), str(tmp_path / "y")], check=True)

    assert not not_universal({**data, "x.o": str(tmp_path / "y")})

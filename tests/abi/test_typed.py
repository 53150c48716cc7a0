"""Typed functions on every interpreter: builds tests/abi/typed/, then runs its checks in each.

A module for every version is built once; a module for the one version is built for each
interpreter, as the macros take other ways there.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.abi.assembling import (
    ASSEMBLERS,
    INTERPRETERS,
    TYPED,
    UNIVERSAL,
    Defines,
    assemble,
    build,
    build_typed,
    python,
    target_of,
)
from tests.projects import Python, installed_aside, run
from tools.matrix.interpreters import Interpreter, pytest_path

CHECKS = [TYPED / f"check_{theme}.py" for theme in ("values", "keywords", "ownership")]


def build_clinic(folder: Path, interpreter: Interpreter) -> None:
    """clinic.so in the folder: what Argument Clinic would have made of the same signatures."""
    include = f"-I{interpreter.include_dir}"
    output = folder / "clinic.so"
    said = run("gcc", "-O2", "-shared", "-fPIC", include, TYPED / "clinic.c", "-o", output)
    assert said.output == ""


def pytest_for(interpreter: Interpreter) -> Path:
    """The folder with a pytest that runs in the interpreter: the matrix's, or one of its own."""
    if pytest_path().is_dir():
        return pytest_path()
    return installed_aside(Python(interpreter.name, Path(interpreter.command[0])), "pytest")


def check(interpreter: Interpreter, *folders: Path) -> None:
    """Run CHECKS in the interpreter, which finds its modules in the folders."""
    path = os.pathsep.join(map(str, (*folders, pytest_for(interpreter))))
    options = ["-q", "--tb=short", "-p", "no:cacheprovider", "-c", os.devnull]
    root = f"--rootdir={folders[0]}"
    env = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    run(*interpreter.command, "-m", "pytest", *options, root, *CHECKS, env=env)


@pytest.fixture(scope="module")
def universal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("universal")
    build_typed(folder)
    return folder


@pytest.mark.parametrize("name", INTERPRETERS)
def test_one_module_on_every_interpreter(name: str, universal: Path, tmp_path: Path) -> None:
    interpreter = INTERPRETERS[name]
    if interpreter.has_headers:
        build_clinic(tmp_path, interpreter)
    check(interpreter, universal, tmp_path)


@pytest.mark.parametrize("name", INTERPRETERS)
def test_a_module_for_one_version(name: str, tmp_path: Path) -> None:
    interpreter = INTERPRETERS[name]
    build_typed(tmp_path, target_of(interpreter))
    check(interpreter, tmp_path)


@pytest.mark.parametrize("nasm", sorted(ASSEMBLERS.keys() - {"nasm"}))
def test_every_other_nasm(nasm: str, tmp_path: Path) -> None:
    build_typed(tmp_path, nasm=ASSEMBLERS[nasm])
    check(next(iter(INTERPRETERS.values())), tmp_path)


@pytest.mark.parametrize("name", INTERPRETERS)
@pytest.mark.parametrize("how", [(), ("single-phase",), ("creates",)], ids=" ".join)
def test_names_in_the_modules_state(how: tuple[str, ...], name: str, tmp_path: Path) -> None:
    """The names that a module for several versions holds, and those who have no place for them."""
    interpreter = INTERPRETERS[name]
    defines = {each.upper().replace("-", "_"): "1" for each in how}
    build(TYPED / "state.asm", tmp_path / "state.so", UNIVERSAL | defines)
    python(interpreter, tmp_path, str(TYPED / "check_state.py"), *how)
    build(TYPED / "state.asm", tmp_path / "state.so", target_of(interpreter) | defines)
    python(interpreter, tmp_path, str(TYPED / "check_state.py"), *how)


def test_limited_api(tmp_path: Path) -> None:
    """The limited API of 3.10 has no buffers; that of 3.11 has all that is needed."""
    build_typed(tmp_path, {"Py_LIMITED_API": "0x030b0000"})
    fitting = [each for each in INTERPRETERS.values() if each.version >= (3, 11)]
    check(next(each for each in fitting if not each.free_threaded), tmp_path)


SIGNATURES = [
    *(f"f(a: {one}, b: {one}) -> {one}" for one in ("i32", "u32", "i64", "u64", "double", "bool")),
    *(f"f(a: {one} = None) -> {one}" for one in ("object", "str")),
    *(f"f(a: {one}, b: {one} = None)" for one in ("str", "cstr", "bytes", "writable bytes")),
    *(f"f(a: {one}, b: writable {one})" for one in ("u8[]", "i64[]", "double[]")),
    "f(a: i64, /, b: i64 = 1, *, c: i64 = 2, d: str = 'x')",
]


@pytest.mark.parametrize("defines", [UNIVERSAL, {"PY_VERSION_HEX": "0x030d00f0"}])
@pytest.mark.parametrize("signature", SIGNATURES)
def test_nasm_needs_no_pass_more(signature: str, defines: Defines, tmp_path: Path) -> None:
    """Each pass reads all includes again; a size that nasm guessed wrong costs one."""
    source = tmp_path / "m.asm"
    source.write_text(
        '%include "python.inc"\nPyModule m\n'
        f'PyTypedFunction "{signature}"\nPyEndModule\nsection .text\nf: ret\n'
    )
    said = assemble(source, tmp_path / "m.o", defines, "nasm", "-Ov")
    assert "assembly required 1+1+2 passes" in said.stdout + said.stderr

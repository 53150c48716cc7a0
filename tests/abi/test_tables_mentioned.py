"""NASM reads of the tables only what a source mentions, and makes the same of it as of all of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asmsetup.assemble import nasm
from asmsetup.assemble.includes import INCLUDE_DIR, Reader
from asmsetup.assemble.nasm import AssemblerOptions, Macro, ObjectFile
from asmsetup.assemble.objects import Objects
from asmsetup.assemble.tables import selection
from asmsetup.errors import AssembleError
from tests.abi.assembling import ASSEMBLERS, MODULES
from tools.matrix.interpreters import REPOSITORY

UNIVERSAL: tuple[Macro, ...] = (("PY_UNIVERSAL", "1"),)
TARGETS: dict[str, tuple[Macro, ...]] = {
    "universal": UNIVERSAL,
    "cp310": (("PY_VERSION_HEX", "0x030A0000"),),
    "cp315t": (("PY_VERSION_HEX", "0x030F00A1"), ("Py_GIL_DISABLED", "1")),
    "abi3-311": (("PY_VERSION_HEX", "0x030D0000"), ("Py_LIMITED_API", "0x030B0000")),
}
PYTHON = Path(INCLUDE_DIR, "python")
SOURCES = sorted(
    path
    for folder in ("examples", "tests/abi", "tests/check", "asmsetup/canaries")
    for path in (REPOSITORY / folder).rglob("*.asm")
    if '%include "python.inc"' in path.read_text()
)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


Made = tuple[str, bytes]


def made(
    source: str,
    defines: tuple[Macro, ...] = UNIVERSAL,
    assembler: str = "nasm",
    path: str = "out.o",
) -> Made:
    """Return what NASM says of a source, and the object's bytes."""
    options = AssemblerOptions(include_dirs=(INCLUDE_DIR,), define=defines)
    objects = Objects(nasm.find(assembler), Reader(), None)
    try:
        said = objects.assemble(ObjectFile(source, path, options))
    except AssembleError as error:
        return str(error), b""
    return said, Path(path).read_bytes()


def made_from_all(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Made]:
    """Return ``made`` with the tables as they are."""

    def function(*arguments: Any) -> Made:
        with monkeypatch.context() as patch:
            patch.setattr("asmsetup.assemble.objects.selection", lambda *arguments: "")
            return made(*arguments)

    return function


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_the_same_object(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert made(str(source)) == made_from_all(monkeypatch)(str(source))


@pytest.mark.parametrize("assembler", sorted(ASSEMBLERS))
def test_the_same_object_for_each_target(assembler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source, nasm = str(MODULES / "slots.asm"), ASSEMBLERS[assembler]
    for defines in TARGETS.values():
        assert made(source, defines, nasm) == made_from_all(monkeypatch)(source, defines, nasm)


# What is mentioned in another way than by the whole name of what is needed.
HIDDEN = {
    "the fields and the size of a struct": """
section .data
    istruc PyMethodDef
    at .ml_flags, dd 8
    iend
    resb 0""",
    "a slot without its prefix": "PyModule m\nPyType T, 48\nPyTypeSlot tp_new, f\n",
    "a type of a member without its prefix": 'PyModule m\nPyType T, 48\nPyMember "x", INT, 32\n',
    "slots of methods": """
struc P
    PyObject_HEAD
endstruc
PyModule m
    PyType P, P_size
        PyTypedFunction "__len__(self) -> i64", calls f
        PyTypedFunction "__bool__(self) -> bool", calls f
        PyTypedFunction "__setitem__(self, key: object, value: object)", calls f
        PyTypedFunction "__add__(self, other: object) -> object", calls f
    PyEndType
PyEndModule
f: ret
""",
    "a continued line": "mov eax, METH_\\\nVARARGS\n",
    "a parameter": "%macro take 1\n mov eax, METH_%1\n%endmacro\n take O\n",
    "a paste": "%define flag METH_ %+ NOARGS\n mov eax, flag\n",
    "a macro's own name": "%macro KEYWORDS 0\n mov eax, METH_%??\n%endmacro\nKEYWORDS\n",
    "a text": "%deftok flag 'METH_O'\n mov eax, flag\n",
    "a text that is built": "%strcat text 'METH_', 'O'\n%deftok flag text\n mov eax, flag\n",
    "a variable": "mov eax, %!HIDDEN_FLAG\n",
    "another file": '%include "other.inc"\n',
    "a file with a computed name": '%define name "other.inc"\n%include name\n',
    "a value that is given": "mov eax, GIVEN\n",
    "a name the target lacks": "call [rel PyLong_AsInt wrt ..got]\n",
    "such a name that is asked for": "PyRoutine f\n PyHas PyLong_AsInt\n jz .no\n"
    " PyCall PyLong_AsInt\n.no: PyReturn\nPyEndRoutine\n",
    "a name that nobody has": "call [rel PyLong_Nobody wrt ..got]\n",
    "a target of the source's own": "mov eax, [rdi + PyLongObject.ob_digit]\n",
}


@pytest.mark.parametrize("text", [*HIDDEN.values()], ids=[*HIDDEN])
def test_hidden(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIDDEN_FLAG", "METH_O")
    Path("other.inc").write_text("mov eax, METH_FASTCALL\n")
    chosen = "%define PY_VERSION_HEX 0x030d0000\n" if "ob_digit" in text else ""
    Path("m.asm").write_text(f'{chosen}%include "python.inc"\nsection .text\n{text}')
    defines = (*(() if chosen else UNIVERSAL), ("GIVEN", "METH_COEXIST"))
    assert made("m.asm", defines) == made_from_all(monkeypatch)("m.asm", defines)


def test_only_what_is_mentioned() -> None:
    Path("m.asm").write_text('%include "python.inc"\n    mov eax, Py_TPFLAGS_BASETYPE\n')
    chosen = selection(["m.asm"], AssemblerOptions(define=UNIVERSAL))
    assert "%define Py_TPFLAGS_BASETYPE " in chosen
    assert "PyLongWriter_Create" not in chosen
    assert len(chosen.splitlines()) < 250


@pytest.mark.parametrize(("target", "defines"), [*TARGETS.items()], ids=[*TARGETS])
def test_all_that_is_mentioned(target: str, defines: tuple[Macro, ...]) -> None:
    """A source that mentions everything gets every line of the target's tables."""
    files = re.findall(r'%include "python/(\w+/.+)"', (PYTHON / f"{target}.inc").read_text())
    lines = {line for file in files for line in (PYTHON / file).read_text().splitlines()[1:]}
    Path("m.asm").write_text("\n".join(re.sub(r"[^\w.]+", " ", line) for line in lines))
    chosen = selection(["m.asm"], AssemblerOptions(define=defines)).splitlines()
    assert lines - {*chosen} == set()


@pytest.mark.parametrize(
    "options",
    [
        AssemblerOptions(),
        AssemblerOptions(define=(("PY_VERSION_HEX", "0x03090000"),)),
        AssemblerOptions(define=(("PY_VERSION_HEX", "780"),)),
        AssemblerOptions(define=(*UNIVERSAL, ("Py_DEBUG", "1"))),
        AssemblerOptions(define=(*UNIVERSAL, *UNIVERSAL)),
        AssemblerOptions(define=UNIVERSAL, undefine=("PY_UNIVERSAL",)),
        AssemblerOptions(define=UNIVERSAL, args=("-UPY_UNIVERSAL",)),
    ],
    ids=str,
)
def test_a_target_that_is_not_known(options: AssemblerOptions) -> None:
    assert selection([], options) == ""


def test_a_long_source_is_not_searched() -> None:
    Path("m.asm").write_text("    mov eax, METH_O\n" * 10_000)
    assert selection(["m.asm"], AssemblerOptions(define=UNIVERSAL)) == ""


@pytest.mark.parametrize("folder", ["a b", "q\"'`q", "back\\slash", "ü", "new\nline", "%x;$y"])
def test_odd_paths(folder: str) -> None:
    Path(folder).mkdir()
    Path("m.asm").write_text('%include "python.inc"\n    mov eax, METH_O\n')
    said, content = made("m.asm", path=f"{folder}/m.o")
    assert said == ""
    assert content
    assert Path(folder, "m.names.inc").exists() == folder.isprintable()

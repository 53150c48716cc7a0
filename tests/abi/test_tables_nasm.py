"""What the include files do to a source: nothing it did not ask for, and errors that say why."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.abi.includes import INCLUDE
from tools.matrix.interpreters import tools

NASMS = {"nasm": "nasm", **{name: str(path) for name, path in tools("nasm-").items()}}
each_nasm = pytest.mark.parametrize("nasm", NASMS.values(), ids=NASMS.keys())

PYTHON_3_12 = "PY_VERSION_HEX=0x030c0000"
LIMITED_3_10 = "Py_LIMITED_API=0x030a0000"
UNIVERSAL = "PY_UNIVERSAL=1"
TARGETS = [
    *([f"PY_VERSION_HEX=0x030{minor}0000"] for minor in "abcdef"),
    *([f"PY_VERSION_HEX=0x030{minor}0000", "Py_GIL_DISABLED=1"] for minor in "def"),
    *([f"Py_LIMITED_API=0x030{minor}0000"] for minor in "abcdef"),
    ["Py_LIMITED_API=0x030f0000", "Py_GIL_DISABLED=1"],
    [PYTHON_3_12, "Py_DEBUG=1"],
    [UNIVERSAL],
]


def assemble(
    tmp_path: Path, nasm: str, macros: list[str], source: str, include: bool = True
) -> tuple[bytes, str]:
    """The object (empty if nasm refused) and the messages, with the folder taken off."""
    path, target = tmp_path / "user.asm", tmp_path / "user.o"
    line = '%include "python/abi.inc"\n' if include else "\n"
    path.write_text("default rel\n" + line + source)
    target.unlink(missing_ok=True)
    options = [f"-I{INCLUDE}", *(f"-D{macro}" for macro in macros)]
    run = subprocess.run(
        [nasm, "-f", "elf64", *options, "-o", target, path.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    return target.read_bytes() if target.exists() else b"", run.stderr


@each_nasm
@pytest.mark.parametrize("macros", TARGETS, ids=" ".join)
def test_nothing_unused_reaches_the_object(tmp_path: Path, nasm: str, macros: list[str]) -> None:
    source = "extern PyLong_FromLong\nsection .text\nf: call PyLong_FromLong wrt ..plt\n"
    plain, _ = assemble(tmp_path, nasm, macros, source, include=False)
    with_include, messages = assemble(tmp_path, nasm, macros, source)
    assert messages == ""
    assert with_include == plain


@each_nasm
@pytest.mark.parametrize(
    ("macro", "line", "message"),
    [
        (
            PYTHON_3_12,
            "call PyIter_NextItem wrt ..plt",
            "symbol `PyIter_NextItem__is_new_in_Python_3.14' not defined",
        ),
        (
            PYTHON_3_12,
            "mov rax, [rdi + PyTupleObject.ob_hash]",
            "symbol `PyTupleObject.ob_hash__is_new_in_Python_3.14' not defined",
        ),
        (
            PYTHON_3_12,
            "mov eax, Py_mod_gil",
            "symbol `Py_mod_gil__is_new_in_Python_3.13' not defined",
        ),
        (
            PYTHON_3_12,
            "mov rax, [rdi + PyASCIIObject.wstr]",
            "symbol `PyASCIIObject.wstr__was_last_in_Python_3.11' not defined",
        ),
        (
            PYTHON_3_12,
            "mov rax, [rdi + PyObject.ob_tid]",
            "symbol `PyObject.ob_tid__is_in_free_threaded_Python_only' not defined",
        ),
        (
            PYTHON_3_12,
            "extern PyIter_NextItem",
            "identifier expected after extern, got `(PyIter_NextItem__is_new_in_Python_3.14)'",
        ),
        (
            LIMITED_3_10,
            "call PyModule_Add wrt ..plt",
            "symbol `PyModule_Add__is_in_the_limited_API_since_3.13' not defined",
        ),
        (
            LIMITED_3_10,
            "call PyUnicode_AsUTF8 wrt ..plt",
            "symbol `PyUnicode_AsUTF8__is_not_in_the_limited_API' not defined",
        ),
        (
            LIMITED_3_10,
            "mov rax, [rdi + PyListObject.ob_item]",
            "symbol `PyListObject.ob_item__is_not_in_the_limited_API' not defined",
        ),
        (
            UNIVERSAL,
            "mov rax, [rdi + PyObject.ob_type]",
            "symbol `PyObject.ob_type__is_not_the_same_in_every_Python' not defined",
        ),
    ],
)
def test_absent_names(tmp_path: Path, nasm: str, macro: str, line: str, message: str) -> None:
    code, messages = assemble(tmp_path, nasm, [macro], f"section .text\n{line}\n")
    assert code == b""
    assert messages == f"user.asm:4: error: {message}\n"


@pytest.mark.parametrize(
    ("macros", "message"),
    [
        (["PY_VERSION_HEX=0x03100000"], "python.inc knows CPython 3.10 to 3.15"),
        (["PY_VERSION_HEX=0x03100000", "Py_GIL_DISABLED=1"], "python.inc knows CPython 3.10"),
        (["Py_LIMITED_API=0x03100000"], "python.inc knows the limited API up to 3.15"),
        (["PY_VERSION_HEX=0x03090000"], "python.inc knows CPython 3.10 to 3.15"),
        (["PY_VERSION_HEX=0x030c0000", "Py_GIL_DISABLED=1"], "free-threaded since 3.13"),
        (["Py_LIMITED_API=0x03090000"], "Py_LIMITED_API=0x030a0000 is the lowest"),
        (["Py_LIMITED_API=3"], "Py_LIMITED_API=0x030a0000 is the lowest"),
        (["Py_LIMITED_API=0x030e0000", "Py_GIL_DISABLED=1"], "since 3.15"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_unknown_targets(tmp_path: Path, macros: list[str], message: str) -> None:
    code, messages = assemble(tmp_path, "nasm", macros, "")
    assert code == b""
    assert "fatal: " in messages
    assert message in messages


@each_nasm
@pytest.mark.parametrize("macro", [PYTHON_3_12, UNIVERSAL])
def test_a_newer_name_may_be_weak(tmp_path: Path, nasm: str, macro: str) -> None:
    use = "section .text\nmov rax, [PyIter_NextItem wrt ..got]\ncall puts wrt ..plt\n"
    declaration = "extern puts, PyIter_NextItem:weak\n"
    plain, _ = assemble(tmp_path, nasm, [macro], declaration + use, include=False)
    with_include, messages = assemble(tmp_path, nasm, [macro], declaration + use)
    assert "error" not in messages
    assert with_include == plain


@each_nasm
def test_istruc(tmp_path: Path, nasm: str) -> None:
    """The structs work with ISTRUC as a STRUC does, and a source's own STRUCs go on working."""
    struct = "section .data\ntable:\n istruc {0}\n at {0}.{1}, dd 7\n at {0}.{2}, dq -1\n iend\n"
    own = "struc Own, 8\n.first: resq 1\n.second: resd 1\n.third: resq 2\nendstruc\n"
    table = struct.format("PyMethodDef", "ml_flags", "ml_doc") * 2
    table = table.replace("table:\n", "", 1) + struct.format("Own", "second", "third")
    code, messages = assemble(tmp_path, nasm, [PYTHON_3_12], own + table.replace("table:", ""))
    assert messages == ""
    entry = bytes(16) + b"\7" + bytes(7) + b"\xff" * 8
    assert entry * 2 + bytes(8) + b"\7" + bytes(3) + b"\xff" * 8 + bytes(8) in code


@each_nasm
@pytest.mark.parametrize(
    ("macro", "struct", "message"),
    [
        (LIMITED_3_10, "PyTypeObject", "PyTypeObject_size__is_not_in_the_limited_API"),
        (UNIVERSAL, "PyModuleDef", "PyModuleDef_size__is_not_the_same_in_every_Python"),
        (PYTHON_3_12, "PyABIInfo", "PyABIInfo_size__is_new_in_Python_3.15"),
    ],
)
def test_istruc_of_what_is_absent(
    tmp_path: Path, nasm: str, macro: str, struct: str, message: str
) -> None:
    source = f"section .data\nistruc {struct}\niend\n"
    code, messages = assemble(tmp_path, nasm, [macro], source)
    assert code == b""
    assert messages == f"user.asm:4: fatal: ({message})\n"


@each_nasm
def test_presence_can_be_asked(tmp_path: Path, nasm: str) -> None:
    source = "section .data\n%ifnum Py_mod_gil\n db 'new'\n%else\n db 'old'\n%endif\n"
    assert b"old" in assemble(tmp_path, nasm, [PYTHON_3_12], source)[0]
    assert b"new" in assemble(tmp_path, nasm, ["PY_VERSION_HEX=0x030d0000"], source)[0]


@each_nasm
@pytest.mark.parametrize("options", [["-O0"], ["-g", "-F", "dwarf"], ["-M"], ["-E"]], ids=" ".join)
def test_other_ways_to_run_nasm(tmp_path: Path, nasm: str, options: list[str]) -> None:
    """They differ in the number of passes, which the include files look at."""
    path = tmp_path / "user.asm"
    path.write_text('%include "python/abi.inc"\nsection .text\ncall PyLong_FromLong wrt ..plt\n')
    command = [nasm, "-felf64", *options, f"-I{INCLUDE}", f"-D{PYTHON_3_12}", "user.asm"]
    done = subprocess.run([*command, "-o", "out"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")

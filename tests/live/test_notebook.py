"""%%nasm in a real IPython kernel, and the committed notebook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

from tools.matrix.interpreters import REPOSITORY

NOTEBOOK = REPOSITORY / "examples" / "notebook" / "assembly.ipynb"

TWICE = """%%nasm {options}
PyTypedFunction "twice(n: i64) -> i64"
twice:
    lea         rax, [rdi * {factor}]
    ret"""


def run(*cells: str, folder: Path, errors: bool = False) -> list[dict[str, Any]]:
    """The outputs of each cell, run in a new kernel after %load_ext."""
    book = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=[
            nbformat.v4.new_code_cell(each)  # type: ignore[no-untyped-call]
            for each in ("%load_ext asmsetup", *cells)
        ]
    )
    client = nbclient.NotebookClient(
        book, timeout=120, allow_errors=errors, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return [_output(cell.outputs) for cell in book.cells[1:]]


def _output(outputs: list[Any]) -> dict[str, Any]:
    """What a cell has shown: its text, and the traceback of its error."""
    text = "".join(
        output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs
    )
    error = "\n".join(line for output in outputs for line in output.get("traceback", ()))
    return {"text": text, "error": error}


def test_functions_of_a_cell_appear_and_change(tmp_path: Path) -> None:
    cell = TWICE.format(options="", factor=2)
    changed = TWICE.format(options="", factor=4)
    said = run(cell, "twice(21)", changed, "twice(21)", folder=tmp_path)

    assert [each["text"] for each in said] == ["", "42", "", "84"]


def test_a_cell_with_a_module_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "value.inc").write_text("%define VALUE N\n")
    cell = (
        '%%nasm -D N=7 -I .\n%include "python.inc"\n%include "value.inc"\nPyModule mine\n'
        'PyTypedFunction "value() -> i64", calls value_\nvalue_: mov eax, VALUE\nret\nPyEndModule'
    )
    said = run(cell, "mine.value(), value()", folder=tmp_path)
    assert said[-1]["text"] == "(7, 7)"


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        (
            "%%nasm\n\nf:\n    mov eax\n    ret",
            "error: cell:3: error: invalid combination of opcode and operands\n  3 | mov eax",
        ),
        (
            '%%nasm\n%include "python.inc"\nPyModule m\n    mov [\nPyEndModule',
            "error: cell:3: error: ",
        ),
        ("%%nasm --isolate-me\nf: ret", "error: %%nasm: unrecognized arguments: --isolate-me"),
        ("%%nasm -D 'x\nf: ret", "error: %%nasm: No closing quotation: -D 'x"),
    ],
)
def test_errors_are_in_the_cell(cell: str, error: str, tmp_path: Path) -> None:
    (said,) = run(cell, folder=tmp_path, errors=True)

    assert said["error"].startswith(error)
    assert "Traceback" not in said["error"]
    assert str(tmp_path.root + "tmp") not in said["error"]


def test_without_nasm(tmp_path: Path) -> None:
    said = run(
        f"import os; os.environ['PATH'] = {str(tmp_path)!r}; os.environ['ASMSETUP_CACHE'] = '0'",
        TWICE.format(options="", factor=2),
        folder=tmp_path,
        errors=True,
    )
    assert said[-1]["error"].startswith("error: cannot find nasm")


def test_timing(tmp_path: Path) -> None:
    (said,) = run(TWICE.format(options="--time 'twice(21)'", factor=2), folder=tmp_path)
    assert "ns" in said["text"]
    assert "per loop" in said["text"]


CRASH = """%%nasm {options}
PyTypedFunction "peek(address: u64) -> u64"
peek:
    mov         rax, [rdi]
    ret
PyTypedFunction "refuse(n: u64) -> u64"
refuse:
    mov         rax, rdi
    ret"""


def test_a_crash_in_isolation_is_an_exception(tmp_path: Path) -> None:
    said = run(
        CRASH.format(options="--isolated"),
        "peek(8)",
        "refuse(3)",
        "refuse('x')",
        folder=tmp_path,
        errors=True,
    )
    assert "CrashError" in said[1]["error"]
    assert "signal 11 (SIGSEGV) in peek (cell:3)" in said[1]["error"]
    assert said[2]["text"] == "3"
    assert "TypeError" in said[3]["error"]


def test_a_crash_of_the_kernel_names_the_routine(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(nbclient.exceptions.DeadKernelError):
        run(CRASH.format(options=""), "peek(8)", folder=tmp_path)
    said = capfd.readouterr().err
    assert "error: signal 11 (SIGSEGV) in peek (cell:3)" in said
    assert "%%nasm --isolated" in said


def test_the_committed_notebook(tmp_path: Path) -> None:
    book = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    client = nbclient.NotebookClient(
        book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    said = [_output(cell.outputs)["text"] for cell in book.cells if cell.cell_type == "code"]

    assert said[2] == "32.0"
    assert "signal 11 (SIGSEGV) in peek" in said[-1]


def test_the_committed_notebook_holds_no_output() -> None:
    book = json.loads(NOTEBOOK.read_text())
    assert not [cell for cell in book["cells"] if cell.get("outputs")]

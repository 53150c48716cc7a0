"""%%nasm in a real IPython kernel, and the committed notebook."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from html import unescape
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest
from jupyter_client.manager import KernelManager

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
    html = "".join(output.get("data", {}).get("text/html", "") for output in outputs)
    return {"text": text, "error": error, "html": html}


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


ERRORS = [
    (
        "%%nasm\n\nf:\n    mov eax\n    ret",
        "error: cell:3: error: invalid combination of opcode and operands\n  3 | mov eax\n  the",
    ),
    (
        '%%nasm\n%include "python.inc"\nPyModule m\n    mov [\nPyEndModule',
        "error: cell:3: error: ",
    ),
    ("%%nasm --isolate-me\nf: ret", "error: %%nasm: unrecognized arguments: --isolate-me"),
    ("%%nasm -D 'x\nf: ret", "error: %%nasm: No closing quotation: -D 'x"),
]


def test_errors_are_in_the_cell(tmp_path: Path) -> None:
    shown = run(*(cell for cell, _ in ERRORS), folder=tmp_path, errors=True)

    for said, (_, error) in zip(shown, ERRORS, strict=True):
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


IMPORTING = """%%nasm --isolated
%include "python.inc"
PyModule importing
PyFunction ask, METH_NOARGS
    lea         rdi, [other]
    PyCall      PyImport_ImportModule
    PyReturn    rax
PyEndFunction
PyFunction fault, METH_NOARGS
    lea         rdi, [other]
    PyCall      PyImport_ImportModule
    mov         rdi, rax
    lea         rsi, [peek]
    lea         rdx, [format]
    mov         ecx, 8
    PyCall      PyObject_CallMethod
    PyReturn    rax
PyEndFunction
PyEndModule
section .rodata
other:  db "crashing", 0
peek:   db "peek", 0
format: db "i", 0"""
CRASHING = (
    CRASH.replace("{options}", '\n%include "python.inc"\nPyModule crashing') + "\nPyEndModule"
)


def test_isolated_cells_import_other_modules_of_the_notebook(tmp_path: Path) -> None:
    said = run(CRASHING, IMPORTING, "fault()", folder=tmp_path, errors=True)

    assert "signal 11 (SIGSEGV) in peek (cell:5)" in said[2]["error"]


def test_arguments_that_cannot_be_sent(tmp_path: Path) -> None:
    cell = """%%nasm --isolated
PyFunction show, METH_O
    mov     rdi, rsi
    PyCall  PyObject_Repr
    PyReturn rax
PyEndFunction"""
    calls = ("show(lambda: 1)", "show(i for i in 'x')")
    _, *shown = run(cell, *calls, folder=tmp_path, errors=True)
    for said in shown:
        assert "an argument of show cannot be sent to the process it runs in: " in said["error"]


DARK = "<body data-jp-theme-light=false>{}<script>onload = () => document.body.append({})</script>"
BACKGROUND = (
    "getComputedStyle(document.querySelector('iframe').contentDocument.body).backgroundColor"
)


def test_an_annotated_cell(tmp_path: Path, shown_by_browser: Callable[[str], str]) -> None:
    own = '\n%include "python.inc"\nPyModule own'
    cells = [
        TWICE.format(options="--annotate", factor=2),
        TWICE.format(options="--annotate" + own, factor=2) + "\nPyEndModule",
    ]
    shown = run(*cells, folder=tmp_path)
    for said, lines in zip(shown, (4, 7), strict=True):
        page = unescape(said["html"])
        assert 'srcdoc="<!DOCTYPE html>' in page
        assert "<h1>cell</h1>" in page
        assert page.count("<tr ") == lines
        assert "lea rax, [rdi+rdi]" in page
        assert tempfile.gettempdir() not in page
    # In JupyterLab's dark theme, in a browser that prefers light pages.
    (tmp_path / "notebook.html").write_text(DARK.format(shown[0]["html"], BACKGROUND))
    assert "rgb(20, 24, 29)" in shown_by_browser((tmp_path / "notebook.html").as_uri())


def test_an_annotated_cell_without_the_decoder(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['iced_x86'] = None"
    cell = TWICE.format(options="--annotate", factor=2)
    said = run(hide, cell, folder=tmp_path, errors=True)
    assert said[1]["error"] == (
        "error: the decoder of machine code, iced-x86, is not installed\n"
        "  install it:   pip install 'asmsetup[check]'"
    )


SLOW = """%%nasm
%assign i 0
%rep 900000
%assign i i + 1
    dd          i
%endrep
PyTypedFunction "late() -> i64"
late:
    xor         eax, eax
    ret"""


@pytest.mark.parametrize("whole_group", [True, False], ids=["group", "kernel alone"])
def test_an_interrupted_cell_leaves_nothing(whole_group: bool, tmp_path: Path) -> None:
    manager = KernelManager()
    manager.start_kernel(cwd=str(tmp_path), env={**os.environ, "TMPDIR": str(tmp_path)})
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        client.execute_interactive("%load_ext asmsetup", timeout=60, output_hook=lambda _: None)
        client.execute_interactive(TWICE.format(options="", factor=2), timeout=60)
        kernel = int(manager.provisioner.pid)  # type: ignore[union-attr]
        client.execute(SLOW)
        nasm = wait_for_child(kernel, "nasm")
        if whole_group:
            manager.interrupt_kernel()
        else:
            os.kill(kernel, signal.SIGINT)
        reply = client.get_shell_msg(timeout=60)
        assert reply["content"]["status"] == "error"
        assert reply["content"]["traceback"] == [
            "error: the build was interrupted; the notebook has what it had before the cell"
        ]
        wait_until(lambda: not nasm.exists())
        assert not [path for path in tmp_path.rglob("*.o*") if path.stat().st_size == 0]
        reply = client.execute_interactive("assert twice(4) == 8", timeout=60)
        assert reply["content"]["status"] == "ok"
        client.execute_interactive(TWICE.format(options="", factor=4), timeout=60)
        reply = client.execute_interactive("assert twice(4) == 16", timeout=60)
        assert reply["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def wait_for_child(parent: int, name: str) -> Path:
    """Return the folder in /proc of a process's child of that name, as soon as there is one."""
    found: list[Path] = []

    def is_there() -> bool:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                command, _, rest = stat.read_text().partition("(")[2].rpartition(")")
                if command == name and int(rest.split()[1]) == parent:
                    found.append(stat.parent)
        return bool(found)

    wait_until(is_there)
    return found[0]


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


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

"""Debuggers, profilers, exceptions and pthread_exit find their way through our frames."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.abi.assembling import (
    ASSEMBLERS,
    INTERPRETERS,
    MODULES,
    UNIVERSAL,
    Defines,
    assemble,
    build,
    said_by,
    target_of,
)
from tests.projects import run

INTERPRETER = next(iter(INTERPRETERS.values()))
# A call of the module, and our functions in the backtrace, innermost first.
CALLS = [
    ("bare()", ["unwind.bare"]),
    ("early(1)", ["unwind.early.other"]),
    ("pushes(1)", ["unwind.pushes"]),
    ("six(1)", ["based", "plain.more", "unwind.six"]),
]
GDB = shutil.which("gdb")


@pytest.fixture(scope="module")
def undeclared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module of plain routines, with the tables that `unwind = true` gives them."""
    folder = tmp_path_factory.mktemp("undeclared")
    return build(MODULES / "undeclared.asm", folder / "undeclared.so", unwind=True)


SETTINGS = ("set pagination off", "set breakpoint pending on", "set language c")


def run_in(folder: Path, *command: str | Path) -> str:
    """Run a tool in a folder, whose modules Python can import, and return all it printed."""
    env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return run(*command, cwd=folder, env=env).output


@pytest.mark.skipif(GDB is None, reason="gdb shows the backtraces")
@pytest.mark.parametrize("defines", [UNIVERSAL, target_of(INTERPRETER)], ids=["universal", "one"])
@pytest.mark.parametrize(("call", "ours"), CALLS, ids=[call for call, _ in CALLS])
def test_backtraces(call: str, ours: list[str], defines: Defines, tmp_path: Path) -> None:
    """From inside an API call to the program's first frame, and no frame that is not there."""
    assert_backtrace(build(MODULES / "unwind.asm", tmp_path / "unwind.so", defines), call, ours)


TYPED = """
%include "python.inc"
PyModule declared
PyTypedFunction "same(number: i64, other: i64 = 0) -> i64"
PyEndModule
section .text
same:
    mov rax, rdi
    ret
"""
RUNTIME = ["_py_parse_tuple", "_py_parse_unusual", "_py_bind_arguments", "declared.same"]


@pytest.mark.skipif(GDB is None, reason="gdb shows the backtraces")
def test_backtrace_of_the_runtime(tmp_path: Path) -> None:
    """Routines that bindings call have tables, too, and gdb shows none of their labels as a function."""
    (tmp_path / "declared.asm").write_text(TYPED)
    module = build(tmp_path / "declared.asm", tmp_path / "declared.so")
    assert_backtrace(module, "same(1, 2, 3)", RUNTIME, stop="PyArg_VaParseTupleAndKeywords")


NAMED = """
%include "python.inc"
PyModule named
PyFunction f, METH_O, -, thing
    PyKeep number
    PyLocal count
    mov number, 77
    mov qword [count], 1234
.here:
    mov rax, [count]
    Py_RETURN_NONE
PyEndFunction
PyEndModule
"""


@pytest.mark.skipif(GDB is None, reason="gdb prints registers")
def test_where_arguments_and_locals_are(tmp_path: Path) -> None:
    """They are where docs/how-to/debugging.md says, for builds without debug information."""
    (tmp_path / "named.asm").write_text(NAMED)
    build(tmp_path / "named.asm", tmp_path / "named.so")
    code = "import named; thing = object(); print(f'id {id(thing):#x}', flush=True); named.f(thing)"
    wanted = ("break 'named.f.here'", "run", "p/x $rbx", "print $r12", "x/i $pc", "x/6gd $rbp-48")
    commands = (part for command in (*SETTINGS, *wanted) for part in ("-ex", command))
    said = run_in(
        tmp_path,
        *("gdb", "-nx", "-batch", *commands, "--args"),
        *(*INTERPRETER.command, "-c", code),
    )
    (thing,) = re.findall(r"^id (0x\w+)$", said, re.MULTILINE)
    assert f"$1 = {thing}\n$2 = 77\n" in said
    assert re.search(r"mov +-0x\w+\(%rbp\),%rax", said), said
    assert re.search(r"^0x\w+:.*\t1234\b", said, re.MULTILINE), said


def assert_backtrace(
    module: Path, call: str, ours: list[str], stop: str = "PySys_WriteStdout"
) -> None:
    """gdb, which stops inside of a function of CPython's, shows our frames and all beyond."""
    code = f"import {module.stem}; {module.stem}.{call}"
    wanted = (*SETTINGS, f"break {stop}", "run", "backtrace -past-main on -past-entry on")
    commands = (part for command in wanted for part in ("-ex", command))
    said = run_in(
        module.parent,
        *("gdb", "-nx", "-batch", *commands, "--args"),
        *(*INTERPRETER.command, "-c", code),
    )
    # gdb takes a symbol with a dot for one of Ada's, and writes a.b as a[b].
    frames = re.findall(r"^#\d+ +(?:0x\w+ in )?(\S+)", said, re.MULTILINE)
    frames = [re.sub(r"\[(.*)\]", r".\1", frame) for frame in frames]
    assert frames[0] == stop, said
    assert frames[1 : 1 + len(ours)] == ours, said
    assert "_PyEval_EvalFrameDefault" in frames[1 + len(ours) :], said
    assert frames[-1] == "_start", said
    assert "??" not in frames, said


# The same of routines that no macro says anything of, with `unwind = true`.
PLAIN_CALLS = [
    ("pushes()", ["pushes"]),
    ("based()", ["based.again"]),
    ("aligned()", ["aligned"]),
    ("walks(1)", ["walks.again"]),
    ("early(1)", ["early.other"]),
    ("chosen(1)", ["chosen.second"]),
    ("calls()", ["called", "calls"]),
]


@pytest.mark.skipif(GDB is None, reason="gdb shows the backtraces")
@pytest.mark.parametrize(("call", "ours"), PLAIN_CALLS, ids=[call for call, _ in PLAIN_CALLS])
def test_backtraces_of_plain_routines(call: str, ours: list[str], undeclared: Path) -> None:
    assert_backtrace(undeclared, call, ours)


PERF = shutil.which("perf")


@pytest.mark.skipif(PERF is None, reason="perf samples")
def test_samples_of_perf(tmp_path: Path) -> None:
    """The stack that perf unwinds by .eh_frame has Python's frames beyond ours."""
    build(MODULES / "unwind.asm", tmp_path / "unwind.so")
    command = ("perf", "record", "-q", "--call-graph", "dwarf", "-o", "perf.data")
    code = "import unwind; unwind.busy(300_000_000)"
    try:
        run_in(tmp_path, *command, "--", *INTERPRETER.command, "-c", code)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"perf may not sample here: {error.stderr}")
    said = run_in(tmp_path, "perf", "script", "-i", "perf.data", "-F", "ip,sym,dso")
    stacks = [
        stack for stack in said.split("\n\n") if "unwind.so" in stack.strip().partition("\n")[0]
    ]
    assert stacks
    whole = [stack for stack in stacks if "_PyEval_EvalFrameDefault" in stack and "main" in stack]
    assert len(whole) > len(stacks) * 0.9


@pytest.mark.parametrize("nasm", ASSEMBLERS)
def test_exceptions_and_threads_that_end(nasm: str, tmp_path: Path) -> None:
    """C++ exceptions and pthread_exit pass through our frames, and give kept registers back."""
    object_file = tmp_path / "thrown.o"
    said = assemble(MODULES / "thrown.asm", object_file, UNIVERSAL, ASSEMBLERS[nasm])
    assert (said.returncode, said.stderr) == (0, "")
    program = tmp_path / "thrown"
    run("g++", "-O2", "-o", program, MODULES / "thrown.cpp", object_file)
    assert run(program).output == "done\n"


def test_a_table_to_search(tmp_path: Path) -> None:
    """.eh_frame_hdr is how unwinders find the entries, which ld writes where it understands all."""
    module = build(MODULES / "macros.asm", tmp_path / "macros.so")
    assert "GNU_EH_FRAME" in said_by("readelf", "-lW", module)
    entries = said_by("readelf", "--debug-dump=frames", module).count(" FDE ")
    header = said_by("readelf", "--debug-dump=frames-interp", module)
    functions = re.findall(r"^Py(?:Function|Routine) ", (MODULES / "macros.asm").read_text(), re.M)
    assert entries >= len(functions)
    assert "rbp+16" in header


# What a routine is worth in .eh_frame, from its first instruction to behind its last.
FRAMES = [
    ("PyRoutine r\nPyReturn", "rsp+8 rsp+16 rbp+16 rsp+8 rbp+16"),
    (
        "PyRoutine r, a\nPyReturn\nPyReturn",
        "rsp+8 rsp+16 rbp+16 rbp+16 rsp+8 rbp+16 rsp+8 rbp+16",
    ),
    ("PyFrame r\npush rbx\npop rbx\nret", "rsp+8 rsp+16 rsp+8 rsp+16"),
    ("PyFrame r\nsub rsp, 2 * 8\nadd rsp, 16\nret", "rsp+8 rsp+24 rsp+8 rsp+24"),
    (
        "PyFrame r\npush rbp\nmov rbp, rsp\npush rax\nleave\nret",
        "rsp+8 rsp+16 rbp+16 rbp+16 rsp+8 rbp+16",
    ),
    (
        "PyFrame r\npush rbp\nmov rbp, rsp\nand rsp, -64\nmov rsp, rbp\npop rbp\nret",
        "rsp+8 rsp+16 rbp+16 rbp+16 rsp+8 rbp+16",
    ),
    # Frames of more than 2 MiB, 16 MiB and 256 MiB: 21, 24 and 28 bits.
    *(
        (
            f"PyRoutine r, a, b, c, d, e, f\n{locals_}\nPyReturn",
            f"rsp+8 rsp+16 {'rbp+16 ' * 6}rsp+{size} rsp+16 rsp+8 rsp+{size}",
        )
        for locals_, size in [
            ("PyLocal x, 1 << 20", (1 << 20) + 64),
            ("PyLocal x, 3 << 20", (3 << 20) + 64),
            ("PyLocal x, 20 << 20", (20 << 20) + 64),
            ("PyLocal x, 100 << 20\nPyLocal y, 100 << 20\nPyLocal z, 100 << 20", (300 << 20) + 64),
        ]
    ),
    (
        "PyRoutine r, a, b, c, d, e, f\nPyLocal x, 3 << 20\npush rax\npop rax\nPyReturn",
        f"rsp+8 rsp+16 {'rbp+16 ' * 6}rsp+3145792 rsp+3145800 rsp+3145792 rsp+16 rsp+8 rsp+3145792",
    ),
    ("PyFrame r\nsub rsp, 5 << 20\nadd rsp, 5 << 20\nret", "rsp+8 rsp+5242888 rsp+8 rsp+5242888"),
]


@pytest.mark.parametrize(("text", "rows"), FRAMES, ids=[text for text, _ in FRAMES])
def test_rows(text: str, rows: str, tmp_path: Path) -> None:
    end = "PyEndFrame" if "PyFrame" in text else "PyEndRoutine"
    table = table_of(f"{text}\n{end}", tmp_path)
    # The last of several rows for one place holds.
    found = dict(re.findall(r"^(0\w{15}) (r\w+\+\d+)", table.split(" FDE ")[1], re.MULTILINE))
    assert " ".join(found.values()) == rows, table


def table_of(text: str, folder: Path) -> str:
    """Return what readelf shows of .eh_frame, a row for each change."""
    source = folder / "source.asm"
    source.write_text(f'%include "python.inc"\n{text}\n')
    said = assemble(source, folder / "source.o")
    assert (said.returncode, said.stderr) == (0, "")
    return said_by("readelf", "--debug-dump=frames-interp", folder / "source.o")


def test_where_a_register_is_saved_below_20_mebibytes(tmp_path: Path) -> None:
    table = table_of("PyRoutine r\nPyLocal x, 20 << 20\nPyKeep a\nPyReturn\nPyEndRoutine", tmp_path)
    assert f" c-{(20 << 20) + 8 + 16} " in table

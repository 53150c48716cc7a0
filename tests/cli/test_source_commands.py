"""asmsetup build, run and include-dir: one source, without a project."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from asmsetup.assemble.includes import INCLUDE_DIR
from tests.cli.running import asmsetup
from tests.projects import run

KERNEL = """\
%include "python.inc"

PyModule        kernel

PyTypedFunction "twice(n: i64) -> i64"
twice:
    lea         rax, [rdi * 2]
    ret

PyTypedFunction "peek(address: u64) -> u64"
peek:
    mov         rax, [rdi]
    ret

PyTypedFunction "stop()", nogil
stop:
    nop
    ud2

PyEndModule
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    path = tmp_path / "kernel.asm"
    path.write_text(KERNEL)
    return path


def test_build_makes_a_module_that_can_be_imported(kernel: Path) -> None:
    done = asmsetup("build", "kernel.asm", cwd=kernel.parent)

    assert done.returncode == 0, done.stderr
    assert (kernel.parent / done.stdout.strip()).exists()
    said = run(sys.executable, "-c", "import kernel; print(kernel.twice(4))", cwd=kernel.parent)
    assert said.output == "8\n"
    assert sorted(path.suffix for path in kernel.parent.iterdir()) == [".asm", ".so"]


def test_build_elsewhere_and_for_every_python(kernel: Path, tmp_path: Path) -> None:
    done = asmsetup("build", kernel, "-o", tmp_path / "out", "--universal")

    assert done.stdout == f"{tmp_path / 'out' / 'kernel.so'}\n"
    assert "nasm" in done.stderr


def test_macros_and_includes(tmp_path: Path) -> None:
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "add.inc").write_text("%define BY N + 0\n")
    (tmp_path / "k.asm").write_text(
        '%include "python.inc"\n%include "add.inc"\nPyModule k\n'
        'PyTypedFunction "f() -> i64"\nf:\n    mov eax, BY\n    ret\nPyEndModule\n'
    )
    done = asmsetup("run", "-I", "inc", "-DN=42", "k.asm", "-c", "k.f()", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("42\n", "")


def test_settings_of_the_sources_folder_hold(kernel: Path) -> None:
    (kernel.parent / "pyproject.toml").write_text("[tool.asmsetup]\nuniversal = true\n")
    done = asmsetup("build", kernel)
    assert done.stdout == f"{kernel.with_suffix('.so')}\n"


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("kernel.c", "", "kernel.c is not a source for NASM"),
        ("two words.asm", "", "two words.asm: no module can be called 'two words'"),
        ("class.asm", "", "class.asm: no module can be called 'class'"),
        ("none.asm", None, "none.asm: there is no such source file"),
        ("wrong.asm", "  mov eax\n", "wrong.asm:1: "),
        ("empty.asm", "", "empty.asm"),
        ("other.asm", KERNEL, "write:   PyModule other"),
    ],
)
@pytest.mark.parametrize("command", ["build", "run"])
def test_what_cannot_be_built(
    command: str, name: str, text: str | None, error: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    done = asmsetup(command, name, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (3, "")
    assert "Traceback" not in done.stderr
    assert error in done.stderr[done.stderr.index("error: ") :]
    assert "Extension 'none'" not in done.stderr  # nobody has written one


def test_without_nasm(kernel: Path, tmp_path: Path) -> None:
    done = asmsetup("run", kernel, PATH=str(tmp_path))
    assert done.returncode == 3
    assert done.stderr.startswith("error: cannot find nasm")


def test_run_shows_an_expression(kernel: Path) -> None:
    done = asmsetup("run", kernel, "-c", "kernel.twice(21)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


def test_run_hands_on_arguments_and_the_exit_code(kernel: Path, tmp_path: Path) -> None:
    code = "import sys; print(sys.argv, __name__); sys.exit(7)"
    done = asmsetup("run", kernel, "-c", code, "a", "--b")
    assert (done.returncode, done.stdout) == (7, "['-c', 'a', '--b'] __main__\n")

    script = tmp_path / "script.py"
    script.write_text("import sys, kernel\nprint(sys.argv[1:], kernel.twice(2))\n")
    done = asmsetup("run", kernel, script, "x", "y")
    assert (done.returncode, done.stdout) == (0, "['x', 'y'] 4\n")


def test_run_without_code_is_a_prompt(kernel: Path) -> None:
    done = asmsetup("run", kernel, stdin="kernel.twice(8)\n")
    assert "16\n" in done.stdout


def test_a_traceback_is_of_the_users_code_alone(kernel: Path) -> None:
    done = asmsetup("run", kernel, "-c", "def f(x):\n    return kernel.twice(x)\nf('')")
    assert done.returncode == 1
    assert done.stderr.splitlines()[:3] == [
        "Traceback (most recent call last):",
        '  File "<-c>", line 3, in <module>',
        '  File "<-c>", line 2, in f',
    ]


@pytest.mark.parametrize(
    ("code", "status", "what"),
    [
        ("def f():\n    kernel.peek(8)\nf()", 139, "signal 11 (SIGSEGV) in peek ({}:12)"),
        ("kernel.stop()", 132, "signal 4 (SIGILL) in stop ({}:18)"),
        ("import os; os.kill(os.getpid(), 11)", 139, "signal 11 (SIGSEGV) outside of the"),
        ("import os; os.abort()", 134, "Fatal Python error: Aborted"),
    ],
)
def test_a_crash_names_the_routine(code: str, status: int, what: str, kernel: Path) -> None:
    done = asmsetup("run", kernel, "-c", code)

    assert done.returncode == status
    assert what.format(kernel) in done.stderr
    assert 'File "<-c>", line' in done.stderr


def test_a_killed_child_is_told(kernel: Path) -> None:
    done = asmsetup("run", kernel, "-c", "import os; os.kill(os.getpid(), 9)")
    assert done.returncode == 137
    assert done.stderr == "error: the code was ended by signal 9 (SIGKILL)\n"


def test_c_without_code(kernel: Path) -> None:
    done = asmsetup("run", kernel, "-c")
    assert done.returncode == 2
    assert done.stderr.startswith("error: -c needs Python code")


def test_the_folder_of_the_includes() -> None:
    assert asmsetup("include-dir").stdout == f"{INCLUDE_DIR}\n"
    assert (Path(INCLUDE_DIR) / "python.inc").exists()

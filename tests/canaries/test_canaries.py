"""pytest --asm-abi where calls nest, where threads and interpreters share a module, and misused."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.abi.assembling import INTERPRETERS, build, said_by, target_of
from tests.canaries.running import HERE, NAMES, Session, run_pytest
from tests.examples.test_examples import BUILT, EXAMPLES
from tests.projects import Project, Python
from tools.matrix.interpreters import REPOSITORY

each_interpreter = pytest.mark.parametrize("name", NAMES)
MAIN = next(name for name in NAMES if INTERPRETERS[name].version[:2] >= (3, 11))

RunCode = Callable[..., Session]


@pytest.fixture
def run_code(tmp_path: Path) -> RunCode:
    """Run one test with this code under canaries, beside the module faults."""

    def run(
        code: str, *arguments: str, name: str = MAIN, option: str = "--asm-abi=faults"
    ) -> Session:
        build(HERE / "faults.asm", tmp_path / "faults.so", target_of(INTERPRETERS[name]))
        shutil.copy(REPOSITORY / "tests" / "abi" / "isolated.py", tmp_path)
        body = textwrap.indent(textwrap.dedent(code), "    ")
        (tmp_path / "test_it.py").write_text(f"def test_it():\n{body}\n")
        return run_pytest(INTERPRETERS[name], tmp_path, option, "test_it.py", *arguments)

    return run


@each_interpreter
def test_threads(run_code: RunCode, name: str) -> None:
    ran = run_code(
        """
        import sys
        import threading
        import faults

        sys.setswitchinterval(0.001)  # as many turns as 2000 rounds take by themselves

        def work():
            for _ in range(400):
                faults.aligned_kept([1])
                faults.keep_kept([1])
                faults.buffer_kept(bytearray(1))
                str([faults.int_result_kept(1)])

        threads = [threading.Thread(target=work) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        """,
        name=name,
    )
    assert ran.tests == {"test_it": ("", "passed")}, ran.output


def test_fault_in_a_thread(run_code: RunCode) -> None:
    ran = run_code(
        """
        import threading
        import faults

        thread = threading.Thread(target=lambda: faults.across_r10_fault([1]))
        thread.start()
        thread.join()
        """,
        "-p",
        "no:threadexception",
    )
    assert "faults.across_r10_fault: crashes" in ran.tests["test_it"][0]
    assert "r10" in ran.tests["test_it"][0]


def test_calls_nest(run_code: RunCode) -> None:
    """The inner fault is reported for the inner function alone, and the outer call goes on."""
    ran = run_code(
        """
        import faults

        class Inner:
            def __repr__(self):
                faults.rbx_fault(1)
                return faults.across_rsi_kept([2])

        assert faults.across_rdi_kept(Inner()) == "[2]"
        """
    )
    text, outcome = ran.tests["test_it"]
    assert outcome == "failed"
    assert "faults.rbx_fault: returns with another rbx" in text
    assert "across" not in text


def test_crash_below_a_nested_call(run_code: RunCode) -> None:
    ran = run_code(
        """
        import faults

        class Inner:
            def __repr__(self):
                try:
                    faults.across_rcx_fault([1])
                except SystemError:
                    return "recovered"

        for _ in range(3):
            assert faults.across_rdi_kept(Inner()) == "recovered"
        """
    )
    text, outcome = ran.tests["test_it"]
    assert outcome == "failed"
    assert text.count("[crash]") == 1  # the same one, three times
    assert "across_rcx_fault" in text


@each_interpreter
def test_other_interpreters(run_code: RunCode, name: str) -> None:
    ran = run_code(
        """
        import faults
        from isolated import run_isolated

        run_isolated("import faults; faults.r12_fault(1); faults.keep_kept([1]); faults.Kept()")
        """,
        name=name,
    )
    assert "faults.r12_fault: returns with another r12" in ran.tests["test_it"][0], ran.output
    assert ran.tests["test_it"][0].count("[") == 1


def test_stack_of_calls_with_many_arguments(tmp_path: Path) -> None:
    """A C module: static types, arguments on the stack, and a table that is bound lazily."""
    interpreter = INTERPRETERS[MAIN]
    include = f"-I{interpreter.include_dir}"
    module = tmp_path / "static_types.so"
    said_by("gcc", "-O2", "-shared", "-fPIC", include, HERE / "static_types.c", "-o", module)
    (tmp_path / "test_it.py").write_text(
        "import static_types\n"
        "thing = static_types.Thing()\n"
        "def test_method():\n    thing.clobber(1)\n"
        "def test_slot():\n    thing + 1\n"
        "def test_kept():\n    assert thing.keep(1) == thing * 1 == '1 2 3 4 5 6 7 8 nine'\n"
    )
    tests = run_pytest(interpreter, tmp_path, "--asm-abi=static_types", "test_it.py").tests

    assert "static_types.Thing.clobber: returns with another rbx: 0x1" in tests["test_method"][0]
    assert "static_types.Thing nb_add: returns with another rbx: 0x1" in tests["test_slot"][0]
    assert tests["test_kept"] == ("", "passed")


# bytecount is a library: Python calls nothing in it.
@pytest.mark.parametrize("example", sorted({*EXAMPLES} - {"bytecount"}))
def test_examples(example: str, python: Python, asmsetup_installed: Path, tmp_path: Path) -> None:
    folder = tmp_path / example
    shutil.copytree(REPOSITORY / "examples" / example, folder, ignore=BUILT)
    Project(folder, python, (asmsetup_installed,)).build_ext("--inplace")

    ran = run_pytest(INTERPRETERS[python.name], folder, f"--asm-abi={example}", "tests")

    assert ran.status == 0, ran.output
    assert f"\n{example}: " in ran.output


def test_modules_of_nothing_but_assembly_are_meant_when_none_is_named(run_code: RunCode) -> None:
    ran = run_code("import faults, _ctypes\nfaults.rbx_fault(1)", option="--asm-abi=")

    assert "faults.rbx_fault" in ran.tests["test_it"][0]
    assert "\nfaults: " in ran.output


def test_allowed(run_code: RunCode, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasm_abi_allow =\n    kept-registers: faults.rbx_*\n    stack*: faults.aligned_fault\n"
    )
    ran = run_code("import faults\nfaults.rbx_fault(1)\nfaults.aligned_fault(1)")

    assert ran.tests == {"test_it": ("", "passed")}


@pytest.mark.parametrize(
    ("option", "setting", "said"),
    [
        ("--asm-abi=test_it.py", "", "that is a path, and a module's name belongs here"),
        ("--asm-abi=faults", "stack", "'stack' is not a rule and a function"),
        ("--asm-abi=faults", "stck: f", "there is no rule 'stck'"),
        ("--asm-abi=faults,other", "", "never imported: other"),
    ],
)
def test_misused(option: str, setting: str, said: str, run_code: RunCode, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nasm_abi_allow =\n    {setting}\n")

    ran = run_code("import faults", option=option)

    assert ran.status != 0
    assert said in ran.output
    assert "Traceback" not in ran.output


def test_without_nasm(run_code: RunCode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASM", "/nowhere/nasm")

    ran = run_code("import faults")

    assert ran.status == 4
    assert "--asm-abi: cannot find nasm" in ran.output
    assert "Traceback" not in ran.output


def test_a_module_that_was_imported_before(run_code: RunCode, tmp_path: Path) -> None:
    (tmp_path / "early.py").write_text("import faults\n")

    ran = run_code("import faults", "-p", "early")

    assert ran.status == 4
    assert "has been imported before the plugin" in ran.output

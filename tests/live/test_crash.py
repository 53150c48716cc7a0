"""The routine at an address of this process, and the report of one that is forked to crash."""

from __future__ import annotations

import importlib.util
import os
import signal
import traceback
from pathlib import Path
from types import ModuleType

import pytest

from asmsetup.config import Settings
from asmsetup.facts import elf
from asmsetup.live import crash
from asmsetup.live.building import Built, Options, build, silent

SOURCE = """\
%include "python.inc"
PyModule crashing
PyTypedFunction "twice(n: i64) -> i64"
twice:
    lea         rax, [rdi * 2]
    ret
PyTypedFunction "peek(address: u64) -> u64"
peek:
    nop
    mov         rax, [rdi]
    ret
PyEndModule
"""
LINE = 1 + SOURCE.splitlines().index("    mov         rax, [rdi]")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("crashing")
    (folder / "crashing.asm").write_text(SOURCE)
    (folder / "work").mkdir()
    where = (str(folder / "crashing.asm"), str(folder), str(folder / "work"))
    return build(*where, Options(Settings(debug=True)), silent([]))


@pytest.fixture(scope="module")
def module(built: Built) -> ModuleType:
    spec = importlib.util.spec_from_file_location("crashing", built.path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def start_of(path: str) -> int:
    """Return where a module is mapped in this process."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return min(int(line.partition("-")[0], 16) for line in lines if line.endswith(path))


@pytest.mark.usefixtures("module")
def test_the_routine_at_an_address(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    (peek,) = (each for each in elf.read(built.object.path).symbols if each.name == "peek")
    text = elf.read(built.path).section(".text")
    assert text is not None
    start = start_of(built.path)
    address = start + text.address + peek.value + 1

    (found,) = crash.routines_at(address, [built])
    assert str(found) == f"peek ({built.source}:{LINE})"
    for elsewhere in (start, 0, 1 << 60):
        assert not list(crash.routines_at(elsewhere, [built]))
    assert not list(crash.routines_at(address, []))
    monkeypatch.setenv("PATH", "")
    (found,) = crash.routines_at(address, [built])
    assert str(found) == f"peek ({built.source})"


@pytest.mark.parametrize(
    ("call", "where"),
    [("peek(8)", "in peek ({}:{})"), ("os.kill(os.getpid(), 11)", "outside of the routines")],
)
def test_a_crash_is_reported(
    call: str,
    where: str,
    built: Built,
    module: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    child = os.fork()
    if not child:
        try:
            with open(tmp_path / "printed", "wb") as printed:
                os.dup2(printed.fileno(), 2)
            crash.report_crashes(lambda: [built], "the advice")
            # In the place of the signal's second delivery, which ends the process.
            monkeypatch.setattr(signal, "raise_signal", os._exit)
            eval(call, {"os": os, **vars(module)})  # noqa: S307
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)

    status = os.waitpid(child, 0)[1]
    said = (tmp_path / "printed").read_text()
    assert os.waitstatus_to_exitcode(status) == 11, said
    assert said.startswith(f"\nerror: signal 11 (SIGSEGV) {where.format(built.source, LINE)}")
    assert said.endswith("\n  the advice\n")

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import pytest

from asmsetup import program
from asmsetup.errors import ToolError


def test_what_a_program_says_and_how_it_ends() -> None:
    code = "import sys; print(' out'); sys.stdout.flush(); sys.exit('err')"
    assert program.run([sys.executable, "-c", code]) == program.Done(1, " out\nerr")


def test_nothing_is_left_open() -> None:
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        program.run(["true"])
    with pytest.raises(ToolError):
        program.run(["/nowhere/at/all"])
    assert os.listdir("/proc/self/fd") == before


def test_a_nul_ends_no_argument_unnoticed() -> None:
    with pytest.raises(ToolError) as refused:
        program.run(["nasm", "-DA=1\0", "x.asm"])
    assert str(refused.value) == (
        "cannot run nasm: its argument '-DA=1\\x00' holds a NUL\n  remove that character"
    )


def test_more_output_than_a_pipe_holds() -> None:
    code = "import sys; sys.stderr.write('e' * 300_000); print('o' * 300_000)"
    done = program.run([sys.executable, "-c", code])
    assert (done.status, len(done.output)) == (0, 600_000)


def test_a_program_that_is_gone_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SIGCHLD is ignored, a process that has ended does not wait to be waited for."""

    def started(*arguments: Any) -> int:
        process = start(*arguments)
        while os.path.exists(f"/proc/{process}"):
            time.sleep(0.001)
        return process

    start = program._started
    monkeypatch.setattr(program, "_started", started)
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert program.run(["echo", "done"]) == program.Done(0, "done")
    finally:
        signal.signal(signal.SIGCHLD, before)

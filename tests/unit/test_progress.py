"""The bar on a terminal, and the order in which steps are shown."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
import tty
from collections.abc import Callable, Iterator
from typing import NamedTuple, TextIO

import pytest

from asmsetup.progress import Bar, Reporter, Steps, bar_for


class Terminal(NamedTuple):
    """A terminal of 40 columns, and what was written to it since that was asked for last."""

    stream: TextIO
    written: Callable[[], str]


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 40, 0, 0))
    os.set_blocking(ours, False)

    def written() -> str:
        try:
            return os.read(ours, 65536).decode()
        except BlockingIOError:
            return ""

    with os.fdopen(theirs, "w") as stream:
        yield Terminal(stream, written)
    os.close(ours)


GREEN, PLAIN, CLEARED = "\x1b[32m", "\x1b[0m", "\r\x1b[K"


def test_the_bar_of_a_terminal(terminal: Terminal) -> None:
    bar = bar_for(terminal.stream, {"TERM": "xterm"})
    assert bar is not None
    bar.clear()
    assert terminal.written() == ""
    bar.show(6, 12, "nasm a/long/name.asm")
    cells = f"{GREEN}{'#' * 12}{'.' * 12}{PLAIN}"
    assert terminal.written() == f"{CLEARED}{cells} 6/12 nasm a/lo\r"
    bar.clear()
    assert terminal.written() == CLEARED
    bar.clear()
    assert terminal.written() == ""
    bar.show(11, 12, "nasm a.asm")
    assert terminal.written().startswith(f"{CLEARED}{GREEN}{'#' * 22}..")
    bar.show(12, 12, "nasm b.asm")
    assert terminal.written() == CLEARED


def test_a_bar_without_colours(terminal: Terminal) -> None:
    bar = bar_for(terminal.stream, {"TERM": "xterm", "NO_COLOR": "1"})
    assert bar is not None
    bar.show(1, 2, "a")
    assert terminal.written() == f"{CLEARED}{'#' * 12}{'.' * 12} 1/2 a\r"


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {}])
def test_terminals_that_draw_nothing(environment: dict[str, str], terminal: Terminal) -> None:
    assert bar_for(terminal.stream, environment) is None


def test_what_is_no_terminal() -> None:
    assert bar_for(io.StringIO(), {"TERM": "xterm"}) is None
    stream = io.StringIO()
    Bar(stream, coloured=False).show(1, 4, "x" * 100)
    assert len(stream.getvalue().strip()) == len(CLEARED.strip()) + 79


@pytest.mark.parametrize("total", [9, 10])
def test_the_bar_is_for_long_work(total: int) -> None:
    lines, stream = list[str](), io.StringIO()
    reporter = Reporter(lines.append, pytest.fail, pytest.fail, Bar(stream, coloured=False))

    reporter.step(3, total, "nasm a.asm")

    assert lines == (["[3/9] nasm a.asm"] if total < 10 else [])
    assert bool(stream.getvalue()) == (total >= 10)


def test_steps_wait_for_their_total() -> None:
    shown = list[str]()
    steps = Steps(Reporter(shown.append, shown.append, pytest.fail))
    with steps.counting():
        steps.count(["a", "b"])
        steps.done("nasm a.asm", "a.asm:1: warning: odd")
        assert shown == []
        steps.count(["b", "c"])
    assert shown == ["[1/3] nasm a.asm", "a.asm:1: warning: odd"]
    steps.done("nasm b.asm", "")
    assert shown[2:] == ["[2/3] nasm b.asm"]

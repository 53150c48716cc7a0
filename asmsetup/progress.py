"""The output of a build: lines through callbacks, and a bar on a terminal for long work."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from .named import NamedTuple

_CELLS = 24
_GREEN, _PLAIN = "\x1b[32m", "\x1b[0m"
_CLEARED = "\r\x1b[K"


Output = Callable[[str], None]

_LONG = 10
"""From this many steps on a terminal shows a bar."""


class Bar:
    """One line of a terminal, drawn anew at each step; ``clear`` it before anything else is written."""

    def __init__(self, stream: TextIO, *, coloured: bool) -> None:
        self._stream = stream
        self._coloured = coloured
        self._lock = threading.Lock()
        self._is_shown = False

    def show(self, done: int, total: int, what: str) -> None:
        """Draw the bar; it is gone again with the last step."""
        with self._lock:
            self._is_shown = done < total
            text = _CLEARED
            if self._is_shown:
                text += drawn(done, total, what, self._columns(), coloured=self._coloured)
            self._write(text)

    def clear(self) -> None:
        """Remove the bar from the terminal, if it is shown."""
        with self._lock:
            if self._is_shown:
                self._is_shown = False
                self._write(_CLEARED)

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def drawn(done: int, total: int, what: str, columns: int, *, coloured: bool) -> str:
    """Return a bar with its numbers and what was done last, in less than ``columns``.

    It ends at the beginning of the line, where the next one to write covers it.
    """
    full = _CELLS * done // total
    cells = f"{'#' * full}{'.' * (_CELLS - full)}"
    words = f" {done}/{total} {what}"[: max(0, columns - _CELLS - 1)]
    if coloured:
        cells = f"{_GREEN}{cells}{_PLAIN}"
    return f"{cells}{words}\r"


def bar_for(stream: TextIO, environment: Mapping[str, str]) -> Bar | None:
    """Return a bar when ``stream`` is a terminal that can draw one; NO_COLOR makes it colourless."""
    if not stream.isatty() or environment.get("TERM", "dumb") == "dumb":
        return None
    return Bar(stream, coloured=not environment.get("NO_COLOR"))


class Reporter(NamedTuple):
    """Output callbacks of a build; failures are raised instead."""

    progress: Output
    warning: Output
    detail: Output
    """The commands run, for those who ask (-v)."""
    bar: Bar | None = None
    """Shows the steps of long work in place of a line each."""

    def step(self, done: int, total: int, what: str) -> None:
        """Report one of the steps that were counted."""
        if self.bar is None or total < _LONG:
            self.progress(f"[{done}/{total}] {what}")
        else:
            self.bar.show(done, total, what)


class Steps:
    """The steps of a build; any of its threads may use them."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._lock = threading.Lock()
        self._counted: set[str] = set()
        self._done = 0
        self._unshown: list[tuple[int, str, str]] = []
        """Steps that were not shown yet: the number of each, its text, warnings."""
        self._is_counting = False

    def count(self, names: Iterable[str]) -> None:
        """Add steps to come; one that was counted before is the same step."""
        with self._lock:
            self._counted.update(names)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Show the steps of what is started inside at the end only, when their total is known."""
        self._is_counting = True
        try:
            yield
        finally:
            with self._lock:
                self._is_counting = False
                self._show()

    def done(self, what: str, warnings: str) -> None:
        """Show that a step is done, and its warnings, if there are any."""
        with self._lock:
            self._done += 1
            self._unshown.append((self._done, what, warnings))
            if not self._is_counting:
                self._show()

    def _show(self) -> None:
        for done, what, warnings in self._unshown:
            self._reporter.step(done, len(self._counted), what)
            if warnings:
                self._reporter.warning(warnings)
        self._unshown.clear()

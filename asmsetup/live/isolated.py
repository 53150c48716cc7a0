"""Call a module's functions in child processes, which may crash."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..program import signal_name
from .building import Built
from .child import Work, command


class CrashError(RuntimeError):
    """A routine has crashed in its child process; the message names it."""


class IsolatedFunction:
    """A function that runs in a new child process at each call.

    Arguments and results are pickled: what a routine writes into its arguments is lost.
    """

    def __init__(
        self, built: Built, name: str, doc: str | None, others: Callable[[], Sequence[Built]]
    ) -> None:
        """``others`` returns the modules that the child process may import as well."""
        self._built = built
        self._others = others
        self.__name__ = name
        self.__doc__ = doc

    def __repr__(self) -> str:
        return f"<isolated function {self.__name__} of {self._built.name}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function. Raise CrashError when it crashes, else what it raises."""
        with tempfile.TemporaryDirectory(prefix="asmsetup-") as folder:
            path = Path(folder, "call")
            path.write_bytes(self._pickled(args, kwargs))
            text = (
                f"from asmsetup.live.isolated import answer; answer({self._built.name}, {folder!r})"
            )
            work = Work([self._built], text, others=self._others())
            done = subprocess.run(command(work), stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode < 0:
                raise CrashError(_crash(-done.returncode, done.stderr))
            sys.stderr.write(done.stderr)
            result, error = pickle.loads(Path(folder, "result").read_bytes())  # noqa: S301 (ours)
        if error is not None:
            raise error
        return result

    def _pickled(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        try:
            return pickle.dumps((self.__name__, args, kwargs))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise TypeError(
                f"an argument of {self.__name__} cannot be sent to the process it runs in: {error}"
            ) from None


def _crash(number: int, output: str) -> str:
    found = re.search(r"^error: (.*)$", output, re.MULTILINE)
    return found[1] if found else signal_name(number)


def answer(module: object, folder: str) -> None:
    """In the child process: do the call that ``folder`` holds, and put the result there."""
    name, args, kwargs = pickle.loads(Path(folder, "call").read_bytes())  # noqa: S301 (ours)
    result, error = None, None
    try:
        result = getattr(module, name)(*args, **kwargs)
    except Exception as raised:  # passed on, whatever it is
        error = raised
    Path(folder, "result").write_bytes(pickle.dumps((result, error)))

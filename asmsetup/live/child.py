"""Run code with a module in a process of its own, which may crash.

``run`` starts the process; the process itself is ``python -m asmsetup.live.child``.
"""

from __future__ import annotations

import code
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import traceback
from collections.abc import Sequence
from types import CodeType, ModuleType, TracebackType
from typing import Any

from ..assemble.nasm import AssemblerOptions, ObjectFile
from ..named import NamedTuple
from ..program import signal_name
from .building import Built
from .crash import report_crashes

_STARTERS = ("<frozen runpy>", runpy.__file__)


class Work(NamedTuple):
    """The child process."""

    built: Sequence[Built]
    """The modules, each of which is imported."""
    text: str | None = None
    """Python code; None to read a script, or to ask for code without one."""
    arguments: Sequence[str] = ()
    """The script and its arguments, or the code's arguments."""
    everything: bool = False
    """The code sees the functions of the modules by their own names, too."""
    others: Sequence[Built] = ()
    """Modules that the code may import, the newest of a name last."""


def command(work: Work) -> list[str]:
    """Return the command that does the work."""
    built, others = (list(map(_written, each)) for each in (work.built, work.others))
    task = json.dumps([built, work.text, list(work.arguments), work.everything, others])
    return [sys.executable, "-m", "asmsetup.live.child", task]


def run(work: Work) -> int:
    """Do the work in a child process with the same input and output; return its exit code.

    That is 128 and the signal's number when one killed it, as a shell has it.
    """
    done = subprocess.run(command(work), check=False)
    if done.returncode >= 0:
        return done.returncode
    number = -done.returncode
    if number in (signal.SIGKILL, signal.SIGTERM):
        print(f"error: the code was ended by {signal_name(number)}", file=sys.stderr)
    return 128 + number


def main(task: str) -> None:
    """Run the code in the child process, and exit with its status."""
    sources, text, arguments, everything, more = json.loads(task)
    built, others = (list(map(_read, each)) for each in (sources, more))
    report_crashes(
        lambda: [*others, *built],
        "Python's own traceback follows; the last line of yours that ran is in it",
    )
    sys.excepthook = _show_users_part
    sys.path[:0] = [os.path.dirname(each.path) for each in (*built, *reversed(others))]
    names = _names([importlib.import_module(each.name) for each in built], everything)
    sys.argv = ["-c", *arguments] if text is not None else arguments or [""]
    if text is not None:
        _run_text(text, names)
    elif arguments:
        sys.path.insert(0, os.path.dirname(os.path.abspath(arguments[0])))
        with open(arguments[0], "rb") as file:
            exec(compile(file.read(), arguments[0], "exec"), names)  # noqa: S102 (the user's)
    else:
        code.interact(local=names, exitmsg="")


def _written(built: Built) -> list[str]:
    return [built.source, built.name, built.path, built.object.path]


def _read(written: Sequence[str]) -> Built:
    source, name, path, object_ = written
    return Built(source, name, path, ObjectFile(source, object_, AssemblerOptions()))


def _names(modules: Sequence[ModuleType], everything: bool) -> dict[str, Any]:
    """Return the names that the code sees, which are those of a new __main__."""
    sys.modules["__main__"] = ModuleType("__main__")
    names = vars(sys.modules["__main__"])
    for module in modules:
        names[module.__name__] = module
        if everything:
            names.update(public_names(module))
    return names


def public_names(module: ModuleType) -> dict[str, Any]:
    """Return what ``from module import *`` would give."""
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


def _run_text(text: str, names: dict[str, Any]) -> None:
    """Run code; show the value of a single expression, as an interactive Python does."""
    expression = _expression(text)
    if expression is None:
        exec(compile(text, "<-c>", "exec"), names)  # noqa: S102 (the user's)
    else:
        sys.displayhook(eval(expression, names))  # noqa: S307 (the user's)


def _expression(text: str) -> CodeType | None:
    try:
        return compile(text, "<-c>", "eval")
    except SyntaxError:
        return None


def _show_users_part(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Show a traceback without the frames of this module and of what started it."""
    while trace is not None and trace.tb_frame.f_code.co_filename in (__file__, *_STARTERS):
        trace = trace.tb_next
    traceback.print_exception(kind, error, trace)


if __name__ == "__main__":
    main(sys.argv[1])

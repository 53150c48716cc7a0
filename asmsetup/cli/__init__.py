"""The command line: asmsetup, or python -m asmsetup. One module a command.

Standard output is the result, standard error is talk. Exit code 0: done; 1: the
command found something wrong in what it looked at; 2: a wrong command line; 3
and above: it could not be done.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from ..errors import AsmsetupError, UsageError

_MISUSED, _FAILED = 2, 3

COMMANDS = {
    "new": "write a complete project to begin with",
    "doctor": "show what is installed here, and what is missing for what",
    "build": "build an importable module from one source, without a project",
    "run": "build one source and run Python code with it, in a child process",
    "bindings": "write the bindings of a source's typed functions, for NASM run by hand",
    "annotate": "write a page with the bytes and instructions of each line of a source",
    "stubs": "write the stub (.pyi) of a source's module, for type checkers and editors",
    "include-dir": "print the folder of python.inc",
    "completion": "print a script that completes command lines in your shell",
    "check": "find mistakes in the machine code of a source, module, wheel or project",
    "cache": "show the size and hits of the object cache, or clear it",
}
"""The commands and what each does.

The module of this package that has a command's name, with ``_`` for ``-``, has
``add_arguments(parser)`` and ``run(options)``, which returns the exit code and
raises AsmsetupError. Only the module of the command that runs is imported.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        try:
            options = _parser(words).parse_args(words)
            run: Callable[[argparse.Namespace], int] = _module(options.command).run
            return run(options)
        finally:
            sys.stdout.flush()  # now, while a failure can still be reported
    except AsmsetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return _MISUSED if isinstance(error, UsageError) else _FAILED
    except OSError as error:
        print(f"error: {error.filename or 'standard output'}: {error.strerror}", file=sys.stderr)
        if error.filename is None:
            _discard_output()
    return _FAILED


def _discard_output() -> None:
    # What is left in the buffer would be written, and fail, once more at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Version(argparse.Action):
    """Prints the version, which takes long to find and is seldom asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib import metadata

        print(f"asmsetup {metadata.version('asmsetup')}")
        parser.exit()


def _module(command: str) -> ModuleType:
    return import_module(f".{command.replace('-', '_')}", __package__)


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser; it has the options of those commands that the words may mean."""
    parser = argparse.ArgumentParser(
        prog="asmsetup", description="Ship hand-written x86-64 assembly in Python packages."
    )
    about = "show the version and exit"
    parser.add_argument("--version", action=_Version, nargs=0, help=about)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, about in COMMANDS.items():
        command = commands.add_parser(
            name, help=about, description=f"{about[0].upper()}{about[1:]}."
        )
        if name in words:
            _module(name).add_arguments(command)
    return parser

"""%%nasm: cells of assembly in IPython and Jupyter; loaded by ``%load_ext asmsetup``."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from typing import Any, NoReturn

from . import config
from .check.machine_code import require_decoder
from .errors import AsmsetupError, UsageError
from .files import write_text
from .live.building import Options, examine, module_name, silent
from .live.child import public_names
from .live.crash import report_crashes
from .live.isolated import IsolatedFunction
from .live.loading import LOADER, import_from

_MODULE = re.compile(r"^[ \t]*PyModule[ \t]+(\w+)", re.MULTILINE)
_CELL = "cell"
_TEXT = "text"
"""The file with a cell that has a module around it."""
_INTERRUPTED = "the build was interrupted; the notebook has what it had before the cell"
_PLAIN = "<the annotated cell, for front ends that show HTML>"
_THEMES = """\
<style>
[data-jp-theme-light=true] .asmsetup-page, .vscode-light .asmsetup-page { color-scheme: light }
[data-jp-theme-light=false] .asmsetup-page, .vscode-dark .asmsetup-page { color-scheme: dark }
</style>
"""
"""The page follows the theme of JupyterLab or VS Code, which may differ from the system's."""
_AROUND = """\
%include "python.inc"
PyModule {name}
%include "{path}"
PyEndModule
"""


class CellError(Exception):
    """A cell cannot be built; shown as its text alone."""

    def _render_traceback_(self) -> list[str]:  # what IPython asks for
        return [f"error: {self}"]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"%%nasm: {message}", self.format_usage().strip())


def load_ipython_extension(shell: Any) -> None:
    """Register %%nasm with IPython's shell."""
    magic = NasmMagic(shell)
    shell.register_magic_function(magic.nasm, "cell", "nasm")
    report_crashes(
        lambda: LOADER.built,
        "this ends the kernel; to see it as an exception, begin the cell with   %%nasm --isolated",
    )


class NasmMagic:
    """The magic of one shell."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._count = 0

    def nasm(self, line: str, cell: str) -> None:
        """Build the cell and put its functions, and the module, into the notebook.

        %%nasm [--isolated] [--annotate] [--time EXPRESSION] [-D NAME=VALUE] [-I FOLDER]

        A cell without PyModule gets python.inc and a module around it.
        Raise CellError with the errors of the cell, or when its build is interrupted.
        """
        source = self._source(cell)
        try:
            options = _parse(line)
            how = _how(options)
            module, names = self._build(source, how, isolated=options.isolated)
            page = _page(source, how) if options.annotate else None
        except (AsmsetupError, ImportError) as error:
            raise CellError(_in_cell(str(error), source, cell)) from None
        except KeyboardInterrupt:
            raise CellError(_INTERRUPTED) from None
        self._shell.user_ns.update({module: names.pop(module), **names})
        if page is not None:
            self._shell.display_pub.publish({"text/html": page, "text/plain": _PLAIN})
        if options.time:
            self._shell.run_line_magic("timeit", options.time)

    def _source(self, cell: str) -> str:
        """Write the cell to a file; return the path of the source to build."""
        named = _MODULE.search(cell)
        folder = os.path.join(LOADER.folder, "cells")
        if named is not None:
            os.makedirs(folder, exist_ok=True)
            path = os.path.join(folder, f"{named[1]}.asm")
            write_text(path, cell)
            return path
        self._count += 1
        name = f"{_CELL}_{self._count}"
        folder = os.path.join(folder, name)
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f"{name}.asm")
        inner = _inner(path)
        write_text(inner, cell)
        write_text(path, _AROUND.format(name=name, path=inner))
        return path

    def _build(self, source: str, how: Options, *, isolated: bool) -> tuple[str, dict[str, Any]]:
        """Return the module's name, and what the notebook gets: that and all functions."""
        if not isolated:
            module = LOADER.load(source, how, shown_as=_CELL)
            name = module_name(source)
            return name, {name: module, **public_names(module)}
        built = LOADER.build(source, how)._replace(source=_CELL)
        LOADER.built.append(built)
        module = import_from(built.name, built.path)
        for name, value in public_names(module).items():
            if callable(value) and not isinstance(value, type):
                doc = value.__doc__
                setattr(module, name, IsolatedFunction(built, name, doc, lambda: LOADER.built))
        return built.name, {built.name: module, **public_names(module)}


def _parse(line: str) -> argparse.Namespace:
    parser = _Parser(prog="%%nasm", add_help=False)
    parser.add_argument("--isolated", action="store_true")
    parser.add_argument("--annotate", action="store_true")
    parser.add_argument("--time", metavar="EXPRESSION")
    parser.add_argument("-D", "--define", metavar="NAME[=VALUE]", action="append", default=[])
    parser.add_argument("-I", "--include", metavar="FOLDER", action="append", default=[])
    try:
        return parser.parse_args(shlex.split(line))
    except ValueError as error:
        raise UsageError(f"%%nasm: {error}: {line}") from error


def _how(options: argparse.Namespace) -> Options:
    return Options(
        config.load(os.curdir, os.environ)._replace(debug=True),
        (os.curdir, *options.include),
        tuple((name, value or None) for name, _, value in map(_parts, options.define)),
    )


def _parts(definition: str) -> tuple[str, str, str]:
    return definition.partition("=")


def _page(source: str, how: Options) -> str:
    """Return the annotated page of a cell, in a frame that keeps its styles apart.

    Raises ToolError without the decoder of machine code.
    """
    require_decoder()
    from .annotate.lines import annotate
    from .annotate.page import page

    inner = _inner(source)
    with tempfile.TemporaryDirectory(prefix="asmsetup-") as work:
        examined = examine(source, work, how, silent([]))
        shown = inner if os.path.exists(inner) else source
        annotated = annotate(examined, how.settings, of=shown)
    text = escape(page(replace(annotated, source=_CELL)))
    # The head takes about 14, a line 1.5, and some lines will be opened.
    height = min(16 + 2 * len(annotated.lines), 45)
    style = f"width: 100%; height: {height}em; border: 0"
    return f'{_THEMES}<iframe class="asmsetup-page" srcdoc="{text}" style="{style}"></iframe>'


def _inner(source: str) -> str:
    """Return the file with the text of a cell that got a module around it."""
    return os.path.join(os.path.dirname(source), _TEXT)


def _in_cell(output: str, source: str, cell: str) -> str:
    """Return an error with the cell's line numbers, and below each the line itself."""
    output = output.replace(source, _CELL).replace(_inner(source), _CELL)
    return "\n".join(_with_source(output, cell.splitlines()))


def _with_source(output: str, lines: list[str]) -> Iterator[str]:
    shown = ""
    for line in output.splitlines():
        if line.strip() == shown:  # NASM's messages have their line below them already
            continue
        yield line
        found = re.match(rf"{_CELL}:(\d+): ", line)
        if found and 1 <= int(found[1]) <= len(lines):
            shown = lines[int(found[1]) - 1].strip()
            yield f"  {found[1]} | {shown}"

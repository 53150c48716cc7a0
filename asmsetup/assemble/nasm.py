"""Run NASM: find it, write its command line, assemble one source. Knows nothing of setuptools."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence

from .. import program
from ..errors import AssembleError, ToolError
from ..facts.target import OBJECT_FORMAT
from ..named import NamedTuple

MINIMUM = (2, 15, 0)
"""The oldest NASM that drops unused EXTERNs and takes -I without a trailing slash."""

_INSTALL = program.ways_to_get("nasm", "NASM", "nasm")

_FILE_NOT_FOUND = r"unable to (open include file|open file|get length of file) `"

ERRORS = ("-w+error=number-overflow", "-w+error=float-overflow", "-w+error=label-orphan")
"""Warnings that mean another program than the source says, which pip would hide.

A number that was cut off or became infinite, and a label alone on its line without a colon: a
mnemonic with a typing error. All are understood since 2.15, and -w-error=... in the arguments takes them back.
"""

Macro = tuple[str, str | None]
"""A macro to define before the source: its name, and its value or None."""


class Nasm(NamedTuple):
    """A NASM that can be run."""

    path: str
    version: tuple[int, int, int]
    banner: str
    """The first line of nasm -v: part of what identifies an object."""


class AssemblerOptions(NamedTuple):
    """NASM's options for an Extension, apart from the source."""

    include_dirs: tuple[str, ...] = ()
    define: tuple[Macro, ...] = ()
    undefine: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    debug: bool = False


class ObjectFile(NamedTuple):
    """An object to assemble: everything that decides its content but the files read."""

    source: str
    path: str
    options: AssemblerOptions


def find(name: str | None) -> Nasm:
    """Return the NASM called ``name``, a path or a name on PATH.

    None is nasm on PATH if it is new enough, else the one of the wheel asmsetup-nasm.
    Raises ToolError when it is missing, cannot be run, or is older than MINIMUM.
    """
    try:
        return _on_path(name or "nasm")
    except ToolError:
        if name or (in_wheel := path_in_wheel()) is None:
            raise
    try:
        return _on_path(in_wheel)
    except ToolError as error:
        raise ToolError(
            f"NASM of the wheel asmsetup-nasm cannot be used: {error.what}",
            "it is damaged, or for another system; a NASM on PATH is taken before it",
            *_INSTALL,
        ) from error


def path_in_wheel() -> str | None:
    """Return the path of the NASM that the wheel asmsetup-nasm holds, None without the wheel."""
    try:
        package = importlib.import_module("asmsetup_nasm")
    except ImportError:
        return None
    path: str = package.path()
    return path


def _on_path(name: str) -> Nasm:
    path = program.find("nasm", name, _INSTALL, chosen_by="NASM", arguments="NASMFLAGS")
    done = program.run([path, "-v"], environment(), _INSTALL)
    # The dynamic loader may have something to say before.
    match = re.search(r"^NASM version (\d+)\.(\d+)(?:\.(\d+))?.*", done.output, re.MULTILINE)
    if match is None and done.status:
        failure = f"`{path} -v' {program.how_it_ended(done)}\n{done.output}".rstrip()
        raise ToolError(failure, *_INSTALL)
    if match is None:
        raise ToolError(f"{path} does not look like NASM: it says {done.output!r}", *_INSTALL)
    version = int(match[1]), int(match[2]), int(match[3] or 0)
    if version < MINIMUM:
        raise ToolError(
            f"{path} is NASM {match[1]}.{match[2]}, and asmsetup needs 2.15 or newer", *_INSTALL
        )
    return Nasm(path, version, match[0])


def environment() -> dict[str, str]:
    """Return the environment NASM runs in: ours without NASMENV, which changes its command line."""
    return {name: value for name, value in os.environ.items() if name != "NASMENV"}


def command(nasm: str, source: str, output: str, options: AssemblerOptions) -> list[str]:
    """Return the command that assembles ``source`` to the object file ``output``."""
    return [
        nasm,
        "-f",
        OBJECT_FORMAT,
        *ERRORS,
        *(("-g", "-F", "dwarf") if options.debug else ()),
        *(f"-I{folder}" for folder in options.include_dirs),
        *(f"-D{name}" if value is None else f"-D{name}={value}" for name, value in options.define),
        *(f"-U{name}" for name in options.undefine),
        *options.args,
        "-o",
        output,
        # A source called -x.asm is a source, not an option, and @x.asm no list of options.
        os.path.join(os.curdir, source) if source.startswith(("-", "@")) else source,
    ]


def with_depfile(command: Sequence[str], rules: str) -> list[str]:
    """Return the command with -MD added: the files that are read are listed in ``rules``."""
    return [*command[:-1], "-MT", "object", "-MD", rules, command[-1]]


def forgets_includes(version: tuple[int, int, int]) -> bool:
    """Return whether -MD leaves %includes out while assembling, as in 2.16.00 and 2.16.01."""
    return (2, 16, 0) <= version < (2, 16, 3)


def preprocessing(command: Sequence[str], output: str) -> list[str]:
    """Return the command as one that preprocesses only, for what it says about files.

    The text goes to ``output``. That must be a file to lose: NASM removes its
    output when it fails, and as root /dev/null, too.
    """
    *most, _object, source = command
    return [*most, output, "-E", source]


def assemble(command: Sequence[str], source: str, environment: Mapping[str, str]) -> str:
    """Run the command that assembles ``source`` in ``environment()``; return NASM's warnings.

    Raises AssembleError with every error NASM reports, in its own words.
    """
    done = program.run(command, environment)
    if done.status < 0:
        what = f"{source}: nasm {program.how_it_ended(done)}"
        raise AssembleError(what, *filter(None, (done.output,)), *program.after_signal("NASM"))
    if done.status:
        what = done.output or f"{source}: nasm {program.how_it_ended(done)}"
        raise AssembleError(what, *_looked_for(done.output, command))
    return done.output


def _looked_for(output: str, command: Sequence[str]) -> Iterator[str]:
    """Yield where NASM has looked for files, if it complains that it found one nowhere."""
    if re.search(_FILE_NOT_FOUND, output) and "Too many open files" not in output:
        folders = (word[2:] for word in command if word.startswith("-I"))
        yield f"looked for in: {', '.join(dict.fromkeys((os.curdir, *folders)))}"

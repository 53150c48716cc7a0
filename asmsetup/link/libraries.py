"""Find libraries: the C library in use, those that arguments name, and those that only a compiler finds."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from .. import program
from ..errors import ToolError
from ..named import NamedTuple
from .flags import for_ld

SYSTEM_FOLDERS = (
    *("/usr/local/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"),
    *("/usr/local/lib64", "/lib64", "/usr/lib64", "/usr/local/lib", "/lib", "/usr/lib"),
)
"""The folders that ld searches after those of -L (its SEARCH_DIR on the distributions)."""


class NamedLibraries(NamedTuple):
    """The objects and libraries that linker arguments add to a module."""

    libraries: tuple[str, ...]
    folders: tuple[str, ...]
    files: tuple[str, ...]
    """And definitions on the command line: each may define any name."""


def named_libraries(args: Sequence[str]) -> NamedLibraries:
    """Return the libraries, folders and files that arguments for ld or a driver name."""
    libraries: list[str] = []
    folders: list[str] = []
    files: list[str] = []
    words = iter(for_ld(args))
    for word in words:
        if word in ("-l", "-L"):
            (libraries if word == "-l" else folders).append(next(words, ""))
        elif word.startswith(("-l", "--library=")):
            libraries.append(word.removeprefix("--library=").removeprefix("-l"))
        elif word.startswith(("-L", "--library-path=")):
            folders.append(word.removeprefix("--library-path=").removeprefix("-L"))
        elif os.path.isfile(word) or word.lstrip("-").startswith(("@", "defsym", "just-symbols")):
            files.append(word)
    return NamedLibraries(tuple(libraries), tuple(folders), tuple(files))


def further_folders(libraries: Iterable[str], folders: Sequence[str]) -> tuple[str, ...]:
    """Return folders of libraries that a compiler would find and bare ld does not.

    Those of LIBRARY_PATH, and for libraries that are not in ``folders`` nor the system's, those
    that the compiler keeps its own in (libgomp, libgfortran, libatomic, libgcc).
    """
    further = [path for path in os.environ.get("LIBRARY_PATH", "").split(os.pathsep) if path]
    for library in libraries:
        if not _is_in((*folders, *further, *SYSTEM_FOLDERS), library):
            further += filter(None, [_folder_known_to_compiler(library)])
    return tuple(dict.fromkeys(further))


def _is_in(folders: Iterable[str], library: str) -> bool:
    names = _file_names(library)
    return any(os.path.isfile(os.path.join(folder, name)) for folder in folders for name in names)


def _file_names(library: str) -> tuple[str, ...]:
    return (library[1:],) if library.startswith(":") else (f"lib{library}.so", f"lib{library}.a")


@functools.cache
def _folder_known_to_compiler(library: str) -> str | None:
    """Return the folder a compiler finds a library in; None without a compiler or a library."""
    for compiler in _compilers():
        for name in _file_names(library):
            with suppress(ToolError):
                done = program.run([*compiler, f"-print-file-name={name}"])
                # A name that is not found is printed as it is.
                if done.status == 0 and os.path.isabs(done.output) and os.path.isfile(done.output):
                    return os.path.dirname(os.path.normpath(done.output))
    return None


def _compilers() -> Iterator[list[str]]:
    """Yield the compilers of this build, the chosen one first."""
    for words in (os.environ.get("CC"), sysconfig.get_config_var("CC"), "cc", "gcc", "clang"):
        with suppress(ValueError):  # quotes that do not match
            command = shlex.split(words or "")
            if command and shutil.which(command[0]):
                yield command


@functools.cache
def c_library_files() -> tuple[str, ...]:
    """Return the files of the C library that the running interpreter is using.

    Read from this process's own map (proc(5)), so that what a module is linked
    with is what it was built beside, with no development package needed. Empty
    in an interpreter that is linked statically.
    """
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        paths = {line.split(None, 5)[5].rstrip("\n") for line in maps if "/" in line}
    loaded = {path for path in paths if _is_c_library(os.path.basename(path))}
    return tuple(sibling for path in sorted(loaded) for sibling in _with_siblings(path))


def _is_c_library(name: str) -> bool:
    # musl is libc.so where a distribution keeps it beside glibc, and its own loader elsewhere.
    return name == "libc.so" or name.startswith(("libc.so.", "libc-2.", "ld-musl-", "libc.musl-"))


def _with_siblings(path: str) -> Iterator[str]:
    yield path
    # glibc keeps parts of the C library in files of their own.
    for name in (
        "libm.so.6",
        "libpthread.so.0",
        "libdl.so.2",
        "librt.so.1",
        "ld-linux-x86-64.so.2",
    ):
        sibling = os.path.join(os.path.dirname(path), name)
        if os.path.exists(sibling):
            yield sibling

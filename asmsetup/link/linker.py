"""Link modules: GNU ld for pure assembly, and the flags a mixed module's compiler driver needs.

Neither way leaves an executable stack, writable relocations after start-up, or
a name exported that is not an entry point.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from .. import program
from ..assemble.nasm import ObjectFile
from ..errors import LinkError
from ..facts.target import EMULATION

HARDENING = ("-z", "noexecstack", "-z", "relro", "-z", "now")
"""No executable stack (NASM objects ask for none, and ld takes silence for consent on an
executable one), and every relocation done and sealed before the module's code runs."""

SMALL = ("-z", "noseparate-code", "--hash-style=gnu", "--build-id=none")
"""Two load segments in place of four: 8 KB less on disk and a quarter less time in dlopen."""

_INSTALL = program.ways_to_get("binutils", "LD", "ld")

# What only a compiler driver understands, and what says nothing to a linker.
_DRIVER_ONLY = ("-f", "-march=", "-mtune=", "-specs=", "-std=", "-W", "-O", "-g", "-D", "-I")
_DRIVER_WORDS = frozenset({"-pthread", "-pipe", "-m64", "-static-libgcc", "-static-libstdc++"})


class LinkerOptions(NamedTuple):
    """What an Extension and the project say to the linker, apart from the objects."""

    library_dirs: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    runtime_library_dirs: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    debug: bool = False


class ModuleFile(NamedTuple):
    """A module to link from objects that are there."""

    name: str
    """The module's full name, with its packages."""
    path: str
    assembled: tuple[ObjectFile, ...]
    """The objects that NASM has made."""
    compiled: tuple[str, ...]
    """The objects that a C compiler has made for it."""
    extra_objects: tuple[str, ...]
    """What the user wants linked besides: objects, archives, libraries."""
    entry_points: tuple[str, ...]
    exported: tuple[str, ...]
    """Names to export besides the entry points."""
    options: LinkerOptions
    limited_api: tuple[int, int] | None = None
    universal: bool = False

    @property
    def objects(self) -> tuple[str, ...]:
        """All files to link, in their order on the command line."""
        return (*(made.path for made in self.assembled), *self.compiled, *self.extra_objects)


def find(name: str | None) -> str:
    """Return the path of the linker called ``name`` (a path or a name on PATH; None for ld).

    Raises ToolError when there is none.
    """
    return program.find("the linker", name or "ld", _INSTALL, chosen_by="LD", arguments="LDFLAGS")


def version_script(exported: Iterable[str]) -> str:
    """Return a linker script that exports just these names."""
    return "{{ global: {} local: *; }};\n".format("".join(f"{name}; " for name in exported))


def command(
    ld: str,
    objects: Sequence[str],
    output: str,
    script: str,
    options: LinkerOptions,
    c_library: Sequence[str] = (),
) -> list[str]:
    """Return the command that links pure assembly.

    ``script`` is the path of a version script. ``c_library`` holds the C
    library's own files when a name in the objects may come from there: linked
    as needed, they give those names their symbol versions.
    """
    return [
        ld,
        "-shared",
        "-m",
        EMULATION,
        *HARDENING,
        *SMALL,
        *(() if options.debug else ("-s",)),
        f"--version-script={script}",
        "-o",
        output,
        *objects,
        *(f"-L{folder}" for folder in options.library_dirs),
        *(f"-rpath={folder}" for folder in options.runtime_library_dirs),
        *options.args,
        *(f"-l{library}" for library in options.libraries),
        *_as_needed(c_library),
    ]


def _as_needed(files: Sequence[str]) -> tuple[str, ...]:
    if not files:
        return ()
    # The C library needs the dynamic loader beside it; ld looks for it when told where.
    folder = os.path.dirname(files[0])
    # Named and not spelt out: musl's file has no SONAME, and its path would become the name needed.
    named = (f"-l:{os.path.basename(file)}" for file in files)
    return ("-rpath-link", folder, f"-L{folder}", "--as-needed", *named)


def driver_flags(script: str, *, debug: bool) -> list[str]:
    """Return what a compiler driver must be told so that it links as ``command`` does."""
    # -Xlinker and not -Wl, : a path may hold a comma.
    linker = (*HARDENING, f"--version-script={script}", *(() if debug else ("-s",)))
    return [word for flag in linker for word in ("-Xlinker", flag)]


def for_ld(flags: Iterable[str]) -> list[str]:
    """Return flags written for a compiler driver (LDFLAGS) as plain ld takes them."""
    return list(_for_ld(iter(flags)))


def _for_ld(flags: Iterator[str]) -> Iterator[str]:
    for flag in flags:
        if flag.startswith("-Wl,"):
            yield from flag.split(",")[1:]
        elif flag == "-Xlinker":
            yield from islice(flags, 1)
        elif flag not in _DRIVER_WORDS and not flag.startswith(_DRIVER_ONLY):
            yield flag


class NamedLibraries(NamedTuple):
    """What linker arguments add to the objects and libraries of a module."""

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
    for name in ("libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"):
        sibling = os.path.join(os.path.dirname(path), name)
        if os.path.exists(sibling):
            yield sibling


def link(command: Sequence[str]) -> str:
    """Run a link command; return ld's warnings. Raises LinkError with ld's own words."""
    done = program.run(command)
    if done.status == 0:
        return done.said
    other = _not_gnu(command[0])
    if done.status < 0:
        what = f"the linker was killed by {program.signal_name(-done.status)}"
        raise LinkError(what, *filter(None, (done.said,)), *(other or program.after_signal("LD")))
    raise LinkError(done.said or f"the linker failed with exit code {done.status}", *other)


def _not_gnu(ld: str) -> tuple[str, ...]:
    """Return what to do when the linker that has failed is another one than GNU ld."""
    banner = program.run([ld, "--version"]).said.partition("\n")[0]
    if re.search(r"\b(gold|mold|lld|wild)\b", banner, re.IGNORECASE) is None:
        return ()
    chosen = os.environ.get("LD")
    by = f" (chosen by LD={chosen})" if chosen and shutil.which(chosen) == ld else ""
    return (
        f"asmsetup needs GNU ld, and {ld}{by} is {banner}",
        "use GNU ld:   LD=ld.bfd, or ld in [tool.asmsetup]",
    )

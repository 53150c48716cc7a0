"""Link modules: bare ld for pure assembly, and the flags a mixed module's compiler driver needs.

Neither way leaves an executable stack, writable relocations after start-up, or
a name exported that is not an entry point.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Sequence
from typing import Literal

from .. import program
from ..assemble.nasm import ObjectFile
from ..errors import LinkError
from ..facts.target import EMULATION
from ..named import NamedTuple
from . import given
from .flags import linker_named, require_possible
from .given import LD_ARGS, LDFLAGS, LINK_ARGS, Given
from .libraries import further_folders, named_libraries

HARDENING = ("-z", "noexecstack", "-z", "relro", "-z", "now")
"""No executable stack (NASM objects ask for none, and ld takes silence for consent on an
executable one), and every relocation done and sealed before the module's code runs."""

SMALL = ("-z", "noseparate-code", "--hash-style=gnu", "--build-id=none")
"""Two load segments in place of four: 8 KB less on disk and a quarter less time in dlopen."""

_WITHOUT_SEPARATE_CODE = SMALL[2:]
"""The same for gold, which has two segments anyway and does not know the option."""

Strip = Literal["all", "debug", "none"]
"""The symbols that a module goes without: all that loading it does not need, debug information, none."""

_STRIP: dict[Strip, tuple[str, ...]] = {"all": ("-s",), "debug": ("-S",), "none": ()}

_BUILD_ID = "--build-id=sha1"
"""The linker's argument that names a module by its content, for the file with its debug information."""

_INSTALL = program.ways_to_get("binutils", "LD", "ld")


class LinkerOptions(NamedTuple):
    """The linker options of an Extension, the project and LDFLAGS, apart from the objects."""

    library_dirs: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    runtime_library_dirs: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    strip: Strip = "all"
    build_id: bool = False
    given: tuple[Given, ...] = ()
    """The words that ``args`` were made from, as they were written."""

    @classmethod
    def of(
        cls,
        *,
        libraries: Iterable[str] = (),
        library_dirs: Iterable[str] = (),
        runtime_library_dirs: Iterable[str] = (),
        ld_args: Iterable[str],
        ldflags: Sequence[str],
        link_args: Sequence[str] = (),
        strip: Strip,
        build_id: bool = False,
    ) -> LinkerOptions:
        """Return the options of a module as plain ld takes them.

        ``ld_args`` are in ld's spelling already; ``ldflags`` (of the environment) and
        ``link_args`` (of the extension) in a compiler driver's. Folders that only a compiler
        finds are added where a library needs them. Raises LinkError for words that cannot lead
        to a module.
        """
        words = {LD_ARGS: ld_args, LDFLAGS: ldflags, LINK_ARGS: link_args}
        require_possible(ldflags, LDFLAGS)
        require_possible(link_args, LINK_ARGS)
        options = tuple(each for origin in words for each in given.options(origin, words[origin]))
        args = given.args_for_ld(options)
        libraries, folders = tuple(libraries), tuple(library_dirs)
        named = named_libraries(args)
        searched = (*folders, *named.folders)
        folders += further_folders((*libraries, *named.libraries), searched)
        run_path = tuple(runtime_library_dirs)
        return cls(folders, libraries, run_path, args, strip, build_id, options)

    def only(self, kept: Sequence[Given]) -> LinkerOptions:
        """Return these options with only those of ``given`` that are kept."""
        return self._replace(args=given.args_for_ld(kept), given=tuple(kept))


class GasObject(NamedTuple):
    """An object that the C compiler's assembler has made of a .S or .s source."""

    source: str
    path: str


class ModuleFile(NamedTuple):
    """A module to link from existing objects."""

    name: str
    """The module's full name, with its packages."""
    path: str
    assembled: tuple[ObjectFile, ...]
    """The objects that NASM has made."""
    compiled: tuple[str, ...]
    """The objects that a C compiler has made for it."""
    extra_objects: tuple[str, ...]
    """Further inputs that the user wants linked: objects, archives, libraries."""
    entry_points: tuple[str, ...]
    exported: tuple[str, ...]
    """Names to export besides the entry points."""
    options: LinkerOptions
    limited_api: tuple[int, int] | None = None
    universal: bool = False
    gas: tuple[GasObject, ...] = ()

    @property
    def objects(self) -> tuple[str, ...]:
        """All files to link, in their order on the command line."""
        assembled = *(made.path for made in self.assembled), *(made.path for made in self.gas)
        return (*assembled, *self.compiled, *self.extra_objects)


def find(name: str | None, ldflags: Sequence[str] = ()) -> str:
    """Return the path of the linker called ``name``: a path, or a name on PATH.

    Without a name, it is the one that ``ldflags`` have a driver use, if that exists, else ld.
    Raises ToolError if it is missing.
    """
    named = None if name else _found(linker_named(ldflags))
    return program.find(
        "the linker", name or named or "ld", _INSTALL, chosen_by="LD", arguments="LDFLAGS"
    )


def _found(named: str | None) -> str | None:
    # With -fuse-ld=lld, drivers look for ld.lld.
    return (shutil.which(f"ld.{named}") or shutil.which(named)) if named else None


def version_script(exported: Iterable[str]) -> str:
    """Return a linker script that exports just these names and patterns, as far as there are any.

    Linkers refuse a script that names what is not defined (lld 16 and newer, GNU ld on request),
    and no pattern that matches nothing: the first letter in brackets makes a name a pattern.
    """
    names = list(exported)
    patterns = (name if name[0] in "*?[" else f"[{name[0]}]{name[1:]}" for name in names)
    exports = "".join(f"{each}; " for each in patterns)
    # gold and mold take `local: *' beside `global: *' for a contradiction.
    hidden = "" if "*" in names else "local: *; "
    return f"{{ global: {exports}{hidden}}};\n"


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
        "--eh-frame-hdr",
        "-m",
        EMULATION,
        *HARDENING,
        *(_WITHOUT_SEPARATE_CODE if _is_gold(ld) else SMALL),
        *_STRIP[options.strip],
        *((_BUILD_ID,) if options.build_id else ()),
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


def _is_gold(ld: str) -> bool:
    return "gold" in os.path.basename(os.path.realpath(ld))


def _as_needed(files: Sequence[str]) -> tuple[str, ...]:
    if not files:
        return ()
    # The C library needs the dynamic loader beside it; ld finds it with -rpath-link.
    folder = os.path.dirname(files[0])
    # Named and not spelt out: musl's file has no SONAME, and its path would become the name needed.
    named = (f"-l:{os.path.basename(file)}" for file in files)
    return ("-rpath-link", folder, f"-L{folder}", "--as-needed", *named)


def driver_flags(script: str, options: LinkerOptions) -> list[str]:
    """Return the arguments that make a compiler driver link as ``command`` does."""
    # -Xlinker and not -Wl, : a path may hold a comma.
    # Two words: zig does not take them joined.
    linker = (*HARDENING, "--version-script", script, *_STRIP[options.strip])
    linker += (_BUILD_ID,) if options.build_id else ()
    return [word for flag in linker for word in ("-Xlinker", flag)]


def link(command: Sequence[str]) -> str:
    """Run a link command; return ld's warnings. Raises LinkError with ld's own words."""
    # LD_RUN_PATH would put folders of this machine into every module.
    environment = {name: value for name, value in os.environ.items() if name != "LD_RUN_PATH"}
    done = program.run(command, environment)
    if done.status == 0:
        return done.output
    other = _not_gnu(command[0])
    if done.status < 0:
        what = f"the linker {program.how_it_ended(done)}"
        raise LinkError(what, *filter(None, (done.output,)), *(other or program.after_signal("LD")))
    what = done.output or f"the linker {program.how_it_ended(done)}"
    if re.search(r"unrecogni[sz]ed emulation", done.output):
        other = (
            "this linker is for another machine; name one for x86-64:   LD=x86_64-linux-gnu-ld",
            "or one for all:   LD=ld.lld",
        )
    raise LinkError(what, *other)


def _not_gnu(ld: str) -> tuple[str, ...]:
    """Return what to do when the linker that has failed is another one than GNU ld."""
    banner = program.run([ld, "--version"]).output.partition("\n")[0]
    if re.search(r"\b(gold|mold|lld|wild)\b", banner, re.IGNORECASE) is None:
        return ()
    chosen = os.environ.get("LD")
    by = f" (chosen by LD={chosen})" if chosen and shutil.which(chosen) == ld else ""
    return (
        f"{ld}{by} is {banner}",
        "GNU ld may take it:   LD=ld.bfd, or ld in [tool.asmsetup]",
    )


def entry_points(name: str) -> tuple[str, str]:
    """Return the names CPython looks up in the module ``name`` (PEP 489, PEP 793)."""
    # pkg.__init__ is the package itself, and is looked for as pkg.
    short = name.removesuffix(".__init__").rpartition(".")[2]
    try:
        suffix = "_" + short.encode("ascii").decode()
    except UnicodeEncodeError:
        suffix = "U_" + short.encode("punycode").replace(b"-", b"_").decode()
    return f"PyInit{suffix}", f"PyModExport{suffix}"

"""Rules about the linked module: what the loader will see, read back once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from ..facts.elf import ElfFacts
from .context import CheckedObject, ModuleContext
from .findings import ERROR, WARNING, Finding
from .providers import Providers

# The C library's own parts and the compilers' run-time libraries, which every system has.
_SYSTEM_LIBRARIES = frozenset(
    [
        *("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"),
        *("ld-linux-x86-64.so.2", "libgcc_s.so.1", "libstdc++.so.6", "libatomic.so.1"),
        *("libc.so", "libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1"),
    ]
)

# What compilers link for -fopenmp, -fsanitize, Fortran and the like.
_COMPILER_LIBRARIES = (
    *("libgomp.so", "libomp.so", "libiomp", "libgfortran.so", "libquadmath.so", "libc++"),
    *("libasan.so", "libtsan.so", "liblsan.so", "libubsan.so", "libitm.so", "libunwind.so"),
)


def check(
    path: str, facts: ElfFacts, module: ModuleContext, objects: Sequence[CheckedObject]
) -> Iterator[Finding]:
    """The findings about the module at ``path``, which was linked from ``objects``."""

    def finding(rule: str, severity: str, what: str, *ways_out: str) -> Finding:
        return Finding(rule, severity, path, None, what, ways_out=ways_out)

    exported = {symbol.name for symbol in facts.exported}
    if not exported & {*module.entry_points, *module.exports}:
        yield finding(
            "module-without-entry-point",
            ERROR,
            f"the module does not export `{module.entry_points[0]}', so the import fails",
            "a version script or -Bsymbolic option among the linker's arguments may hide it",
        )
    if unexpected := sorted(exported - {*module.entry_points, *module.exports}):
        yield finding(
            "unexpected-export",
            WARNING,
            f"the module exports {_listed(unexpected)}: names of other modules may clash with them",
            "list what others shall use:   Extension(..., export_symbols=[...])",
        )
    if missing := sorted(module.exports - exported):
        yield finding(
            "missing-export",
            ERROR,
            f"export_symbols names {_listed(missing)}, and the module exports no such thing",
            f"let the linker see it:   global {missing[0]}:function   or take it off the list",
        )
    if facts.stack_flags != "RW":
        said = "asks for" if facts.stack_flags else "says nothing about its stack, which means"
        yield finding(
            "executable-stack",
            ERROR,
            f"the module {said} an executable stack: since glibc 2.41 the import fails, and before"
            " it made the whole process's stack executable",
            "take `-z execstack' out of the linker's arguments, or add `-z noexecstack'",
        )
    if any("W" in s.flags and "E" in s.flags for s in facts.segments if s.type == "LOAD"):
        yield finding(
            "writable-and-executable",
            WARNING,
            "a part of the module can be written and executed at once, which hardened systems forbid",
            "keep sections with `write' and `exec' apart, and `-N' out of the linker's arguments",
        )
    if facts.text_relocations:
        yield finding(
            "text-relocations",
            WARNING,
            "the loader has to rewrite the module's code at every import (DT_TEXTREL), which"
            " hardened systems forbid",
            "the absolute addresses in the objects cause it; C is compiled with -fPIC",
        )
    if not facts.relro or not facts.bind_now:
        without = "-z relro" if not facts.relro else "-z now"
        yield finding(
            "not-hardened",
            WARNING,
            f"the module is linked without `{without}': its table of function addresses stays"
            " writable, an attacker's first target",
            "take the option that undoes it out of the linker's arguments",
        )
    yield from _needed(path, facts, module)
    yield from _unprovided(path, facts, module, objects)
    if folders := _folders_of_this_machine(facts, module):
        yield finding(
            "unexpected-runpath",
            WARNING,
            f"the module tells the loader to search {folders}, a folder of this machine",
            "take `-rpath' out of the linker's arguments (LDFLAGS)",
        )


def _folders_of_this_machine(facts: ElfFacts, module: ModuleContext) -> str:
    """The run path, without what the extension asks for and what is relative to the module."""
    asked = {*module.runtime_library_dirs}
    folders = (facts.runpath or "").split(":")
    relative = ("$ORIGIN", "${ORIGIN}")
    return ":".join(f for f in folders if f and f not in asked and not f.startswith(relative))


def _unprovided(
    path: str, facts: ElfFacts, module: ModuleContext, objects: Sequence[CheckedObject]
) -> Iterator[Finding]:
    """The names that nobody provides; those in assembly were found before, with their line."""
    providers = Providers(module)
    for symbol in facts.undefined:
        name = symbol.name
        # CPython's are checked at their use; a compiler's own begin with two underscores.
        if symbol.binding == "weak" or name.startswith(("Py", "_Py", "__")):
            continue
        if providers.has_when_loaded(name, facts.needed) is False:
            yield Finding(
                "unknown-name",
                ERROR,
                path,
                None,
                f"nothing provides `{name}': neither this module nor CPython, the C library or a"
                " library it needs, so the import fails with `undefined symbol'",
                ways_out=_visible(name, objects)
                or ('name its library:   Extension(..., libraries=["..."])',),
            )


def _visible(name: str, objects: Sequence[CheckedObject]) -> tuple[str, ...]:
    """How to let the other objects see a label of this name, if there is one."""
    return tuple(
        f"{made.source} has such a label; let the others see it:   global {name}:function hidden"
        for made in objects
        if made.source is not None
        and any(symbol.name == name and symbol.section for symbol in made.facts.symbols)
    )


def _needed(path: str, facts: ElfFacts, module: ModuleContext) -> Iterator[Finding]:
    for library in facts.needed:
        if library.startswith("libpython"):
            yield Finding(
                "linked-with-libpython",
                WARNING,
                path,
                None,
                f"the module needs {library}: it works only where Python is that shared library,"
                " and is not a manylinux module",
                ways_out=("take -lpython out: the interpreter provides its names itself",),
            )
        elif not (
            library in _SYSTEM_LIBRARIES
            or library.startswith(_COMPILER_LIBRARIES)
            or module.extra_objects
            or _is_named(library, module)
        ):
            yield Finding(
                "unexpected-library",
                WARNING,
                path,
                None,
                f"the module needs {library}, which the extension does not name",
                ways_out=("if it is meant:   Extension(..., libraries=[...])",),
            )


def _is_named(library: str, module: ModuleContext) -> bool:
    # libfoo-1.2.so.3 is what -lfoo found: the soname may carry a version of its own.
    return any(
        os.path.basename(library).startswith((f"lib{name}.", f"lib{name}-", name.lstrip(":")))
        for name in module.libraries
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}'" for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")

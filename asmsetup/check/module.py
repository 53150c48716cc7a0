"""Rules about the linked module: what the loader will see, read back once."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Sequence

from ..facts import cpython_abi
from ..facts.elf import ElfFacts, Symbol
from .context import CheckedObject, ModuleContext
from .findings import ERROR, WARNING, Finding
from .names import running_exports, similar
from .packaged import named_for_another_platform
from .providers import Providers

# The C library's own parts and the compilers' run-time libraries, which every system has.
_SYSTEM_LIBRARIES = frozenset(
    [
        *("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"),
        *("ld-linux-x86-64.so.2", "libgcc_s.so.1", "libstdc++.so.6", "libatomic.so.1"),
        *("libc.so", "libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1"),
    ]
)

# What a sanitizer's or a profiler's run-time library defines, loaded before Python.
_OF_RUNTIMES = (
    "__asan_",
    "__hwasan_",
    "__ubsan_",
    "__tsan_",
    "__msan_",
    "__lsan_",
    "__sanitizer_",
    "__llvm_profile_",
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
    for found in (
        *_exports(facts, module),
        *_memory(facts, module),
        *_surroundings(path, facts, module),
    ):
        rule, severity, what, *ways_out = found
        yield Finding(rule, severity, path, None, what, ways_out=tuple(ways_out))
    yield from _needed(path, facts, module)
    yield from _unprovided(path, facts, module, objects)


_Found = tuple[str, ...]
"""Rule, severity, what is wrong, ways out."""


def _exports(facts: ElfFacts, module: ModuleContext) -> Iterator[_Found]:
    exported = {symbol.name for symbol in facts.exported}
    at_zero = {symbol.name for symbol in facts.exported if symbol.value == 0}
    # The address 0 is how dlsym(3) reports that there is no such name.
    if at_zero & {*module.entry_points}:
        exported -= at_zero
    uses_python = any(symbol.name.startswith(("Py", "_Py")) for symbol in facts.globals)
    is_imported = not module.is_library and (uses_python or not module.exports)
    if is_imported and not exported & {*module.entry_points}:
        yield (
            "module-without-entry-point",
            ERROR,
            f"the module does not export `{module.entry_points[0]}', so the import fails",
            "a version script or -Bsymbolic option among the linker's arguments may hide it",
        )
    if unexpected := sorted(name for name in exported if not module.is_exported(name)):
        yield (
            "unexpected-export",
            WARNING,
            f"the {module.kind} exports {_listed(unexpected)}: others may have the same names",
            f"name the symbols to export:   {module.declared}(..., export_symbols=[...])",
        )
    if missing := sorted(p for p in module.exports if not fnmatch.filter(exported, p)):
        yield (
            "missing-export",
            ERROR,
            f"export_symbols names {_listed(missing)}, but the {module.kind} does not export it",
            f"let the linker see it:   global {missing[0]}:function   or take it off the list",
        )


def _memory(facts: ElfFacts, module: ModuleContext) -> Iterator[_Found]:
    """Yield findings about what the loader makes executable, and what it has to write into."""
    if facts.stack_flags != "RW":
        verb = "asks for" if facts.stack_flags else "says nothing about its stack, which means"
        yield (
            "executable-stack",
            ERROR,
            f"the {module.kind} {verb} an executable stack: since glibc 2.41 {module.fails}, and before"
            " it made the whole process's stack executable",
            "take `-z execstack' out of the linker's arguments, or add `-z noexecstack'",
        )
    if any("W" in s.flags and "E" in s.flags for s in facts.segments if s.type == "LOAD"):
        yield (
            "writable-and-executable",
            WARNING,
            f"a part of the {module.kind} can be written and executed at once, which hardened systems forbid",
            "keep sections with `write' and `exec' apart, and `-N' out of the linker's arguments",
        )
    if facts.text_relocations:
        yield (
            "text-relocations",
            WARNING,
            f"the loader has to rewrite the {module.kind}'s code whenever it is loaded (DT_TEXTREL), which"
            " hardened systems forbid",
            "the absolute addresses in the objects cause it; C is compiled with -fPIC",
        )
    if not facts.relro or not facts.bind_now:
        without = "-z relro" if not facts.relro else "-z now"
        yield (
            "not-hardened",
            WARNING,
            f"the {module.kind} is linked without `{without}': its table of function addresses stays"
            " writable, an attacker's first target",
            "take the option that undoes it out of the linker's arguments",
        )


def _surroundings(path: str, facts: ElfFacts, module: ModuleContext) -> Iterator[_Found]:
    """Yield findings about the system that the module is for."""
    if why := named_for_another_platform(path, facts):
        yield (
            "wrong-platform-name",
            ERROR,
            f"the {module.kind} is {why}, so no Python can load it",
            "SETUPTOOLS_EXT_SUFFIX or _PYTHON_SYSCONFIGDATA_NAME in the environment names it so",
        )
    if facts.refuses_dlopen:
        yield (
            "refuses-dlopen",
            ERROR,
            f"the {module.kind} is marked as one that programs may not load while they run, so"
            f" {module.fails}",
            "take `-z nodlopen' out of the linker's arguments",
        )
    if folders := _folders_of_this_machine(facts, module):
        yield (
            "unexpected-runpath",
            WARNING,
            f"the {module.kind} tells the loader to search {folders}, a folder of this machine",
            "take `-rpath' out of LDFLAGS, LDSHARED or extra_link_args",
            f"if it is meant:   {module.declared}(..., runtime_library_dirs=[...])",
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
    """Yield names that nothing provides; those in assembly were found before, with their line."""
    providers = Providers(module)
    undefined = {s.name for o in objects if o.source is not None for s in o.facts.undefined}
    for symbol in facts.undefined:
        name = symbol.name
        if symbol.binding == "weak" or name.startswith(_OF_RUNTIMES):
            continue
        if name in undefined and name.startswith(("Py", "_Py", "__")):
            continue
        if _is_missing(symbol, module, facts, providers):
            needing = [o.file for o in objects if any(s.name == name for s in o.facts.undefined)]
            defined = {s.name for o in objects for s in o.facts.symbols if s.section and s.name}
            yield Finding(
                "unknown-name",
                ERROR,
                path,
                None,
                f"nothing provides `{name}'{_needed_by(needing)}: neither {module.others} or"
                f" a library it needs, so {module.fails} with `undefined symbol'",
                ways_out=_visible(name, objects)
                or (
                    *(f"perhaps it is:   {near}" for near in similar(name, defined)),
                    f'name its library:   {module.declared}(..., libraries=["..."])',
                ),
            )


def _needed_by(objects: Sequence[str]) -> str:
    return (
        f", which {', '.join(objects)} {'need' if len(objects) > 1 else 'needs'}" if objects else ""
    )


def _is_missing(
    symbol: Symbol, module: ModuleContext, facts: ElfFacts, providers: Providers
) -> bool:
    name = symbol.name
    if name.startswith(("Py", "_Py")):
        exported = cpython_abi.exported(name, module.python, module.free_threaded)
        if running_exports(name, module) if exported is None else exported:
            return False
    return providers.has_when_loaded(name, facts.needed) is False


def _visible(name: str, objects: Sequence[CheckedObject]) -> tuple[str, ...]:
    """Return how to let the other objects see a label of this name, if there is one."""
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
                f"the {module.kind} needs {library}: it works only where Python is that shared library,"
                f" and is not a manylinux {module.kind}",
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
                f"the {module.kind} needs {library}, which is not named",
                ways_out=(f"if it is meant:   {module.declared}(..., libraries=[...])",),
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

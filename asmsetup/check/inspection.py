"""Reads the objects and the module of one build and has the rules judge them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from .. import check
from ..assemble.includes import INCLUDE_DIR, Reader
from ..assemble.nasm import ObjectFile
from ..errors import ConfigError
from ..facts import cpython_abi, elf
from ..facts.target import Target
from ..files import read_lines
from ..link import libraries
from ..link.linker import ModuleFile
from ..rules import RuleSettings
from . import CheckedObject, Finding, ModuleContext
from .findings import RULES
from .machine_code import Judge

Listing = Callable[[ObjectFile], str]
"""Assembles a source once more and returns NASM's listing of it."""


class Inspector:
    """Judges modules before and after they are linked; reads each object once."""

    def __init__(
        self,
        target: Target,
        contents: Mapping[str, bytes],
        listing: Listing,
        *,
        strict: bool,
        rules: RuleSettings,
        judge: Judge,
    ) -> None:
        """``contents`` has the bytes of those objects that were read before.

        Raises ConfigError for a rule that does not exist.
        """
        _require_known(rules)
        self._judge = judge
        self._rules = rules
        self._target = target
        self._contents = contents
        self._listing = listing
        self._strict = strict
        self._facts: dict[tuple[str, int, int], elf.ElfFacts] = {}
        self._found: dict[str, list[Finding]] = {}

    def before_link(self, module: ModuleFile) -> list[Finding]:
        """Return what is wrong with the objects of a module."""
        context = self._context(module)
        found = check.check_objects(
            self._checked(module), context, cpython_abi, self._code(module, context)
        )
        self._found[module.name] = found
        return list(found)

    def _code(self, module: ModuleFile, context: ModuleContext) -> list[Finding]:
        """Return what is wrong with the instructions of what NASM has assembled."""
        facts = {made.path: self.facts(made.path) for made in module.assembled}
        compiled = [self.facts(path) for path in module.compiled if not elf.is_bitcode(path)]
        called = {symbol.name for each in compiled for symbol in each.undefined}
        return self._judge.findings(
            module.assembled,
            facts,
            lambda name: context.extra_objects or name in called or context.is_exported(name),
        )

    def _checked(self, module: ModuleFile) -> list[CheckedObject]:
        checked = [
            CheckedObject(made.path, self.facts(made.path), made.source, self._lines(made))
            for made in module.assembled
        ]
        checked += [
            CheckedObject(made.path, self.facts(made.path), made.source, is_gas=True)
            for made in module.gas
        ]
        compiled = (path for path in module.compiled if not elf.is_bitcode(path))
        return checked + [CheckedObject(path, self.facts(path)) for path in compiled]

    def after_link(self, module: ModuleFile, path: str) -> list[Finding]:
        """Return what is wrong with a module that was linked to ``path`` for the time being."""
        known = self._found.get(module.name, ())
        facts, objects = elf.read(path), self._checked(module)
        return check.check_module(module.path, facts, self._context(module), known, objects)

    def explained(self, module: ModuleFile, output: str) -> str:
        """Return ld's messages about a module, with source lines and hints."""
        from .explain_ld import explain_ld  # only needed when a tool complains

        return explain_ld(output, check.locator(self._checked(module), self._context(module)))

    def unreported(self, module: ModuleFile, output: str) -> str:
        """Return ld's warnings, without those about what a finding has already reported."""
        if not output or not check.tells_text_relocations(self._found.get(module.name, ())):
            return output
        from .explain_ld import without_text_relocations

        return without_text_relocations(output)

    def c_library(self, module: ModuleFile) -> list[str]:
        """Return the C library's files if a name the objects leave open is not CPython's."""
        paths = *(made.path for made in module.assembled), *(made.path for made in module.gas)
        facts = [self.facts(path) for path in paths]
        undefined = {symbol.name for each in facts for symbol in each.undefined}
        others = module.extra_objects or libraries.named_libraries(module.options.args).files
        if not others and all(name.startswith(("Py", "_Py")) for name in undefined):
            return []
        return list(self._c_library())

    def _c_library(self) -> tuple[str, ...]:
        # The C library of another machine is not the module's.
        return libraries.c_library_files() if self._target.is_host else ()

    def facts(self, path: str) -> elf.ElfFacts:
        """Return the facts of an object, which is read once.

        Raises ObjectError for one that is damaged.
        """
        # One build may make two objects, one after the other, under the same name.
        key = path, *_identity(path)
        if key not in self._facts:
            self._facts[key] = elf.read(path, self._contents.get(path))
        return self._facts[key]

    def _lines(self, made: ObjectFile) -> Callable[[], str]:
        return lambda: self._listing(made)

    def _context(self, module: ModuleFile) -> ModuleContext:
        options = module.options
        named = libraries.named_libraries(options.args)
        return ModuleContext(
            name=module.name,
            entry_points=module.entry_points,
            python=self._target.version,
            free_threaded=self._target.free_threaded,
            limited_api=module.limited_api,
            universal=module.universal,
            libraries=(*options.libraries, *named.libraries),
            extra_objects=bool(
                module.extra_objects or named.files or any(map(elf.is_bitcode, module.compiled))
            ),
            c_library=self._c_library(),
            library_dirs=(*options.library_dirs, *named.folders),
            runtime_library_dirs=options.runtime_library_dirs,
            exports=frozenset(module.exported),
            include_dirs=_include_dirs(module),
            strict=self._strict,
            rules=self._rules,
        )


def _identity(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:  # reading it says why
        return 0, 0
    return status.st_ino, status.st_mtime_ns


def _require_known(rules: RuleSettings) -> None:
    if not set(rules.named) <= RULES:
        from .code.rules import RULES as RULES_OF_CODE

        known = RULES.union(RULES_OF_CODE)
        for name in sorted(set(rules.named) - known):
            import difflib  # slow to import, and only needed to explain an error

            near = difflib.get_close_matches(name, known, n=1)
            raise ConfigError(
                f"[tool.asmsetup.check] in pyproject.toml: there is no rule {name}",
                *(f"did you mean {each}?" for each in near),
            )


def explained(output: str, wanted: ObjectFile, reader: Reader, *, briefly: bool = False) -> str:
    """Return NASM's messages about a source, with source lines and hints; ``briefly`` the first few."""
    from .explain import SHOWN, explain_nasm  # only needed when a tool complains

    def source_lines(path: str) -> list[str]:
        return read_lines(path) if _is_read(path, wanted, reader) else []

    about = partial(_about_include, wanted=wanted, reader=reader)
    return explain_nasm(output, source_lines, about, shown=3 if briefly else SHOWN)


def _is_read(path: str, wanted: ObjectFile, reader: Reader) -> bool:
    """Return whether a file that NASM names is one of the source's: %line may name any."""
    options = wanted.options
    closure = reader.closure(wanted.source, options.include_dirs, options.args, options.define)
    where = os.path.realpath(path)
    if where.startswith(INCLUDE_DIR + os.sep) or where in map(os.path.realpath, closure.files):
        return True
    # The text does not say which these are; files outside of the project are not.
    return closure.text.computed and where.startswith(os.getcwd() + os.sep)


def _about_include(name: str, wanted: ObjectFile, reader: Reader) -> str | None:
    where = wanted.options.include_dirs, wanted.options.args
    if loop := reader.loop(name, *where):
        return (
            f"the includes form a loop: {' includes '.join(loop)}\n"
            "guard each against a second inclusion:   %ifndef NAME, %define NAME, ..., %endif"
        )
    if trouble := reader.trouble(name, *where):
        return trouble
    near = _near_files(name, wanted.options.include_dirs)
    return f"perhaps it is:   {near[0]}" if near else None


def _near_files(name: str, folders: Sequence[str]) -> list[str]:
    import difflib  # slow to import, and only needed to explain an error

    inner, base = os.path.split(name)
    found: set[str] = set()
    for folder in (os.curdir, *folders):
        with suppress(OSError, ValueError):
            found.update(os.listdir(os.path.join(folder, inner)))
    near = difflib.get_close_matches(base, found - {base}, n=1, cutoff=0.8)
    return [os.path.join(inner, each) for each in near]


def _include_dirs(module: ModuleFile) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(folder for made in module.assembled for folder in made.options.include_dirs)
    )

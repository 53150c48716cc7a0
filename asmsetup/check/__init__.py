"""Judges objects before they are linked, and the module after: facts in, findings out.

Rules get facts that inspection.py has read; on demand they open libraries for their names
(providers.py) and run addr2line for sources of GAS (gas.py). Every finding has a stable rule
name: docs/errors.md explains those about objects and modules, docs/reference/checks.md those
about machine code (code/).

    findings = check_objects(objects, module, cpython_abi)  # before the linker
    findings = check_module(path, facts, module)            # after it
    print(report(findings))
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ..facts.elf import ElfFacts
from . import endings as _endings
from . import library as _library
from . import module as _module
from . import names as _names
from . import relocations as _relocations
from . import symbols as _symbols
from .context import CheckedObject, ModuleContext
from .findings import Finding, as_errors, as_project_wants, report, sort_and_merge
from .kinds import LINKER_DEFINED, section_bounds
from .places import ModuleNames, ObjectPlaces
from .providers import Providers

if TYPE_CHECKING:
    from .explain_ld import Locate
    from .listing import SourceLine

__all__ = [
    "CheckedObject",
    "Finding",
    "ModuleContext",
    "check_module",
    "check_objects",
    "locator",
    "report",
    "tells_text_relocations",
]


def check_objects(
    objects: Sequence[CheckedObject],
    module: ModuleContext,
    abi: _names.PythonAbi,
    code: Iterable[Finding] = (),
) -> list[Finding]:
    """Judge all objects of one module together; sorted, each mistake once.

    ``code`` is what was found in their instructions; where the objects show the same error,
    or another of the same line, it is left out. A listing is asked for only of an object that
    something was found in.
    Raises what the listing's maker raises, and ObjectError when a library named cannot be read.
    """
    found = list(_object_findings(objects, module, abi))
    return _finished(
        (*found, *_not_reported(code, [each for each in found if each.is_error])), module
    )


def _not_reported(code: Iterable[Finding], reported: Sequence[Finding]) -> Iterator[Finding]:
    """Yield what was found in instructions unless the objects' errors say it already."""
    lines = {(each.file, each.line) for each in reported if each.line is not None}
    functions = {(each.file, each.rule, each.function) for each in reported if each.function}
    about = {place for each in reported for place in each.about}
    for each in code:
        is_reported = (each.file, each.line) in lines
        is_reported |= (each.file, each.rule, each.function) in functions
        # That error is at what is called, and this at the call.
        if not is_reported and about.isdisjoint(each.about):
            yield each


def check_module(
    path: str,
    facts: ElfFacts,
    module: ModuleContext,
    known: Sequence[Finding] = (),
    objects: Sequence[CheckedObject] = (),
) -> list[Finding]:
    """Judge the module linked from ``objects``; what is ``known`` is not reported again."""
    findings = _module.check(path, facts, module, objects)
    if tells_text_relocations(known):
        findings = (f for f in findings if f.rule != "text-relocations")
    if any(finding.rule == "writable-code" for finding in known):
        findings = (f for f in findings if f.rule != "writable-and-executable")
    return _finished(findings, module)


def tells_text_relocations(findings: Sequence[Finding]) -> bool:
    """Return whether these are why the loader has to rewrite read-only parts of the module."""
    return any(finding.rule in _CAUSES_OF_TEXT_RELOCATIONS for finding in findings)


def locator(objects: Sequence[CheckedObject], module: ModuleContext) -> Locate:
    """Find source lines for explain_ld; the listing of an object is made when it is asked for."""
    names = ModuleNames({}, module.is_exported)
    places = {
        name: ObjectPlaces(object_, module, names)
        for object_ in objects
        for name in (object_.source, object_.path)
        if name is not None
    }

    def locate(file: str, section: str, offset: int) -> SourceLine | None:
        return places[file].line_at(section, offset) if file in places else None

    return locate


_CAUSES_OF_TEXT_RELOCATIONS = frozenset(("absolute-address", "pointer-in-read-only"))


def _object_findings(
    objects: Sequence[CheckedObject], module: ModuleContext, abi: _names.PythonAbi
) -> Iterator[Finding]:
    defined = {
        symbol.name: symbol
        for object_ in objects
        for symbol in object_.facts.globals
        if symbol.section is not None
    }
    if any(object_.facts.is_intermediate for object_ in objects):
        module = module._replace(extra_objects=True)
    providers = Providers(module)
    known = ModuleNames(defined, module.is_exported, lambda name: providers.has(name) is None)
    places = [ObjectPlaces(object_, module, known) for object_ in objects]
    if module.is_library:
        yield from _library.check(places)
    else:
        yield from _symbols.check_entry_point(places, module)
    yield from _symbols.check_exports(places, module)
    yield from _symbols.check_duplicates(places)
    by_linker = LINKER_DEFINED.union(*(section_bounds(object_.facts) for object_ in objects))
    for place in places:
        yield from _relocations.check(place, known)
        yield from _symbols.check_sections(place, places)
        yield from _endings.check(place)
        yield from _names.check(place, module, defined, by_linker, providers, abi)


def _finished(findings: Iterable[Finding], module: ModuleContext) -> list[Finding]:
    wanted = as_project_wants(findings, module.rules)
    return sort_and_merge(as_errors(wanted) if module.strict else wanted)

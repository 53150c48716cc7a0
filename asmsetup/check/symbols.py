"""Rules about names and sections: what the module must define, may use, and where it may stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..facts.elf import COMMON, Section, Symbol
from .context import ModuleContext, patterns
from .findings import ERROR, WARNING, Finding
from .kinds import GOT_OR_PLT, is_data_section
from .places import ObjectPlaces

if TYPE_CHECKING:
    from .listing import SourceLine

_ENTRY_POINT = r"(PyInitU?|PyModExportU?)_(\w+)"

_IN_GROUP = 0x200  # SHF_GROUP: the linker keeps one of several copies (C++ inline functions)

_CODE_NAMES = r"\.?(text|txt|code|init|fini|plt)\b.*"


def check_entry_point(objects: Sequence[ObjectPlaces], module: ModuleContext) -> Iterator[Finding]:
    """The function Python calls to import the module: defined once, callable and visible."""
    defined = [
        (places, symbol)
        for places in objects
        for name in module.entry_points
        if (symbol := places.object.facts.defined(name)) is not None
    ]
    for places, symbol in defined:
        yield from _check_defined_entry_point(places, symbol)
    if not defined and _is_python_module(objects, module):
        yield _missing_entry_point(objects, module)


def _is_python_module(objects: Sequence[ObjectPlaces], module: ModuleContext) -> bool:
    """Return whether the entry point must be in these objects.

    Not when archives take part, nor in a plain library for ctypes: one whose exported names
    are listed, and which uses nothing of Python.
    """
    if module.extra_objects:
        return False
    return not module.exports or any(
        symbol.name.startswith(("Py", "_Py"))
        for places in objects
        for symbol in places.object.facts.globals
    )


def _check_defined_entry_point(places: ObjectPlaces, symbol: Symbol) -> Iterator[Finding]:
    name = symbol.name
    section = places.object.facts.sections[symbol.section_index]
    if not section.executable:
        yield _at(
            places,
            places.label(name),
            "entry-point-not-code",
            ERROR,
            f"`{name}' is in {symbol.section}, which is not executable: the process ends with"
            " a segmentation fault at import",
            "put this line in front of the function:   section .text",
        )
    if symbol.visibility in ("hidden", "internal"):
        yield _at(
            places,
            places.declaration(name, "global"),
            "entry-point-hidden",
            ERROR,
            f"`{name}' is hidden, so Python does not find it and the import fails",
            f"write:   global {name}:function",
        )
    elif symbol.type != "func" and section.executable:
        yield _at(
            places,
            places.declaration(name, "global"),
            "entry-point-untyped",
            WARNING,
            f"`{name}' is not declared as a function: the module works, but auditwheel and other"
            " tools do not recognise it as an extension module",
            f"write:   global {name}:function",
        )


def _missing_entry_point(objects: Sequence[ObjectPlaces], module: ModuleContext) -> Finding:
    wanted = module.entry_points[0]
    if not _short_name(module).isidentifier():
        return _no_name(objects, module)
    for places in objects:
        for name in module.entry_points:
            if any(symbol.name == name for symbol in places.object.facts.symbols):
                return _local_entry_point(places, name, module)
    candidates = {
        symbol.name: places
        for places in objects
        for symbol in places.object.facts.symbols
        if symbol.section is not None and symbol.name
    }
    for name, places in candidates.items():
        if (entry := re.fullmatch(_ENTRY_POINT, name)) and _is_made_by_macro(places):
            return _other_py_module(places, entry[2], module)
    if near := _misspelling(wanted, list(candidates)):
        return _at(
            candidates[near],
            candidates[near].label(near),
            "entry-point-misspelt",
            ERROR,
            f"Python looks for `{wanted}' in {module.name} and finds only `{near}': the import fails",
            f"write:   {wanted}",
        )
    if other := next((name for name in candidates if re.fullmatch(_ENTRY_POINT, name)), None):
        return _other_module(candidates[other], other, module)
    return Finding(
        "entry-point-missing",
        ERROR,
        objects[0].object.file if objects else module.name,
        None,
        f"nothing here defines `{wanted}', so `import {module.name}' fails",
        ways_out=(
            f"declare it and define it:   global {wanted}:function",
            "a library that is not a Python module lists its names:   Extension(export_symbols=[...])",
        ),
    )


def _local_entry_point(places: ObjectPlaces, name: str, module: ModuleContext) -> Finding:
    return _at(
        places,
        places.label(name),
        "entry-point-local",
        ERROR,
        f"`{name}' is not GLOBAL, so Python does not find it and `import {module.name}' fails",
        f"write:   global {name}:function",
    )


def _short_name(module: ModuleContext) -> str:
    return module.name.removesuffix(".__init__").rpartition(".")[2]


def _no_name(objects: Sequence[ObjectPlaces], module: ModuleContext) -> Finding:
    package, dot, short = module.name.rpartition(".")
    likely = re.sub(r"\W", "_", re.sub(r"^(?=\d)", "_", short)) or "name"
    return Finding(
        "entry-point-missing",
        ERROR,
        objects[0].object.file if objects else module.name,
        None,
        f"the module is called `{short}', which is not a name that can be imported",
        ways_out=(f'use letters, digits and _:   Extension("{package}{dot}{likely}", ...)',),
    )


def _is_made_by_macro(places: ObjectPlaces) -> bool:
    """Return whether PyModule of python.inc has written the entry point."""
    return any(symbol.name == "PyModule.PyEndModule" for symbol in places.object.facts.symbols)


def _other_py_module(places: ObjectPlaces, other: str, module: ModuleContext) -> Finding:
    package, dot, _ = module.name.rpartition(".")
    short = _short_name(module)
    # PyModule writes its name as it is, and Python looks for another form of such a one.
    renamed = (f"write:   PyModule {short}",) if short.isascii() else ()
    return _at(
        places,
        places.use("PyModule", other),
        "entry-point-other-module",
        ERROR,
        f"`PyModule {other}' makes a module called {other}, and this one is {module.name}: the"
        " import fails",
        *renamed,
        f"{'or ' if renamed else ''}name the extension after it:"
        f'   Extension("{package}{dot}{other}", ...)',
    )


def _misspelling(wanted: str, names: Sequence[str]) -> str | None:
    """Return the name that differs from the entry point in case or in a letter or two."""
    import difflib  # slow to import, and only needed to explain an error

    for name in names:
        if name.lower() == wanted.lower() or name == wanted.replace("_", "", 1):
            return name

    module = wanted.partition("_")[2]
    for name in difflib.get_close_matches(wanted, names, n=5, cutoff=0.8):
        found = re.fullmatch(_ENTRY_POINT, name)
        # A right prefix with another module's name is another mistake, if the name is another word.
        if found is None or difflib.SequenceMatcher(None, found[2], module).ratio() >= 0.7:
            return name
    return None


def _other_module(places: ObjectPlaces, name: str, module: ModuleContext) -> Finding:
    match = re.fullmatch(_ENTRY_POINT, name)
    other = match[2] if match else name
    package, dot, _ = module.name.rpartition(".")
    return _at(
        places,
        places.label(name),
        "entry-point-other-module",
        ERROR,
        f"`{name}' is the entry point of a module called {other}, and this one is {module.name}:"
        " the import fails",
        f"write:   {module.entry_points[0]}",
        f'or name the extension after it:   Extension("{package}{dot}{other}", ...)',
    )


def check_exports(objects: Sequence[ObjectPlaces], module: ModuleContext) -> Iterator[Finding]:
    """Yield a finding for each name of export_symbols that cannot be seen from outside."""
    own = [places for places in objects if places.object.source is not None]
    seen = {s.name: (places, s) for places in own for s in places.object.facts.globals if s.section}
    elsewhere = {s.name for places in objects for s in places.object.facts.globals if s.section}
    for name in sorted(module.exports - {*module.entry_points, *patterns(module.exports)}):
        if name in seen and seen[name][1].visibility in _UNSEEN:
            places, symbol = seen[name]
            kind = "function" if _is_code(places, symbol) else "data"
            line, write = places.declaration(name, "global"), f"write:   global {name}:{kind}"
            yield _unseen_export(places, line, name, "hidden", write)
        elif name not in elsewhere:
            for places in own:
                if any(s.name == name and s.section for s in places.object.facts.symbols):
                    write = f"add above it:   global {name}:function"
                    yield _unseen_export(places, places.label(name), name, "not GLOBAL", write)


def _unseen_export(
    places: ObjectPlaces, line: SourceLine | None, name: str, why: str, way: str
) -> Finding:
    what = f"export_symbols names `{name}', which is {why} here: no other module can use it"
    return _at(places, line, "missing-export", ERROR, what, way, "or take it off the list")


_UNSEEN = ("hidden", "internal")


def _is_code(places: ObjectPlaces, symbol: Symbol) -> bool:
    return places.object.facts.sections[symbol.section_index].executable


def check_duplicates(objects: Sequence[ObjectPlaces]) -> Iterator[Finding]:
    """One global name, one definition."""
    first: dict[str, ObjectPlaces] = {}
    for places in objects:
        sections = places.object.facts.sections
        for symbol in places.object.facts.globals:
            if symbol.binding != "global" or symbol.section in (None, COMMON):
                continue
            if sections[symbol.section_index].flags & _IN_GROUP:
                continue
            other = first.setdefault(symbol.name, places)
            if other is not places:
                yield _at(
                    places,
                    places.label(symbol.name),
                    "duplicate-name",
                    ERROR,
                    f"`{symbol.name}' is defined GLOBAL both here and in {other.object.file}: the"
                    " linker refuses",
                    "rename one, or take it out of GLOBAL where no other source uses it",
                )


def check_sections(places: ObjectPlaces, objects: Sequence[ObjectPlaces]) -> Iterator[Finding]:
    """Code stands where it may run, and the stack is not asked to be such a place."""
    facts = places.object.facts
    if facts.stack_flags == "RWE":
        yield _at(
            places,
            places.section_line(".note.GNU-stack"),
            "executable-stack-request",
            WARNING,
            "an executable stack is requested; asmsetup does not allow one: code on the stack"
            " would crash, and since glibc 2.41 such a module is not even imported",
            "write:   section .note.GNU-stack noalloc noexec nowrite progbits",
        )
    if places.object.source is None:
        return
    for section in facts.sections:
        if not section.alloc or section.type != "progbits" or not section.size:
            continue
        if section.executable:
            if section.writable:
                yield _writable_code(places, section)
        elif code := _code_in(places, section):
            yield _code_not_executable(places, section, *code)
        elif table := _called_a_function(places, section):
            yield _function_in_data(places, section, table.name, objects)


def _writable_code(places: ObjectPlaces, section: Section) -> Finding:
    return _at(
        places,
        places.section_line(section.name),
        "writable-code",
        WARNING,
        f"{section.name} can be written and executed at once, which hardened systems forbid",
        f"write:   section {section.name} exec nowrite",
        "and put what is written into:   section .data",
    )


def _code_in(places: ObjectPlaces, section: Section) -> tuple[str, SourceLine | None, str] | None:
    """Return what shows that ``section`` holds code, its line, and the label that it belongs to,
    or the section's name where all of it is code; None when nothing shows that."""
    facts = places.object.facts
    for symbol in facts.globals:
        if symbol.section_index == section.number and symbol.type == "func":
            if re.fullmatch(_ENTRY_POINT, symbol.name):
                return None  # it has a rule of its own
            if is_data_section(section.name) and not places.is_branched_into(section):
                continue  # codecs declare their tables so
            return f"`{symbol.name}' is", places.label(symbol.name), symbol.name
    for table in facts.relocation_tables:
        if table.section.number == section.number and any(t in GOT_OR_PLT for t, _ in table.kinds):
            instruction = next(r for r in table if r.type in GOT_OR_PLT)
            line = places.place(table, instruction).line
            return "this instruction is", line, places.label_before(section, instruction.offset)
    if not is_data_section(section.name) and (
        re.match(_CODE_NAMES, section.name)
        or _looks_like(section.name, ".text")
        or places.is_branched_into(section)
    ):
        return "there is code", places.section_line(section.name), section.name
    return None


def _called_a_function(places: ObjectPlaces, section: Section) -> Symbol | None:
    """Return the first global of a section of data that is declared as a function."""
    functions = (
        symbol
        for symbol in places.object.facts.globals
        if symbol.section_index == section.number and symbol.type == "func"
    )
    return next((s for s in functions if not re.fullmatch(_ENTRY_POINT, s.name)), None)


def _function_in_data(
    places: ObjectPlaces, section: Section, name: str, objects: Sequence[ObjectPlaces]
) -> Finding:
    line = places.declaration(name, "global")
    what = f"`{name}' is declared as a function in {section.name}, which is not executable: "
    if any(other.branches_to(name) for other in objects):
        what += "the process ends with a segmentation fault when it is called"
        way = "put this line in front of the function:   section .text"
        found = _at(places, places.label(name), "code-not-executable", ERROR, what, way)
        return found._replace(about=(f"{places.object.file}:{name}",))
    what += "called, it would crash; tools take it for code"
    way = f"write:   global {name}:data"
    return _at(places, line, "code-not-executable", WARNING, what, way)


def _looks_like(name: str, known: str) -> bool:
    import difflib  # slow to import, and few sections have a name of their own

    return bool(difflib.get_close_matches(name, [known], 1, 0.75))


def _code_not_executable(
    places: ObjectPlaces, section: Section, what: str, line: SourceLine | None, about: str
) -> Finding:
    what = f"{what} in {section.name}, which is not executable: "
    if is_data_section(section.name):
        way = "put this line in front of the function:   section .text"
    else:
        way = f"write:   section {section.name} exec"
    if section.name.startswith(".text."):
        # ld's default script takes .text.* into .text, whatever their flags are.
        what += "it runs only because GNU ld moves it into .text, and crashes with other linkers"
        return _at(places, line, "code-not-executable", WARNING, what, way)
    what += "the process ends with a segmentation fault when it runs"
    found = _at(places, line, "code-not-executable", ERROR, what, way)
    return found._replace(about=(f"{places.object.file}:{about}",))


def _at(
    places: ObjectPlaces,
    line: SourceLine | None,
    rule: str,
    severity: str,
    what: str,
    *ways_out: str,
) -> Finding:
    return places.finding(line, rule, severity, what, ways_out)

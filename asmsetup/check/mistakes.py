"""Describes wrong relocations: the finding for each place that breaks a rule.

Imported only when there is one; relocations.py finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from . import corrections
from .findings import ERROR, WARNING, Finding
from .kinds import WIDTHS, Mistake
from .places import Place

if TYPE_CHECKING:
    from .listing import SourceLine


def findings_of(mistake: Mistake, place: Place) -> Iterator[Finding]:
    """Yield the finding for one place, unless another finding covers it."""
    finding = _FINDINGS[mistake](place)
    if finding is not None:
        yield finding


def data_run(place: Place, label: SourceLine | None, *, holds_pointer: bool) -> Finding:
    """Return the finding for a call, jump or table entry that leads to data, which ``label`` begins."""
    name, instruction = place.target, place.instruction
    crash = "the process ends with a segmentation fault when it"
    if holds_pointer:
        way = f"call [rel {name}]"
        if place.branch is None:
            way = f"enter a routine that jumps to where it points:   jmp [rel {name}]"
        elif instruction and instruction.mnemonic.lower() in ("call", "jmp"):
            way = f"write:   {instruction.mnemonic} [rel {name}]"
        what = f"`{name}' holds the address of a routine, and is not code: {crash} is called"
        found = _about_target(place, what, way)
        return found if place.line or label is None else _at_label(found, label)
    section = place.relocation.symbol.section or place.section.name
    what = f"`{name}' is in {section}, which is not executable: {crash} is called"
    way = "put this line in front of the function:   section .text"
    found = _about_target(place, what, way)
    return found if label is None else _at_label(found, label)


def _about_target(place: Place, what: str, way: str) -> Finding:
    found = place.finding("code-not-executable", ERROR, what, way)
    return found._replace(about=(f"{place.object.file}:{place.target}",))


def _at_label(found: Finding, label: SourceLine) -> Finding:
    return found._replace(file=label.file, line=label.number, text=label.text)


def _ways(
    place: Place,
    correction: corrections.Correction,
    *general: str,
) -> tuple[str, ...]:
    """Return the corrected line, or the general form where the line cannot be rewritten."""
    if place.object.source is None:
        return ("compile it with -fPIC",)
    instruction = place.instruction
    lines = correction(instruction, place.external) if instruction else place.in_gas
    first, *more = lines or general
    if instruction and corrections.is_exception(place.target):
        by_macro = corrections.loaded_by_macro(instruction, place.target)
        if by_macro and place.has_include("python.inc"):
            return (f"write:   {by_macro}",)
        if by_macro:
            macro = f'or with %include "python.inc":   {by_macro}'
            return (f"write:   {first}", *(f"         {line}" for line in more), macro)
    return (f"write:   {first}", *(f"         {line}" for line in more))


def _absolute_address(place: Place) -> Finding | None:
    if not place.is_operand:
        return _pointer_in_read_only(place)
    name = place.target
    general = f"mov rax, [rel {name} wrt ..got]" if place.external else f"lea rax, [rel {name}]"
    return place.finding(
        "absolute-address",
        WARNING,
        f"the absolute address of `{name}' is part of the instruction: the loader has to rewrite"
        " the code at every import, which hardened systems forbid",
        *_ways(place, corrections.absolute_address, general),
    )


def _pointer_in_read_only(place: Place) -> Finding | None:
    section = place.section.name
    definition = _module_definition(place)
    if definition == place.relocation.offset:
        return place.finding(
            "read-only-module-definition",
            ERROR,
            f"a PyModuleDef is in {section}, which is read-only: Python writes into it at"
            " import, and the process ends with a segmentation fault",
            "put it into a section that may be written:   section .data",
        )
    if definition is not None:
        return None  # reported at its first pointer
    ways = [
        "put it into a section that may be written:   section .data",
        "or, read-only again once it is loaded:       section .data.rel.ro write",
    ]
    if place.section.executable:
        ways.append("or store distances from the table's start:   dd target - table")
    return place.finding(
        "pointer-in-read-only",
        WARNING,
        f"a pointer is in {section}, which is read-only: the loader has to write there at"
        " every import, which hardened systems forbid",
        *ways,
    )


_AFTER_NAME = 64  # m_name to the end of a PyModuleDef (CPython's moduleobject.h)


def _module_definition(place: Place) -> int | None:
    """Return the offset of m_name in the PyModuleDef that holds this pointer, if one does."""
    last = place.relocation.offset
    candidates = range(last, last - _AFTER_NAME, -8)
    return next((at for at in candidates if at in place.pointers and _is_name(place, at)), None)


def _is_name(place: Place, at: int) -> bool:
    """Return whether a fresh PyModuleDef_HEAD_INIT stands in front of the pointer at ``at``."""
    count, *rest = place.words_before(at, 5)
    if count and not any(rest):
        return True  # ob_refcnt, ob_type, m_init, m_index, m_copy
    thread, references, *rest = place.words_before(at, 7)
    # Free-threaded: ob_tid, (flags, lock and ob_ref_local), ob_ref_shared, ob_type, m_init ...
    return not thread and bool(references >> 32) and not any(rest)


def _narrow_address(place: Place) -> Finding:
    name = place.target
    general = f"mov r11, [rel {name} wrt ..got]" if place.external else f"lea r11, [rel {name}]"
    bits = WIDTHS.get(place.relocation.type, 4) * 8
    if not place.section.executable:
        ways: tuple[str, ...] = (f"write:   dq {name}",)
    elif bits < 32:
        ways = (f"load the whole address:   {general}",)
    else:
        ways = _ways(place, corrections.narrow_address, general)
    return place.finding(
        "narrow-address",
        ERROR,
        f"the address of `{name}' does not fit into these {bits} bits: a shared module is loaded"
        " anywhere in 64-bit memory, and the linker refuses",
        *ways,
    )


def _external_relative(place: Place) -> Finding:
    name = place.target
    if branch := place.branch:
        verb = "called" if branch == "call" else "jumped to"
        return place.finding(
            "call-without-plt",
            ERROR,
            f"`{name}' is outside this module and is {verb} at a fixed distance, which is not"
            " known before the module is loaded: the linker refuses",
            *_ways(place, corrections.external_call, f"{branch} {name} wrt ..plt"),
        )
    if not place.is_operand:
        return place.finding(
            "data-without-got",
            ERROR,
            f"the distance to `{name}' is stored, and `{name}' is outside this module: it is"
            " not known before the module is loaded, and the linker refuses",
            f"store the pointer, in a section that may be written:   dq {name}",
        )
    return place.finding(
        "data-without-got",
        ERROR,
        f"`{name}' is outside this module and is reached at a fixed distance, which is not known"
        " before the module is loaded: the linker refuses",
        *_ways(place, corrections.external_data, f"mov rax, [rel {name} wrt ..got]"),
    )


def _got_without_rel(place: Place) -> Finding:
    name = place.target
    return place.finding(
        "got-without-rel",
        ERROR,
        f"the table entry of `{name}' is addressed without `rel': the linker does not report it, and"
        " the process ends with a segmentation fault when this runs",
        *_ways(place, corrections.got_without_rel, f"mov rax, [rel {name} wrt ..got]"),
    )


def _got_called(place: Place) -> Finding:
    name, branch = place.target, place.branch
    return place.finding(
        "got-called",
        ERROR,
        f"this jumps into the table entry of `{name}' and not to what the entry points at: the"
        " process ends with a segmentation fault when this runs",
        *_ways(place, corrections.got_called, f"{branch} [rel {name} wrt ..got]"),
        f"or:      {branch} {name} wrt ..plt",
    )


def _data_called(place: Place) -> Finding:
    name = place.target
    is_macro = place.line is not None and not place.line.direct
    return place.finding(
        "code-not-executable",
        ERROR,
        f"`{name}' is data of CPython's, and no function: the process ends with a segmentation"
        " fault when it is called",
        "to load where it is,",
        f"write:   {'PyLoad rdi, ' + name if is_macro else f'mov rdi, [rel {name} wrt ..got]'}",
    )


def _local_exec(place: Place) -> Finding:
    return place.finding(
        "thread-local",
        ERROR,
        f"`{place.target}' is reached as a thread-local variable of the program itself, which a"
        " module is not: the linker refuses",
        "compile it with -fPIC"
        if place.object.source is None
        else "keep the value in the module's state, or in C with -fPIC",
    )


_FINDINGS: dict[Mistake, Callable[[Place], Finding | None]] = {
    "absolute": _absolute_address,
    "narrow": _narrow_address,
    "external": _external_relative,
    "got-offset": _got_without_rel,
    "got-called": _got_called,
    "data-called": _data_called,
    "local-exec": _local_exec,
}

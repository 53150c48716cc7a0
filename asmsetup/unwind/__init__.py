"""Says how to unwind the routines of an object, by what the checker knows of their frames.

In: an object. Out: the object with more in .eh_frame, and which routines got no table
and why. Routines that have one already, from macros, bindings or their author, keep theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..assemble.objects import Extended, Extra
from ..check.code.image import Image
from ..check.code.load import load_objects
from ..check.machine_code import DECODER, INSTALL, REQUIRE, judged_by
from ..errors import ObjectError, ToolError
from ..facts import elf
from ..facts.elf import ElfFacts
from .objects import NAME, Described, section_symbols, with_table

if TYPE_CHECKING:
    from .table import Stretch


def tables() -> Extra:
    """Return what adds the tables to each object that was assembled.

    Raises ToolError when the decoder is missing.
    """
    if find_spec(DECODER) is None:
        raise ToolError(
            "the setting unwind needs the decoder of machine code, iced-x86, which is missing",
            INSTALL,
            REQUIRE,
            "or build without these tables: take unwind out of the settings",
        )
    return Extra(f"unwind {judged_by('unwind')}", add_tables)


def add_tables(source: str, content: bytes) -> Extended:
    """Return an object with tables for its routines, and what to tell of those without.

    ``source`` names it. One that is not an object, or is damaged, comes back as it is: the checks
    tell of it.
    """
    try:
        return _extended(source, elf.read(source, content))
    except ObjectError:
        return Extended(content, [])


def _extended(source: str, facts: ElfFacts) -> Extended:
    from .routines import Routines  # the decoder takes a while to import
    from .table import records

    image = load_objects([(source, facts)])
    described = Described()
    for stretch in image.stretches:
        if stretch.name == NAME:
            described.read(bytes(stretch.content), stretch.start)
    if described.is_closed:
        why = f"{source}: nothing can be added to its {NAME}, which ends with a zero"
        return Extended(facts.data, [why])
    routines = Routines(image, described.covers)
    refused = [
        f"{source}: {image.name(start)} gets no unwind table: {why}"
        for start, why in sorted(routines.refused.items())
    ]
    stretches = list(routines.stretches())
    if not stretches:
        return Extended(facts.data, refused)
    table, places = records(stretches)
    try:
        addresses = list(_addresses(facts, image, places))
    except KeyError:  # as some tools write objects
        why = f"{source}: no unwind tables can be added, as there is no symbol for each section"
        return Extended(facts.data, [why])
    return Extended(with_table(facts, table, addresses), refused)


def _addresses(
    facts: ElfFacts, image: Image, places: Iterable[tuple[int, Stretch]]
) -> Iterator[tuple[int, int, int]]:
    """Yield where the table holds an address, the symbol of its section, and how far behind.

    Raises KeyError when a section has no symbol.
    """
    symbols = section_symbols(facts)
    loaded = (each for each in facts.sections if each.alloc and each.type != "null")
    sections = {
        stretch.start: section.number
        for stretch, section in zip(image.stretches, loaded, strict=True)
    }
    for place, code in places:
        section = image.stretch(code.start)
        assert section is not None  # it was followed
        yield place, symbols[sections[section.start]], code.start - section.start

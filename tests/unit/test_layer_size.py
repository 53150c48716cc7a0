"""The hand-written layer of macros cannot grow unseen: these limits are what it has, to be lowered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from asmsetup.assemble.includes import INCLUDE_DIR
from tools.abi_files import HEADER

MACROS: dict[str, str] = {}
TYPED: dict[str, str] = {}
"""The texts of the macros, and of what bindings of typed functions need."""
for path in sorted(Path(INCLUDE_DIR).rglob("*.inc")):
    if not (text := path.read_text()).startswith(HEADER):
        names = ("typed", "keywords", "runtime", "parts")
        typed = path.stem in names or path.parent.name in names
        (TYPED if typed else MACROS)[path.name] = text

LIMITS = {
    # Of lines, of those that are no comments, and of macros.
    "macros": (MACROS, (4452, 3203, 212)),
    "typed functions": (TYPED, (2729, 2156, 68)),
}
LONGEST = 50
"""Lines of a macro."""
MACRO = re.compile(r"^ *%(?:macro|imacro) +(\S+)(?:.*\n)+?^ *%endmacro", re.MULTILINE)


@pytest.mark.parametrize(("texts", "limits"), [*LIMITS.values()], ids=[*LIMITS])
def test_size(texts: Mapping[str, str], limits: tuple[int, int, int]) -> None:
    lines = [line.strip() for text in texts.values() for line in text.splitlines()]
    statements = [line for line in lines if line and not line.startswith(";")]
    macros = [line for line in statements if re.match(r"%i?macro ", line)]
    size = len(lines), len(statements), len(macros)
    assert all(map(int.__le__, size, limits)), (size, limits)


def test_no_macro_is_longer_than_a_screen() -> None:
    lengths = {
        match[1]: match[0].count("\n") + 1
        for text in MACROS.values()
        for match in MACRO.finditer(text)
    }
    assert {name for name, length in lengths.items() if length > LONGEST} == set()

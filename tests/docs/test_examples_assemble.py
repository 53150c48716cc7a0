"""Every complete source in the documentation assembles, links and can be imported."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.abi.assembling import INTERPRETERS, build, python
from tools.matrix.interpreters import REPOSITORY

SOURCES = {
    f"{page.relative_to(REPOSITORY)}:{page.read_text()[: block.start()].count(chr(10)) + 2}": block[
        1
    ]
    for page in sorted((REPOSITORY / "docs").rglob("*.md"))
    for block in re.finditer(
        r'```nasm\n(%include "python\.inc".*?)```', page.read_text(), re.DOTALL
    )
}
RUNNING = INTERPRETERS["{}.{}".format(*sys.version_info[:2])]

# What the modules must do besides being imported.
USES = {
    "arithmetic": (
        "assert (m.add(40, 2), m.add(-1, 0), m.add(3, -1), m.add(-2**63, 2**63 - 1)) =="
        " (42, -1, 2, -1)\n"
        "for pair in (2**70, 1), (1, -(2**70)), (2**62, 2**62), (-(2**63), -1):\n"
        "    try: m.add(*pair)\n"
        "    except OverflowError: pass\n"
        "    else: raise AssertionError(pair)\n"
        "for pair in (1, 'a'), ('a', 1), (1,):\n"
        "    try: m.add(*pair)\n"
        "    except TypeError: pass\n"
        "    else: raise AssertionError(pair)"
    ),
    "ratios": "assert m.ratio(3, 2) == 1.5",
    "squares": "assert (m.sum_of_squares(3), m.sum_of_squares(0)) == (14, 0)",
    "clamping": "assert [m.clamp(300), m.clamp(-9, low=-5), m.clamp(7)] == [255, -5, 7]",
    "bits": (
        "assert m.ones(0xF0F) == 8 and m.ones(0) == 0 and m.ones(-1) == 64\n"
        "try: m.ones('a')\n"
        "except TypeError: pass\n"
        "else: raise AssertionError('no error')"
    ),
    "boxes": "b = m.Box(); assert b.get() is None; b.content = 5; assert b.get() == 5",
    "shapes": (
        "c = m.Circle(); c.colour, c.radius = 3, 1.5; assert isinstance(c, m.Shape)\n"
        "try: c + 1\n"
        "except TypeError: pass\n"
        "else: raise AssertionError('no error')"
    ),
    "counted": "assert m.single(None) == [None] and m.width(-12.5) == 5",
    "counting": "assert (m.count(), m.count()) == (1, 2)",
    "colours": "assert m.RED == 0xFF0000 and m.SPACE == 'sRGB' and m.green(0x123456) == 0x34;"
    " assert m.GAMMA == 2.2 and m.exception() is m.ColourError\n"
    "for value, error in ('a', TypeError), (-1, m.ColourError), (1 << 24, m.ColourError):\n"
    "    try: m.green(value)\n"
    "    except error: pass\n"
    "    else: raise AssertionError(value)",
    "exact": "assert m.is_int(1) is True and m.is_int(True) is False",
    "greetings": "assert m.hello() == m.hallo() == 42 and m.hello.__doc__ == 'Return a number.'",
    "hello": "assert m.answer() == 42",
    "invert": "b = bytearray(b'abc'); m.invert(b); assert b == bytes([158, 157, 156])",
    "kernels": "assert m.clamp(300) == 255",
    "newer": "assert m.answer() == 42",
    "objects": "assert m.pair(1) == (1, 1) and m.pair(None) is None and m.positive(0) == 0",
    "one": "assert m.add_one(-1) == 0 and m.add_one(41) == 42",
    "owning": "assert m.twice(12) == '1212'",
    "points": "p = m.Point(); p.x = 1.5; p.negate(); assert p.x == -1.5 and p.sign is True",
    "reaching": "assert m.none() is None",
    "seven": "assert m.text() == '1 2 3 4 5 6'",
}


@pytest.mark.parametrize("place", SOURCES)
def test_source(place: str, tmp_path: Path) -> None:
    source = tmp_path / "source.asm"
    source.write_text(SOURCES[place])
    declared = re.search(r'^PyModule +(\w+)(?:, "([\w.]+)")?', SOURCES[place], re.MULTILINE)
    name = (declared[2] or declared[1]) if declared else "source"
    module = tmp_path.joinpath(*name.split(".")).with_suffix(".so")
    module.parent.mkdir(exist_ok=True)
    build(source, module)
    # A how-to goes on outside of its source, with libraries and settings.
    if declared and "how-to" not in place:
        python(RUNNING, tmp_path, "-c", f"import {name} as m\n{USES.get(name, '')}")

"""The hand-written layer of macros cannot grow unseen: these limits are what it has, to be lowered."""

from __future__ import annotations

import re
from pathlib import Path

from asmsetup.assemble.includes import INCLUDE_DIR
from tools.abi_files import HEADER

LINES, MACROS, STATEMENTS = 7300, 280, 5550
LONGEST = 66
"""Lines of a macro; longer are only those whose body is the plain code of many small routines."""
PLAIN_CODE = {"_pyt_write_keywords", "_pyt_write_runtime"}

WRITTEN = [
    text
    for path in sorted(Path(INCLUDE_DIR).rglob("*.inc"))
    if not (text := path.read_text()).startswith(HEADER)
]
MACRO = re.compile(r"^ *%(?:macro|imacro) +(\S+)(?:.*\n)+?^ *%endmacro", re.MULTILINE)


def test_lines() -> None:
    lines = [line.strip() for text in WRITTEN for line in text.splitlines()]
    assert len(lines) <= LINES
    assert sum(not line.startswith(";") for line in lines if line) <= STATEMENTS


def test_macros() -> None:
    assert sum(len(re.findall(r"(?m)^ *%i?macro ", text)) for text in WRITTEN) <= MACROS


def test_no_macro_is_longer_than_a_screen() -> None:
    lengths = {
        match[1]: match[0].count("\n") + 1 for text in WRITTEN for match in MACRO.finditer(text)
    }
    assert {name for name, length in lengths.items() if length > LONGEST} == PLAIN_CODE

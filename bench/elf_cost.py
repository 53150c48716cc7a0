"""Count the instructions of reading an object: asmsetup.facts.elf against pyelftools, under valgrind.

    python -m bench.elf_cost

Each reads what the checks look at: sections, global symbols and every relocation.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from .measure import instructions

ROOT = Path(__file__).parent.parent
NOTHING = "pass"
OURS = """
from asmsetup.facts import elf
facts = elf.read({path!r})
assert sum(len(table.kinds) for table in facts.relocation_tables) and facts.globals
"""
PYELFTOOLS = """
from elftools.elf.elffile import ELFFile
with open({path!r}, "rb") as file:
    elf = ELFFile(file)
    sections = [(s.name, s["sh_flags"], s["sh_size"]) for s in elf.iter_sections()]
    table = elf.get_section_by_name(".symtab")
    symbols = [(s.name, s["st_info"]["bind"]) for s in table.iter_symbols()]
    kinds = {{
        (entry["r_info_type"], entry["r_info_sym"])
        for section in elf.iter_sections("SHT_RELA")
        for entry in section.iter_relocations()
    }}
    assert kinds and symbols and sections
"""


def taken(code: str) -> int:
    """Return the number of instructions that an interpreter needs for ``code``, its start included."""
    return instructions([sys.executable, "-I", "-S", "-c", code])


def source(lines: int) -> str:
    """A source in which every second line names something."""
    head = "extern PyErr_Clear\nglobal f:function\nsection .text\nf:\n"
    body = "call PyErr_Clear wrt ..plt\nmov rax, [rel table]\n"
    return head + body * (lines // 2) + "section .data\ntable: dq 1\n"


def main() -> None:
    """Print a table: million instructions beyond an interpreter that does nothing."""
    paths = f"import sys; sys.path[:0] = {[str(ROOT), *sys.path[1:]]!r}\n"
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'object':12} {'asmsetup':>9} {'pyelftools':>11}   (million instructions)")
        empty = taken(paths + NOTHING)
        for name, lines in (("small", 4), ("10,000 lines", 10_000)):
            Path(folder, "x.asm").write_text(source(lines))
            subprocess.run(["nasm", "-felf64", "x.asm"], cwd=folder, check=True)
            path = f"{folder}/x.o"
            ours, theirs = (
                (taken(paths + code.format(path=path)) - empty) / 1e6 for code in (OURS, PYELFTOOLS)
            )
            print(f"{name:12} {ours:9.0f} {theirs:11.0f}")


if __name__ == "__main__":
    main()

"""Sources for GAS: the line of a place in their objects, and ways out in GAS's own syntax.

The rules speak NASM; what they say of a .S or .s source is written as its author writes.
Lines come from the object's line table, which binutils' addr2line reads.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from functools import cached_property

from .. import program
from ..files import read_lines
from .listing import Row, SourceLine

_NAME = r"([\w.$@]+)"
_RESPELLED = [
    (rf"global {_NAME}:function hidden", r".globl \1; .hidden \1; .type \1, @function"),
    (rf"global {_NAME}:function", r".globl \1; .type \1, @function"),
    (rf"global {_NAME}:data", r".type \1, @object"),
    (rf"extern {_NAME}:weak", r".weak \1"),
    (r"section \.note\.GNU-stack .*", '.section .note.GNU-stack,"",@progbits'),
    (r"section \.data\.rel\.ro write", '.section .data.rel.ro,"aw",@progbits'),
    (rf"(?<!\.)section {_NAME} exec( nowrite)?", r'.section \1,"ax",@progbits'),
    (r"(?<!\.)section (\.text|\.data)\b", r"\1"),
    (r"\bdd target - table", ".long target - table"),
    (rf"\bdq {_NAME}", r".quad \1"),
    (rf"\b(j?[a-z]+) {_NAME} wrt \.\.plt", r"\1 \2@PLT"),
]
_ATT = [
    (rf"(call|jmp) \[rel {_NAME} wrt \.\.got\]", r"\1 *\2@GOTPCREL(%rip)"),
    (rf"mov (\w+), \[rel {_NAME} wrt \.\.got\]", r"movq \2@GOTPCREL(%rip), %\1"),
    (rf"lea (\w+), \[rel {_NAME}\]", r"leaq \2(%rip), %\1"),
    (r"without `rel'", "without `(%rip)'"),
]
_INTEL = [
    (rf"(call|jmp) \[rel {_NAME} wrt \.\.got\]", r"\1 [rip + \2@GOTPCREL]"),
    (rf"mov (\w+), \[rel {_NAME} wrt \.\.got\]", r"mov \1, [rip + \2@GOTPCREL]"),
    (rf"lea (\w+), \[rel {_NAME}\]", r"lea \1, [rip + \2]"),
    (r"without `rel'", "without `rip'"),
]

_INSTRUCTION = re.compile(
    r"\s*(?:[\w.$]+:\s*)?(?P<mnemonic>[a-z]\w*)\s+(?P<operands>[^#;]*[$%(][^#;]*?)\s*(?:[#;].*)?$"
)
_LOADED = re.compile(
    r"\s*(?:[\w.$]+:\s*)?(?:mov|lea)\w*\s+(?:[^,]+,\s*%(?P<att>\w+)|(?P<intel>\w+)\s*,.*)\s*(?:[#;/].*)?$"
)


class GasLines:
    """The source lines of one object, under the names that a listing of NASM's has for them."""

    rows: tuple[Row, ...] = ()
    lines: tuple[SourceLine, ...] = ()
    """Nothing: a line table does not say which bytes a line has made."""

    def __init__(self, path: str, source: str) -> None:
        """``path`` is an object with a line table (-g)."""
        self._path = path
        self._source = source

    def at(
        self, section: str, content: bytes, offset: int, width: int, name: str = ""
    ) -> SourceLine | None:
        """Return the line that put what is at ``offset`` into ``section``."""
        found = self._by_address(section, offset)
        # Only code has lines in the table.
        return found or (
            self._first(rf"[^#]*\.(?:quad|8byte|long|4byte)\s.*{_word(name)}") if name else None
        )

    def _by_address(self, section: str, offset: int) -> SourceLine | None:
        tool = shutil.which("addr2line")
        if tool is None:
            return None
        output = program.run([tool, "-e", self._path, "-j", section, hex(offset)]).output
        match = re.match(r"(.+):(\d+)(?: .*)?$", output)
        if match is None or match[1].endswith("??"):
            return None
        file = self._source if match[1].endswith(self._source) else match[1]
        lines = read_lines(file)
        number = int(match[2])
        if not 0 < number <= len(lines):
            return None
        return SourceLine(file, number, lines[number - 1].strip(), direct=False)

    def label(self, name: str) -> SourceLine | None:
        """Return the line that defines ``name``."""
        return self._first(rf"\s*{re.escape(name)}:")

    def declaration(self, name: str, *directives: str) -> SourceLine | None:
        """Return the line that decides who sees ``name``."""
        ends = rf"\s.*{_word(name)}"
        hides = self._first(rf"\s*\.(?:hidden|internal){ends}")
        return hides or self._first(rf"\s*\.(?:globl|global|extern|weak){ends}")

    def use(self, macro: str, argument: str) -> SourceLine | None:
        """Return None: these are macros of NASM's."""
        return None

    def section(self, name: str) -> SourceLine | None:
        """Return the line that opens section ``name``."""
        escaped = re.escape(name)
        return self._first(rf"\s*(?:\.(?:push)?section\s+)?\"?{escaped}\"?(?![\w.$-])")

    def _first(self, pattern: str) -> SourceLine | None:
        for number, text in enumerate(self._own, 1):
            if re.match(pattern, text):
                return SourceLine(self._source, number, text.strip(), direct=False)
        return None

    @cached_property
    def _own(self) -> list[str]:
        return read_lines(self._source)

    def respelled(self, texts: Sequence[str], line: SourceLine | None) -> tuple[str, ...]:
        """Return what a rule says, in GAS's syntax, with the register that ``line`` loads."""
        is_intel = any(re.match(r"\s*\.intel_syntax\b", text) for text in self._own)
        loaded = _LOADED.match(line.text) if line is not None else None
        register = loaded and (loaded["att"] or loaded["intel"])
        respelled = []
        for text in texts:
            if register:
                text = re.sub(r"\b(mov|lea) (rax|r11), \[rel", rf"\1 {_wide(register)}, [rel", text)
            for pattern, replacement in (*_RESPELLED, *(_INTEL if is_intel else _ATT)):
                text = re.sub(pattern, replacement, text)
            respelled.append(text)
        return tuple(respelled)


def corrected(text: str, name: str, external: bool) -> tuple[str, ...]:
    """Return the lines in the place of one that reaches ``name`` in a way that a module cannot.

    Empty for a line that is not understood, and for one in Intel's syntax.
    """
    match = _INSTRUCTION.match(text)
    if match is None:
        return ()
    operands = re.split(r",\s*(?![^(]*\))", match["operands"])

    def load(register: str) -> str:
        return (
            f"movq {name}@GOTPCREL(%rip), %{register}"
            if external
            else f"leaq {name}(%rip), %{register}"
        )

    def through(operand: str, memory: str) -> str:
        written = (memory if each == operand else each for each in operands)
        return f"{match['mnemonic']} {', '.join(written)}"

    target = operands[-1].lstrip("%")
    for operand in operands:
        own = re.fullmatch(rf"(\$?){re.escape(name)}(?:\((.*)\))?", operand)
        if own is None:
            continue
        registers = own[2] or ""
        if own[1] or (match["mnemonic"].startswith("lea") and registers == "%rip"):
            return (load(_wide(target)),) if operands[-1].startswith("%") else ()
        if not registers and not external:
            return (through(operand, f"{name}(%rip)"),)
        inner = "" if registers in ("", "%rip") else f",{registers.lstrip(',')}"
        return load("r11"), through(operand, f"(%r11{inner})")
    return ()


def _word(name: str) -> str:
    return rf"(?<![\w.$@]){re.escape(name)}(?![\w.$@])"


def _wide(register: str) -> str:
    """Return the 64-bit register that a register is part of."""
    if match := re.fullmatch(r"e?([a-ds][xipl]|[sbd][ip])", register):
        return f"r{match[1]}"
    return re.sub(r"^(r\d+)d$", r"\1", register)

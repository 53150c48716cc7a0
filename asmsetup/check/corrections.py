"""Rewrites one source line so that it says in position-independent code what was meant.

Works on the line's text alone. A line it does not understand (a macro's use, a directive)
gets no correction, never a wrong one: the finding then shows the general form.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..named import NamedTuple

# Texts, compiled when they are first needed: most builds find nothing to correct.
_LINE = r"\s*(?:[\w.$@?~#]+:\s*)?(?P<mnemonic>[a-z]\w*)\s+(?P<operands>\S.*?)\s*$"
_REGISTER = r"\b[re]?(?:ax|bx|cx|dx|si|di|bp|sp)\b|\br(?:8|9|1[0-5])d?\b"
_WORDS = frozenset(("ax", "bx", "cx", "dx", "si", "di", "bp", "sp"))
_SIZE = r"(?:(?:strict|byte|word|dword|qword|oword|yword|zword)\s+)*"
_MEMORY = rf"(?P<size>{_SIZE})\[\s*(?P<inner>[^\[\]]+?)\s*\]$"
_MODIFIER = r"^(?:(?:rel|abs|byte|word|dword|qword)\s+)+"
_GOT = r"\s+wrt\s+\.\.got$"
_DIRECTIVES = frozenset(("db", "dw", "dd", "dq", "dt", "do", "dy", "dz", "times", "equ", "at"))


class Instruction(NamedTuple):
    """One instruction as written: ``mov rax, [table + rcx*8]``."""

    mnemonic: str
    operands: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.mnemonic} {', '.join(self.operands)}"

    def replacing(self, index: int, operand: str) -> str:
        operands = (*self.operands[:index], operand, *self.operands[index + 1 :])
        return str(Instruction(self.mnemonic, operands))

    @property
    def scratch(self) -> str:
        """A register the call convention leaves free, and which the line does not use."""
        return "r10" if re.search(r"\br11", str(self)) else "r11"


Correction = Callable[[Instruction, bool], tuple[str, ...]]
"""From (the line, whether its symbol is outside the module) to the lines in its place."""


def parse(text: str) -> Instruction | None:
    """Return the instruction on a source line; None for anything else."""
    match = re.match(_LINE, _without_comment(text), re.IGNORECASE)
    if match is None or match["mnemonic"].lower() in _DIRECTIVES:
        return None
    return Instruction(match["mnemonic"], _split(match["operands"]))


def _without_comment(text: str) -> str:
    return re.match(r"(?:[^;\"'`]|\"[^\"]*\"|'[^']*'|`[^`]*`)*", text)[0]  # type: ignore[index]


def _split(operands: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r",(?![^\[]*\])", operands))


def absolute_address(line: Instruction, external: bool) -> tuple[str, ...]:
    """For ``mov rax, symbol`` and ``mov rax, [qword symbol]``."""
    if line.mnemonic.lower() != "mov" or len(line.operands) != 2:
        return ()
    register, value = line.operands
    if not re.fullmatch(_REGISTER, register, re.IGNORECASE):
        return ()
    memory = re.match(_MEMORY, value, re.IGNORECASE)
    if memory:
        return _addressed(line, 1, memory["size"], _bare(memory["inner"]), external)
    return _meant(_wide(register), _bare(value), external)


def narrow_address(line: Instruction, external: bool) -> tuple[str, ...]:
    """For ``[symbol]``, ``[symbol + rcx*8]``, ``mov edi, symbol``, ``push symbol``."""
    for index, operand in enumerate(line.operands):
        if memory := re.match(_MEMORY, operand, re.IGNORECASE):
            inner = _bare(memory["inner"])
            if re.search(_GOT, inner, re.IGNORECASE):
                return ()
            if not all(map(_is_register_or_number, re.split(r"\s*[+*-]\s*", inner))):
                return _addressed(line, index, memory["size"], inner, external)
    value = _bare(line.operands[-1])
    if _is_register_or_number(value):
        return ()
    if line.mnemonic.lower() == "mov" and re.fullmatch(_REGISTER, line.operands[0], re.IGNORECASE):
        return _meant(_wide(line.operands[0]), value, external)
    load = _address_into(line.scratch, value, external)
    return (*load, line.replacing(len(line.operands) - 1, line.scratch)) if load else ()


def external_data(line: Instruction, external: bool = True) -> tuple[str, ...]:
    """For ``lea rax, [rel symbol]`` and ``cmp dword [rel symbol], 5`` of another module's symbol."""
    for index, operand in enumerate(line.operands):
        if memory := re.match(_MEMORY, operand, re.IGNORECASE):
            inner = _bare(memory["inner"])
            if line.mnemonic.lower() == "lea":
                return _meant(line.operands[0], inner, external)
            if line.mnemonic.lower() in ("call", "jmp"):
                return (f"{line.mnemonic} [rel {inner} wrt ..got]",)
            return _addressed(line, index, memory["size"], inner, external)
    return ()


def external_call(line: Instruction, external: bool = True) -> tuple[str, ...]:
    """For ``call symbol``, ``jmp symbol`` and conditional jumps to another module's function."""
    target = re.sub(r"^(?:near|strict|short)\s+", "", line.operands[0], flags=re.IGNORECASE)
    if len(line.operands) != 1 or not re.fullmatch(r"[\w.$@?~#]+", target):
        return ()
    return (f"{line.mnemonic} {target} wrt ..plt",)


def got_without_rel(line: Instruction, external: bool = True) -> tuple[str, ...]:
    """For ``mov rax, [symbol wrt ..got]`` and ``mov rax, symbol wrt ..got``."""
    for index, operand in enumerate(line.operands):
        memory = re.match(_MEMORY, operand, re.IGNORECASE)
        inner = _bare(memory["inner"] if memory else operand)
        if re.search(_GOT, inner, re.IGNORECASE) and not re.search(_REGISTER, inner, re.IGNORECASE):
            size = memory["size"] if memory else ""
            return (line.replacing(index, f"{size}[rel {inner}]"),)
    return ()


def got_called(line: Instruction, external: bool = True) -> tuple[str, ...]:
    """For ``call symbol wrt ..got``."""
    target = line.operands[0]
    if not re.search(_GOT, target, re.IGNORECASE):
        return ()
    return (f"{line.mnemonic} [rel {target}]",)


def _meant(register: str, value: str, external: bool) -> tuple[str, ...]:
    """As _address_into; CPython's exceptions are pointers, and what they point at is meant."""
    load = _address_into(register, value, external)
    return (*load, f"mov {register}, [{register}]") if is_exception(value) else load


def is_exception(name: str) -> bool:
    """Return whether a name is one of CPython's variables that point at an exception."""
    return name.startswith("PyExc_") and name.isidentifier()


def loaded_by_macro(line: Instruction, name: str) -> str | None:
    """Return the line of python.inc that loads an exception; None where that is not meant."""
    if line.mnemonic.lower() not in ("mov", "lea") or len(line.operands) != 2:
        return None
    register, value = line.operands
    plain = _bare(value.strip("[]") if line.mnemonic.lower() == "lea" else value)
    return f"PyLoad {_wide(register)}, {name}" if plain == name else None


def _address_into(register: str, value: str, external: bool) -> tuple[str, ...]:
    """Load the address ``value`` (a symbol, perhaps with an offset) into ``register``."""
    if not external:
        return (f"lea {register}, [rel {value}]",)
    symbol, offset = _symbol_and_offset(value)
    load = f"mov {register}, [rel {symbol} wrt ..got]"
    return (load, f"add {register}, {offset}") if offset else (load,)


def _addressed(
    line: Instruction, index: int, size: str, inner: str, external: bool
) -> tuple[str, ...]:
    """``line`` with its memory operand ``[inner]`` reached without an absolute address."""
    terms = re.split(r"\s*\+\s*", inner)
    registers = [term for term in terms if re.search(_REGISTER, term, re.IGNORECASE)]
    symbol = " + ".join(term for term in terms if term not in registers)
    if not symbol or any("-" in term for term in registers):
        return ()
    if not registers and not external:
        return (line.replacing(index, f"{size}[rel {symbol}]"),)
    # The register that is loaded can hold the address before.
    loads_register = line.mnemonic.lower() == "mov" and _is_wide(line.operands[0])
    scratch = line.operands[0] if loads_register and not registers else line.scratch
    address = " + ".join([scratch, *registers])
    return (
        *_address_into(scratch, symbol, external),
        line.replacing(index, f"{size}[{address}]"),
    )


def _symbol_and_offset(value: str) -> tuple[str, str]:
    match = re.fullmatch(r"([\w.$@?~#]+)\s*(?:([+-])\s*(.+))?", value)
    if match is None or match[3] is None:
        return value, ""
    return match[1], match[3] if match[2] == "+" else f"-({match[3]})"


def _bare(operand: str) -> str:
    """Without ``rel``, ``abs`` and sizes."""
    return re.sub(
        _MODIFIER,
        "",
        re.sub(r"^strict\s+", "", operand.strip(), flags=re.IGNORECASE),
        flags=re.IGNORECASE,
    )


def _is_register_or_number(term: str) -> bool:
    number = re.fullmatch(r"-?(?:0x)?[0-9][0-9a-f_]*[hbo]?", term, re.IGNORECASE)
    return bool(number or re.fullmatch(_REGISTER, term, re.IGNORECASE))


def _is_wide(operand: str) -> bool:
    return (
        bool(re.fullmatch(_REGISTER, operand, re.IGNORECASE)) and _wide(operand) == operand.lower()
    )


def _wide(register: str) -> str:
    """Return the 64-bit register that ``register`` is part of: an address needs all of it."""
    name = register.lower()
    if name.startswith("e") or name in _WORDS:
        return "r" + name.removeprefix("e")
    return name.removesuffix("d") if name[1:2].isdigit() else name

"""Puts one line of another assembler's syntax into NASM's: GAS (Intel and AT&T), MASM, C comments.

Works on the text of the line alone, and is asked only about lines that NASM complains of. What
it does not understand it leaves alone, so that a hint is a line which assembles.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..named import NamedTuple
from . import att, gas_directives, masm

_LABEL = re.compile(r"\s*(?P<label>[\w.$@?~]+:(?!:)\s*)?(?P<rest>.*?)\s*$")
_COMMENT = re.compile(r"//|#(?!\d)|#\s|/\*")
_NAME = r"[\w.$@?~]+"


class Foreign(NamedTuple):
    """A line that is not in NASM's syntax."""

    syntax: str
    """As in `this is ... syntax'."""
    lines: tuple[str, ...] | None
    """The NASM form of it, empty for nothing; None when that is not known."""
    above: str | None = None
    """A declaration that has to stand above it: extern or global."""


def in_nasm(text: str, source: Sequence[str] = ()) -> Foreign | None:
    """Return a line in NASM's syntax; None when nothing shows that it is in another one.

    ``source`` has the lines of the file: what is declared there needs no `extern'.
    """
    # GAS parts a prefix from its instruction, where NASM begins a comment.
    text = re.sub(r"^(\s*(?:lock|rep\w*))\s*;", r"\1 ", text, flags=re.I)
    code, comment = _split_comment(text)
    label, code = _split_label(code)
    if not code and comment is None:
        return None
    found = _in_macro(code, source) or (_code(code, source) if code else Foreign("C", ()))
    if found is None:
        if comment is None:
            return None
        found = Foreign("C", (code,))
    if found.lines is None:
        return found
    lines = list(found.lines) or ([""] if label or comment else [])
    if lines:
        note = f"; {comment}" if comment else ""
        lines[0] = "  ".join(filter(None, (f"{label}{lines[0]}".strip(), note)))
    above = found.above if found.above and not _declares(source, found.above) else None
    return found._replace(lines=tuple(filter(None, lines)), above=above)


def _in_macro(code: str, source: Sequence[str]) -> Foreign | None:
    """A line with parameters of a macro of GAS's; None for one without."""
    numbered = gas_directives.with_parameters(code, source)
    if numbered == code:
        return None
    if (found := _code(numbered, source)) is None:
        return Foreign("GAS", (numbered,))
    # Whether a parameter is a register, a number or memory, AT&T says where the macro is used.
    return found._replace(lines=None, above=None) if found.syntax == "AT&T" else found


def _split_comment(text: str) -> tuple[str, str | None]:
    """Return the code of a line and the comment that is not NASM's, if there is one."""
    blanked = gas_directives.STRINGS.sub(lambda found: "\0" * len(found[0]), text)
    own = blanked.find(";")
    found = _COMMENT.search(blanked, 0, own if own >= 0 else len(blanked))
    if found is None:
        return text[: own if own >= 0 else None].strip(), None
    comment = text[found.end() :].strip().removesuffix("*/").strip(" *;")
    return text[: found.start()].strip(), comment or " "


def _split_label(code: str) -> tuple[str, str]:
    found = _LABEL.match(code)
    if found is None or found["label"] is None:
        return "", code
    return found["label"].strip() + " ", found["rest"]


def _declares(source: Sequence[str], declaration: str) -> bool:
    keyword, _, name = declaration.partition(" ")
    name = name.partition(":")[0]
    named = re.compile(
        rf"\s*(?:extern|global|public)\b.*(?<![\w.$@?~]){re.escape(name)}(?![\w.$@?~])", re.I
    )
    defined = re.compile(rf"\s*{re.escape(name)}(?::|\s+(?:d[bwdq]|equ)\b)", re.I)
    is_here = keyword == "extern" and any(map(defined.match, source))
    return is_here or any(map(named.match, source))


def _code(code: str, source: Sequence[str]) -> Foreign | None:
    word, _, rest = (
        code.partition(" ") if "\t" not in code else code.replace("\t", " ").partition(" ")
    )
    rest = rest.strip()
    of_masm = masm.in_nasm(code, source)
    if of_masm and word.lower() in _MASMS:
        return Foreign("MASM", *of_masm)
    if word.startswith(".") and (directive := gas_directives.in_nasm(word.lower(), rest, source)):
        return Foreign("GAS", directive.lines)
    if equation := re.match(rf"({_NAME})\s*=\s*(?!=)(.+)$", code):
        return Foreign("GAS", (f"{equation[1]} equ {equation[2]}",))
    if of_masm:
        return Foreign("MASM", *of_masm)
    if not word.startswith("Py") and att.is_att(code):  # a macro can be given $ and $$
        return Foreign("AT&T", att.in_nasm(code), _plt_name(code))
    return _gas_intel(code)


def _plt_name(code: str) -> str | None:
    found = re.search(rf"({_NAME.replace('@', '')})@(?:PLT|GOTPCREL)", code, re.I)
    return f"extern {found[1]}" if found else None


_MASMS = (".if", ".elseif")
"""Words of GAS's and of MASM's; MASM's ask what registers hold."""

_POINTER = re.compile(
    r"\b(byte|word|dword|qword|fword|tbyte|mmword|oword|xmmword|ymmword|zmmword)\s+ptr\b", re.I
)
_SIZES = {
    "tbyte": "tword",
    "mmword": "qword",
    "xmmword": "oword",
    "ymmword": "yword",
    "zmmword": "zword",
}
_REGISTER = re.compile(rf"(?:{att.REGISTER})\b", re.I)
_RIP = re.compile(r"\brip\b", re.I)
_SYMBOL = r"[A-Za-z_.?$][\w.?$]*"


def _gas_intel(code: str) -> Foreign | None:
    """An instruction in the Intel syntax of GAS, compilers and MASM."""
    marks = r"\bptr\b|\[?\brip\b|@(?:plt|gotpcrel)\b|\boffset\s+|\bmovabs\b|\bst\(\d\)|^notrack\b|\w\[(?!\w*\])|^rex\b|\bbcst\b"
    if not re.search(marks, code, re.I):
        return None
    prefix, mnemonic, operands = _INSTRUCTION.fullmatch(code).groups()  # type: ignore[union-attr]
    prefix = "" if prefix.lower().strip() == "notrack" else prefix
    known = _RENAMED.get(mnemonic.lower(), mnemonic)
    lines = _string_instruction(known, operands) or _intel_lines(known, operands)
    if lines:
        lines = (*lines[:-1], prefix + lines[-1])
    return Foreign("GAS", lines, _plt_name(code))


_INSTRUCTION = re.compile(r"((?:(?:lock|rep\w*|notrack|bnd|data16)\s+)?)(\S+)\s*(.*)", re.I)
_RENAMED = {"movabs": "mov", "callq": "call", "jmpq": "jmp", "retq": "ret"}


def _string_instruction(mnemonic: str, operands: str) -> tuple[str, ...] | None:
    """`stos QWORD PTR es:[rdi], rax' has no operands in NASM: its name has the size."""
    if mnemonic.lower() not in ("movs", "stos", "lods", "scas", "cmps"):
        return None
    size = _POINTER.search(operands)
    return (mnemonic + size[1][0].lower(),) if size else None


def _intel_lines(mnemonic: str, text: str) -> tuple[str, ...] | None:
    text = re.sub(r"^(?:near\s+ptr\s+|(short)\s+ptr(\s+))", r"\1\2", text, flags=re.I)
    operands = [part.strip() for part in re.split(r",(?![^\[(]*[\])])", text)]
    before: list[str] = []
    for index, operand in enumerate(operands):
        if found := re.fullmatch(r"offset\s+(?:flat\s*:\s*)?(.+)", operand, re.I):
            if mnemonic.lower() != "mov" or index != 1:
                return None
            register = att.wide(operands[0])
            return None if register is None else (f"lea {register}, [rel {found[1].strip()}]",)
        if found := re.fullmatch(r"(d|q)word\s+bcst\s+(.*)", operand, re.I):
            operand, times = f"{found[1]}word ptr {found[2]}", _broadcast(found[1], operands)
        else:
            times = ""
        converted = _intel_operand(operand, before)
        if converted is None:
            return None
        operands[index] = converted + times
    return (*before, f"{mnemonic} {', '.join(operands)}".strip())


def _broadcast(element: str, operands: Sequence[str]) -> str:
    """Return NASM's mark for one element that is taken for all of a vector."""
    widths = (found[1] for each in operands if (found := re.match(r"([xyz])mm", each, re.I)))
    bits = {"x": 128, "y": 256, "z": 512}[next(widths, "z").lower()]
    return f"{{1to{bits // (32 if element.lower() == 'd' else 64)}}}"


def _intel_operand(operand: str, before: list[str]) -> str | None:
    """Return one operand; adds to ``before`` what must be loaded first. None if not understood."""
    size = ""
    if re.fullmatch(r"\[\s*\w+\s+ptr\b.*\]", operand, re.I):
        operand = operand[1:-1].strip()
    if found := _POINTER.match(operand):
        size = _SIZES.get(found[1].lower(), found[1].lower()) + " "
        operand = operand[found.end() :].strip()
    if found := re.fullmatch(r"st(?:\((\d)\))?", operand, re.I):
        return f"st{found[1] or 0}"
    if found := re.fullmatch(rf"({_SYMBOL})@plt", operand, re.I):
        return f"{found[1]} wrt ..plt"
    if found := re.fullmatch(r"([cdefgs]s):\[?([^\[\]]+)\]?", operand, re.I):
        return f"{size}[{found[1]}:{found[2]}]"
    memory = re.fullmatch(r"([^\[\]]*)\[([^\[\]]*)\]", operand)
    if memory is None:
        # Sized and without brackets it is memory all the same.
        bare = (
            size
            and not _REGISTER.fullmatch(operand)
            and re.fullmatch(rf"{_SYMBOL}(?:[+-]\w+)?", operand)
        )
        return f"{size}[rel {operand}]" if bare else f"{size}{operand}"
    return _intel_memory(size, memory[1].strip(), memory[2].strip(), before)


def _intel_memory(size: str, outer: str, inner: str, before: list[str]) -> str | None:
    terms = [term.strip() for term in re.findall(r"[+-]?[^+-]+", inner)]
    outer_terms = [term.strip() for term in re.findall(r"[+-]?[^+-]+", outer)]
    everything = [term.replace(" ", "") for term in (*outer_terms, *terms) if term]
    rest = [term for term in everything if not _RIP.fullmatch(term.lstrip("+"))]
    symbols = [
        term
        for term in rest
        if re.fullmatch(rf"\+?{_SYMBOL}(?:@\w+)?", term) and not _is_register(term)
    ]
    if len(rest) < len(everything):
        address = "".join(rest).lstrip("+")
        if not symbols:
            return None
        if found := re.fullmatch(rf"({_SYMBOL})@gotpcrel", address, re.I):
            return f"{size}[rel {found[1]} wrt ..got]"
        return f"{size}[rel {_spaced(rest)}]"
    if symbols and outer_terms:
        before.append(f"lea r11, [rel {symbols[0].lstrip('+')}]")
        rest = ["r11", *(term for term in rest if term != symbols[0] and term not in ("0", "+0"))]
    kept = [term for term in rest if term not in ("0", "+0")] or rest
    registers_first = sorted(kept, key=lambda term: not _is_register(term))
    return f"{size}[{_spaced(registers_first)}]"


def _is_register(term: str) -> bool:
    return bool(_REGISTER.match(term.lstrip("+-")))


def _spaced(terms: Sequence[str]) -> str:
    text = "".join(term if term[0] in "+-" else f"+{term}" for term in terms).lstrip("+")
    return re.sub(r"(?<=[\w\])])([+-])(?=\w)", r" \1 ", text)

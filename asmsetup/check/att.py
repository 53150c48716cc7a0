"""Puts an instruction in AT&T syntax into NASM's: operands turned round, sizes and addresses spelt out."""

from __future__ import annotations

import re

from ..named import NamedTuple

REGISTER = (
    r"[re]?(?:[abcd]x|[sd]i|[sb]p|ip)|[abcd][hl]|(?:[sd]i|[sb]p)l|r(?:[89]|1[0-5])[bwd]?"
    r"|[xyz]mm\d+|mm[0-7]|k[0-7]|[cd]r\d+|st(?:\(\d\))?|[c-gs]s"
)
_SYMBOL = r"[A-Za-z_.?$][\w.?$]*"
_ATT = re.compile(rf"%(?:{REGISTER})(?!\w)|(?<![\w$'\"])\$(?:-?\d|0x|{_SYMBOL})", re.I)

_SIZES = {"b": "byte", "w": "word", "l": "dword", "q": "qword"}
_FLOAT_SIZES = {"s": "dword", "l": "qword", "t": "tword"}
_FLOAT_INTEGER_SIZES = {"s": "word", "l": "dword", "ll": "qword", "q": "qword"}

MNEMONICS = frozenset(
    [
        *(
            [
                "adc",
                "add",
                "and",
                "bsf",
                "bsr",
                "bswap",
                "bt",
                "btc",
                "btr",
                "bts",
                "call",
                "cmp",
                "cmpxchg",
                "dec",
                "div",
                "idiv",
                "imul",
                "inc",
                "jmp",
            ]
        ),
        *(
            [
                "lea",
                "leave",
                "lods",
                "mov",
                "movnti",
                "mul",
                "neg",
                "nop",
                "not",
                "or",
                "pop",
                "push",
                "pushf",
                "popf",
                "rcl",
                "rcr",
                "ret",
                "rol",
                "ror",
            ]
        ),
        *(
            [
                "sal",
                "sar",
                "sbb",
                "shl",
                "shld",
                "shr",
                "shrd",
                "stos",
                "scas",
                "sub",
                "test",
                "xadd",
                "xchg",
                "xor",
                "popcnt",
                "lzcnt",
                "tzcnt",
            ]
        ),
        *(
            [
                "crc32",
                "andn",
                "bextr",
                "blsi",
                "blsr",
                "bzhi",
                "pdep",
                "pext",
                "mulx",
                "rorx",
                "sarx",
                "shlx",
                "shrx",
                "adcx",
                "adox",
                "iret",
            ]
        ),
        *(["cvtsi2sd", "cvtsi2ss", "cvtsd2si", "cvtss2si", "cvttsd2si", "cvttss2si"]),
    ]
)
_CONDITIONS = "o no b c nae nb nc ae e z ne nz be na nbe a s ns p pe np po l nge nl ge le ng nle g"
_CONDITIONAL = frozenset(f"cmov{condition}" for condition in _CONDITIONS.split())
_RENAMED = {
    "cltq": "cdqe",
    "cqto": "cqo",
    "cltd": "cdq",
    "cwtl": "cwde",
    "cwtd": "cwd",
    "cbtw": "cbw",
    "movabs": "mov",
    "movabsq": "mov",
    "movslq": "movsxd",
    "movsl": "movsd",
    "cmpsl": "cmpsd",
    "stosl": "stosd",
    "lodsl": "lodsd",
    "scasl": "scasd",
    "pushfq": "pushfq",
    "popfq": "popfq",
}
_WITHOUT_OPERANDS = frozenset(
    ["cltq", "cqto", "cltd", "cwtl", "cwtd", "cbtw", "retq", "leaveq", "stosl", "lodsl", "scasl"]
)
_WIDENED = re.compile(r"mov([sz])([bw])([wlq])")
_BRANCHES = re.compile(r"(?:call|jmp|j[a-z]{1,3}|loop\w*)q?$", re.I)
# GAS turns these round on top of turning the operands round.
_AMBIGUOUS = re.compile(r"f(?:sub|div)r?p?$", re.I)
_PREFIXES = ("rep", "repz", "repe", "repnz", "repne", "lock")


class _Operand(NamedTuple):
    text: str
    kind: str
    """register, immediate, memory or target."""
    before: str = ""
    """A line that loads the address first."""


def is_att(code: str) -> bool:
    """Return whether an instruction is in AT&T syntax: its registers or its numbers are marked so."""
    return _ATT.search(code) is not None or code.split()[-1].lower() in _WITHOUT_OPERANDS


def wide(register: str) -> str | None:
    """Return the 64-bit register a general register is part of; None for any other."""
    name = register.strip().lower()
    if found := re.fullmatch(r"(r(?:[89]|1[0-5]))[bwd]?", name):
        return found[1]
    if found := re.fullmatch(r"[re]?([abcd]x|[sd]i|[sb]p)", name):
        return "r" + found[1]
    return None


def in_nasm(code: str) -> tuple[str, ...] | None:
    """Return the lines that NASM writes in the place of an instruction; None if not understood."""
    mnemonic, _, text = code.replace("\t", " ").partition(" ")
    if mnemonic.rstrip(";").lower() in _PREFIXES:
        rest = in_nasm(text.strip(" ;"))
        if rest is None:
            return None
        return (*rest[:-1], f"{mnemonic.rstrip(';')} {rest[-1]}")
    operands = [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]
    is_branch = _BRANCHES.match(mnemonic) is not None
    read = [_operand(part, is_branch=is_branch) for part in operands]
    if any(operand is None for operand in read) or _AMBIGUOUS.match(mnemonic):
        return None
    return _instruction(
        mnemonic.lower(), [operand for operand in read if operand is not None][::-1]
    )


def _instruction(mnemonic: str, operands: list[_Operand]) -> tuple[str, ...] | None:
    name, size = _without_suffix(mnemonic, operands)
    if address := _address_as_value(name, operands):
        return address
    texts = [
        f"{size} {each.text}" if size and each.kind == "memory" and name != "lea" else each.text
        for each in operands
    ]
    if len(texts) == 1 and name in ("sal", "sar", "shl", "shr", "rol", "ror", "rcl", "rcr"):
        texts.append("1")
    before = tuple(each.before for each in operands if each.before)
    if len(before) > 1:
        return None
    return (*before, f"{name} {', '.join(texts)}".strip())


def _address_as_value(name: str, operands: list[_Operand]) -> tuple[str, ...] | None:
    """`mov $symbol, %rdi' takes the address, which a module has only relative to the code."""
    if len(operands) != 2 or operands[1].kind != "symbol":
        return None
    register = wide(operands[0].text)
    if name != "mov" or register is None:
        return None
    return (f"lea {register}, [rel {operands[1].text}]",)


def _without_suffix(mnemonic: str, operands: list[_Operand]) -> tuple[str, str]:
    """Return NASM's name and the size of the operand in memory, empty where registers say it."""
    vector = any(re.match(r"[xyz]?mm\d", each.text) for each in operands)
    if mnemonic == "movsl" and operands:
        return "movsxd", "dword"
    if mnemonic in _RENAMED:
        return _RENAMED[mnemonic], "dword" if mnemonic == "movslq" else ""
    if (found := _WIDENED.fullmatch(mnemonic)) and operands:
        return f"mov{found[1]}x", _SIZES[found[2]]
    stem, suffix = mnemonic[:-1], mnemonic[-1]
    if mnemonic in ("movq", "movd") and vector:
        return mnemonic, "qword" if suffix == "q" else "dword"
    if (
        (stem in MNEMONICS or stem in _CONDITIONAL)
        and suffix in _SIZES
        and mnemonic not in _CONDITIONAL
    ):
        if stem in ("ret", "leave", "push", "pop", "call", "jmp", "nop") and not operands:
            return stem, ""
        return stem, "" if stem in ("call", "jmp") else _SIZES[suffix]
    if (
        re.fullmatch(r"f(?:ld|stp?|add|mul|comp?|sub|div|subr|divr)", stem)
        and suffix in _FLOAT_SIZES
    ):
        return stem, _FLOAT_SIZES[suffix]
    for ending in ("ll", "s", "l", "q"):
        base = mnemonic.removesuffix(ending)
        if base != mnemonic and base in ("fild", "fistp", "fist", "fisttp", "fiadd", "fimul"):
            return base, _FLOAT_INTEGER_SIZES[ending]
    return mnemonic, ""


def _operand(text: str, *, is_branch: bool) -> _Operand | None:
    if text.startswith("*"):
        return _operand(text[1:].strip(), is_branch=False)
    if found := re.fullmatch(r"(.+?)(\{%k[0-7]\}(?:\{z\})?)", text, re.I):
        masked = _operand(found[1], is_branch=False)
        return masked and masked._replace(text=masked.text + found[2].replace("%", ""))
    if found := re.fullmatch(rf"%({REGISTER})", text, re.I):
        return _Operand(_register(found[1]), "register")
    if text.startswith("$"):
        return _Operand(text[1:], "symbol" if re.match(_SYMBOL, text[1:]) else "immediate")
    if found := re.fullmatch(rf"({_SYMBOL})@plt", text, re.I):
        return _Operand(f"{found[1]} wrt ..plt", "target")
    if is_branch and re.fullmatch(_SYMBOL, text):
        return _Operand(text, "target")
    # A register without % shows that the line is a mixture.
    return None if re.fullmatch(REGISTER, text, re.I) else _memory(text)


def _register(name: str) -> str:
    found = re.fullmatch(r"st(?:\((\d)\))?", name, re.I)
    return f"st{found[1] or 0}" if found else name


def _memory(text: str) -> _Operand | None:
    pattern = rf"(?:%([c-gs]s):)?([^()]*?)(?:\(\s*(?:%({REGISTER}))?\s*(?:,\s*%({REGISTER})\s*(?:,\s*(\d))?\s*)?\))?"
    found = re.fullmatch(pattern, text, re.I)
    if found is None or not text:
        return None
    segment, displacement, base, index, scale = found.groups()
    displacement = displacement.strip()
    if (base or "").lower() == "rip" or (
        not base and not index and not segment and re.match(_SYMBOL, displacement)
    ):
        if got := re.fullmatch(rf"({_SYMBOL})@gotpcrel", displacement, re.I):
            return _Operand(f"[rel {got[1]} wrt ..got]", "memory")
        return (
            _Operand(f"[rel {_spaced(displacement)}]", "memory")
            if re.match(_SYMBOL, displacement)
            else None
        )
    before = ""
    terms = [base, f"{index}*{scale}" if index and scale not in (None, "1") else index]
    if re.match(_SYMBOL, displacement) and (base or index):
        before, displacement = f"lea r11, [rel {_spaced(displacement)}]", ""
        terms.append("r11")
    address = " + ".join(term for term in terms if term)
    if displacement:
        address = f"{address} + {displacement}" if address else displacement
        address = address.replace("+ -", "- ")
    if not address:
        return None
    return _Operand(f"[{segment}:{address}]" if segment else f"[{address}]", "memory", before)


def _spaced(text: str) -> str:
    return re.sub(r"\s*([+-])\s*", r" \1 ", text)

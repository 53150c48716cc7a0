"""Puts the directives of GAS into NASM's, one line at a time, and parameters of its macros."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ..named import NamedTuple

STRINGS = re.compile(r"\"(?:\\.|[^\"\\])*\"|'[^']*'|`[^`]*`")


class Directive(NamedTuple):
    """A directive of GAS's."""

    lines: tuple[str, ...] | None
    """The NASM form of it, empty for nothing; None when there is no simple one."""


# GAS directives (the manual of binutils, `Pseudo Ops').
_DATA = {
    **dict.fromkeys((".byte", ".dc.b"), "db"),
    **dict.fromkeys((".short", ".value", ".word", ".hword", ".2byte", ".dc.w"), "dw"),
    **dict.fromkeys((".long", ".int", ".4byte", ".dc.l"), "dd"),
    **dict.fromkeys((".quad", ".8byte"), "dq"),
    **dict.fromkeys((".float", ".single"), "dd"),
    ".double": "dq",
    ".tfloat": "dt",
}
_LEFT_OUT = frozenset(
    (
        *(".type", ".size", ".file", ".ident", ".loc", ".intel_syntax", ".att_syntax", ".code64"),
        *(".arch", ".version", ".addrsig", ".addrsig_sym", ".end", ".p2alignl", ".line"),
        *(".intel_mnemonic", ".func", ".endfunc", ".title", ".sbttl", ".list", ".nolist"),
        *(".eject", ".psize", ".local", ".subsections_via_symbols"),
    )
)
_WITHOUT_A_FORM = frozenset(
    (
        *(".irp", ".irpc", ".altmacro", ".noaltmacro", ".previous", ".subsection", ".symver"),
        *(".sleb128", ".uleb128", ".reloc", ".weakref", ".string16", ".string32", ".nops"),
    )
)


def in_nasm(word: str, rest: str, source: Sequence[str]) -> Directive | None:
    """Return what NASM has for a directive and its operands; None for what is not a directive of GAS."""
    if word in _LEFT_OUT or word.startswith((".cfi_", ".seh_")):
        return Directive(())
    if word in _DATA:
        return Directive((f"{_DATA[word]} {rest}",))
    if (convert := _DIRECTIVES.get(word)) is not None:
        text = convert(word, rest, source)
        return Directive(None if text is None else tuple(filter(None, text.split("\n"))))
    return Directive(None) if word in _WITHOUT_A_FORM else None


def _string(word: str, rest: str, source: Sequence[str]) -> str | None:
    texts = [found for found in STRINGS.findall(rest) if found.startswith('"')]
    if not texts:
        return None
    # C's escapes mean the same to NASM between backquotes.
    quoted = [
        f"`{each[1:-1].replace('`', chr(92) + '`')}`" if "\\" in each else each for each in texts
    ]
    end = ", 0" if word in (".asciz", ".string") else ""
    return "db " + ", ".join(each + end for each in quoted)


def _global(word: str, rest: str, source: Sequence[str]) -> str:
    return "global " + ", ".join(
        f"{name}:{_kind_of(name, source)}{_visibility(name, source)}"
        for name in map(str.strip, rest.split(","))
    )


def _visibility(name: str, source: Sequence[str]) -> str:
    hidden = rf"\s*\.(?:hidden|internal)\s+{re.escape(name)}\s*(?:[#;/].*)?$"
    return " hidden" if any(re.match(hidden, line) for line in source) else ""


def _kind_of(name: str, source: Sequence[str]) -> str:
    """Return `data' for a label that stands in a section of data, else `function'."""
    section = ".text"
    for line in source:
        if found := re.match(
            r"\s*(?:section\s+|\.section\s+)?(\.(?:text|data|bss|rodata)\b)", line, re.I
        ):
            section = found[1].lower()
        elif re.match(rf"\s*{re.escape(name)}:", line):
            break
    return "function" if section == ".text" else "data"


def _section(word: str, rest: str, source: Sequence[str]) -> str:
    name = (
        rest.partition(",")[0].strip().strip('"') if word in (".section", ".pushsection") else word
    )
    # asmsetup marks the stack itself.
    return "" if name == ".note.GNU-stack" else f"section {name}"


def _align(word: str, rest: str, source: Sequence[str]) -> str | None:
    number = rest.partition(",")[0].strip()
    if not number.isdecimal():
        return None
    return f"align {1 << int(number) if word == '.p2align' else int(number)}"


def _space(word: str, rest: str, source: Sequence[str]) -> str:
    count, _, value = rest.partition(",")
    return f"times {count.strip()} db {value.strip() or 0}"


def _fill(word: str, rest: str, source: Sequence[str]) -> str | None:
    count, size, value = _three(rest)
    unit = {"": "db", "1": "db", "2": "dw", "4": "dd", "8": "dq"}.get(size)
    # GAS fills no more than four bytes of eight with the value.
    if unit is None or (size == "8" and value not in ("", "0")):
        return None
    return f"times {count} {unit} {value or 0}"


def _global_hidden(word: str, rest: str, source: Sequence[str]) -> str:
    """Return nothing where a .globl of the same names says it with NASM's `hidden'."""
    if any(re.match(rf"\s*\.globa?l\s.*{re.escape(rest)}\b", line) for line in source):
        return ""
    return f"global {rest}:{_kind_of(rest, source)} hidden"


def _equate(word: str, rest: str, source: Sequence[str]) -> str | None:
    name, comma, value = rest.partition(",")
    return f"{name.strip()} equ {value.strip()}" if comma else None


def _common(word: str, rest: str, source: Sequence[str]) -> str | None:
    name, size, alignment = _three(rest)
    if not size:
        return None
    return f"common {name} {size}:{alignment}" if alignment else f"common {name} {size}"


def _three(rest: str) -> tuple[str, str, str]:
    """Return the first three operands, empty where there are fewer."""
    one, two, three = (*map(str.strip, rest.split(",")), "", "")[:3]
    return one, two, three


def _octa(word: str, rest: str, source: Sequence[str]) -> str | None:
    """Sixteen bytes each: NASM's DO takes no numbers."""
    halves: list[str] = []
    for value in map(str.strip, rest.split(",")):
        try:
            number = int(value, 0) % (1 << 128)
        except ValueError:
            return None
        halves += [hex(number % (1 << 64)), hex(number >> 64)]
    return f"dq {', '.join(halves)}"


def _local_common(word: str, rest: str, source: Sequence[str]) -> str | None:
    name, size, alignment = _three(rest)
    if not size:
        return None
    aligned = f"alignb {alignment}\n" if alignment else ""
    return f"[section .bss]\n{aligned}{name}: resb {size}\n__?SECT?__"


def _push_section(word: str, rest: str, source: Sequence[str]) -> str:
    section = _section(word, rest, source)
    return section and f"[{section}]"


def _org(word: str, rest: str, source: Sequence[str]) -> str:
    place, _, value = rest.partition(",")
    return f"times {place.strip()} - ($ - $$) db {value.strip() or 0}"


def _if_number(operator: str) -> Callable[[str, str, Sequence[str]], str]:
    return lambda word, rest, source: f"%if ({rest}) {operator} 0"


_MACRO = re.compile(r"\s*\.macro\s+([\w.$]+)\s*,?\s*(.*?)\s*(?:[#;].*)?$", re.I)


def _parameters(text: str) -> list[tuple[str, str, str | None]]:
    """Return the parameters of a .macro: name, qualifier, default."""
    words = re.findall(r"([\w.$]+)(?::(req|vararg))?(?:\s*=\s*(\"[^\"]*\"|[^\s,]+))?", text)
    return [(name, kind, value or None) for name, kind, value in words]


def _macro(word: str, rest: str, source: Sequence[str]) -> str | None:
    found = _MACRO.match(f".macro {rest}")
    if found is None:
        return None
    parameters = _parameters(found[2])
    defaults = [value for _, _, value in parameters if value is not None]
    count, least = len(parameters), len(parameters) - len(defaults)
    if any(value is None for _, _, value in parameters[least:]):
        return None  # NASM has defaults for the last ones alone
    if parameters and parameters[-1][1] == "vararg":
        return f"%macro {found[1]} {count - 1}-*"
    return f"%macro {found[1]} {least}{f'-{count} ' + ', '.join(defaults) if defaults else ''}"


def _forgotten_macro(word: str, rest: str, source: Sequence[str]) -> str | None:
    named = (found for line in source if (found := _MACRO.match(line)) and found[1] == rest)
    found = next(named, None)
    return found and f"%unmacro {rest} {len(_parameters(found[2]))}"


def with_parameters(code: str, source: Sequence[str]) -> str:
    r"""Return the code of a line with %1 in the place of \\x, where it stands in a .macro of GAS's."""
    if "\\" not in code:
        return code
    names: list[str] = []
    for line in source:
        if found := _MACRO.match(line):
            names = [name for name, _, _ in _parameters(found[2])]
        elif re.match(r"\s*\.endm\b", line, re.I):
            names = []
        elif code in line and names:
            break
    else:
        return code

    def number(found: re.Match[str]) -> str:
        if found[1] not in names:
            return found[0]
        position = names.index(found[1]) + 1
        return f"%{{{position}}}" if found[2] else f"%{position}"

    return re.sub(r"\\([\w.$]+)(\\\(\))?", number, code)


def _words(keyword: str) -> Callable[[str, str, Sequence[str]], str]:
    return lambda word, rest, source: f"{keyword} {rest}".strip()


_DIRECTIVES: dict[str, Callable[[str, str, Sequence[str]], str | None]] = {
    **dict.fromkeys((".globl", ".global"), _global),
    **dict.fromkeys((".ascii", ".asciz", ".string"), _string),
    **dict.fromkeys((".text", ".data", ".bss", ".rodata", ".section"), _section),
    ".pushsection": _push_section,
    ".popsection": _words("__?SECT?__"),
    ".octa": _octa,
    ".lcomm": _local_common,
    ".org": _org,
    ".macro": _macro,
    ".endm": _words("%endmacro"),
    ".exitm": _words("%exitmacro"),
    ".purgem": _forgotten_macro,
    ".err": _words("%error"),
    ".print": _words("%note"),
    ".ifc": _words("%ifidn"),
    ".ifnc": _words("%ifnidn"),
    ".ifb": _words("%ifempty"),
    ".ifnb": _words("%ifnempty"),
    ".ifeq": _if_number("=="),
    ".ifne": _if_number("!="),
    ".ifgt": _if_number(">"),
    ".ifge": _if_number(">="),
    ".iflt": _if_number("<"),
    ".ifle": _if_number("<="),
    **dict.fromkeys((".align", ".balign", ".p2align"), _align),
    **dict.fromkeys((".zero", ".skip", ".space"), _space),
    **dict.fromkeys((".set", ".equ", ".equiv"), _equate),
    ".comm": _common,
    ".extern": _words("extern"),
    **dict.fromkeys((".hidden", ".internal"), _global_hidden),
    **{
        f".{word}": _words(f"%{word}")
        for word in ("if", "ifdef", "ifndef", "else", "endif", "error", "warning")
    },
    ".elseif": _words("%elif"),
    ".fill": _fill,
    ".weak": lambda word, rest, source: f"global {rest}:{_kind_of(rest, source)} weak",
    ".include": _words("%include"),
    ".incbin": _words("incbin"),
    ".rept": _words("%rep"),
    ".endr": _words("%endrep"),
}

"""Suggests what a misspelt name of python.inc was meant to be."""

from __future__ import annotations

import functools
import re
from collections.abc import Container, Iterable, Sequence
from pathlib import Path

_LABEL = re.compile(r"[\w.$@?~#]+:\s*")
_INCLUDES = Path(__file__).parents[1] / "include"

# Features by names that others give them, and those that every x86-64 processor has.
_FEATURES = {
    "AVX3": "AVX512F",
    "AVX512": "AVX512F",
    "AVX10": "AVX512F",
    "BMI": "BMI1",
    "FMA3": "FMA",
    "LZCNT": "BMI1",
    "SSE4": "SSE41",
    "SHA_NI": "SHA",
    "CLMUL": "PCLMULQDQ",
    "AESNI": "AES",
}
_ALWAYS = frozenset(("MMX", "SSE", "SSE2", "FXSR", "CMOV", "X87"))


def statement(text: str) -> str:
    """Return the line without its label and comment."""
    return _LABEL.sub("", text.partition(";")[0].strip(), count=1)


def is_macro_like(text: str) -> bool:
    """Return whether the line begins with a name that could be meant for one of python.inc's."""
    return statement(text)[:2].lower() == "py"


def macro(text: str) -> str | None:
    """Return the macro of python.inc that a line may have meant; None if it is one, or resembles none."""
    words = statement(text).split()
    if not words or words[0] in _macros():
        return None
    by_small = {name.lower(): name for name in _macros()}
    for word in ("_".join(words[:2]), words[0]):
        if name := by_small.get(word.lower()):
            return name
    near = _near(words[0].lower(), by_small)
    return by_small[near] if near else None


@functools.cache
def _macros() -> tuple[str, ...]:
    text = Path(_INCLUDES, "python.inc").read_text(encoding="utf-8").replace("\\\n", "")
    return tuple(
        name
        for names in re.findall(r"^_py_stubs _\w+, (.*)$", text, re.MULTILINE)
        for name in names.replace(",", " ").split()
    )


def advice(text: str) -> str | None:
    """Return what to write for a line that nasm does not take for an instruction, or None."""
    word = statement(text).split(None, 1)[0] if statement(text) else ""
    if word.lower().startswith("py"):
        from .code.prototypes import prototype

        if prototype(word).known:
            return f"to call it:   PyCall {word}"
        if name := macro(text):
            return f"did you mean {name}?"
    return None


def slot(name: str) -> str | None:
    """Return the slot of a type that ``name`` may have meant, as in Py_tp_repr."""
    from .slots import SLOTS

    bare = name.lower().removeprefix("py_").strip("_")
    known = {each: each for each in SLOTS} | {each.partition("_")[2]: each for each in SLOTS[:0:-1]}
    longer = [each for each in known if each.startswith(bare) and bare.partition("_")[2]]
    near = bare if bare in known else _near(bare, known) or next(iter(longer), None)
    return f"Py_{known[near]}" if near else None


def feature(name: str) -> str | None:
    """Return advice about a feature of the processor that PyDispatch does not know."""
    bare = name.removeprefix("PyCPU_").upper().replace(".", "").replace("_", "")
    if bare in _ALWAYS:
        return "every x86-64 processor has it: leave the feature out"
    text = Path(_INCLUDES, "python", "layout", "common.inc").read_text(encoding="utf-8")
    known = re.findall(r"^%define PyCPU_(\w+)", text, re.MULTILINE)
    near = _FEATURES.get(bare) or (bare if bare in known else _near(bare, known))
    return f"did you mean PyCPU_{near}?" if near else None


_LOCAL = re.compile(r"\b(?:PyLocal|PyBuffer)\s+(\w+)|\bPyArguments\s+[\"'`](.*)[\"'`]")
_SIZED = frozenset(
    [
        "inc",
        "dec",
        "neg",
        "not",
        "cmp",
        "test",
        "add",
        "sub",
        "and",
        "or",
        "xor",
        "mov",
        "push",
        "pop",
        "mul",
        "div",
        "shl",
        "shr",
    ]
)
"""Instructions whose operand in memory needs a size where no register gives one."""
_REGISTER = re.compile(r"\b(?:r[a-ds]?[0-9a-z]{1,2}d?|e[a-ds][xip]|[xyz]mm\d+)\b", re.IGNORECASE)


def bracketed(text: str, lines: Iterable[str]) -> str | None:
    """Return the line with the name of a local in brackets; None if no local stands without them."""
    names: set[str] = set()
    for line in lines:
        if found := _LOCAL.search(line):
            names.update([found[1]] if found[1] else re.findall(r"\w+", found[2]))
    word, _, operands = statement(text).partition(" ")
    parts = [part.strip() for part in re.split(r",(?![^\[]*\])", operands)]
    wrong = [part for part in parts if re.split(r"\W", part)[0] in names]
    if not wrong or (word.startswith("Py") and word != "PyReturn"):
        return None
    known = len(parts) > 1 and any(_REGISTER.fullmatch(part) for part in parts)
    size = "" if known or word.lower() not in _SIZED else "qword "
    return f"{word} {', '.join(f'{size}[{p}]' if p in wrong else p for p in parts)}"


def _near(word: str, names: Iterable[str]) -> str | None:
    import difflib  # slow to import, and needed for errors alone

    near = difflib.get_close_matches(word, list(names), n=1, cutoff=0.75)
    return near[0] if near else None


_OF_BLOCKS = re.compile(r"Py\w+ (?:is inside|is outside of|of line \d+ has no)\b")


def is_consequence(message: str, misspelt: Sequence[str]) -> bool:
    """Return whether a message about blocks follows from misspelt lines, which open or close no block."""
    return bool(misspelt) and _OF_BLOCKS.match(message) is not None


def numbered_label(number: str) -> str:
    """Return what to write for a label of GAS's kind that may come again."""
    return (
        f"NASM has no labels that are numbers: call it .l{number}, and jump to that in the place of"
        f" {number}b and {number}f"
    )


_FROM_TABLE = re.compile(
    r"(mov|call|jmp)\s+(?:(\w+)\s*,)?\s*(?:qword\s*)?\[\s*rel\s+([\w.$@?~]+)\s+wrt\s+\.\.got\s*\]",
    re.IGNORECASE,
)


def own_label(text: str, labels: Container[str]) -> str:
    """Return what to write for a label of the source that is reached as another module's name."""
    what = "`wrt ..got' is for names that other modules define, or that are global"
    written = _FROM_TABLE.fullmatch(text.partition(";")[0].strip())
    if written is None or written[3] not in labels:
        return what
    direct = f"lea {written[2]}, [rel {written[3]}]" if written[2] else f"{written[1]} {written[3]}"
    return f"{what}\nwrite:   {direct}"

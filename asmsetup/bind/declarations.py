"""Find the signatures that sources declare, from their text alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence

from ..named import NamedTuple
from .lines import unquoted
from .macros import MACROS

STRING = r"""("[^"\n]*"|'[^'\n]*'|`(?:\\.|[^`\\\n])*`)"""
_USE = re.compile(rf"(?<![\w.$@?])(PyTypedFunction|PyArguments)[ \t]+(?:{STRING}|\S)([^\n]*)")
_ANY_STRING = re.compile(STRING)
_NOGIL = re.compile(r"\bnogil\b")
_SIGNATURE = re.compile(r"\s*[A-Za-z_]\w*\s*\(.*\)")


class Declaration(NamedTuple):
    """A signature that a macro may be given."""

    macro: str
    signature: str
    nogil: bool = False
    in_type: bool = False
    """It is a method whose name, such as ``__len__``, may be that of a slot."""

    @property
    def key(self) -> str:
        """The key under which the macro finds its binding."""
        words = MACROS[self.macro] + ("nogil " if self.nogil else "")
        if self.macro == "PyTypedFunction" and self.signature.startswith("__"):
            words += "slot " if self.in_type else "no slot "
        return words + self.signature


def find(texts: Iterable[str]) -> list[Declaration]:
    """Return the declarations in the texts of a source and its includes, each once.

    Where a macro of the user's hands a signature over, each string that looks like a
    signature may be one: it is returned for every use it could have.
    """
    texts = list(map(joined, texts))
    found: dict[Declaration, None] = {}
    indirect: set[tuple[str, bool]] = set()
    for text in texts:
        for macro, string, rest in _uses(text):
            if string:
                found[Declaration(macro, unquoted(string), _says_nogil(rest))] = None
            else:
                indirect |= {(macro, nogil) for nogil in _may_say_nogil(macro, rest, texts)}
    for macro, nogil in sorted(indirect):
        for signature in _candidates(texts):
            found[Declaration(macro, signature, nogil)] = None
    return [each for declared in found for each in _as_method(declared)]


def _may_say_nogil(macro: str, rest: str, texts: Sequence[str]) -> Sequence[bool]:
    """Return whether the GIL is released, each answer that is possible behind ``rest``."""
    if macro == "PyTypedFunction":
        if _says_nogil(rest):
            return (True,)
        if any(_NOGIL.search(without_comments(text)) for text in texts if "nogil" in text):
            return (False, True)
    return (False,)


def _as_method(declared: Declaration) -> Iterator[Declaration]:
    """Yield the declaration, and what it would be in a type."""
    yield declared
    if declared.macro == "PyTypedFunction" and declared.signature.startswith("__"):
        yield declared._replace(in_type=True)


def read(files: Iterable[str], own: str) -> list[str]:
    """Return the texts of the files, without those in the folder ``own``."""
    texts = []
    for path in files:
        if os.path.abspath(path).startswith(own + os.sep):
            continue
        with open(path, "rb") as file:
            data = file.read()
        texts.append(data.decode("utf-8", "replace"))
    return texts


def _uses(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield the macro, the string it is given and the rest of the line, for each use."""
    for match in _USE.finditer(text):
        before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if ";" not in _ANY_STRING.sub("", before):
            yield match[1], match[2] or "", match[3]


def _says_nogil(rest: str) -> bool:
    code = _ANY_STRING.sub('""', rest).partition(";")[0]
    return re.search(r",\s*\{?\s*nogil\s*\}?\s*(,|$)", code) is not None


def _candidates(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        for match in _ANY_STRING.finditer(text):
            value = unquoted(match[0])
            if _SIGNATURE.match(value):
                yield value


def joined(text: str) -> str:
    """Return the text with each continued line as one."""
    return re.sub(r"\\\r?\n", "", text)


def without_comments(text: str) -> str:
    """Return the text without the comments of its lines."""
    return re.sub(rf"{STRING}|;[^\n]*", lambda match: match[1] or "", text)

"""Which files NASM reads and writes, as far as its arguments name them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from ..named import NamedTuple

_WITH_A_VALUE = "iIpPdDuUfFoXlZ@M"
"""Letters of options whose value may be the next word."""

_INERT = "fFXuUOwWgLst"
"""Letters of options that read and write no file, and contain no source text."""

_TEXT_OPTIONS = ("pragma", "prefix", "postfix", "suffix")
_FLAGS = ("no-line", "keep-all", "reproducible")


class Arguments(NamedTuple):
    """The arguments of one command that concern files."""

    include_dirs: tuple[str, ...] = ()
    pre_includes: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    """The texts that are read like lines of source: --before, and the values of -D."""
    response_files: tuple[str, ...] = ()
    """They hold further arguments, which are not looked into."""
    writes_more: bool = False
    """NASM writes another file than the object, or none."""
    understood: bool = True
    """False when some argument is not known."""


@cache
def parse(args: tuple[str, ...]) -> Arguments:
    """Return what concerns files in ``args``, in every spelling that NASM takes."""
    found: dict[str, list[str]] = {letter: [] for letter in "ipd@"}
    text: list[str] = []
    writes_more, understood = False, True
    for option, value in _options(iter(args)):
        letter = option.lower() if option in tuple("iIpPdDuU") else option
        if option == "--before":
            text.append(value)
        elif option == "--include":
            found["p"].append(value)
        elif letter in found:
            found[letter].append(value)
        elif option in ("l", "M", "Z", "E", "e", "o", "h", "v", "a"):
            writes_more = True
        elif option not in tuple(_INERT) and not _is_inert(option):
            understood = False
    # Without the equals sign a macro is 1, or what its name says.
    text += [f"%define {each.replace('=', ' ', 1)}" for each in found["d"]]
    return Arguments(
        tuple(found["i"]),
        tuple(found["p"]),
        tuple(text),
        tuple(found["@"]),
        writes_more,
        understood,
    )


def _options(words: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Yield each option with its value; a word that is not an option as an empty one."""
    for word in words:
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            name = name.lower()
            if not equals and (name in ("--before", "--include") or _takes_text(name[2:])):
                value = next(words, "")
            yield name, value
        elif word.startswith("-") and len(word) > 1:
            value = word[2:].strip(" \t")
            takes_next = word[1] in _WITH_A_VALUE and (word[1] != "M" or value[:1] in tuple("FDTQ"))
            if word[1] == "M":
                value = value[1:].strip(" \t")
            yield word[1], next(words, "") if takes_next and not value else value
        else:
            yield "", word


def _takes_text(name: str) -> bool:
    return name.startswith("limit-") or name.lstrip("gl") in _TEXT_OPTIONS or name in _TEXT_OPTIONS


def _is_inert(option: str) -> bool:
    name = option.removeprefix("--")
    return option.startswith("--") and (_takes_text(name) or name in _FLAGS)

"""The linker options that users have given, as they wrote them; finds the one that makes a link fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from ..named import NamedTuple
from .flags import asks_for_definitions, for_ld, takes_an_argument

LDFLAGS, LINK_ARGS, LD_ARGS = "LDFLAGS", "extra_link_args", "ld-args"
"""The origins of options, as users know them: the environment, an extension, asmsetup's settings."""


class Given(NamedTuple):
    """One option, with its argument, as the user wrote it."""

    origin: str
    words: tuple[str, ...]


def options(origin: str, words: Iterable[str]) -> Iterator[Given]:
    """Yield the options that a list of words consists of."""
    option: list[str] = []
    for word in words:
        if option and not takes_an_argument(option):
            yield Given(origin, tuple(option))
            option = []
        option.append(word)
    if option:
        yield Given(origin, tuple(option))


def words_of(given: Iterable[Given], origin: str) -> list[str]:
    """Return the words that come from one origin."""
    return list(chain.from_iterable(each.words for each in given if each.origin == origin))


def args_for_ld(given: Sequence[Given]) -> tuple[str, ...]:
    """Return all options as plain ld takes them; those of ``ld-args`` are written so already."""
    own = words_of(given, LD_ARGS)
    return (*own, *for_ld(words_of(given, LDFLAGS)), *for_ld(words_of(given, LINK_ARGS)))


def at_fault(given: Sequence[Given], links: Callable[[Sequence[Given]], bool]) -> tuple[Given, ...]:
    """Return options of a link that fails, as few as possible, without which it succeeds.

    ``links`` tries with the options it is called with. Empty when it fails without any.
    """
    if not given or not links(()):
        return ()
    left_out = list(given)
    for option in given:
        kept = [each for each in given if each is option or each not in left_out]
        if links(kept):
            left_out = [each for each in left_out if each is not option]
    return tuple(left_out)


def advice(fault: Given) -> str:
    """Return what to do about an option that makes the link fail."""
    why = (
        ", and CPython's names are defined by the interpreter alone"
        if asks_for_definitions(args_for_ld([fault]))
        else ""
    )
    return f"{fault.origin} has `{' '.join(fault.words)}'{why}: take it out"

"""Every message has a heading in the documentation under which a search for it leads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from asmsetup.check import explain, explain_ld, hints
from tests.docs.messages import HOLE, macro_messages, python_messages, raised_messages
from tools.matrix.interpreters import REPOSITORY

PAGES = sorted((REPOSITORY / "docs" / "messages").glob("*.md"))
MESSAGES = {**python_messages(), **macro_messages(), **raised_messages()}
OF_TOOLS = [each for each, _ in (*hints._HINTS, *explain_ld._LD_HINTS)]
"""The messages of NASM and ld that asmsetup has a hint on, as regular expressions."""

NEVER_SHOWN = {
    "the section with the names of sections is missing",  # caught: the object stays as it is
}
OTHERS = [
    *explain._GENERAL.values(),
    f"this is {HOLE} syntax",
    f"{HOLE} of line {HOLE} has no {HOLE}",
    f"signal {HOLE} in {HOLE}",
    f"signal {HOLE} outside of the routines that were built here",
    f"%%nasm: {HOLE}",
    f"an argument of {HOLE} cannot be sent to the process it runs in: {HOLE}",
    f"module {HOLE} has no attribute {HOLE}",
    "a quotation mark in it has no other end",
]
"""Messages that are no first argument of an error, and are shown all the same."""


def quotes(page: Path) -> Iterator[str]:
    """Yield each message that a page shows below a heading."""
    for part in re.split(r"^(?=### )", page.read_text(encoding="utf-8"), flags=re.M)[1:]:
        for block in re.findall(r"^```text\n(.*?)^```$", part, re.M | re.S):
            yield from block.splitlines()


QUOTES = [re.sub(r" \[-w.*", "", each) for page in PAGES for each in quotes(page)]


def pattern(message: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, message.split(HOLE))))


def not_shown(patterns: Iterable[re.Pattern[str]]) -> list[str]:
    return [each.pattern for each in patterns if not any(map(each.search, QUOTES))]


def test_every_message_has_a_heading() -> None:
    missing = [
        f"{place}: no page in docs/messages shows `{message}'"
        for message, place in MESSAGES.items()
        if message not in NEVER_SHOWN and not_shown([pattern(message)])
    ]
    # The cure: a heading, the message in a block below it, what happened, why, and the way out.
    assert missing == []


def test_every_message_of_tools_with_a_hint_has_a_heading() -> None:
    assert not_shown(map(re.compile, OF_TOOLS)) == []


def test_every_message_shown_can_be_printed() -> None:
    known = [*map(pattern, (*MESSAGES, *OTHERS)), *map(re.compile, OF_TOOLS)]
    assert [each for each in QUOTES if not any(one.search(each) for one in known)] == []


def test_headings_are_not_mistaken_for_each_other() -> None:
    """An anchor leads to one section: no page has a heading twice."""
    for page in PAGES:
        headings = re.findall(r"^##+ (.*)$", page.read_text(encoding="utf-8"), re.M)
        assert len(headings) == len({each.lower() for each in headings}), page


def test_messages_are_collected() -> None:
    """One of each way in which a message comes about."""
    assert {
        f"cannot find {HOLE}: no {HOLE} on PATH ({HOLE})",  # a class method of the error
        f"{HOLE}: the assembler reported success and left no object",  # returned by a method
        f"the linker was killed by signal {HOLE}",  # a function of another file
        f"{HOLE}: this source cannot be read: {HOLE}",  # within an f-string
        f"{HOLE} cannot be read, so it is not included in the sdist",  # a list of warnings
        f"PyMember: {HOLE} is not a type; did you mean Py_T_{HOLE}?",  # a macro
    } <= MESSAGES.keys()

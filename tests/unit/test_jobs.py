"""A failure is reported once, however often it was tried."""

from __future__ import annotations

import itertools

import pytest

from asmsetup.assemble.jobs import Jobs
from asmsetup.assemble.queue import Job
from asmsetup.errors import AsmsetupError, AssembleError, CompileError

NUMBERS = itertools.count()


def compilation() -> None:
    error = CompileError("part.c: compilation failed")
    error.output = f"cc part.c -MF {next(NUMBERS)}.d\npart.c:1: error: expected ';'"
    raise error


def assembly() -> None:
    raise AssembleError("own.asm:1: error: parser: instruction expected")


def test_what_a_compiler_says_is_shown_once_when_a_guess_is_tried_again() -> None:
    """Another module has failed meanwhile, and has reported the guess as well."""
    shown: list[str] = []
    jobs = Jobs(2, shown.append, list)
    other, guess = Job(assembly, "two"), Job(compilation, "one", guess=True)
    jobs.add(guess, 0, vital=True)
    guess.wait()
    jobs.add(other, 0, vital=True)
    for each in (other, guess):
        with pytest.raises(AsmsetupError, match=r"part\.c: compilation failed"):
            jobs.require([each])
    assert shown == ["cc part.c -MF 0.d\npart.c:1: error: expected ';'"]

"""Code that is right, and hard to follow: it is followed, or incomplete, and nothing is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check.assembled import function, rules, verdict_of

CALL = "call [rel getpid wrt ..got]"
FOLLOWED = {
    "enter": f"enter 32, 0 / mov [rbp - 8], rdi / {CALL} / mov rdi, [rbp - 8] / leave / ret",
    "enter-0": f"enter 0, 0 / {CALL} / leave / ret",
    "enter-nested": "enter 16, 1 / mov [rsp], rdi / leave / ret",
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_right_code_is_followed(name: str, tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, function(FOLLOWED[name], "getpid"))

    assert (verdict.faults, verdict.gaps) == ([], [])


@pytest.mark.parametrize("body", ["enter 8, 0 / {} / leave / ret", "enter 16, 0 / {} / ret"])
def test_a_frame_of_enter_is_checked(body: str, tmp_path: Path) -> None:
    assert rules(tmp_path, function(body.format(CALL), "getpid"))

"""The layout check of NASM sources."""

from __future__ import annotations

import pytest

from tools.nasm_layout import findings


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("    mov         rax, rbx\n", []),
        ("    mov\trax, rbx\n", [(1, "a tab; indent with spaces")]),
        ("nop\n    ret \n", [(2, "spaces at the end of the line")]),
        ("    nop" + " " * 71 + "; ab\n", [(1, "82 columns, and 80 is the limit")]),
        # A message is not broken up.
        ('%error "' + "x" * 90 + '"\n', []),
        ("    ret", [(1, "no newline at the end of the file")]),
    ],
)
def test_findings(text: str, complaints: list[tuple[int, str]]) -> None:
    assert list(findings(text)) == complaints

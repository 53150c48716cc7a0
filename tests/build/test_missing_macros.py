"""Macros that an upstream build passes with -D and nobody has passed here: each is named once, with the cure."""

from __future__ import annotations

import re

from tests.cures import apply_cures
from tests.projects import Project

KERNEL = """\
%include "conf.inc"
SECTION .text
global kernel{0}:function hidden
kernel{0}:
%if HIGH_BIT_DEPTH
    mov eax, BIT_DEPTH
%else
    mov eax, BIT_DEPTH + 1
%endif
%rep 30
    add eax, BIT_DEPTH
    sub eax, PRIVATE_NUMBER
%endrep
    ret
"""
SOURCES = ["hello.asm", *(f"k{number}.asm" for number in range(9))]


def test_each_macro_is_named_once_and_its_cure_builds(hello: Project) -> None:
    hello.write({f"k{number}.asm": KERNEL.format(number) for number in range(9)})
    hello.write({"conf.inc": "%if UNIX64\n%endif\n"})
    hello.extension("hello", SOURCES)

    named: list[list[str]] = []
    while (done := hello.build_ext(ok=None)).status and len(named) < 9:
        error = done.error
        named.append(re.findall(r'define_macros=\[\("(\w+)"', error))
        # A name has a line each for: the message, the other lines, the other files, the source's
        # line, the cure.
        assert len(error.splitlines()) <= 5 * len(named[-1])
        apply_cures(hello.folder, error)

    # An %if ends NASM at once: what is behind it comes to light later.
    assert named == [["UNIX64", "HIGH_BIT_DEPTH"], ["BIT_DEPTH", "PRIVATE_NUMBER"]]
    assert hello.answer() == "42"


def test_other_lines_and_other_files_are_counted(hello: Project) -> None:
    text = KERNEL.replace("%if HIGH_BIT_DEPTH", "%if 1").replace("PRIVATE_NUMBER", "1")
    hello.write({f"k{number}.asm": text.format(number) for number in range(9)})
    hello.write({"conf.inc": ""})
    hello.extension("hello", SOURCES)

    error = hello.refused(ASMSETUP_JOBS="9")

    assert re.match(
        r"k\d.asm:6: error: symbol `BIT_DEPTH' not defined\n"
        r"  the same in 1 more line: 11\n"
        # As many as had failed when the build stopped.
        r"  the same in (k\d.asm \(2 lines\)(, )?)+( and \d more files?)?\n"
        r"    mov eax, BIT_DEPTH\n"
        r"  if the build defines it as a macro:",
        error,
    )
    assert error.count("\n") == 4


def test_labels_that_are_missing_for_reasons_of_their_own_stay_apart(hello: Project) -> None:
    hello.write(
        {
            f"k{number}.asm": f"mov eax, [rel start{number}x]\nstart{number}: ret\n"
            for number in range(2)
        }
    )
    hello.extension("hello", ["hello.asm", "k0.asm", "k1.asm"])

    assert hello.refused(ASMSETUP_JOBS="3").count("perhaps it is:") == 2

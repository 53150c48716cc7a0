"""The report: sorted, each mistake once, in a form editors follow."""

from __future__ import annotations

from asmsetup.check import Finding, report
from asmsetup.check.findings import as_errors, sort_and_merge

ONE = Finding("rule", "error", "b.asm", 7, "it is wrong", "mov a, b", ("write:   lea a, [b]",))


def test_a_finding() -> None:
    assert report([ONE]) == (
        "b.asm:7: error: it is wrong [rule]\n    mov a, b\n  write:   lea a, [b]"
    )


def test_a_finding_without_a_line() -> None:
    assert report([Finding("rule", "warning", "b.o", None, "it is odd")]) == (
        "b.o: warning: it is odd [rule]"
    )


def test_sorted_by_file_and_line() -> None:
    found = [ONE, ONE._replace(line=3, what="other"), ONE._replace(file="a.asm", line=9)]
    assert [(each.file, each.line) for each in sort_and_merge(found)] == [
        ("a.asm", 9),
        ("b.asm", 3),
        ("b.asm", 7),
    ]


def test_the_same_mistake_is_told_once() -> None:
    found = sort_and_merge([ONE._replace(line=9), ONE, ONE, ONE._replace(line=30)])
    assert report(found) == (
        "b.asm:7: error: it is wrong [rule]\n"
        "    mov a, b\n"
        "  the same in lines 9, 30\n"
        "  write:   lea a, [b]"
    )


def test_another_cure_is_another_entry() -> None:
    assert len(sort_and_merge([ONE, ONE._replace(line=8, ways_out=("write:   lea c, [b]",))])) == 2


def test_very_many_lines_are_counted() -> None:
    found = sort_and_merge([ONE._replace(line=number) for number in range(1, 31)])
    assert "lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 and 17 more\n" in report(found)


def test_strict() -> None:
    assert as_errors([ONE._replace(severity="warning")]) == [ONE]


def test_colour_is_for_terminals() -> None:
    assert report([ONE], colour=True).startswith(
        "\x1b[1mb.asm:7:\x1b[0m \x1b[1;31merror\x1b[0m: it is wrong [rule]\n"
    )

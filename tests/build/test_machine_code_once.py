"""A fault that both the objects and their machine code show is reported once."""

from __future__ import annotations

import re

from tests.build.machine_code import function
from tests.projects import Project

# What the objects tell as well, with the rule that is left.
ONCE = {
    "code in data": ("call helper\n    Py_RETURN_NONE", "code-not-executable"),
    "a jump into data": ("jmp helper", "code-not-executable"),
    "a condition before data": (
        "test object, object\n    jz helper\n    Py_RETURN_NONE",
        "code-not-executable",
    ),
    "a last instruction": (
        "cmp object, Py_None\n    je .a\n    Py_RETURN_NONE\n.a:\n    nop",
        "falls-off",
    ),
    "a label at the end": ("cmp object, Py_None\n    je .a\n    Py_RETURN_NONE\n.a:", "falls-off"),
}
HELPER = "section .data\nhelper:\n    mov eax, 1\n    ret\n"


def test_what_the_objects_tell_is_told_once(judged: Project) -> None:
    for lines, rule in ONCE.values():
        judged.write({"hello.asm": function(f"    {lines}\n") + HELPER})
        found = re.findall(r"^hello\.asm:\d+: error: .* \[([a-z-]+)\]$", judged.refused(), re.M)
        assert found == [rule], lines


# Each leads into data twice, and the objects tell of one only.
TWICE = {
    "another label of the section": "    lea rax, [rel other]\n    call rax\n    call helper\n",
    "the same label": "    lea rax, [rel helper]\n    call rax\n    call helper\n",
}
OTHER = "other:\n    mov eax, 2\n    ret\n"


def test_what_is_about_another_place_is_told_at_once(judged: Project) -> None:
    for lines in TWICE.values():
        judged.write({"hello.asm": function(f"{lines}    Py_RETURN_NONE\n") + HELPER + OTHER})
        found = re.findall(r"^hello\.asm:(\d+): error: .* \[([a-z-]+)\]$", judged.refused(), re.M)
        by_code = [] if "helper" in lines.partition("\n")[0] else [("5", "data-called")]
        assert found == [*by_code, ("11", "code-not-executable")], lines

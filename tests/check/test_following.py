"""How code is followed: routines with their own conventions, several objects, what authors declare."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from asmsetup.check.code.analysis import Verdict, analyse
from asmsetup.check.code.function import UNKNOWN_CALL
from asmsetup.check.code.load import load_module
from asmsetup.check.code.verdicts import entries_of, findings_of
from asmsetup.facts import elf
from tests.check.assembled import HEAD, findings, function, rules, verdict_of

MODULE = '%include "python.inc"\nPyModule sample\n{}\nPyEndModule\n'
METHOD = "PyFunction f, METH_O, -, object\n{}\nPyEndFunction\n"


@pytest.mark.parametrize(
    ("body", "broken"),
    [
        # A routine that keeps rbx for its caller, and one that does not.
        ("call .own / ret / .own: push rbx / xor ebx, ebx / pop rbx / ret", set()),
        ("call .own / ret / .own: xor ebx, ebx / ret", {"kept-register"}),
        # A prologue and an epilogue of its own.
        (
            "pop rax / push rbx / push rax / call .own / pop rax / pop rbx / jmp rax / .own: ret",
            set(),
        ),
        # One that takes more off the stack than it got.
        ("push rdi / call .own / ret / .own: ret 8", set()),
        # A loop, and a switch through a table.
        ("mov ecx, 9 / .next: dec ecx / jnz .next / ret", set()),
        ("push rax / .next: push rdi / dec ecx / jnz .next / lea rsp, [rbp] / ret", None),
    ],
)
def test_routines_of_its_own(body: str, broken: set[str] | None, tmp_path: Path) -> None:
    if broken is None:
        verdict = verdict_of(tmp_path, function(body))
        assert verdict.gaps or verdict.faults
    else:
        assert rules(tmp_path, function(body)) == broken


def test_a_routine_in_another_object(tmp_path: Path) -> None:
    one = f"{HEAD}extern own\nglobal f:function\nf: push rbx\n call own\n pop rbx\n ret\n"
    other = f"{HEAD}global own:function hidden\nown: xor ebx, ebx\n ret\n"

    (found,) = findings(tmp_path, one, other)
    assert (found.rule, found.function, found.file) == ("kept-register", "own", "source1.asm")


def test_the_way_is_told(tmp_path: Path) -> None:
    body = "push rax / test rdi, rdi / jz .end / pop rcx / .end: ret"
    (found,) = findings(tmp_path, function(body))

    assert found.way == ("line 7 jumps",)


def test_an_address_that_is_not_known_is_incomplete(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, function("push rax / mov rax, [rdi] / jmp rax"))

    (entry,) = entries_of(verdict)
    assert entry.reason == "a jump goes to an address that could not be found out"


def test_calls_from_one_depth_are_off_for_one_reason(tmp_path: Path) -> None:
    call = "call [rel getpid wrt ..got]"
    body = f"{call} / {call} / push rdi / {call} / push rdi / {call} / add rsp, 16 / ret"

    found = findings(tmp_path, function(body, "getpid"))
    assert [(each.rule, each.line) for each in found] == [
        *(("stack-alignment", 6), ("stack-alignment", 11)),
    ]


@pytest.mark.parametrize("size", ["", " (f.over - f)"])
def test_a_switch(size: str, tmp_path: Path) -> None:
    """Where a routine's size is known, its table is as long as the comparison says, and no longer."""
    text = function(
        "cmp edi, 1 / ja .end / lea rax, [rel table] / movsxd rdi, dword [rax + rdi * 4]"
        " / add rax, rdi / jmp rax / .zero: push rcx / ret / .one: ret / .end: ret / .over:"
    ).replace("global f:function", f"global f:function{size}")
    text += "section .rodata\ntable: dd f.zero - table, f.one - table\n"
    verdict = verdict_of(tmp_path, text)

    assert [fault.rule for fault in verdict.faults] == ["stack-at-return"]
    assert verdict.gaps == []


def test_stripped_modules_have_their_methods(tmp_path: Path) -> None:
    text = MODULE.format(METHOD.format("    xor r12d, r12d\n    PyReturn NULL"))
    verdict_of(tmp_path, text)
    command = ["ld", "-shared", "-s", "0.o", "-o", "sample.so"]
    subprocess.run(command, cwd=tmp_path, check=True)
    verdict = analyse(load_module("sample.so", elf.read(tmp_path / "sample.so")))
    found = findings_of(verdict, "sample.so", lambda path: ())

    assert {each.rule for each in found} == {"kept-register"}
    assert ("method", "f") in {(entry.kind, entry.name) for entry in entries_of(verdict)}


def test_a_library_has_no_methods(tmp_path: Path) -> None:
    text = "section .rodata\nname: db 'sha1', 0\nsection .data\nnumbers: dq -1\n"
    text += "table: dq name, numbers, 1, name\n"

    for uses_python, name in ((False, "f"), (True, "PyInit_f")):
        verdict_of(tmp_path, text + f"section .text\nglobal {name}:function\n{name}: ret\n")
        command = ["ld", "-shared", "-s", "0.o", "-o", "f.so"]
        subprocess.run(command, cwd=tmp_path, check=True)
        verdict = analyse(load_module("f.so", elf.read(tmp_path / "f.so")))
        assert [fault.rule for fault in verdict.table_faults] == ["entry-not-code"] * uses_python


def test_the_author_may_allow_a_rule(tmp_path: Path) -> None:
    body = "    xor r12d, r12d\n    PyReturn NULL"
    allowed = '    PyAllow "kept-register", "a test"\n' + body

    assert rules(tmp_path, MODULE.format(METHOD.format(body))) == {"kept-register"}
    assert rules(tmp_path, MODULE.format(METHOD.format(allowed))) == set()


def test_the_author_may_call_a_routine_internal(tmp_path: Path) -> None:
    routine = "global own:function hidden\nown: xor ebx, ebx\n ret\n"
    plain = '%include "python.inc"\nsection .text\n' + routine
    internal = plain + "PyInternal own\n"

    assert rules(tmp_path, plain) == {"kept-register"}
    assert rules(tmp_path, internal) == set()


def test_a_place_inside_of_a_function_is_no_function(tmp_path: Path) -> None:
    text = f"""{HEAD}
global f:function (f.end - f)
f: push rbx
    mov rbx, rdi
    mov rax, [rel goals]
    mov rax, [rax + rdi * 8]
    jmp rax
.one: pop rbx
    ret
.end:
section .data
goals: dq f.one
"""
    verdict = verdict_of(tmp_path, text)

    assert verdict.faults == []
    assert [gap.why for gap in verdict.gaps] == [
        "a jump goes to an address that could not be found out"
    ]


def test_a_function_that_never_returns_may_stand_in_the_same_object(tmp_path: Path) -> None:
    text = f"{HEAD}global f:function\nglobal abort:function\nextern raise_\n"
    text += "abort: jmp [rel raise_ wrt ..got]\nf: push rax\n call abort\ng: ret\n"

    assert rules(tmp_path, text) == set()


def test_what_an_unfinished_routine_leaves_alone_is_not_known(tmp_path: Path) -> None:
    text = f"""{HEAD}
global f:function (f.end - f)
global own:function (own.end - own)
f:  push rax
    mov r8, rdi
    call own
    mov rax, r8
    pop rcx
    ret
.end:
own:
    lea rdx, [rel distances]
    movsxd rax, dword [rdx + rdi * 4]
    add rax, rdx
    jmp rax
.one: ret
.end:
section .rodata
distances: dd own.one - distances
"""
    verdict = verdict_of(tmp_path, text)

    assert verdict.faults == []
    assert verdict.gaps


@pytest.mark.parametrize(
    "chosen",
    [
        "lea rax, [rel table] / movsxd rdx, dword [rax + rdi * 4] / add rax, rdx / call rax",
        "lea rax, [rel table] / mov rax, [rax + rdi * 8] / call rax",
        "lea rax, [rel table] / call [rax + rdi * 8]",
        "lea rax, [rel one] / shl edi, 6 / add rax, rdi / call rax",
        "lea rax, [rel one] / lea rax, [rax + rdi * 8] / call rax",
    ],
)
def test_a_routine_chosen_by_a_number_may_have_its_own_convention(
    chosen: str, tmp_path: Path
) -> None:
    # The stack is 8 bytes off, and r8 is kept.
    text = function(f"mov r8, rsi / {chosen} / mov rax, r8 / ret")
    text += "one: xor edx, edx\n ret\nsection .data.rel.ro\ntable: dq one, one\n"
    verdict = verdict_of(tmp_path, text)

    assert verdict.faults == []
    assert [gap.why for gap in verdict.gaps] == [UNKNOWN_CALL]


def test_what_the_caller_passed_is_a_c_function(tmp_path: Path) -> None:
    text = function("mov r8, rsi / push rax / call [rdi] / pop rcx / mov rax, r8 / ret")

    assert rules(tmp_path, text) == {"clobbered-register"}


def test_a_label_inside_of_a_function_is_no_c_function(tmp_path: Path) -> None:
    text = f"{HEAD}global f:function\nglobal f.inside\nf: push rbx\n.inside: pop rbx\n ret\n"

    assert rules(tmp_path, text) == set()


@pytest.mark.parametrize("reserved", [4, 8, 12, 16])
def test_what_lies_between_a_frame_and_what_it_was_aligned_from(
    reserved: int, tmp_path: Path
) -> None:
    # With what the alignment leaves out at least, these are 16 bytes.
    body = f"push rbp / mov rbp, rsp / sub rsp, {reserved} / and rsp, -32"

    assert rules(tmp_path, function(f"{body} / mov [rsp + 8], rax / leave / ret")) == set()
    broken = function(f"{body} / mov [rsp + 9], rax / leave / ret")
    assert rules(tmp_path, broken) == {"saved-overwritten"}


@pytest.mark.parametrize(
    ("lines", "line"),  # 0: nothing is wrong
    [
        ("    jz .none\n    PyReturn object\n.none:\n    xor eax, eax", 7),
        ("    jz .none\n    PyReturn object\n.none:", 4),
        ("    PyReturn NULL\n.never:\n    mov rax, object", 0),
        ("    jz .none\n    PyReturn object\n.none:\n    PyReturn NULL", 0),
    ],
)
def test_the_next_function_is_not_run_into(lines: str, line: int, tmp_path: Path) -> None:
    following = "PyFunction g, METH_NOARGS\n    PyReturn NULL\nPyEndFunction"
    text = MODULE.format(METHOD.format(lines) + following)

    found = [(each.rule, each.line) for each in findings(tmp_path, text)]
    assert found == ([("falls-off", line)] if line else [])


G = "g:  xor eax, eax\n    ret\n"
NEXT = [
    ("f:  xor eax, eax\n" + G, [7]),
    ("f:  xor eax, eax\nother:\n    nop\n" + G, [9]),
    ("f:  xor eax, eax\n    align 16\n" + G, [8]),
    ("f:  test rsi, rsi\n    jz .a\n    xor eax, eax\n    ret\n.a: xor eax, eax\n" + G, [11]),
    ("f:  push rbx\n    pop rbx\n" + G, [8]),
    ("f:  xor eax, eax\n    jmp g\n" + G, []),
    ("f:  test rsi, rsi\n    jz g\n    xor eax, eax\n    ret\n" + G, []),
    ("f:  ud2\n" + G, []),
    # A routine of the module's own may have two entries.
    ("f:  push rbx\n    call helper\n    pop rbx\n    ret\nhelper: nop\n" + G, []),
    (
        "f:  push rbx\n    call one\n    call two\n    pop rbx\n    ret\none: nop\ntwo: ret\n" + G,
        [],
    ),
]


@pytest.mark.parametrize(("lines", "expected"), NEXT)
def test_functions_of_python_do_not_run_into_each_other(
    lines: str, expected: list[int], tmp_path: Path
) -> None:
    methods = "PyMethod 'f', f, METH_O\nPyMethod 'g', g, METH_NOARGS"
    found = findings(tmp_path, MODULE.format(methods) + "section .text\n" + lines)
    assert [each.line for each in found if each.rule == "falls-off"] == expected


def test_others_may_run_into_each_other(tmp_path: Path) -> None:
    entries = "global f:function\nglobal g:function\nf:  xor edi, edi\ng:  mov rax, rdi\n    ret\n"
    assert rules(tmp_path, f"{HEAD}{entries}") == set()


@pytest.mark.parametrize(("jump", "broken"), [("jmp rax", {"stack-at-return"}), ("nop", set())])
def test_a_function_may_be_left_through_a_pointer(
    jump: str, broken: set[str], tmp_path: Path
) -> None:
    text = f"""{HEAD}
global f:function (f.end - f)
f:  push rdi
    test rdi, rdi
    jz .end_of_work
    mov rax, [rdi]
    {jump}
.end_of_work:
    pop rdi
    mov rax, [rdi]
    jmp rax
.end:
"""
    verdict = verdict_of(tmp_path, text)

    assert {fault.rule for fault in verdict.faults} == broken
    assert verdict.gaps == []


@pytest.mark.parametrize(
    "data", ['db "()", 0', 'db "%s is no number", 10, 0', "dd 1, 2, 3", "dq 0.5, 8", "db 0x48"]
)
def test_data_between_functions_is_not_run(data: str, tmp_path: Path) -> None:
    text = function(f"lea rax, [.data] / ret / .data: {data}")
    text += "global g:function\ng: push rbx\n mov rbx, rdi\n pop rbx\n ret\n"

    assert rules(tmp_path, text) == set()


def linked(folder: Path, *texts: str) -> Verdict:
    """Return the verdict of sources that are linked into a stripped module."""
    verdict_of(folder, *texts)
    objects = [f"{number}.o" for number in range(len(texts))]
    command = ["ld", "-shared", "-s", *objects, "-o", "sample.so"]
    subprocess.run(command, cwd=folder, check=True)
    return analyse(load_module("sample.so", elf.read(folder / "sample.so")))


# Its own exported functions: other modules could replace them, so linkers lead calls over the PLT.
STOPS = "global stop:function\nextern abort\nstop: push rax\n call abort wrt ..plt\n"


@pytest.mark.parametrize(
    ("call", "broken"),
    [
        ("push rax / call stop wrt ..plt", []),
        ("push rax / call [rel stop wrt ..got]", []),
        ("mov rax, [rel stop wrt ..got] / push rax / call rax", []),
        ("push rax / push rax / test edi, edi / jnz stop wrt ..plt / pop rax / pop rax / ret", []),
        # What is left to the function has to be right still.
        ("push rbx / jmp stop wrt ..plt", ["stack-alignment"]),
        ("call [rel stop wrt ..got]", ["stack-alignment"]),
    ],
)
def test_a_module_calls_its_own_functions_through_linkage(
    call: str, broken: list[str], tmp_path: Path
) -> None:
    verdict = linked(tmp_path, function(call, "stop"), HEAD + STOPS)

    assert sorted({fault.rule for fault in verdict.faults}) == broken
    assert verdict.gaps == []


TABLES = "section .eh_frame\n dd 16, 0\n db 1, 'zR', 0, 1, 0x78, 16, 1, 0x1b, 0, 0, 0\n"


def described(*names: str) -> str:
    """Return the unwind tables of functions, as far as they say where these begin and end."""
    rows = [
        f" dd 16, {24 + 20 * number}\n dd {name} - $\n dd {name}.end - {name}, 0\n"
        for number, name in enumerate(names)
    ]
    return f"{TABLES}{''.join(rows)} dd 0\n"


@pytest.mark.parametrize("call", ["call raise_ wrt ..plt", "call [rel raise_ wrt ..got]"])
def test_what_compilers_end_functions_with_does_not_return(call: str, tmp_path: Path) -> None:
    """They know more of the functions of other modules than their names say."""
    ends = "{0}: push rax\n {1}\n.end:\n"
    text = f"{HEAD}extern raise_\nglobal f:function, g:function, h:function\n"
    text += ends.format("f", call) + ends.format("g", call)
    text += f"h: push rax\n test edi, edi\n jnz .on\n {call}\n ret\n.on: pop rax\n ret\n.end:\n"
    folders = [tmp_path / name for name in ("bare", "one", "all")]
    for folder in folders:
        folder.mkdir()

    # Without a table, with one of those that end so, and with both.
    bare, one, both = (
        {fault.at for fault in linked(folder, text + tables).faults}
        for folder, tables in zip(
            folders, ("", described("f", "h"), described("f", "g", "h")), strict=True
        )
    )
    assert bare > one > both == set()


def test_a_table_in_a_function_of_a_compiler_has_an_end(tmp_path: Path) -> None:
    """Where it cannot be seen, the function is incomplete, and the next table is not followed."""
    text = f"""{HEAD}
f:  lea rax, [rel table]
    movsxd rdx, dword [rax + rdi * 4]
    add rax, rdx
    jmp rax
.one: ret
.end:
g:  push rbx
.in: pop rbx
    ret
.end:
section .data
    dq f, g
section .rodata
table: dd f.one - table, g.in - table
"""
    assert linked(tmp_path, text).faults
    (tmp_path / "described").mkdir()
    verdict = linked(tmp_path / "described", text + described("f"))
    assert verdict.faults == []
    assert [gap.why for gap in verdict.gaps] == [
        "a jump goes to an address that could not be found out"
    ]


def test_a_weak_name_of_the_c_library(tmp_path: Path) -> None:
    """Compilers test one for all of them; in a source, each has to be tested."""
    text = "extern sem_post:weak\n" + function(
        "push rax / call [rel sem_post wrt ..got] / pop rax / ret"
    )

    (found,) = findings(tmp_path, text)
    assert "sem_post is called, which may be nowhere when it is loaded" in found.what
    assert linked(tmp_path, text).faults == []


@pytest.mark.parametrize(
    ("repeated", "broken"), [("rep stosq", set()), ("repe cmpsb", {"variadic-al"})]
)
def test_a_repeated_instruction_counts_down_to_zero(
    repeated: str, broken: set[str], tmp_path: Path
) -> None:
    call = "call [rel printf wrt ..got]"
    body = f"push rax / mov ecx, edx / {repeated} / mov eax, ecx / {call} / pop rcx / ret"

    assert rules(tmp_path, function(body, "printf")) == broken


@pytest.mark.parametrize(
    ("condition", "broken"),
    [
        *(("cmp eax, 1 / jne .end", set()), ("test ax, ax / jnz .end", set())),
        *(("cmp rax, 8 / jne .end", set()), ("cmp eax, 1 / je .end", {"variadic-al"})),
        *(("cmp eax, 9 / jne .end", {"variadic-al"}), ("cmp ah, 1 / jne .end", {"variadic-al"})),
    ],
)
def test_a_comparison_says_what_al_holds(condition: str, broken: set[str], tmp_path: Path) -> None:
    first, call = (f"call [rel {name} wrt ..got]" for name in ("getpid", "printf"))
    body = f"push rdi / {first} / mov rdi, [rsp] / {condition} / {call} / .end: pop rcx / ret"

    assert rules(tmp_path, function(body, "getpid, printf")) == broken

"""Builds judge machine code where the decoder is installed: each kind of fault, at its line, before ld."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asmsetup.check.code.rules import RULES
from tests.build.machine_code import HEAD, KEPT, function, plain
from tests.check.cures import module, read_cures
from tests.check.test_planted import PLANTED, planted
from tests.projects import CALLING, Project

# Each line that breaks a rule is marked.
FAULTS = {
    "slot-unset": function(
        """
    cmp count, 1
    jne .count
    PyBuffer view
    mov rdi, [args]
    PyGetBuffer view, rdi, PyBUF_SIMPLE
    jnz .error
    mov rdi, [view.len]
    PyCall PyLong_FromLong
    PyReturn
.count:
    PyRaise PyExc_TypeError, "one argument, not %zd", count
.error:
    PyReturn NULL ; <- here
""",
        "METH_FASTCALL, -, args, count",
    ),
    "kept-register": function(
        """
    cmp object, Py_None
    je .none
    PyKeep value
    mov rdi, object
    PyCall PyObject_Str
    mov value, rax
    PyReturn value
.none:
    PyRaise PyExc_ValueError, "None"
    PyReturn NULL ; <- here
"""
    ),
    "frame-passed": plain(
        """
    sub rsp, 24
    mov qword [rsp], "text"
    mov rdi, rsp
    add rsp, 24
    jmp [rel PyUnicode_FromString wrt ..got] ; <- here
""",
        extern="PyUnicode_FromString",
    ),
    "weak-untested": f"""{HEAD}
PyFunction other, METH_NOARGS
    mov edi, 1
    PyHas PyLong_FromInt64
    jz .older
    PyTailCall PyLong_FromInt64
.older:
    PyTailCall PyLong_FromLong
PyEndFunction
PyMethod "answer", answer, METH_NOARGS
PyEndModule
section .text
answer:
    mov edi, 1
%undef PyLong_FromInt64 ; which says so itself
    jmp [rel PyLong_FromInt64 wrt ..got] ; <- here
""",
    "buffer-twice": plain(
        """
    sub rsp, 104
    mov [rsp + 80], rsi
    mov qword [rsp + 8], 0
    mov rdi, rsi
    mov rsi, rsp
    xor edx, edx
    call [rel PyObject_GetBuffer wrt ..got]
    test eax, eax
    jnz .error
    mov rdi, [rsp + 80]
    mov rsi, rsp
    xor edx, edx
    call [rel PyObject_GetBuffer wrt ..got] ; <- here
.error:
    mov rdi, rsp
    call [rel PyBuffer_Release wrt ..got]
    xor eax, eax
    add rsp, 104
    ret
""",
        "METH_O",
        "PyObject_GetBuffer PyBuffer_Release",
    ),
    "stack-alignment": function(
        """
    push rax
    mov rdi, object
    call helper ; <- here
    pop rcx
    PyReturn
"""
    )
    + """
helper:
    sub rsp, 8
    PyCall PyObject_Repr
    add rsp, 8
    ret
""",
    "int-result": plain(
        """
    push rbx
    mov rdi, rsi
    call [rel PyObject_IsTrue wrt ..got]
    test rax, rax ; <- here
    setnz bl
    movzx edi, bl
    pop rbx
    jmp [rel PyLong_FromLong wrt ..got]
""",
        "METH_O",
        "PyObject_IsTrue PyLong_FromLong",
    ),
    "argument-unset": plain(
        """
    push rbx
    mov rbx, rsi
    mov rdi, rsi
    call [rel PyObject_Size wrt ..got]
    mov rdi, rbx
    call [rel PyNumber_Add wrt ..got] ; <- here
    pop rbx
    ret
""",
        "METH_O",
        "PyObject_Size PyNumber_Add",
    ),
    "clobbered-register": plain(
        """
    push rsi
    mov rdi, rsi
    call [rel PyObject_Size wrt ..got]
    lea rdi, [rsi + 1] ; <- here
    pop rsi
    jmp [rel PyLong_FromLong wrt ..got]
""",
        "METH_O",
        "PyObject_Size PyLong_FromLong",
    ),
    "unset-register": plain(
        """
    mov rdi, rdx ; <- here
    jmp [rel PyLong_FromLong wrt ..got]
""",
        "METH_O",
        "PyLong_FromLong",
    ),
    "gil-released": plain(
        """
    push rbx
    call [rel PyEval_SaveThread wrt ..got]
    mov rbx, rax
    mov edi, 1
    call [rel PyLong_FromLong wrt ..got] ; <- here
    push rax
    sub rsp, 8
    mov rdi, rbx
    call [rel PyEval_RestoreThread wrt ..got]
    add rsp, 8
    pop rax
    pop rbx
    ret
""",
        extern="PyEval_SaveThread PyLong_FromLong PyEval_RestoreThread",
    ),
    "variadic-al": plain(
        """
    lea rdi, [rel format]
    jmp [rel Py_BuildValue wrt ..got] ; <- here
format: db "()", 0
""",
        extern="Py_BuildValue",
    ),
    "stack-at-return": plain(
        """
    push rsi
    mov edi, 1
    call [rel PyLong_FromLong wrt ..got]
    ret ; <- here
""",
        extern="PyLong_FromLong",
    ),
    "direction-flag": plain(
        """
    std
    mov edi, 1
    jmp [rel PyLong_FromLong wrt ..got] ; <- here
""",
        extern="PyLong_FromLong",
    ),
    "below-stack": plain(
        """
    mov [rsp - 16], rsi
    sub rsp, 8
    mov rdi, rsi
    call [rel PyObject_Size wrt ..got]
    add rsp, 8
    mov rdi, [rsp - 16] ; <- here
    jmp [rel PyObject_Repr wrt ..got]
""",
        "METH_O",
        "PyObject_Size PyObject_Repr",
    ),
    "cpu-level": plain(
        """
    popcnt rdi, rsi ; <- here
    jmp [rel PyLong_FromLong wrt ..got]
""",
        "METH_O",
        "PyLong_FromLong",
    ),
}


@pytest.mark.parametrize("rule", FAULTS)
def test_a_fault_stops_the_build_at_its_line(judged: Project, rule: str) -> None:
    source = FAULTS[rule]
    judged.write({"hello.asm": source})

    error = judged.refused()

    line = source[: source.index("; <- here")].count("\n") + 1
    found = re.findall(r"^hello\.asm:(\d+): error: .* \[([a-z-]+)\]$", error, re.MULTILINE)
    assert found == [(str(line), rule)], error
    assert re.search(r"^  in (hello\.)?answer", error, re.MULTILINE)


def test_all_planted_faults_stop_the_build_at_once(judged: Project) -> None:
    judged.write({"hello.asm": PLANTED.replace("PyModule planted", "PyModule hello")})
    found = re.findall(r"^hello\.asm:(\d+): \w+: .* \[([a-z-]+)\]$", judged.refused(), re.MULTILINE)

    # What falls off, or leads into data, is found without the decoder, too, and reported by that rule.
    rules = {name for name, rule in RULES.items() if rule.in_builds}
    rules -= {"falls-off", "data-called"}
    expected = [(line, rule) for line, rule in planted() if rule in rules]
    assert sorted((int(line), rule) for line, rule in found if rule in rules) == expected


def test_a_warning_is_told_in_every_build(judged: Project) -> None:
    dirty = "    vpxor ymm0, ymm0, ymm0\n    xor eax, eax\n    ret\n"
    judged.settings('universal = true\nbaseline = "x86-64-v3"')
    judged.write({"hello.asm": plain(dirty)})

    for _ in range(2):
        assert re.search(r"hello\.asm:\d+: warning: .*\[vzeroupper\]", judged.build_ext().output)
    judged.write({"hello.asm": "; a line above\n" + plain(dirty)})
    assert re.search(r"hello\.asm:10: warning: .*\[vzeroupper\]", judged.build_ext().output)
    judged.settings('universal = true\nbaseline = "x86-64-v3"\ncheck = "errors"')
    assert "vzeroupper" not in judged.build_ext().output


@pytest.mark.parametrize(
    "settings",
    [
        "check = false",
        "[tool.asmsetup.check]\nmachine-code = false",
        '[tool.asmsetup.check]\nignore = ["unset-register"]',
        '[tool.asmsetup.check.severity]\nunset-register = "warning"',
        '[tool.asmsetup.check.sources."*.asm"]\nunset-register = "tried, and it works"',
    ],
)
def test_a_project_decides(judged: Project, settings: str) -> None:
    judged.write({"hello.asm": FAULTS["unset-register"]})
    judged.settings(f"universal = true\n{settings}").build_ext()


def test_the_environment_decides_only_whether(judged: Project) -> None:
    judged.write({"hello.asm": FAULTS["unset-register"]})
    assert "[unset-register]" in judged.refused()

    judged.build_ext(ASMSETUP_CHECK="false")
    judged.settings('universal = true\n[tool.asmsetup.check]\nignore = ["unset-register"]')
    judged.build_ext("--force", ASMSETUP_CHECK="true")


def test_a_declared_baseline_is_what_processors_have(judged: Project) -> None:
    judged.write({"hello.asm": FAULTS["cpu-level"]})
    output = judged.settings('universal = true\nbaseline = "x86-64-v2"').setup("-v", "build_ext")

    assert (
        "hello.asm: what needs more than x86-64\n"
        "  answer  x86-64-v2  POPCNT\n"
        "  as a wheel variant (PEP 825, a draft): x86_64 :: level :: v2\n"
    ) in output.output


def test_what_is_wanted_and_cannot_be_done_ends_the_build(hello: Project) -> None:
    hello.build_ext()

    assert hello.settings("check = true").refused() == (
        "the project wants its machine code judged, and the decoder, iced-x86, is missing\n"
        "  install it:   pip install 'asmsetup[check]'\n"
        '  or add "asmsetup[check]" to requires in [build-system]\n'
        "  or let it be judged where the decoder is installed: take check out of the settings"
    )


def test_objects_that_were_judged_are_not_judged_again(judged: Project, tmp_path: Path) -> None:
    judged.write({"hello.asm": HEAD + KEPT}).build_ext()
    (tmp_path / "iced_x86.py").write_text("raise AssertionError('the decoder is loaded')\n")
    judged = judged.beside(tmp_path)

    # Linked anew, from the same object.
    judged.settings('universal = true\nld-args = ["--build-id"]').build_ext()
    judged.write({"hello.asm": "; a line above\n" + HEAD + KEPT}).build_ext()
    assert judged.answer() == "42"
    changed = (HEAD + KEPT).replace("42", "43")
    assert (
        "the decoder is loaded" in judged.write({"hello.asm": changed}).build_ext(ok=False).output
    )
    judged.settings("universal = true\ncheck = false").build_ext()


def test_routines_of_several_objects_are_judged_together(judged: Project) -> None:
    calls = "    push rsi\n    call helper\n    pop rsi\n    xor eax, eax\n    ret\n"
    judged.extension("hello", ["hello.asm", "helper.asm"])
    judged.write({"hello.asm": plain(calls, extern="helper")})
    helper = "section .text\nglobal helper:function\nhelper:\n    {}\n    ret\n"

    judged.write({"helper.asm": helper.format("mov rbx, rdi\n    xor ebx, ebx")})
    assert "[kept-register]" in judged.refused()
    # A convention of its own: it returns in r12 what its caller saves.
    judged.write({"helper.asm": helper.format("mov rsi, rdi")}).build_ext()


def test_what_c_calls_is_a_c_function(judged: Project) -> None:
    judged.write({"binding.c": CALLING, "answer.asm": ANSWER.format("mov ebx, 42")})
    judged.extension("hello", ["binding.c", "answer.asm"])
    judged.settings("")

    assert "[kept-register]" in judged.refused()
    judged.write({"answer.asm": ANSWER.format("mov eax, 42")}).build_ext()
    assert judged.answer() == "42"


ANSWER = "section .text\nglobal answer:function\nanswer:\n    {}\n    ret\n"


def test_what_is_cured_builds_and_works(judged: Project) -> None:
    rows = read_cures()
    judged.settings('universal = true\nbaseline = "x86-64-v3"')
    judged.write({"hello.asm": module("hello", *((row.name, row.cured) for row in rows))})

    judged.build_ext(ASMSETUP_STRICT="1")
    calls = "".join(f"f = hello.{row.name}\nassert {row.holds}, f\n" for row in rows if row.holds)
    judged.run("-c", RAISES + calls)


RAISES = """
import hello
def raises(kind, function, *arguments):
    try:
        function(*arguments)
    except kind:
        return True
one = 1  # the compiler must not know it
"""


PAIR = """%include "python.inc"
PyModule hello
PyTypedFunction "answer(x: i64) -> i64"
PyTypedFunction "more(x: i64) -> i64"
PyEndModule
section .text
answer:
    lea rax, [rdi + 1]
{}more:
    lea rax, [rdi + 2]
    ret
"""


def test_typed_functions_do_not_run_into_each_other(judged: Project) -> None:
    for between in ("", "other:\n    nop\n"):
        judged.write({"hello.asm": PAIR.format(between)})
        found = re.findall(r"^hello\.asm:\d+: error: .* \[([a-z-]+)\]$", judged.refused(), re.M)
        assert found == ["falls-off"], between
    allowed = '[tool.asmsetup.check.sources."*.asm"]\nfalls-off = "both return the last"'
    judged.settings(f"universal = true\n{allowed}").build_ext()

"""The ends of functions, and calls of what is not code: found in the objects, before anything is linked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from asmsetup.check import CheckedObject, Finding, ModuleContext, check_objects
from asmsetup.check.findings import report
from asmsetup.check.places import ObjectPlaces
from asmsetup.facts import cpython_abi, elf
from asmsetup.link.linker import entry_points
from tests.abi.assembling import INCLUDE, bindings_option, build
from tests.checking import NASM
from tests.cures import apply_cures

MODULE = ModuleContext("m", entry_points("m"), (3, 11), universal=True)


def function(body: str, after: str = "") -> str:
    lines = "\n".join(f"    {line.strip()}" for line in body.split("/"))
    return f"PyModule m\nPyFunction f, METH_O, x\n{lines}\nPyEndFunction\nPyEndModule\n{after}\n"


def typed(body: str, after: str, before: str = "") -> str:
    lines = body.replace("/", "\n    ")
    return (
        f'{before}PyModule m\nPyTypedFunction "f(x: i64) -> i64"\nPyEndModule\n'
        f"section .text\nf:\n    {lines}\n    ret\n{after}\n"
    )


def objects(body: str, after: str = "") -> str:
    """Return a typed function whose routine, which no macro opens, returns an object."""
    return typed(body, after).replace("-> i64", "->  object ")


def two(body: str, other: str = "g:  mov rax, rdi\n    ret") -> str:
    """Return two typed functions, the body of the first and all of the other."""
    lines = body.replace("/", "\n    ")
    return (
        'PyModule m\nPyTypedFunction "f(x: i64) -> i64"\nPyTypedFunction "g(x: i64) -> i64"\n'
        f"PyEndModule\nf:\n    {lines}\n{other}\n"
    )


SMART = "%use smartalign\nalignmode p6, 32\n"


def in_type(slot: str, routine: str) -> str:
    return (
        f"PyModule m\nPyType P, 0\n{slot}\nPyEndType\nPyEndModule\n"
        f"PyRoutine r, self\n    {routine}\nPyEndRoutine\n"
    )


def check(text: str, folder: Path) -> list[Finding]:
    source = folder / "m.asm"
    source.write_text(f'%include "python.inc"\n{text}')
    command = [NASM, "-f", "elf64", f"-I{INCLUDE}/", "-DPY_UNIVERSAL=1", str(source), "-o"]

    def assemble(*more: str) -> None:
        options = bindings_option(source, folder / "m.o")
        subprocess.run([*command, str(folder / "m.o"), *options, *more], check=True)

    def listing() -> str:
        assemble("-l", str(folder / "m.lst"))
        return (folder / "m.lst").read_text()

    assemble()
    checked = CheckedObject("m.o", elf.read(folder / "m.o"), "m.asm", listing)
    return check_objects([checked], MODULE, cpython_abi)


HELPER = "section .data\nhelper:\n    lea rax, [rdi + 1]\n    ret"
DISPATCH = "PyDispatch g, g1\n"
ROUTINE = "g1:\n    mov eax, 5\n    ret"

DATA = "which is not executable: the process ends with a segmentation fault when it is called"
VARIABLE = "`g' holds the address of a routine, and is not code"

WRONG = [
    # Code in data, and data called.
    (typed("call helper", HELPER), 10, f"`helper' is in .data, {DATA}"),
    (typed("jmp helper", HELPER), 10, f"`helper' is in .data, {DATA}"),
    (typed("test rdi, rdi/jz helper", HELPER), 11, f"`helper' is in .data, {DATA}"),
    (typed("call helper", HELPER.replace("data", "rodata")), 10, "`helper' is in .rodata, which"),
    (function("call helper/PyReturn NULL", HELPER), 9, f"`helper' is in .data, {DATA}"),
    (typed("call g", ROUTINE, DISPATCH), 8, VARIABLE),
    (typed("jmp g", ROUTINE, DISPATCH), 8, VARIABLE),
    (
        'PyModule m\nPyTypedFunction "f(x: i64) -> i64"\nPyEndModule\nsection .data\n'
        "f:\n    mov rax, rdi\n    ret\n",
        6,
        f"`f' is in .data, {DATA}",
    ),
    (
        'PyModule m\nPyMethod "f", f, METH_NOARGS\nPyEndModule\nsection .data\n'
        "f:\n    xor eax, eax\n    ret\n",
        6,
        f"`f' is in .data, {DATA}",
    ),
    (
        "PyModule m\nPyType P, 0\nPyTypeSlot Py_tp_hash, hash\nPyEndType\nPyEndModule\n"
        "section .data\nhash:\n    mov eax, 1\n    ret\n",
        8,
        f"`hash' is in .data, {DATA}",
    ),
    (
        function("PyCall _Py_TrueStruct/PyReturn NULL"),
        4,
        "`_Py_TrueStruct' is data of CPython's, and no",
    ),
    (function("call [PyExc_OSError wrt ..got]/PyReturn NULL"), 4, "`PyExc_OSError' is data of"),
    (function("call [_Py_NoneStruct wrt ..got]/PyReturn NULL"), 4, "`_Py_NoneStruct' is data of"),
    # The end of a function without a return.
    (function("test x, x/jz .no/PyReturn NULL/.no:/xor eax, eax"), 9, "line 8 is not a return"),
    (function("test x, x/jz .no/PyReturn NULL/.no:"), 8, "line 5 jumps to `.no'"),
    (function("test x, x/jz .no/PyReturn NULL/.no: PyCall PyErr_Clear"), 8, "line 7 is no"),
    (
        function(".a: test x, x/jz .b/PyReturn NULL/.b: test x, x/jz .a"),
        9,
        "line 8 is not a return",
    ),
    (function("test x, x/jz .b/jmp .c/.b: PyReturn NULL/.c:"), 9, "line 6 jumps to `.c'"),
    (
        "PyModule m\nPyMethod 'f', r, METH_O\nPyEndModule\nPyRoutine r, -, x\n    test x, x\n"
        "    jz .no\n    PyReturn NULL\n.no: xor eax, eax\nPyEndRoutine\n",
        10,
        "a path of r ends here without a return: line 9 is not a return",
    ),
    (
        "PyModule m\nPyEndModule\nPyFrame r\n    push rax\n    pop rax\n    jz .no\n    ret\n"
        ".no: nop\n    inc rax\nPyEndFrame\n",
        11,
        "line 10 is not a return",
    ),
    (function("test x, x/jz .no/PyReturn NULL/.no: cqo"), 8, "line 7 is not a return"),
    (function("test x, x/jz .no/PyReturn NULL/.no: cqo/nop"), 9, "line 7 is not a return"),
    (function("test x, x/jz .no/PyReturn x/.no:/PyRaise PyExc_ValueError, 'no'"), 9, "line 8 is"),
    (
        function("test x, x/jz .no/PyReturn x/.no: PyRaise PyExc_OSError, 'a'/PyCall PyErr_Print"),
        9,
        "line 8 is not a return",
    ),
    (function("test x, x/jz .no/PyReturn x/.no: PyRaise PyExc_ValueError, 'no'"), 8, "line 7 is"),
    # A function that runs into the next one.
    (
        two("add rdi, 1/mov rax, rdi"),
        9,
        "f ends here without a return: line 8 is not a return, and",
    ),
    (two("mov rax, rdi/cqo"), 9, "line 8 is not a return, and the processor goes on into g"),
    (two("mov rax, rdi/align 16"), 9, "line 7 is not a return"),
    (SMART + two("mov rax, rdi/align 32"), 11, "line 9 is not a return"),
    (two("test rdi, rdi/jz .end/ret/.end:"), 11, "line 8 jumps to `.end'"),
    (two("test rdi, rdi/jz .end/ret/.end: mov rax, rdi"), 11, "line 10 is not a return"),
    (
        two("mov eax, 1", "PyRoutine g, x\n    PyReturn x\nPyEndRoutine"),
        8,
        "line 7 is not a return",
    ),
    (
        two("mov rax, rdi").replace('i64"\nPyEnd', 'i64", calls g\nPyEnd'),
        8,
        "line 7 is not a return",
    ),
    (
        "PyModule m\nPyMethod 'f', f, METH_O\nPyMethod 'g', g, METH_O\nPyEndModule\n"
        "f:  xor eax, eax\ng:  xor eax, eax\n    ret\n",
        7,
        "a path of f ends here without a return: line 6 is not a return, and the processor goes on into",
    ),
    (
        "PyModule m\nPyType P, 0\nPyTypeSlot Py_tp_hash, h\nPyTypeSlot Py_sq_length, l\n"
        "PyEndType\nPyEndModule\nh:  mov eax, 1\nl:  mov eax, 2\n    ret\n",
        9,
        "a path of h ends here without a return: line 8 is not a return",
    ),
    # A result that is no object.
    (function("mov eax, 42/PyReturn"), 4, "m.f must return an object, and 42 is a number"),
    (function("mov rax, -5/PyReturn"), 4, "m.f must return an object, and -5 is a number"),
    (function("mov rax, 0x123456789/PyReturn"), 4, "and 4886718345 is a number"),
    (function("PyReturn ANSWER", "ANSWER equ 42"), 4, "and 42 is a number"),
    (function("mov ecx, 42/PyReturn rcx"), 4, "and 42 is a number"),
    (function("mov rsi, -42/mov rax, rsi/PyReturn"), 4, "and -42 is a number"),
    (function("mov r9, 7/mov rax, r9/PyReturn"), 4, "and 7 is a number"),
    (function("PyKeep count/mov count, 1/PyReturn count"), 5, "and 1 is a number"),
    (objects("push r12/mov r12, -3/mov rax, r12/pop r12"), 8, "f must return an object, and -3"),
    (
        "PyRoutine r, -, -\n    PyReturn 42\nPyEndRoutine\n"
        "PyModule m\nPyMethod 'f', r, METH_NOARGS\nPyEndModule\n",
        3,
        "r must return an object, and 42 is a number",
    ),
    (in_type("PyTypeSlot Py_tp_repr, r", "PyReturn 42"), 8, "r must return an object, and 42"),
    (in_type('PyGetSet "x", r', "PyReturn 1"), 8, "r must return an object, and 1 is a"),
    (function("mov rdi, x/PyCall PyObject_IsTrue/PyReturn"), 5, "PyObject_IsTrue returns an int"),
    (function("mov rdi, x/PyTailCall PyObject_IsTrue"), 5, "PyObject_IsTrue returns an int"),
    (function("mov rdi, x/PyCall PyLong_AsLong/PyReturn"), 5, "PyLong_AsLong returns a number"),
    (function("mov rdi, x/PyCall PyFloat_AsDouble/PyReturn"), 5, "PyFloat_AsDouble returns a do"),
    (function("PyCall PyErr_Clear/PyReturn"), 4, "PyErr_Clear returns nothing"),
    (objects("mov eax, 42"), 7, "f must return an object, and 42 is a number"),
    (objects("push rbx/mov rax, -42/add rsp, 8"), 8, "f must return an object, and -42 is"),
    (objects("push rbp/mov rbp, rsp/push r12/mov eax, 7/pop r12/leave"), 10, "and 7 is a number"),
    (objects("test rdi, rdi/jz .one/xor eax, eax/ret/.one:/mov eax, 1"), 12, "and 1 is a"),
    (
        'PyModule m\nPyTypedFunction "f() -> object", calls r\nPyEndModule\n'
        "PyRoutine r\n    PyReturn 3\nPyEndRoutine\n",
        6,
        "r must return an object, and 3 is a number",
    ),
    (
        "PyModule m\nPyMethod 'f', r, METH_NOARGS\nPyEndModule\nr:  mov eax, 9\n    ret\n",
        5,
        "r must return an object, and 9 is a number",
    ),
    (
        "PyModule m\nPyType P, 0\nPyTypeSlot Py_tp_repr, r\nPyEndType\nPyEndModule\nr:  mov eax, 9\n    ret\n",
        7,
        "r must return an object, and 9 is a number",
    ),
    (
        function("PyKeep a, b, c, d/PyKeep e/mov eax, 42/PyReturn"),
        6,
        "m.f must return an object, and 42 is a number",
    ),
]


@pytest.mark.parametrize(("text", "line", "message"), WRONG, ids=[row[0] for row in WRONG])
def test_refused_and_cured(text: str, line: int, message: str, tmp_path: Path) -> None:
    (found,) = check(text, tmp_path)
    assert (found.line, found.is_error) == (line, True)
    assert message in found.what

    apply_cures(tmp_path, report([found]))
    build(tmp_path / "m.asm", tmp_path / "m.so")
    left = check((tmp_path / "m.asm").read_text().partition("\n")[2], tmp_path)
    assert found.rule not in {each.rule for each in left}
    subprocess.run([sys.executable, "-S", "-c", "import m"], cwd=tmp_path, check=True)


def test_a_variable_in_a_table(tmp_path: Path) -> None:
    text = f"{DISPATCH}PyModule m\nPyMethod 'f', g, METH_NOARGS\nPyEndModule\n{ROUTINE}\n"
    (found,) = check(text, tmp_path)
    assert found.line == 4
    assert VARIABLE in found.what


RIGHT = [
    function("test x, x/jz .b/PyReturn NULL/.b: ud2"),
    function("test x, x/jz .b/PyReturn NULL/.b: jmp [rax]"),
    function("test x, x/jz .b/PyReturn NULL/.b: lea rdi, [x]/PyCall Py_FatalError"),
    function("PyReturn NULL/.end:/.size equ .end - m.f"),
    function("lea rax, [.table]/jmp [rax]/.table: dd 1, 2, 3"),
    function("PyReturn NULL/.text: db 'text', 0"),
    function("PyReturn NULL/align 16"),
    function("call .fails/.fails: xor eax, eax/PyReturn"),
    function("mov eax, 0/PyReturn"),
    function("mov ecx, 42/lea rax, [x]/PyReturn"),
    function("mov r8d, 42/PyReturn x"),
    function("mov rdi, x/PyTailCall PyObject_Repr"),
    in_type("PyTypeSlot Py_sq_length, r", "PyReturn 42"),
    in_type("PyTypeSlot Py_tp_hash, r", "PyReturn -2"),
    objects("xor eax, eax"),
    objects("mov eax, 0"),
    objects("mov edi, 42/PyCall PyLong_FromLong"),
    objects("mov eax, 42/PyLoad rax, Py_None"),
    # The next function is jumped to.
    two("mov rax, rdi/jmp g"),
    two("test rdi, rdi/jz g/ret"),
    function("test x, x/jz .no/PyRaise PyExc_OSError, 'a'/PyReturn NULL/.no: PyReturn x"),
    function("test x, x/jz .no/PyRaise PyExc_OSError, 'a'/.no: PyReturn x"),
    two("mov rax, rdi/ret/align 16"),
    SMART + two("mov rax, rdi/ret/align 32"),
    SMART + function("PyReturn NULL/align 32"),
    *(two(f"mov rax, rdi/ret/{pad}") for pad in ("align 16, db 0", "nop dword [rax + rax]")),
    two("mov rax, rdi/ret/.text: db 1, 2"),
    two("test rdi, rdi/jz .end/ret/.end: jmp g"),
    # Methods are declared where they stand, behind data of the one before.
    "PyModule m\nPyMethod 'f', f, METH_O\nf:  mov rax, rsi\n    ret\n.text: db 1\n"
    "PyMethod 'g', g, METH_O\ng:  mov rax, rsi\n    ret\nPyEndModule\n",
    # A label of nobody's comes first: the decoder follows where it leads.
    two("mov rax, rdi", "other:  nop\ng:  mov rax, rdi\n    ret"),
    # What another routine returns, and what nobody calls.
    objects("xor eax, eax", ROUTINE),
    typed("mov eax, 42", ""),
    typed("call [rel g]", ROUTINE, DISPATCH),
    typed("mov rax, [rel helper]", HELPER),
    typed("lea rcx, [rel helper]/add rax, rcx", HELPER),
    f'{DISPATCH}PyModule m\nPyTypedFunction "f(x: i64) -> i64", calls g\nPyEndModule\n{ROUTINE}\n',
]


@pytest.mark.parametrize("text", RIGHT)
def test_nothing_is_found(text: str, tmp_path: Path) -> None:
    assert check(text, tmp_path) == []


def test_sound_functions_ask_for_no_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NASM would have to assemble the source once more."""

    def listing(places: ObjectPlaces) -> None:
        raise AssertionError(places)

    monkeypatch.setattr(ObjectPlaces, "listing", property(listing))
    one = "PyFunction f{0}, METH_O, x\n    test x, x\n    jz .no\n    PyReturn NULL\n.no:\n    PyReturn NULL\nPyEndFunction\n"
    text = "".join(one.format(number) for number in range(3))
    assert check(f"PyModule m\n{text}PyEndModule\n", tmp_path) == []

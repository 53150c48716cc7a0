"""A macro used wrongly in a routine: one error, in words, at the line of the source that used it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.abi.assembling import ASSEMBLERS, UNIVERSAL, assemble
from tests.abi.misused import at, each_nasm, errors_of

ONE_FUNCTION = """
PyModule m
PyFunction f, METH_NOARGS
    {}
    Py_RETURN_NONE
PyEndFunction
PyEndModule
"""

IN_A_FUNCTION = [
    ("PyCall", "wrong number of arguments; write `PyCall function [, vectors]'"),
    ("PyCall PyLong_FromLong, 1, 2", "wrong number of arguments; write `PyCall function"),
    ("PyCall PyLong_FromLong, 1", "PyLong_FromLong takes no `...', so there is no number"),
    ("PyCall helper", "`helper' is not a name of CPython's API; reach one of your own"),
    ("PyCall PyLong_FromInt64", "not in every version compiled for: PyLong_FromInt64__is_in"),
    ("PyLoad eax, PyLong_Type", "PyLoad needs a 64-bit register, not eax"),
    ("PyLoad [rsp], PyLong_Type", "PyLoad needs a 64-bit register, not [rsp]"),
    ("PyLoad rax", "wrong number of arguments; write `PyLoad register, object'"),
    ("PyRaise PyExc_ValueError", "wrong number of arguments; write `PyRaise exception"),
    ("PyRaise PyExc_ValueError, rsi", "PyRaise needs its format as a string"),
    (
        'PyRaise PyExc_ValueError, "%zd %zd", rcx, rdx',
        "the value in rdx is overwritten by the value before it; exchange the registers",
    ),
    (
        'PyRaise PyExc_ValueError, "%zd %zd", rax, [rdx + 8]',
        "the address [rdx + 8] needs rdx, which the value before it overwrites; use another",
    ),
    ('PyRaise PyExc_ValueError, "%zd%zd%zd", 1, 2, [4*ECX]', "needs rcx, which the value"),
    (
        'PyRaise rbx, "%zd%zd", 1, rdi',
        "the value in rdi is overwritten by the value before it; exchange the registers",
    ),
    ('PyRaise rbx, "%zd", [rdi + 8]', "the address [rdi + 8] needs rdi, which the value before"),
    (
        'PyRaise PyExc_OSError, "%s", "no"',
        "is a number and not the address of a text; write the text",
    ),
    (
        'PyRaise rbx, "%zd %.9s", 1, `no`',
        "is a number and not the address of a text; write the text",
    ),
    ('PyRaise PyExc_OSError, "%s", "n"', "as a value n is a number; write the text in the format"),
    ("PyRaise PyExc_OSError, '%%%5zd %.200s', rax, `n`", "%s takes the address of a text, and as"),
    ('PyRaise PyExc_OSError, "%s", 5', "%s takes the address of a text, and as a value 5 is"),
    (
        'PyRaise PyExc_OSError, "%c%R", "n", 7',
        "%R takes the address of an object, and as a value 7",
    ),
    ('PyRaise PyExc_OSError, "%U", "n"', "%U takes the address of an object, and as a value n is"),
    ('PyRaise "%s", "n"', 'PyRaise needs an exception (PyExc_ValueError), not the string "%s"'),
    ('PyLocal name, "8"', 'PyLocal needs a number of bytes, not the string "8"'),
    ('PyReturn "n"', "an object, which a function of Python's must return, not the string"),
    ('PyBuffer v\nPyGetBuffer v, "n", 0', "PyGetBuffer needs an object in a register or in"),
    ('PyBuffer v\nPyGetBuffer v, rsi, "0"', "PyGetBuffer needs flags such as PyBUF_SIMPLE, not"),
    ('Py_CLEAR "n"', "Py_CLEAR needs a field such as [rbx + Point.x], not the string"),
    ('PyRaise ebx, "no"', "or one in a 64-bit register, not ebx"),
    ("Py_CLEAR [rax + R11 * 8]", "Py_CLEAR needs r11 itself; put the address into another"),
    ("PyReturn Py_None", "a reference that is borrowed; write Py_RETURN_NONE"),
    ("PyReturn Py_True", "a reference that is borrowed; write Py_RETURN_TRUE"),
    ("PyReturn Py_Ellipsis", "a reference that is borrowed; load it with PyLoad, and write Py_N"),
    ("PyReturn Py_NotImplemented", "a reference that is borrowed; write Py_RETURN_NOTIMPLEME"),
    ("PyLocal 5", "the name of an argument or local must be a name, not 5"),
    ('PyKeep "a"', "the name of an argument or local must be a name, not a"),
    *(
        (f"PyLocal {name}", f"`{name}' is a register, and no name for an argument or local; ch")
        for name in ("eax", "R9D", "si", "bpl", "rsp", "r8w", "k1", "st0", "mm7", "fs", "YMM31")
    ),
    ("PyKeep PyLong_FromLong", "`PyLong_FromLong' could be a name of CPython's; choose another"),
    ("PyLocal PyList", "`PyList' could be a name of CPython's; choose another for the argument"),
    ("PyKeep xmm0", "`xmm0' is a register, and no name for an argument or local; choose"),
    ("PyLocal a, -8", "PyLocal needs one byte or more, not -8"),
    ("PyCall PyExc_TypeError", "PyExc_TypeError is data, and no function to call: PyLoad loads"),
    ("PyTailCall PyLong_Type", "PyLong_Type is data, and no function to call"),
    ("PyReturn 42", "PyReturn 42 would return no object, which a function of Python's must"),
    ("PyReturn -1", "PyReturn -1 would return no object"),
    ("PyDeclared Error", "PyDeclared needs a type or exception that the module declares before"),
    ("Py_INCREF rax", "Py_INCREF cannot count in rax; move the object to rdi first"),
    ("Py_INCREF [rdi]", "Py_INCREF needs a 64-bit register, not [rdi]"),
    ("Py_DECREF edi", "Py_DECREF needs a 64-bit register, not edi"),
    ("Py_RETURN_NONE rax", "wrong number of arguments; write `Py_RETURN_NONE'"),
    ("PyGetBuffer rdi, rsi, PyBUF_SIMPLE", "PyGetBuffer needs a name that PyBuffer reserved"),
    ("PyKeep a, b, c, d, e, f, g", "wrong number of arguments; write `PyKeep name"),
    ("PyLocal a, 8, 8", "wrong number of arguments; write `PyLocal name [, bytes]'"),
    ("Py_END_ALLOW_THREADS", "Py_END_ALLOW_THREADS is inside PyFunction of line 3"),
    (
        "PyEndModule",
        "PyEndModule is inside PyFunction of line 3; close that with PyEndFunction",
    ),
    ("PyEndRoutine", "PyEndRoutine is inside PyFunction of line 3"),
    ("PyFunction g, METH_O", "PyFunction is inside PyFunction of line 3"),
    ("PyRoutine g", "PyRoutine is inside PyFunction of line 3"),
    ("PyType T, 32", "PyType is inside PyFunction of line 3"),
    ('PyConstant "A", 1', "PyConstant is inside PyFunction of line 3"),
    ("PyModule n", "PyModule is inside PyFunction of line 3"),
    ("PyDispatch v, f", "PyDispatch is inside PyFunction of line 3"),
]
ROUTINES = [
    ("PyEndFunction", 1, "PyEndFunction is outside of PyFunction"),
    ("PyReturn", 1, "PyReturn is outside of PyFunction"),
    ("PyKeep a", 1, "PyKeep is outside of PyFunction"),
    ('PyRoutine "a"', 1, 'PyRoutine needs a name, and no quotes, numbers or signs: "a"'),
    ("PyRoutine 5, a", 1, "PyRoutine needs a name, and no quotes, numbers or signs: 5"),
    ("PyRoutine a b", 1, "PyRoutine needs a name, and no quotes, numbers or signs: a b"),
    ('PyDispatch "a", b', 1, 'PyDispatch needs a name, and no quotes, numbers or signs: "a"'),
    ("PyDispatch a, b, PyCPU_AVX3, c", 1, "that PyDispatch does not know: PyCPU_AVX3"),
    (
        "PyRoutine a\nPyHas PyLong_FromInt64\njz .b\n.b: PyReturn\nPyEndRoutine\n"
        "PyRoutine c\nPyCall PyLong_FromInt64\nPyReturn\nPyEndRoutine",
        7,
        "not in every version compiled for: PyLong_FromInt64__is_in",
    ),
    ("PyRoutine a\nPyKeep b\nPyKeep b", 3, "`b' is a name of this function already, and stands"),
    ("PyRoutine a\nPyKeep b\nPyLocal b", 3, "`b' is a name of this function already, and stan"),
    ("PyRoutine a\nPyKeep b, c, c", 2, "`c' is a name of this function already, and stands for r"),
    ("PyRoutine a\nPyKeep b\nPyKeep r13", 3, "`r13' is a register, and no name for an argument"),
    ("PyRoutine a\nPyKeep mov", 2, "`mov' is a word of nasm's, and no name for an argument"),
    ("PyRoutine a\nPyLocal byte", 2, "`byte' is a word of nasm's, and no name for an argument"),
    ("PyRoutine a\nPyKeep b c", 2, "the name of an argument or local must be a name, not b c"),
    ("PyRoutine a\nPyLocal b\nPyLocal b", 3, "`b' is a name of this function already, and st"),
    ("PyRoutine a\nPyBuffer b\nPyKeep b", 3, "`b' is a name of this function already, and stan"),
    ("PyRoutine a\nPyLocal b, rax", 2, "PyLocal needs a number of bytes, not rax"),
    ("PyFrame a\nPyReturn", 2, "PyReturn is outside of PyFunction and PyRoutine; a plain routine"),
    *(
        (f"PyDispatch a, b, {rest}", 1, message)
        for rest, message in [
            ("PyCPU_AVX2 | PyCPU_FMA3, c", "that PyDispatch does not know: PyCPU_FMA3"),
            ("PyCPU_SSE4.2, c", "that PyDispatch does not know: PyCPU_SSE4.2"),
            ("AVX2, c", "PyDispatch needs the feature as PyCPU_AVX2, not AVX2"),
            ("PyCPU_SSE3 | FMA, c", "PyDispatch needs the feature as PyCPU_FMA, not FMA"),
            ("c, PyCPU_AVX2", "the features first and then their routine: PyCPU_AVX2, c"),
            ("'avx2', c", "not the string 'avx2'"),
        ]
    ),
    ("PyRoutine a\nPyKeep b\nPyLocal c, 0", 3, "PyLocal needs one byte or more, not 0"),
    (
        "PyRoutine a\nPy_BEGIN_CRITICAL_SECTION rdi\nPyReturn",
        3,
        "is inside Py_BEGIN_CRITICAL_SECTION of line 3; close that with Py_END_CRITICAL_SECTION",
    ),
    (
        "PyRoutine a\nPyBuffer b\nPyGetBuffer b, rsi, 0\njnz .e\nPyGetBuffer b, rdi, 0\n.e:",
        5,
        "PyGetBuffer gives b a second buffer, and the first would never be",
    ),
    ("PyRoutine a, b, c, d, e\nPyLocal l\nPyKeep f, g", 3, "the sixth register that is kept is rb"),
    ("PyFrame a\npush rax\nret", 3, "`ret' with 8 bytes pushed and not popped"),
    ("PyFrame a\nsub rsp, rax", 2, "PyFrame needs a number here, to know where the frame is"),
    ("PyFrame a\nand rsp, -32", 2, "PyFrame cannot tell where the frame is after this and"),
    ("PyFrame a\nPyCall PyErr_Format", 2, "8 more are due before the arguments"),
    ('PyAllow "a", "b"', 1, "PyAllow is outside of a routine"),
    ('PyRoutine a\nPyAllow a, "b"', 2, "PyAllow needs the rule as a string, not a"),
    ("PyRoutine a\nPyReturn\nPyKeep b", 3, "a register must be kept before the first return"),
    ("PyRoutine a\nPyReturn\nPyBuffer b", 3, "PyBuffer must come before the first return"),
    ("PyRoutine a, b, c, d, e\nPyKeep f, g, h", 2, "only six registers are kept by calls"),
    ("PyRoutine a\nPyBuffer b\nPyTailCall PyErr_Occurred", 3, "PyTailCall would release the"),
    (
        "PyRoutine a\nPy_BEGIN_ALLOW_THREADS\nPyCall PyErr_Occurred",
        3,
        "PyErr_Occurred must not be called between Py_BEGIN_ALLOW_THREADS and",
    ),
    ("PyRoutine a\nPy_BEGIN_ALLOW_THREADS\nPyReturn", 3, "PyReturn is inside Py_BEGIN_ALLOW"),
    ("PyRoutine a\nPy_BEGIN_ALLOW_THREADS\nPyEndRoutine", 3, "inside Py_BEGIN_ALLOW_THREADS of l"),
    ("PyRoutine a\nPy_BEGIN_ALLOW_THREADS\nPy_RETURN_NONE", 3, "inside Py_BEGIN_ALLOW_THREADS of"),
    (
        "PyRoutine a\npush rcx\nPyCall PyErr_Occurred",
        3,
        "the stack is not aligned at this call: 8 bytes have been pushed; use PyKeep or PyLocal",
    ),
    ("PyRoutine a\npush rcx\npush rdx\nPUSH rsi\nPyCall PyErr_Occurred", 5, "24 bytes have been"),
    ("PyRoutine a\npush rcx\nPyReturn", 3, "the function returns with 8 bytes pushed and not"),
    ("PyRoutine a\nsub rsp, 8\nPyCall PyErr_Occurred", 3, "8 bytes have been pushed"),
    ("PyRoutine a\npush rax\nsub RSP, 16\nadd rsp, 16\nPyReturn", 5, "with 8 bytes pushed and"),
    ("PyRoutine a\nxor eax, eax\nret", 3, "`ret' leaves the frame of the function behind; write"),
    ("PyRoutine a\nPyReturn\n.error: RET", 3, "`ret' leaves the frame of the function behind"),
    (
        "PyRoutine a\nPyEndRoutine",
        2,
        "PyRoutine of line 2 has no return; write PyReturn before PyEnd",
    ),
    (
        "PyRoutine a\nPy_BEGIN_ALLOW_THREADS\nPyCall PyGILState_Ensure\n"
        "PyCall PyErr_Occurred\nPyCall PyGILState_Release\nPyCall PyErr_Occurred",
        6,
        "PyErr_Occurred must not be called between Py_BEGIN_ALLOW_THREADS and",
    ),
    (
        "PyRoutine a\nPy_BEGIN_ALLOW_THREADS\nPyCall PyGILState_Release",
        3,
        "must not be called betw",
    ),
    ("PyDispatch a, b, c", 1, "PyDispatch needs a routine after each set of features"),
    ("PyRoutine a", 1, "PyRoutine of line 2 has no PyEndRoutine"),
]


@each_nasm
@pytest.mark.parametrize(("text", "line", "message"), ROUTINES, ids=[row[0] for row in ROUTINES])
def test_a_routine(text: str, line: int, message: str, nasm: str, tmp_path: Path) -> None:
    (error,) = errors_of(text, tmp_path, UNIVERSAL, ASSEMBLERS[nasm])
    assert error.startswith(at(line))
    assert message in error


@each_nasm
@pytest.mark.parametrize(("line", "message"), IN_A_FUNCTION, ids=[row[0] for row in IN_A_FUNCTION])
def test_in_a_function(line: str, message: str, nasm: str, tmp_path: Path) -> None:
    text = ONE_FUNCTION.format(line).lstrip()
    (error,) = errors_of(text, tmp_path, UNIVERSAL, ASSEMBLERS[nasm])
    assert error.startswith(at(3 + line.count("\n")))
    assert message in error


@pytest.mark.parametrize(
    "body",
    [
        "push rcx\npush rdx\nPyCall PyErr_Occurred\npop rdx\npop rcx\nPyReturn",
        "push qword 1\npop rcx\nPyCall PyErr_Occurred\nPyReturn",
        "push rcx\npush rdx\nPyCall PyErr_Occurred\nadd rsp, 16\nPyReturn",
        "sub rsp, 8\npush 7\nPyCall PyErr_Occurred\nadd rsp, 2 * 8\nPyReturn",
        "sub rsp, 8 + 8\npush rax\nadd rsp, 8 + 8\npop rax\nPyCall PyErr_Occurred\nPyReturn",
        "sub rsp, 2 * LATER\nadd rsp, 2 * LATER\nPyReturn\nLATER equ 8",
        "push rbp\nmov rbp, rsp\nand rsp, -16\nPyCall PyErr_Occurred\nmov rsp, rbp\npop rbp\nPyReturn",
        "push rcx\nlea rsp, [rsp + 8]\nPyCall PyErr_Occurred\nPyReturn",
        # Not every way out is a return.
        "jmp [rdi]",
        "push rcx\njmp .on\n.back: PyCall PyErr_Occurred\nPyReturn\n.on: pop rcx\njmp .back",
        # Behind a return, only the source knows what has been pushed.
        "push rcx\njz .other\npop rcx\nPyReturn\n.other: pop rcx\nPyCall PyErr_Occurred\nPyReturn",
    ],
)
def test_the_stack_in_order(body: str, tmp_path: Path) -> None:
    source = tmp_path / "source.asm"
    around = "push rax\npop rax\nret\n"
    source.write_text(f'%include "python.inc"\n{around}PyRoutine a\n{body}\nPyEndRoutine\n{around}')
    for nasm in ASSEMBLERS.values():
        said = assemble(source, tmp_path / "source.o", UNIVERSAL, nasm)
        assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize(
    "calls",
    [
        "PyGILState_Ensure PyErr_Occurred PyGILState_Release",
        "PyThread_acquire_lock_timed PyThread_release_lock PyThread_tss_get",
        "PyErr_SetInterrupt PyErr_SetInterruptEx",
        "PyMutex_Lock PyMutex_Unlock PyTime_MonotonicRaw PyTime_TimeRaw PyTime_PerfCounterRaw",
    ],
)
def test_without_the_gil(calls: str, tmp_path: Path) -> None:
    body = "\n".join(f"PyCall {name}" for name in calls.split())
    source = tmp_path / "source.asm"
    source.write_text(
        '%include "python.inc"\nPyRoutine a\nPy_BEGIN_ALLOW_THREADS\n'
        f"{body}\nPy_END_ALLOW_THREADS\nPyReturn\nPyEndRoutine\n"
    )
    said = assemble(source, tmp_path / "source.o", {"PY_VERSION_HEX": "0x030e00f0"})
    assert (said.returncode, said.stderr) == (0, "")

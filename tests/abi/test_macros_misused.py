"""A macro used wrongly: one error, in words, at the line of the source that used it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.abi.assembling import ASSEMBLERS, UNIVERSAL, Defines
from tests.abi.misused import at, closed, each_nasm, errors_of

NO_FLAG = (
    "is not a flag of a function; the flags are METH_NOARGS, METH_O, METH_VARARGS, METH_FASTCALL,"
    " METH_KEYWORDS, METH_METHOD, METH_CLASS, METH_STATIC and METH_COEXIST"
)

CLOSED = "PyEndType\nPyEndModule\n"
WHOLE = [
    ("PyEndModule", 1, "PyEndModule is outside of PyModule"),
    ("PyFunction f, METH_O", 1, "PyFunction is outside of PyModule"),
    ('PyDoc "a"', 1, "PyDoc is outside of PyModule"),
    ("PyModule", 1, "wrong number of arguments; write `PyModule name"),
    ("PyModule m\nPyEndModule\nPyModule n", 3, "a source declares one module"),
    ("PyModule m\nPyFunction f", 2, "wrong number of arguments; write `PyFunction name"),
    ("PyModule m\nPyFunction f, 3000", 2, "these flags are not a calling convention"),
    ("PyModule m\nPyFunction f, METH_NOARG", 2, f"METH_NOARG {NO_FLAG}"),
    ("PyModule m\nPyFunction f, METH_FASTCALL|METH_KEYWORD", 2, f"METH_KEYWORD {NO_FLAG}"),
    ("PyModule m\nPyFunction f, (NOARGS | 0x10)", 2, f"NOARGS {NO_FLAG}"),
    ('PyModule m\nPyMethod "f", f, METH_0 | METH_CLASS', 2, f"METH_0 {NO_FLAG}"),
    ("PyModule m\nPyFunction f, METH_O, a, b, c", 2, "too many arguments are named; with these"),
    ("PyModule m\nPyFunction f, METH_NOARGS, a, b", 2, "with these flags a function gets 1"),
    (
        "PyModule m\nPyFunction f, METH_O, rdi",
        2,
        "`rdi' is a register, and no name for an argument or local; choose another",
    ),
    ("PyModule m\nPyFunction f, METH_O, a, a", 2, "`a' is a name of this function already, and"),
    ('PyModule m\nPyDoc "a"\nPyDoc "b"', 3, "a second PyDoc for the same PyModule"),
    ("PyModule m\nPyDoc text", 2, "PyDoc needs the text as a string, not text"),
    ('PyModule m\nPyModuleSlot "gil", 1', 2, "PyModuleSlot needs the name of a slot, not the str"),
    ('PyDispatch f, "g"', 1, 'PyDispatch needs the label of a routine, not the string "g"'),
    ('PyDispatch f, g, PyCPU_AVX, "h"', 1, "PyDispatch needs the label of a routine, not the s"),
    ("PyModule m\nPyModuleSlot nothing, 1", 2, "PyModuleSlot takes create, exec, gil, "),
    ("PyModule m\nPyModuleSlot exec, nothing\nPyEndModule", 2, "symbol `nothing' not defined"),
    ("PyModule m\nPyModuleSlot state_free, nothing\nPyEndModule", 2, "symbol `nothing' not def"),
    ("PyModule m\nPyModuleSlot gil, 0\nPyModuleSlot gil, 0", 3, "a second PyModuleSlot gil"),
    (
        "PyModule m\nPyModuleSlot gil, 2",
        2,
        "PyModuleSlot needs a number that the reference gives for gil, not 2",
    ),
    (
        "PyModule m\nPyModuleSlot multiple_interpreters, -1",
        2,
        "reference gives for multiple_interpreters",
    ),
    (
        "PyModule m\nPySinglePhase\nPyModuleSlot state_size, 8\nPyEndModule",
        4,
        "PyModuleSlot state_size is for modules in two phases; with PySinglePhase,",
    ),
    (
        'PyModule m\nPyConstant "BIG", 0xffffffffffffffff',
        2,
        "PyConstant adds signed integers of 64 bits, which 0xffffffffffffffff does not fit",
    ),
    ("PyModule m\nPyFunction f, METH_O | METH_STATIC", 2, "are for the methods of a type"),
    (
        'f: ret\nPyModule m\nPyMethod "f", f, METH_O | METH_CLASS',
        3,
        "are for the methods of a type",
    ),
    (
        "PyModule m\nPyType T, 32\nPyFunction f, METH_O | METH_STATIC | METH_CLASS",
        3,
        "METH_STATIC excludes METH_CLASS and METH_METHOD: a static method gets no class",
    ),
    (
        "PyModule m\nPyType T, 31",
        2,
        "PyType T: its objects need more than 31 bytes; give the size of a struc that begins with",
    ),
    ('PyModule "m"', 1, 'PyModule needs a name, and no quotes, numbers or signs: "m"'),
    ("PyModule pkg.m", 1, "PyModule needs a name of letters, digits and _: pkg.m"),
    ('PyModule m, "pkg.m"\nPyDoc "a"\nPyModule n', 3, "PyModule is inside PyModule of line 2"),
    ("PyModule m, pkg.m", 1, "PyModule needs the full name as a string, not pkg.m"),
    (
        "PyModule m\nPyFunction a@b, METH_O",
        2,
        "PyFunction needs a name of letters, digits and _: a@",
    ),
    (
        "PyModule m\nPyFunction $in, METH_O",
        2,
        "PyFunction needs a name of letters, digits and _: $i",
    ),
    ("PyModule m\nPyType A?, 32", 2, "PyType needs a name of letters, digits and _: A?"),
    (
        'PyModule m\nPyMethod "f", "f", METH_O',
        2,
        'needs the label of a routine, not the string "f"',
    ),
    (
        'PyModule m\nPyMethod "f", f, METH_O, doc',
        2,
        "PyMethod needs the doc string as a string, not",
    ),
    (
        'PyModule m\nPyModuleSlot exec, "f"',
        2,
        "PyModuleSlot needs the label of a routine for exec, not the str",
    ),
    ("PyModule m\nPyConstant A, 1", 2, "PyConstant needs the name as a string, not A"),
    ('PyModule m\nPyType T, "T"', 2, 'PyType needs the size of its objects, not the string "T"'),
    (
        'PyModule m\nPyType T, 32\nPyTypeSlot Py_tp_doc, "text"',
        3,
        'PyTypeSlot needs a label, not the string "text"',
    ),
    (
        "PyModule m\nPyType T, 32\nPyMember x, Py_T_INT, 16",
        3,
        "PyMember needs the name as a string",
    ),
    ("PyModule m\nPyType T, 32\nPyGetSet x, f", 3, "PyGetSet needs the name as a string, not x"),
    ('PyModule m\nPyType T, 32\nPyGetSet "x", "f"', 3, "PyGetSet needs the label of a getter, not"),
    (
        'PyModule m\nPyType T, 32\nPyGetSet "x", f, "f"',
        3,
        "PyGetSet needs the label of a setter, n",
    ),
    (
        'PyModule m\nPyType T, 32\nPyGetSet "x", f, 0, doc',
        3,
        "PyGetSet needs the doc string as a st",
    ),
    (
        'PyModule m\nPyType T, 32\nPyMember "x", Py_T_INT, 16, 0, {doc, 10}',
        3,
        "PyMember needs the doc string as a string, not doc",
    ),
    ('PyModule m\nPyConstant "A", -9223372036854775809', 2, "PyConstant adds signed integers"),
    ("PyModule m\nPyReturn rax", 2, "PyReturn is outside of PyFunction and PyRoutine; a plain"),
    ("PyModule m\nPyType T, 32\nPyFunction __repr__, METH_NOARGS", 3, "Py_tp_repr"),
    ("PyModule m\nPyType T, 32\nPyFunction __add__, METH_O", 3, "PyTypeSlot Py_nb_add"),
    ("PyModule m\nPyType T, 32\nPyTypeSlot tp_repr, f", 3, "did you mean Py_tp_repr?"),
    ("PyModule m\nPyType T, 32\nPyTypeSlot Py_tp_reper, f", 3, "`Py_tp_reper' is not a slot"),
    (
        "PyModule m\nPyType T, 32\nPyTypeSlot Py_tp_new, f\nPyTypeSlot Py_tp_new, f",
        4,
        "a second value for the same slot of this type",
    ),
    ("PyModule m\nPyType T, 32\nPyTypeSlot Py_tp_base, f", 3, "PyTypeSlot needs a base of CPyth"),
    (
        "PyModule m\nPyType T, 32, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC\nPyEndType",
        3,
        "PyType of line 3 has Py_TPFLAGS_HAVE_GC and no Py_tp_traverse",
    ),
    ("PyModule m\nPyType T, 32\nPyEndType\nPyType T, 32", 4, "has a type or exception T already"),
    *(
        (
            f"struc O\nPyObject_HEAD\n.x: resq 1\nendstruc\nPyModule m\nPyType T, O_size\nPyTypeSlot Py_tp_base, {base}",
            7,
            f"the fields of O would lie over those of its base {base}; begin the struc with",
        )
        for base in ("PyExc_ValueError", "PyList_Type")
    ),
    *(
        (f"{before}PyObject_HEAD{after}", line, "PyObject_HEAD is outside of a struc: it is the")
        for before, after, line in [
            ("", "", 1),
            ("PyModule m\nPyType T, 32\n", "", 3),
            ("struc O\nPyObject_HEAD\nendstruc\n", "", 4),
            ("struc O\nPyObject_HEAD\nendstruc\nistruc O\n", "\niend", 5),
        ]
    ),
    *(
        (f"PyModule m\nPyType T, {size}\nPyTypeSlot Py_tp_base, {base}\n{end}", 3, message)
        for size, base, end, message in [
            (
                48,
                "PyExc_ValueError",
                CLOSED,
                "T: 48 bytes do not say how its objects go with those of",
            ),
            (
                32,
                "PyList_Type",
                CLOSED,
                "T: 32 bytes do not say how its objects go with those of its",
            ),
            (0, "PyBool_Type", "", "Python makes no class from PyBool_Type; take another base"),
            (0, "PyMemoryView_Type", "", "Python makes no class from PyMemoryView_Type"),
            (0, "PyLong_FromLong", "", "PyTypeSlot needs a base of CPython's"),
            (0, "Py_None", "", "PyTypeSlot needs a base of CPython's"),
            (0, "0", "", "PyTypeSlot needs a base of CPython's"),
            (
                "O_size",
                "PyList_Type",
                f"{CLOSED}struc O\nPyObject_HEAD\n.x: resq 1\nendstruc",
                "the fields of O would lie over those of its base PyList_Type",
            ),
        ]
    ),
    ("PyModule m\nPyType T, 0\nPyTypeSlot Py_tp_bases, PyList_Type", 3, "name one base with"),
    (
        "PyModule m\nPyType A, 32\nPyEndType\nPyType B, 0\nPyTypeSlot Py_tp_base, A",
        5,
        "the type A lacks Py_TPFLAGS_BASETYPE",
    ),
    *(
        (
            "struc A_o\nPyObject_HEAD\n.x: resq 1\nendstruc\n"
            "struc C_o\nPyObject_HEAD\n.x: resq 4\nendstruc\n"
            "struc B_o\nPyObject_HEAD A_o\nendstruc\nPyModule m\n"
            "PyType C, C_o_size, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE\nPyEndType\n"
            f"PyType B, {size}\nPyTypeSlot Py_tp_base, C\nPyEndType\nPyEndModule",
            16,
            message,
        )
        for size, message in [
            (
                "B_o_size",
                "PyType B: B_o does not begin with the fields of C_o, which are those of its",
            ),
            ("40", "PyType B: 40 bytes do not say how its objects go with those of its base C"),
        ]
    ),
    ("PyModule m\nPyException E, PyList_Type", 2, "PyException needs an exception of CPython's"),
    *(
        (
            f"PyModule m\nPyTypedFunction {declared}\nPyDispatch v, b\nb: ret",
            3,
            "PyDispatch v: a PyTypedFunction above calls it",
        )
        for declared in ('"v() -> i64"', '"f() -> i64", calls v')
    ),
    ("PyModule m\nPyException E, ValueError", 2, "PyException needs an exception of CPython's"),
    ("PyModule m\nPyException E\nPyException E", 3, "has a type or exception E already"),
    *(
        (
            f"struc O\n{head}.x: resq 1\nendstruc\nPyModule m\nPyType T, {size}\n{rest}PyEndType\nPyEndModule\n",
            line,
            message,
        )
        for head, size, rest, line, message in [
            ("PyObject_HEAD\n", "O", "", 6, "T: its objects need more than 0 bytes; give"),
            ("", "O_size", "", 5, "the struc O does not begin with PyObject_HEAD"),
            ("", "O_size + 32", "", 5, "the struc O does not begin with PyObject_HEAD"),
            ("resb 32\n", "O_size", "", 6, "the struc O does not begin with PyObject_HEAD"),
            ("PyObject_HEAD\nPyObject_HEAD\n", "O_size", "", 3, "a second PyObject_HEAD in the"),
            (
                ".w: resq 1\nPyObject_HEAD\n",
                "O_size",
                "",
                7,
                "PyObject_HEAD must be the first line of",
            ),
            (
                "PyObject_HEAD\n",
                "O_size",
                'PyMember "x", Py_T_INT, 0\n',
                7,
                "the offset 0 is in the head",
            ),
            (
                "PyObject_HEAD\n",
                "O_size",
                'PyMember "x", Py_T_INT, 4096\n',
                7,
                "4 bytes at the offset 4096",
            ),
            (
                "PyObject_HEAD\n",
                "O_size",
                'PyMember "x", Py_T_LONG, O.x + 4\n',
                7,
                "8 bytes at the offset 36",
            ),
            (
                "PyObject_HEAD\n.w: resq 1\n",
                "O_size",
                'PyMember "x", Py_T_LONG, O.w + 4\n',
                8,
                "is not that of a f",
            ),
        ]
    ),
    # What no macro can know is nasm's to say, at the line that says it.
    ("PyModule m\nPyType T, nothing\nPyEndType\nPyEndModule", 2, "symbol `nothing' not defined"),
    ("PyModule m\nPyFunction 'f', METH_O", 2, "PyFunction needs a name, and no quotes, numbers"),
    ("PyModule m\nPyFunction 2f, METH_O", 2, "PyFunction needs a name, and no quotes, numbers"),
    ("PyModule m\nPyType T - 1, 32", 2, "PyType needs a name, and no quotes, numbers or signs: T"),
    ("PyModule m\nPyEndType", 2, "PyEndType is inside PyModule of line 2"),
    ("PyModule m\nPyMember 1, 2, 3", 2, "PyMember is inside PyModule of line 2"),
    ("PyModule m\nPyType T, 32\nPyEndModule", 3, "PyEndModule is inside PyType of line 3"),
    ("PyModule m\nPyFunction f, METH_O\nPyFunction g, METH_O", 3, "of line 3; close that with Py"),
    ("PyModule m\n%push\nPyEndModule", 3, "PyEndModule is inside a context opened with %push"),
    *(
        (f"{before}{macro}", 2, message)
        for before, macro, message in [
            ("PyModule m\n", "PyMethod 'f', common, METH_O", "PyMethod: `common' is a word of na"),
            ("\n", "PyRoutine rax", "PyRoutine: `rax' is a register, and no label; choose another"),
            ("\n", "PyFrame section", "PyFrame: `section' is a word of nasm's, and no label"),
            ("\n", "PyDispatch global, b", "PyDispatch: `global' is a word of nasm's, and no"),
            ("\n", "PyRaise PyErr_Clear, 'a'", "PyRaise needs an exception of CPython's"),
            ("\n", "PyRaise PyLong_Type, 'a'", "PyRaise needs an exception of CPython's"),
            ("\n", "a: PyCall PyLong_FromInt64", "not in every version compiled for: PyLong_F"),
            ("PyModule m\n", "PyConstant 'A', 18446744073709551616", "which 18446744073709551616 "),
        ]
    ),
    *(
        (f"struc O\nPyObject_HEAD\n.x: resq 1\nendstruc\n{text}", line, message)
        for text, line, message in [
            ("PyModule m\nPyConstant 'a', 1\nPyConstant 'a', 2", 7, "PyConstant: a second a of"),
            ("PyModule m\nPyType T, O_size\nPyTypeSlot 'n', f", 7, "needs a slot such as Py_tp_"),
            (
                "PyModule m\nf: ret\nPyType T, O_size\nPyGetSet '__len__', f",
                8,
                "Python looks for __len__",
            ),
            (
                "PyModule m\nPyType T, O_size\nPyMember '__call__', 1, O.x",
                7,
                "Python looks for __call__ in a slot of the type, and not among its methods",
            ),
            ("PyModule m\nPyType T, O_size\nPyMember 'x', 1, 'O'", 7, "an offset such as Point.x"),
            (
                "PyModule m\nPyType T, O_size\nPyMember 'x', 1, O.x, 'r'",
                7,
                "PyMember needs flags such as Py_READONLY, not the string",
            ),
            ("PyModule m\nPyMethod 'f', g, METH_O\nPyMethod 'f', h, METH_O", 7, "a second f of"),
            ("PyModule m\nPyMethod 'f', g, METH_O\nPyFunction f, METH_O", 7, "a second f of this"),
            ("PyModule m\nPyType T, O_size\nPyGetSet 'x', f\nPyMember 'x', 1, O.x", 8, "a second"),
            ("PyModule m\nPyType T, O_size\nPyTypeSlot Py_tp_repr, 0", 7, "no routine is left out"),
            ("PyModule m\nPyType T, O_size\nPyMember 'x', LONG, O.x", 7, "did you mean Py_T_LONG?"),
            ("PyModule m\nPyType T, O_size\nPyMember 'x', 99, O.x", 7, "99 is not a type; the typ"),
        ]
    ),
    *(
        (f"PyModule m\nf: {macro}", 2, f"{macro.split()[0]} is outside of PyFunction and PyRoutine")
        for macro in [
            *("PyKeep a", "PyLocal a", "PyBuffer a", "PyTailCall PyErr_Clear"),
            *("PyGetBuffer a, rsi, 0", "Py_BEGIN_ALLOW_THREADS", "PyReturn rax"),
        ]
    ),
    ("PyModule m\nPyEndFunction", 2, "PyEndFunction is outside of PyFunction"),
    (
        "f: ret\nPyModule m\nPyType T, 0\nPyMethod '__repr__', f, METH_NOARGS",
        4,
        "PyTypeSlot Py_tp_repr",
    ),
    ("PyModule m\nPyType T, 0\nPyTypeSlot 9999, f", 3, "`9999' is not the number of a slot"),
    *(
        (f'PyModule m\nPyConstant "A", {value}', 2, message)
        for value, message in [
            ("true", "PyConstant: true is no value; write it as in Python: True"),
            ("FALSE", "write it as in Python: False"),
            ("none", "write it as in Python: None"),
            ("1e400", "1e400 does not fit a double, the largest of which is"),
            ("-1.8e308", "-1.8e308 does not fit a double"),
            ("1.5e", "1.5e is no number; write one as in Python, such as 1.5 or -1e3"),
            ("1.2.3", "1.2.3 is no number"),
            ("1.5f", "1.5f is no number"),
            ("0x1p3", "0x1p3 is no number"),
            ("1.0 + 2", "1.0 + 2 is no number"),
        ]
    ),
]


@each_nasm
@pytest.mark.parametrize(("text", "line", "message"), WHOLE, ids=[row[0] for row in WHOLE])
def test_whole_source(text: str, line: int, message: str, nasm: str, tmp_path: Path) -> None:
    (error,) = errors_of(closed(text), tmp_path, UNIVERSAL, ASSEMBLERS[nasm])
    assert error.startswith(at(line))
    assert message in error


@each_nasm
@pytest.mark.parametrize("text", ["PyModule m", "PyModule m\nPyType T, 32"])
def test_what_is_never_closed(text: str, nasm: str, tmp_path: Path) -> None:
    """It is found at the end, where no macro looks any more."""
    (error,) = errors_of(text, tmp_path, UNIVERSAL, ASSEMBLERS[nasm])
    assert error == "2: error: PyModule of line 2 has no PyEndModule"


@each_nasm
@pytest.mark.parametrize(
    "defines", [{"PY_VERSION_HEX": "0x030b00f0"}, {"Py_LIMITED_API": "0x030b0000"}]
)
def test_every_nasm_and_target(nasm: str, defines: Defines, tmp_path: Path) -> None:
    text = "PyRoutine a\nPyCall PyLong_FromInt64\nPyReturn\nPyEndRoutine"
    (error,) = errors_of(text, tmp_path, defines, ASSEMBLERS[nasm])
    assert "3: fatal: not in every version compiled for: PyLong_FromInt64__is_" in error


@each_nasm
@pytest.mark.parametrize("value", ["abc", "3.13", "", '"3.13"', "0x030d0000, 1", "-1 + 2"])
@pytest.mark.parametrize("name", ["PY_VERSION_HEX", "Py_LIMITED_API"])
def test_a_version_that_is_none(name: str, value: str, nasm: str, tmp_path: Path) -> None:
    text = "PyRoutine a\nPyReturn\nPyEndRoutine"
    (error,) = errors_of(text, tmp_path, {name: value}, ASSEMBLERS[nasm])
    assert f": fatal: {name} is a version in hexadecimal, such as 0x030d0000 for 3.13" in error


@each_nasm
@pytest.mark.parametrize(
    ("text", "macro"),
    [
        ("PyRoutine a\nPyBuffer b", "PyBuffer"),
        ('PyModule m\nPyTypedFunction "f(a: bytes)"', "PyTypedFunction"),
    ],
)
def test_buffers_beyond_the_limited_api(text: str, macro: str, nasm: str, tmp_path: Path) -> None:
    limited = {"Py_LIMITED_API": "0x030a0000"}
    (error,) = errors_of(text, tmp_path, limited, ASSEMBLERS[nasm])
    assert error.startswith(at(2))
    assert f"{macro} needs Py_buffer, which the limited API has since 3.11" in error

"""Macros refuse wrong numbers, labels, names and values, and take right ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.abi.assembling import ASSEMBLERS, INTERPRETERS, UNIVERSAL, assemble, build, python
from tests.abi.misused import at, each_nasm, errors_of

MODULE = "PyModule m\n{}\nPyEndModule\ng: ret\nBYTES equ 64"
PLAIN = "g: ret\n{}\nBYTES equ 64"
ROUTINE = "PyRoutine r\n{}\nPyReturn\nPyEndRoutine"
RAISING = f"{ROUTINE}\ng: ret\nBYTES equ 64"
TYPE = (
    "struc O\nPyObject_HEAD\n.x: resd 1\nendstruc\nPyModule m\nPyType T, O_size\n"
    "{}\nPyEndType\nPyEndModule\ng: ret\nBYTES equ 64"
)

# For each macro that takes a number: the source around it, its line, the macro, the message.
NUMBERS = [
    (ROUTINE, 2, "PyLocal l, {}", "PyLocal needs a number of bytes"),
    (ROUTINE, 2, "PyReturn {}", "PyReturn needs a register, memory or a number of 64 bits"),
    (ROUTINE, 2, "PyCall PyErr_Format, {}", "PyCall needs the number of vector registers"),
    (ROUTINE, 2, 'PyRaise PyExc_OSError, "%d", {}', "PyRaise needs values in 64-bit registers,"),
    (ROUTINE, 3, "PyBuffer b\nPyGetBuffer b, rdi, {}", "PyGetBuffer needs flags such as PyBUF_"),
    (MODULE, 2, "PyType T, {}\nPyEndType", "PyType needs the size of its objects"),
    (MODULE, 2, "PyType T, 32, {}\nPyEndType", "PyType needs flags such as Py_TPFLAGS_DEFAULT"),
    (MODULE, 2, "PyModuleSlot gil, {}", "PyModuleSlot needs a number that the reference gives for"),
    (MODULE, 2, "PyModuleSlot state_size, {}", "PyModuleSlot needs a number that the reference"),
    (MODULE, 2, "PyFunction f, {}\nPyReturn\nPyEndFunction", " flag"),
    (TYPE, 7, 'PyMember "x", {}, O.x', "PyMember: "),
    (TYPE, 7, 'PyMember "x", Py_T_INT, {}', "PyMember needs an offset such as Point.x"),
    (TYPE, 7, 'PyMember "x", Py_T_INT, O.x, {}', "PyMember needs flags such as Py_READONLY"),
    (TYPE, 7, "PyTypeSlot {}, g", "is not the number of a slot"),
    (PLAIN, 2, "PyDispatch d, g, {}, g", "PyDispatch needs features by"),
]
NO_NUMBER = ["1.5", "1 << 64", "1 +", "10 ** 3", "(1", "1 2", "$ + 1"]

LABELS = [
    (MODULE, 2, 'PyMethod "f", {}, METH_O', "PyMethod needs the label of a routine"),
    (MODULE, 2, "PyModuleSlot exec, {}", "PyModuleSlot needs the label of a routine for exec"),
    (PLAIN, 2, "PyDispatch d, {}", "PyDispatch needs the label of a routine"),
    (TYPE, 7, "PyTypeSlot Py_tp_repr, {}", "PyTypeSlot needs a label"),
    (TYPE, 7, 'PyGetSet "a", {}', "PyGetSet needs the label of a getter"),
    (TYPE, 7, 'PyGetSet "a", g, {}', "PyGetSet needs the label of a setter"),
]
NO_LABEL = ["5", "-1", "1.5", "[g]", "$", "g h", "'g'", ".next"]

# A number where a label is due, by its name, and the reverse.
EXCHANGED = [
    *(
        (whole, line, text.format(each), end)
        for whole, line, text, end in LABELS
        for each in ["BYTES", "BYTES + 1"]
    ),
    (
        PLAIN,
        2,
        "PyDispatch d, g, PyCPU_AVX2, BYTES",
        "PyDispatch needs the label of a routine, not",
    ),
    (PLAIN, 2, "PyDispatch d, g, g, g", "PyDispatch needs features by their names"),
    (MODULE, 2, "PyModuleSlot state_size, g", "gives for state_size, not g"),
    (MODULE, 2, "PyModuleSlot gil, BYTES", "gives for gil, not BYTES"),
    (MODULE, 2, "PyModuleSlot gil, g", "gives for gil, not g"),
    (TYPE, 7, 'PyMember "x", Py_T_INT, g', "PyMember needs an offset such as Point.x, not g"),
    (TYPE, 7, 'PyMember "x", Py_T_INT, BYTES', "4 bytes at the offset 64 are beyond the object"),
    (TYPE, 7, 'PyMember "x", Py_T_INT, O.x, 1 << 31', "flags such as Py_READONLY, not 1 << 31"),
]

RAISED = [
    *(
        (
            f'"%{conversion}", {value}',
            f"%{conversion} takes a number from {limits}, and not {value}",
        )
        for conversion, value, limits in [
            ("d", "4294967296", "-2147483648 to 2147483647"),
            ("i", "1 << 31", "-2147483648 to 2147483647"),
            ("u", "-1", "0 to 4294967295"),
            ("x", "1 << 32", "-2147483648 to 4294967295"),
            ("c", "0x110000", "0 to 1114111"),
        ]
    ),
    *(
        (f'"%{conversion}", {value}', f"%{conversion} takes the address of ")
        for conversion in ["R", "S", "A", "U", "s"]
        for value in ["BYTES", "1 << 3", "0"]
    ),
    ('"%V", BYTES, [rel g]', "%V takes the address of an object"),
    ('"%V", rax, 5', "%s takes the address of a text"),
    ('"%s", g', "not the address g; load it before:   lea rax, [rel g]"),
    ('"%d", xmm0', "PyRaise needs a 64-bit register, not xmm0"),
    ('"%d", 1 / 0', "in memory or as numbers, not 1 / 0"),
    *(
        (f"`{each}d`", "the format's conversions are 1, and the values 0")
        for each in ["\\x25", "\\45", "\\%", "\\u0025", "\\U00000025"]
    ),
    ("`\\\\%d\\U7fffffff`, 1, 2", "the format's conversions are 1, and the values 2"),
    ('"%R", PyLong_Type', "not the address PyLong_Type; load it before:   PyLoad rax, PyLong_Type"),
    ('"%R %R", rcx, [rax + g.rdx + rdx]', "needs rdx, which the value before it overwrites"),
]
TEXT = "the conversions are %d"
OTHERS = [
    *((ROUTINE, 2, f"PyLocal l, {each}", f"bytes, not {each}") for each in ("$ - $$", "r16")),
    (ROUTINE, 2, "PyLocal l, 0x10000000000000000", "not 0x10000000000000000"),
    (TYPE, 7, 'PyMember "x", Py_T_INT, 18446744073709551616', "not 18446744073709551616"),
    *(
        (MODULE, 2, f'PyConstant "X", {value}', message)
        for value, message in [
            *(
                (each, f"64 bits, which {each} does not fit; make it an int in the module's exec")
                for each in [
                    *("1 << 64", "(1 << 64) - 1", "1 << 0x40", "1 << 63", "3 << 62", "-(3 << 62)"),
                    *("0x100000000 * 0x100000000", "1 << -1", "99999999999999999999"),
                    *("1024 * 1024 * 1024 * 1024 * 1024 * 1024 * 8", "-9223372036854775808 - 1"),
                    *("4 * (1 << 62)", "2 * -(1 << 63)", "0xffffffffffffffff + 1", "1 << BYTES"),
                    *("0 - (3 << 62)", "-8 / 2", "BYTES * (1 << 62)"),
                ]
            ),
            *(
                (each, f"PyConstant needs a number, a text, True, False or None, not {each}")
                for each in [
                    *("10 ** 3", "[rax]", "rax", "1j", "1 if 1", "PyLong_Type", "1, 2", "1 / 0"),
                    *(
                        "0b2",
                        "xmm0",
                        "g",
                        "g + 1",
                        "__?float64?__(1.5)",
                        "5 % 0",
                        "__?Infinity?__",
                        "",
                        "$ - g",
                        "$-$$",
                    ),
                ]
            ),
        ]
        for value in [f"{{{value}}}"]
    ),
    (MODULE, 2, 'PyConstant "X", "a" "b"', "PyConstant needs a number, a text, True, False"),
    (MODULE, 2, "PyModuleSlot Py_mod_exec, g", "PyModuleSlot takes create, exec, gil, mult"),
    (MODULE, 2, "PyModuleSlot Exec, g", "names of C without their prefix, not Exec"),
    *(
        (
            MODULE,
            2,
            f"{macro}, METH_NOARGS{rest}",
            "looks for __len__ in a type, and never in a module",
        )
        for macro, rest in [
            ("PyFunction __len__", "\nPyReturn\nPyEndFunction"),
            ('PyMethod "__len__", g', ""),
        ]
    ),
    *(
        (ROUTINE, 2, f"{macro} {name}", message)
        for macro in ["PyKeep", "PyLocal", "PyBuffer", "PyKeep a,"]
        for name, message in [
            (".b", "the name of an argument or local must begin with a letter or _: .b"),
            ("..@b", "must begin with a letter or _: ..@b"),
            ("$b", "must begin with a letter or _: $b"),
        ]
    ),
    ("PyRoutine r, .a", 1, "", "must begin with a letter or _: .a"),
    ("PyRoutine r, a,, b", 1, "", "must be a name, not an empty argument"),
    (ROUTINE, 2, "PyKeep a.d, a", "`a.d' means something already, so that no argument or local"),
    *(
        (ROUTINE, 2, f"PyRaise PyExc_OSError, {rest}", message)
        for rest, message in [
            ('"%d"', "PyRaise: the format's conversions are 1, and the values 0; `%%' stands"),
            ('"no", 1', "conversions are 0, and the values 1"),
            *((f'"%{each}", 1', TEXT) for each in ["*d", "-5d", "jd", "zx", "lx", "X", "ls"]),
            *((f'"%{each}", 1', TEXT) for each in [" d", "+d", "#x", "zR"]),
            ('"%f", rax', TEXT),
            ('"%lf", rax', TEXT),
            ('"%hd", 1', TEXT),
            ('"%T", rax', TEXT),
            ('"100%"', "PyRaise: the format ends within a conversion"),
            ('"%d" "x", 1', "PyRaise needs its format as one string"),
            ('"%d", eax', "PyRaise needs a 64-bit register, not eax"),
        ]
    ),
    *(
        (ROUTINE, 2, f'PyRaise {exception}, "no"', "PyRaise needs an exception of CPython's")
        for exception in ["ValueError", "Py_None", "5", "PyExc_OSError + 8"]
    ),
    *(
        (MODULE, 2, f'PyDoc "a", {value}', "a doc string needs texts and characters from 1 to 255")
        for value in ["1 << 64", "-1", "300", "1.5"]
    ),
    *(
        (MODULE, 2, f"{macro}, {rest}", message)
        for macro, rest in [("PyConstant", "1"), ("PyMethod", "g, METH_O")]
        for macro, message in [
            (f'{macro} "a b"', "`a b' is not a name that Python's source can have"),
            (f'{macro} ""', " needs a name, not an empty string"),
        ]
    ),
    (MODULE, 2, "PyDeclared 5", "PyDeclared needs a name, and no quotes, numbers or signs: 5"),
    (ROUTINE, 2, "PyCall PyErr_Clear + 1", "`PyErr_Clear + 1' is not a name of CPython's API"),
    (MODULE, 2, "PyInternal rax", "PyInternal: `rax' is a register, and no label"),
    (ROUTINE, 2, "PyLoad rax, PyLong_Type + 8", "PyLoad needs one name of CP"),
    (ROUTINE, 2, "PyLoad rax rbx, Py_None", "PyLoad needs a 64-bit register, not rax rbx"),
]
ROWS = [
    *(
        (whole, line, text.format(each), end)
        for whole, line, text, end in NUMBERS
        for each in NO_NUMBER
    ),
    *(
        (whole, line, text.format(each), end)
        for whole, line, text, end in LABELS
        for each in NO_LABEL
    ),
    *EXCHANGED,
    *((RAISING, 2, f"PyRaise PyExc_OSError, {rest}", message) for rest, message in RAISED),
    *OTHERS,
]
IDS = [f"{text or whole}" for whole, _, text, _ in ROWS]


@pytest.mark.parametrize(("whole", "line", "text", "message"), ROWS, ids=IDS)
def test_refused(whole: str, line: int, text: str, message: str, tmp_path: Path) -> None:
    (error,) = errors_of(whole.replace("{}", text), tmp_path, UNIVERSAL)
    assert error.startswith(at(line))
    assert message in error


# Where another nasm might read numbers and signs otherwise.
SOME = [row for row in ROWS if "<<" in row[2] or "%" in row[2] or ".next" in row[2]][::5]


@each_nasm
def test_refused_by_every_nasm(nasm: str, tmp_path: Path) -> None:
    for whole, line, text, message in SOME:
        (error,) = errors_of(whole.replace("{}", text), tmp_path, UNIVERSAL, ASSEMBLERS[nasm])
        assert error.startswith(at(line)), text
        assert message in error


def test_the_place_is_that_of_the_call(tmp_path: Path) -> None:
    """In an included file, and where a macro of the user's is called."""
    wrong = 'PyConstant "X", 1 << SHIFT\n'
    part = tmp_path / "part.inc"
    part.write_text(f"\n\n{wrong}")
    for text, place in [
        (f'%include "{part}"', f"{part}:3"),
        (f"%macro mine 0\n  nop\n  {wrong}%endmacro\nmine", "7"),
        (f"%rep 2\n%endrep\n%if 1\n{wrong}%endif", "6"),
    ]:
        source = f"PyModule m\n{text}\nPyEndModule\nSHIFT equ 64"
        (error,) = errors_of(source, tmp_path, UNIVERSAL)
        assert error.startswith(f"{place}: fatal: "), error
        assert "which 1 << SHIFT does not fit" in error


CONSTANTS = {
    "0x7fffffffffffffff": 2**63 - 1,
    "(1 << 63) - 1": 2**63 - 1,
    "-1 << 63": -(2**63),
    "-(1 << 63)": -(2**63),
    "-9_223_372_036_854_775_808": -(2**63),
    "5 - 10": -5,
    "-1 + 2": 1,
    "-(1 - 5)": 4,
    "~5": -6,
    "1024 * 1024": 2**20,
    "SHIFTED": 64,
    "LATER * 2": 14,
    "0x10 | METH_O": 0x18,
    "1 << 62": 2**62,
    "True": True,
    "None": None,
    "1010y": 10,
    "0h0ff": 255,
    "1 + 'a'": 98,
    "('a' | 0x20) * 2": 194,
    "1 = 1": 1,
    "1 <> 2": 1,
    "2 <=> 1": 1,
    "1 ^^ 1": 0,
    "3 <<< 2": 12,
    "(-8 >>> 1) & 0xff": 0xFC,
    "-1 & 0xff": 255,
    "~~5": 5,
    "!!5": 1,
    "__?ilog2e?__(8)": 3,
    "$rax_size + odd?~size": 48,
    "-.5e-1": -0.05,
    "'text'": "text",
}

RIGHT = """%include "python.inc"
%define SHIFTED (1 << 6)
BYTES equ 3 * 8
$rax_size equ 24
odd?~size equ 24
struc State
.x: resq 2
endstruc
struc O
PyObject_HEAD
.x: resq 1
.rdx: resq 1
.r11: resq 1
endstruc
PyModule m
{constants}
PyModuleSlot exec, run.body
PyModuleSlot state_size, State_size
PyModuleSlot multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED
PyType T, O_size + 8, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE
PyMember "x", Py_T_LONGLONG, O.x + 0, Py_READONLY | 0
PyEndType
PyFunction __getattr__, METH_O, self, name
    PyRaise     PyExc_AttributeError, "%5d%%, %R and %3zd", 1 << 4, name, [rel seven]
    PyReturn    NULL
PyEndFunction
extern abs
PyDispatch of_library, $abs wrt ..plt, PyCPU_AVX2, run.body
PyRoutine immediate
    PyReturn    dword 5
PyEndRoutine
PyRoutine floating
    PyReturn    __?float64?__(1.5)
PyEndRoutine
PyRoutine bytes_of_number
    PyLocal     local, "a" & 0x38
    PyReturn    strict qword LATER
PyEndRoutine
PyRoutine character
    PyReturn    'A'
PyEndRoutine
PyRoutine names_like_registers
    Py_CLEAR    [rax + O.r11]
    PyRaise     PyExc_OSError, "%d %d", rcx, [rax + O.rdx]
    PyReturn
PyEndRoutine
PyRoutine null_or_object
    PyRaise     PyExc_OSError, "%V %d", 0, rdi, 5
    PyReturn    -1
PyEndRoutine
PyRoutine of_64_bits
    PyRaise     PyExc_OSError, "%ld %zu %lld %p", 1 << 32, -1, LATER << 40, 0
    PyRaise     PyExc_OSError, "%x %c %.3d %%", -1, "a", BYTES
    PyRaise     qword [rel seven], "%R", qword [rsp + 8]
    PyReturn    qword [rsp]
PyEndRoutine
PyFunction minus, METH_NOARGS, self
    PyKeep      _a, b.c
    PyLocal     d, BYTES
    mov         rdi, -1
    PyCall      PyLong_FromLong
    PyReturn
PyEndFunction
PyEndModule
run:
.body:
    xor         eax, eax
    ret
LATER equ 7
PyDispatch chosen, run, MINE, run
MINE equ PyCPU_SSE3
section .rodata
seven: dq 7
"""


@each_nasm
def test_right_ones_work(nasm: str, tmp_path: Path) -> None:
    """Expressions, labels defined later, registers and memory are taken, as the module shows."""
    constants = "\n".join(f'PyConstant "C{n}", {value}' for n, value in enumerate(CONSTANTS))
    source = tmp_path / "m.asm"
    source.write_text(RIGHT.replace("{constants}", constants))
    build(source, tmp_path / "m.so", UNIVERSAL, ASSEMBLERS[nasm])
    names = ", ".join(f"m.C{n}" for n in range(len(CONSTANTS)))
    code = (
        f"import m; print([{names}]); print(m.minus(), m.T().x)\n"
        "try: m.other\nexcept AttributeError as error: print(error)"
    )
    (interpreter,) = [
        each for each in INTERPRETERS.values() if each.version[:2] == sys.version_info[:2]
    ][:1]
    printed = python(interpreter, tmp_path, "-c", code).splitlines()
    assert printed == [str([*CONSTANTS.values()]), "-1 0", "   16%, 'other' and   7"]


def test_the_cure_of_a_number_that_is_returned(tmp_path: Path) -> None:
    text = MODULE.format("PyFunction f, METH_NOARGS\n{}\nPyEndFunction")
    (error,) = errors_of(text.format("PyReturn -1"), tmp_path, UNIVERSAL)
    assert "make one: mov rdi, -1 and PyTailCall PyLong_FromLong" in error
    source = tmp_path / "m.asm"
    cured = text.format("mov rdi, -1\nPyTailCall PyLong_FromLong")
    source.write_text(f'%include "python.inc"\n{cured}\n')
    assert assemble(source, tmp_path / "m.o").returncode == 0

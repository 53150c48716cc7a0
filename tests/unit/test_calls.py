"""Calls of macros are read as NASM reads them, and expressions have the values that NASM gives them."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest

from asmsetup.check.calls.call import Call, MisuseError, Target, recorded, written
from asmsetup.check.calls.expressions import (
    ADDRESS,
    UNKNOWN,
    LostBitsError,
    NoNumberError,
    Value,
    evaluate,
)
from asmsetup.check.calls.rules import _RULES, judge
from asmsetup.facts import elf
from tests.checking import assembled

NAMES = {
    "SEVEN": 7,
    "MINUS": -3,
    "naïve²": 4,
    "√2": 5,
    "groß\udce4e": 6,
    "@x": 8,
    "st": 9,
    "r8l": 2,
}
"""Names of numbers: letters of any kind, bytes that are no UTF-8, and what looks like a register."""
VALUES = [
    *("0x10", "0h0ff", "$0f", "0ffh", "1010y", "0b11", "11b", "0o17", "17q", "0d5", "5d", "0x1d"),
    *("0b2h", "1_000", "0x_ff", "'a'", "'ab' + 1", '"abcdefgh"', "0x1e-3", "0x1e - 3", "1 -1"),
    *("-1", "~5", "~0x8000000000000000", "!5", "!0", "- -5", "-~5", "1 + 2 * 3", "(1 + 2) * 3"),
    *("1 << 4 + 1", "1 | 2 ^ 3 & 6", "7 & 3 << 1", "-8 >> 60", "-8 >>> 1", "-8 // 3", "-8 %% 3"),
    *("8 / 3", "8 % 3", "1 = 1", "1 == 2", "1 <> 2", "1 != 1", "-1 < 1", "2 >= 2", "2 <= 1"),
    *("1 && 0", "1 || 0", "1 ^^ 1", "1 ? 2 : 3", "0 ? 2 : 1 ? 4 : 5", "2 > 1 | 4"),
    *("1 << 63", "-1 << 63", "-(1 << 63)", "0xffffffffffffffff", "(1 << 63) - 1", "-1 & 0xff"),
    *(each.replace("N", name) for name in NAMES for each in ("N + 1", "$N * 2", "-N")),
]


def test_values_are_those_of_nasm(tmp_path: Path) -> None:
    lines = [f"{name} equ {number}" for name, number in NAMES.items()]
    lines += ["section .rodata", *(f"dq {each}" for each in VALUES)]
    facts = elf.read(assembled(tmp_path / "v.asm", "\n".join(lines) + "\n"))
    section = facts.section(".rodata")
    assert section is not None
    content = facts.content(section)
    for index, text in enumerate(VALUES):
        number = evaluate(text, lambda name: Value(NAMES[name])).number
        assert number is not None, text
        expected = int.from_bytes(content[8 * index : 8 * index + 8], "little")
        assert number % 2**64 == expected, text


@pytest.mark.parametrize(
    ("text", "error"),
    [
        *((each, NoNumberError) for each in ["", "1 +", "1 2", "(1", "1)", "1.5", "1e3", "0b2"]),
        *(
            (each, NoNumberError)
            for each in ["10 ** 3", "rax", "[rax]", "1 / 0", "1 ? 2", "'a", "1j"]
        ),
        *(
            (each, LostBitsError)
            for each in ["1 << 64", "1 << -1", "1 >> 64", "-(3 << 62)", "-1 / 2"]
        ),
        *((each, LostBitsError) for each in ["0x1_0000_0000_0000_0000", "4 * (1 << 62)"]),
    ],
)
def test_no_numbers(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        evaluate(text)


def test_addresses() -> None:
    """The distance of two is a number; what is neither stays unknown."""
    for text, is_address in [
        *(("$", True), ("a + 4", True), ("4 + a", True), ("a - 4", True), ("a wrt ..plt", True)),
        *((".unknown + a", False), ("a - .unknown", False)),
        *(("a - b", False), ("a == b", False), ("__?ilog2e?__(8)", False), ("2 <=> 1", False)),
    ]:
        value = evaluate(text, lambda name: UNKNOWN if name == ".unknown" else ADDRESS)
        assert (value.number, value.is_address) == (None, is_address), text


def test_what_nobody_writes_is_left_alone() -> None:
    assert evaluate("(" * 5000 + "1" + ")" * 5000).number is None


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ('  PyConstant "A;,", 1 ; a comment', ("PyConstant", ('"A;,"', "1"))),
        ("here: PyReturn", ("PyReturn", ("",))),
        ("PyDispatch a, b, {c, d}", ("PyDispatch", ("a", "b", "c, d"))),
        (
            "PyRaise [rel a], `\\`,`, [b + 4 * (c)]",
            ("PyRaise", ("[rel a]", "`\\`,`", "[b + 4 * (c)]")),
        ),
        ("mov rax, rbx", None),
    ],
)
def test_a_line_as_a_call(line: str, call: object) -> None:
    assert written(["", line], 2) == call


def test_a_call_of_several_lines() -> None:
    assert written(["PyDispatch a, \\", "  b, \\", "  c", "d"], 1) == (
        "PyDispatch",
        ("a", "b", "c"),
    )


def test_a_recorded_call() -> None:
    in_type = Target(0x030A0000, 32, "O_size + 8")
    assert recorded('0x030a0000,PyConstant, "A,", 1 << 3') == (
        *("PyConstant", ('"A,"', "1 << 3")),
        Target(0x030A0000),
    )
    assert recorded("0x030a0000 32 O_size + 8,PyTypeSlot,1,f")[2] == in_type


@pytest.mark.parametrize(
    "record", ["", "0x", "PyRaise", "1,PyRaise", "\ufffd,\ufffd,,,", "- - -,x"]
)
def test_a_damaged_record(record: str) -> None:
    assert isinstance(recorded(record)[1], tuple)


IN_TYPE = Target(0x030A0000, 32, "32")
IN_MODULE = Target(0x030A0000)
NEVER = "PyFunction: Python never calls {}; if {} is meant, write PyRoutine and PyTypeSlot {}"


@pytest.mark.parametrize(
    ("name", "target", "message"),
    [
        ("__len__", IN_TYPE, "Python looks for __len__ in a slot of the type, and not among"),
        ("__eq__", IN_TYPE, "its methods; write PyRoutine and PyTypeSlot Py_tp_richcompare"),
        ("__radd__", IN_TYPE, "its methods; write PyRoutine and PyTypeSlot Py_nb_add"),
        ("__del__", IN_TYPE, "its methods; write PyRoutine and PyTypeSlot Py_tp_finalize"),
        ("__len__", IN_MODULE, "PyFunction: Python looks for __len__ in a type, and never in a"),
        ("__getatr__", IN_MODULE, "PyFunction: Python never calls __getatr__; did you mean __get"),
        ("__dir_", IN_MODULE, "PyFunction: Python never calls __dir_; did you mean __dir__?"),
        ("__setattr__", IN_MODULE, "and, in a PyType, PyTypeSlot Py_tp_setattro"),
        ("__lenght__", IN_TYPE, NEVER.format("__lenght__", "__len__", "Py_mp_length")),
        ("__len_", IN_TYPE, NEVER.format("__len_", "__len__", "Py_mp_length")),
        ("__Repr__", IN_TYPE, NEVER.format("__Repr__", "__repr__", "Py_tp_repr")),
        ("__nonzero__", IN_TYPE, NEVER.format("__nonzero__", "__bool__", "Py_nb_bool")),
        ("__getitm__", IN_TYPE, NEVER.format("__getitm__", "__getitem__", "Py_mp_subscript")),
        ("__setitm__", IN_TYPE, NEVER.format("__setitm__", "__setitem__", "Py_mp_ass_subscript")),
    ],
)
def test_a_special_method_that_python_would_not_find(
    name: str, target: Target, message: str
) -> None:
    with pytest.raises(MisuseError) as error:
        judge(Call("attribute", ("PyFunction", f'"{name}"'), target))
    assert message in str(error.value)


@pytest.mark.parametrize("macro", ["PyFunction", "PyMethod", "PyGetSet", "PyMember"])
def test_special_names_that_python_finds(macro: str) -> None:
    """Among the attributes of a type, or of a module."""
    of_types = """
    __reduce__ __getstate__ __setstate__ __enter__ __exit__ __sizeof__ __dir__ __format__ __copy__
    __class_getitem__ __array_interface__ __dictoffset__ __weaklistoffset__ __vectorcalloffset__
    __dict__ __weakref__ __match_args__ __text_signature__ __annotations__ __module__ __name__
    """
    for name in of_types.split():
        judge(Call("attribute", (macro, f'"{name}"'), IN_TYPE))
    of_modules = """
    __getattr__ __dir__ __lenght__ __all__ __version__ __doc__ __dict__ __name__ __path__ __attr__
    """
    for name in of_modules.split():
        judge(Call("attribute", (macro, f'"{name}"'), IN_MODULE))


@pytest.mark.parametrize(
    ("base", "size", "types"),
    [
        ("PyType_Type", "-8", {"T": ("-8",)}),  # bytes of its own, behind the base's
        ("PyList_Type", "0", {"T": ("0",)}),
        ("PyBaseObject_Type", "48", {"T": ("48",)}),
        ("B", "48", {"B": ("40", "1 << 10"), "T": ("48",)}),
        ("B", "B_o_size", {"B": ("B_o_size", "1 << 10"), "T": ("B_o_size",)}),
        ("B", "0", {"B": ("40", "FLAGS"), "T": ("0",)}),
    ],
)
def test_bases_that_leave_room(base: str, size: str, types: dict[str, tuple[str, ...]]) -> None:
    target = Target(0x030C0000, 16, size)
    judge(Call("PyTypeSlot", ("48", base), target, types=types))


@pytest.mark.parametrize(
    ("format_", "oldest", "values", "wrong"),
    [
        ("%-5d %*d %jd %td %lx %o %X", 0x030C0000, 8, None),
        ("%-5d", 0x030B0000, 1, "no `-'"),
        ("%td", 0x030B0000, 1, "no `t'"),
        ("%T %#N", 0x030D0000, 2, None),
        ("%T", 0x030C0000, 1, "no `T'"),
        ("%#x", 0x030D0000, 1, "no `#'"),
        ("%jR", 0x030E0000, 1, "no `R'"),
        ("%lV", 0x030C0000, 2, None),
    ],
)
def test_conversions_by_version(format_: str, oldest: int, values: int, wrong: str | None) -> None:
    arguments = ("PyExc_OSError", f'"{format_}"', *["rax"] * values)
    call = Call("PyRaise", arguments, Target(oldest))
    if wrong is None:
        judge(call)
    else:
        with pytest.raises(MisuseError, match=wrong):
            judge(call)


def test_whatever_is_recorded_is_judged() -> None:
    """Objects may be damaged, and sources hold anything: a call is right or refused."""
    words = [
        "",
        "0",
        "-1",
        "1.5",
        "0x",
        "$",
        "rax",
        "[rdx]",
        '"%d"',
        "'",
        "`\\",
        "a",
        "a_size",
        ".b",
    ]
    words += [
        "(",
        ")",
        "+",
        "<<",
        "99999999999999999999",
        "%",
        "wrt",
        "__?f?__",
        "\udcff",
        "PyCPU_",
    ]
    chosen = random.Random(5)
    for macro in [*_RULES, "PyRaise", "PyDispatch", "nothing"]:
        for _ in range(200):
            texts = [" ".join(chosen.choices(words, k=chosen.randint(1, 3))) for _ in range(5)]
            given = tuple(texts[: chosen.randint(0, 5)])
            types = {"a": tuple(texts[: chosen.randint(1, 3)])}
            call = Call(macro, given, Target(0x030A0000, 32, texts[4]), types=types)
            with contextlib.suppress(MisuseError):
                judge(call)

"""A typed function declared wrongly: one error, in words, at the line of the declaration."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.abi.assembling import ASSEMBLERS, assemble

SOURCE = """
PyModule m
{}
PyEndModule
section .text
routine: ret
"""
LINE = 4
USAGE = 'wrong number of arguments; write `PyTypedFunction "name(parameter: type = default, ...)'
OPTIONS = (
    "is not an option; the options are `calls routine', `extern routine', `nogil', `static', `doc"
)

MISUSES = [
    ("", USAGE),
    ("f", "PyTypedFunction needs the signature as a string"),
    ('"f"', "PyTypedFunction: the signature has no `('"),
    ('"(a: i64)"', "PyTypedFunction: `' is not a name for a function"),
    ('"a b(a: i64)"', "PyTypedFunction: `a b' is not a name for a function"),
    ('"2f(a: i64)"', "PyTypedFunction: `2f' is not a name for a function"),
    ('"f(a: i64"', "PyTypedFunction f: the parameters are not closed by `)'"),
    ('"f(a: str = \'b)"', "PyTypedFunction f: the parameters are not closed by `)'"),
    ('"f(a: i46)"', "PyTypedFunction f: unknown type `i46'; the types are i32, u32,"),
    ('"f(a: bytes[])"', "PyTypedFunction f: unknown type `bytes[]'"),
    ('"f(a: )"', "PyTypedFunction f: unknown type `'"),
    ('"f(a)"', "PyTypedFunction f: parameter `a' has no type; write `a: i64'"),
    ('"f(self: i64, a)"', "PyTypedFunction f: parameter `a' has no type"),
    ('"f(a: i64, self)"', "PyTypedFunction f: parameter `self' has no type"),
    ('"f(a b: i64)"', "PyTypedFunction: `a b' is not a name for a parameter"),
    ('"f(a: i64,, b: i64)"', "PyTypedFunction: `' is not a name for a parameter"),
    ('"f(a: i64, b: i64, a: i64)"', "PyTypedFunction f: two parameters are named `a'"),
    ('"f(a: u8)"', "PyTypedFunction f: `u8' is a type of buffer items only, as in `u8[]'"),
    ('"f(a: writable i64)"', "PyTypedFunction f: only buffers can be writable"),
    (
        '"f({})"'.format(", ".join(f"a{i}: i64" for i in range(33))),
        "PyTypedFunction f: more than 32 parameters",
    ),
    (
        '"lambda(a: i64)"',
        "PyTypedFunction: `lambda' is a keyword of Python; choose another name for",
    ),
    ('"f(a: i64, None: i64)"', "PyTypedFunction: `None' is a keyword of Python; choose another"),
    (f'"f({"a" * 256}: i64)"', "the name of a parameter has 256 letters, and 255 are the most"),
    (f'"{"f" * 5000}()"', "the name of a function has 5000 letters, and 255 are the most"),
    ('"f(a: i64 ; count)"', "a signature holds no comment, as it has in `f(a: i64 ; count)'"),
    # markers
    ('"f(/, a: i64)"', "PyTypedFunction f: `/' belongs once, after the parameters"),
    ('"f(a: i64, /, /)"', "PyTypedFunction f: `/' belongs once"),
    ('"f(*, a: i64, /)"', "PyTypedFunction f: `/' belongs once"),
    ('"f(a: i64, *)"', "PyTypedFunction f: no parameter after `*'"),
    ('"f(*, a: i64, *, b: i64)"', "PyTypedFunction f: `*' belongs once"),
    # the rest
    ('"f(*rest: i64)"', "PyTypedFunction f: what `*rest' takes are objects: write `*rest' alone"),
    ('"f(*rest = None)"', "PyTypedFunction f: what `*rest' takes are objects"),
    ('"f(*rest, *)"', "PyTypedFunction f: what follows `*rest' is keyword-only; leave `*' out"),
    ('"f(*rest, *, a: i64)"', "f: what follows `*rest' is keyword-only; leave `*' out"),
    ('"f(*rest, a: i64, *)"', "f: what follows `*rest' is keyword-only; leave `*' out"),
    ('"f(*rest, *more)"', "PyTypedFunction f: `*rest' takes all further arguments; leave"),
    ('"f(*rest, a: i64, *more)"', "PyTypedFunction f: `*rest' takes all further arguments; leave"),
    ('"f(*rest, **more)"', "PyTypedFunction f: `**more' is not possible"),
    ('"f(*rest, rest: i64)"', "PyTypedFunction f: two parameters are named `rest'"),
    ('"f(*rest, a: i64, a: i64)"', "PyTypedFunction f: two parameters are named `a'"),
    ('"f(a: i64, *rest, a: i64)"', "PyTypedFunction f: two parameters are named `a'"),
    ('"f(*rest, a: i64, /)"', "PyTypedFunction f: `/' belongs once"),
    ('"f(*rest, a)"', "PyTypedFunction f: parameter `a' has no type; write `a: i64'"),
    ('"f(*rest, a: i64)", calls routine, nogil', "`nogil' and `object' exclude"),
    ('"f(*, a: i64, *rest)"', "PyTypedFunction f: `*rest' stands in the place of `*'"),
    ('"f(a: i64, *a)"', "PyTypedFunction f: two parameters are named `a'"),
    ('"f(a: i64, *2)"', "`2' is not a name for a parameter"),
    ('"f(**keywords)"', "PyTypedFunction f: `**keywords' is not possible; for keywords of any"),
    ('"f(*rest)", calls routine, nogil', "PyTypedFunction f: `nogil' and `object' exclude"),
    ('"f(a: list[i64)"', "PyTypedFunction f: unknown type `list[i64'"),
    ('"f(a: list[str])"', "PyTypedFunction f: unknown type `list[str]'"),
    ('"f(a: writable list[i64])"', "unknown type `writable list[i64]'"),
    ('"f(a: f64[:, :, :])"', "PyTypedFunction f: unknown type `f64[:, :, :]'; buffers with a sha"),
    ('"f(a: f64[::1])"', "unknown type `f64[::1]'; buffers with a shape are `f64[:]', `f64[:, :]'"),
    ('"f(a: str[:])"', "PyTypedFunction f: unknown type `str[:]'; buffers with a shape are"),
    ('"f() -> f64[:]"', "PyTypedFunction f: a result cannot be `f64[:]'"),
    ('"f(a: f64[:] = 1)"', "PyTypedFunction f: `1' is not a default for `a: f64[:]'; write None"),
    ('"f() -> list[i64]"', "PyTypedFunction f: a result cannot be `list[i64]'"),
    ('"f()", calls routine, static', "PyTypedFunction f: `static' is for methods of a type"),
    # results
    ('"f() i64"', "PyTypedFunction f: after the parameters comes `-> type', not `i64'"),
    ('"f() -> i46"', "PyTypedFunction f: unknown type `i46'"),
    ('"f() -> i64 ; x"', "PyTypedFunction: a signature holds no comment, as it has in `f() -> i64"),
    ('"f() -> tuple[]"', "PyTypedFunction f: a result cannot be `tuple[]'; a tuple is of numbers"),
    ('"f() -> tuple[str]"', "PyTypedFunction f: a result cannot be `tuple[str]'"),
    ('"f(a: tuple[i64])"', "PyTypedFunction f: unknown type `tuple[i64]'"),
    ('"f(cls, a: i64)"', "PyTypedFunction f: `cls' is for methods of a type"),
    ('"f() -> double[]"', "PyTypedFunction f: a result cannot be `double[]'"),
    # defaults
    (
        '"f(a: i64 = 1, b: i64)"',
        "PyTypedFunction f: parameter `b' has no default but follows `a', which has one",
    ),
    ('"f(a: i64 =)"', "PyTypedFunction f: no default after `='"),
    ('"f(a: i64 = x)"', "PyTypedFunction f: `x' is not a default for `a: i64'; write an integer"),
    *(
        (f'"f(a: u64 = {number})"', f"`{number}' is not a default for `a: u64'; write an integer")
        for number in ("0ffh", "101b", "017", "$0f", "17o", "0d9", "00")
    ),
    ('"f(a: i64 = -010)"', "`-010' is not a default for `a: i64'; write an integer such as"),
    ('"f(a: i32 = 2147483648)"', "PyTypedFunction f: the default 2147483648 of `a' does not fit"),
    ('"f(a: i32 = -2147483649)"', "PyTypedFunction f: the default -2147483649 of `a' does not fit"),
    ('"f(a: u32 = -1)"', "PyTypedFunction f: the default -1 of `a' does not fit u32"),
    ('"f(a: u32 = 0x100000000)"', "PyTypedFunction f: the default 0x100000000 of `a' does not fit"),
    ('"f(a: i64 = 9223372036854775808)"', "9223372036854775808 of `a' does not fit i64"),
    ('"f(a: i64 = -9223372036854775809)"', "-9223372036854775809 of `a' does not fit i64"),
    ('"f(a: u64 = -1)"', "PyTypedFunction f: the default -1 of `a' does not fit u64"),
    ('"f(a: u64 = 18446744073709551616)"', "18446744073709551616 of `a' does not fit u64"),
    ('"f(a: u64 = 99999999999999999999)"', "99999999999999999999 of `a' does not fit u64"),
    ('"f(a: u64 = 123456789012345678901)"', "123456789012345678901 of `a' does not fit u64"),
    ('"f(a: double = x)"', "`x' is not a default for `a: double'; write a number such as 1, 0.5"),
    ('"f(a: double = --1)"', "`--1' is not a default for `a: double'"),
    ('"f(a: double = 1e)"', "`1e' is not a default for `a: double'"),
    ('"f(a: double = .)"', "`.' is not a default for `a: double'"),
    ('"f(a: double = 1.2.3)"', "`1.2.3' is not a default for `a: double'"),
    ('"f(a: double = 1e999)"', "the default 1e999 of `a' does not fit double"),
    ('"f(a: double = -2E308)"', "the default -2E308 of `a' does not fit double"),
    ('"f(a: f32 = 3.5e38)"', "the default 3.5e38 of `a' does not fit f32"),
    ('"f(a: f32 = 1e39)"', "the default 1e39 of `a' does not fit f32"),
    ('"f(a: bool = 1)"', "`1' is not a default for `a: bool'; write True or False"),
    ('"f(a: object = 1)"', "`1' is not a default for `a: object'; write None"),
    ('"f(a: str = abc)"', "`abc' is not a default for `a: str'; write None or 'text'"),
    (r"""'f(a: str = "a\n")'""", "is not a default for `a: str'; write None or 'text'"),
    ("\"f(a: bytes = 'a')\"", "`'a'' is not a default for `a: bytes'; write None or b'text'"),
    ("\"f(a: writable bytes = b'a')\"", "`b'a'' is not a default for `a: writable bytes'"),
    ('"f(a: double[] = 1)"', "`1' is not a default for `a: double[]'; write None"),
    # options
    (
        '"f()", calls rax',
        "PyTypedFunction f: `calls rax' names a register, which the call does not",
    ),
    ('"f()", extern R10', "PyTypedFunction f: `extern R10' names a register"),
    ('"f()", calls "g"', '`calls "g"\' names a string; the name of a routine is written without'),
    ('"f()", doc "a", nogil, doc "b"', "PyTypedFunction f: a second `doc'; write one, of several"),
    ('"f()", extern "g"', '`extern "g"\' names a string; the name of a routine is written without'),
    ('"f()", call routine', f"PyTypedFunction f: `call routine' {OPTIONS}"),
    ('"f()", calls', f"PyTypedFunction f: `calls' {OPTIONS}"),
    ('"f()", calls routine twice', f"PyTypedFunction f: `calls routine twice' {OPTIONS}"),
    ('"f()", calls routine, nogil please', f"PyTypedFunction f: `nogil please' {OPTIONS}"),
    ('"f()", calls .routine', "PyTypedFunction f: `calls .routine' names a local label, which"),
    ('"f()", calls common', "PyTypedFunction: `common' is a word of nasm's, and no label"),
    ('"f()", extern byte', "PyTypedFunction: `byte' is a word of nasm's, and no label"),
    ('"f()", calls routine, doc', f"PyTypedFunction f: `doc' {OPTIONS}"),
    ('"f()", calls routine, doc text', f"PyTypedFunction f: `doc text' {OPTIONS}"),
    ('"f()", calls routine, extern other', "PyTypedFunction f: one routine is called"),
    ('"f(a: object)", calls routine, nogil', "PyTypedFunction f: `nogil' and `object' exclude"),
    ('"f() -> object", calls routine, nogil', "PyTypedFunction f: `nogil' and `object' exclude"),
]


def errors_of(declaration: str, folder: Path, nasm: str = "nasm") -> list[str]:
    source = folder / "m.asm"
    source.write_text('%include "python.inc"' + SOURCE.format(declaration))
    said = assemble(source, folder / "m.o", nasm=nasm)
    assert said.returncode != 0
    return said.stderr.splitlines()


@pytest.mark.parametrize("nasm", ASSEMBLERS)
@pytest.mark.parametrize(("declaration", "error"), MISUSES)
def test_one_error(declaration: str, error: str, nasm: str, tmp_path: Path) -> None:
    (line,) = errors_of(f"\nPyTypedFunction {declaration}", tmp_path, ASSEMBLERS[nasm])
    assert f"m.asm:{LINE}: fatal: " in line
    assert error in line


def test_the_routine_is_missing(tmp_path: Path) -> None:
    # NASM says it for the call and for the record of it; builds show it once.
    (line,) = set(errors_of('\nPyTypedFunction "f()"', tmp_path))
    assert f"m.asm:{LINE}: error: symbol `f' not defined" in line


def test_declared_twice(tmp_path: Path) -> None:
    declaration = 'PyTypedFunction "f()", calls routine'
    (line,) = errors_of(f"{declaration}\n{declaration}", tmp_path)
    assert f"m.asm:{LINE}: fatal: PyTypedFunction f: declared twice" in line


@pytest.mark.parametrize(
    ("signature", "error"),
    [
        ("__buffer__(self, flags: i64) -> object", "enter it with PyTypeSlot in Py_bf_getbuffer"),
        ("__getattr__(self) -> i64", "__getattr__: Python passes one argument to it, without a d"),
        ("__get__(self, a: object) -> object", "__get__: Python passes two arguments to it"),
        ("__set__(self, a: object, b: i64) -> i64", "__set__: its result is `None'"),
        ("__await__(self) -> i64", "__await__: its result is `object', not `i64'"),
        ("__add__(self) -> i64", "__add__: Python passes one argument to it, without a default"),
        ("__eq__(self, other: i64 = 1) -> bool", "__eq__: Python passes one argument to it"),
        ("__setitem__(self, key: i64)", "__setitem__: Python passes two arguments to it"),
        ("__setitem__(self, key: i64, v: i64) -> i64", "__setitem__: its result is `None'"),
        ("__call__(self, *rest) -> i64", "__call__: a method in a slot cannot take `*rest'"),
        ("__eq__(self, *rest) -> bool", "__eq__: a method in a slot is passed no `*rest'"),
        ("__repr__(self) -> i64", "__repr__: its result is `str', not `i64'"),
        ("__str__(self) -> bytes", "__str__: its result is `str', not `bytes'"),
        ("__int__(self) -> double", "__int__: its result is `i64', not `double'"),
        ("__index__(self) -> bool", "__index__: its result is `i64', not `bool'"),
        ("__float__(self) -> i64", "__float__: its result is `float', not `i64'"),
        ("__iter__(self) -> i64", "__iter__: its result is `object', not `i64'"),
        ("__lenght__(self) -> i64", "__lenght__: Python never calls it; did you mean __len__?"),
        ("__repr___(self) -> str", "__repr___: Python never calls it; did you mean __repr__?"),
        ("__Len__(self) -> i64", "__Len__: Python never calls it; did you mean __len__?"),
        ("__nonzero__(self) -> bool", "Python never calls it; did you mean __bool__?"),
        ("__idiv__(self, a: i64) -> i64", "Python never calls it; did you mean __itruediv__?"),
        ("__getattribut__(self)", "Python never calls it; did you mean __getattribute__?"),
        ("__del__(self)", "enter it with PyTypeSlot in Py_tp_finalize"),
        ("__len__(self) -> double", "__len__: its result is `i64', not `double'"),
        ("__bool__(self) -> i64", "__bool__: its result is `bool', not `i64'"),
        ("__init__(self) -> i64", "__init__: its result is `None', not `i64'"),
        ("__len__(self, a: i64) -> i64", "__len__: Python passes no argument to it"),
        ("__getitem__(self) -> i64", "__getitem__: Python passes one argument to it"),
        ("__new__(self) -> object", "__new__: the routine gets `cls', not `self'"),
    ],
)
def test_methods_in_slots(signature: str, error: str, tmp_path: Path) -> None:
    type_ = f'PyType T, 64\nPyTypedFunction "{signature}", calls routine\nPyEndType'
    (line,) = errors_of(type_, tmp_path)
    assert f"m.asm:{LINE}: fatal: PyTypedFunction __" in line
    assert error in line


def test_a_misspelt_function_of_a_module(tmp_path: Path) -> None:
    text = '\nPyTypedFunction "__getatr__(name: str) -> object", calls routine'
    (line,) = errors_of(text, tmp_path)
    assert "PyTypedFunction __getatr__: Python never calls it; did you mean __getattr__?" in line


@pytest.mark.parametrize("name", ["__len__", "__add__", "__setattr__", "__call__"])
def test_a_method_outside_of_a_type(name: str, tmp_path: Path) -> None:
    (line,) = errors_of(f'\nPyTypedFunction "{name}()", calls routine', tmp_path)
    assert f"m.asm:{LINE}: fatal: PyTypedFunction {name}: Python looks for it in a type" in line


def test_other_methods_with_underscores(tmp_path: Path) -> None:
    """They are found by their names alone, in a type or, two of them, in a module."""
    names = ["enter", "exit", "bytes", "rich_repr", "my_own", "complex", "copy", "missing", "array"]
    methods = "\n".join(f'PyTypedFunction "__{name}__()", calls routine' for name in names)
    functions = "\n".join(
        f'PyTypedFunction "__{name}__()", calls routine' for name in ("getattr", "dir", "version")
    )
    source = tmp_path / "m.asm"
    declared = f"PyType T, 64\n{methods}\nPyEndType\n{functions}"
    source.write_text('%include "python.inc"' + SOURCE.format(declared))
    said = assemble(source, tmp_path / "m.o")
    assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize(
    ("signature", "error"),
    [
        ("f(self)", "PyTypedFunction f: a static method gets no object: leave `self' out"),
        ("f(cls, a: i64)", "a static method gets no object: leave `cls' out"),
        ("__len__() -> i64", "Python calls it with an object, and it cannot be `static'"),
        ("__eq__(a: i64) -> bool", "Python calls it with an object, and it cannot be `static'"),
    ],
)
def test_static_methods(signature: str, error: str, tmp_path: Path) -> None:
    type_ = f'PyType T, 64\nPyTypedFunction "{signature}", calls routine, static\nPyEndType'
    (line,) = errors_of(type_, tmp_path)
    assert f"m.asm:{LINE}: fatal: PyTypedFunction " in line
    assert error in line


def test_the_rest_of_a_function_with_keywords(tmp_path: Path) -> None:
    function = "PyFunction f, METH_FASTCALL | METH_KEYWORDS\nPyArguments 'f(a, *b)'"
    (line,) = errors_of(function, tmp_path)
    assert "PyArguments f: `*' in front of a name is for METH_FASTCALL alone" in line


def test_outside_of_a_module(tmp_path: Path) -> None:
    (line,) = errors_of('PyEndModule\nPyTypedFunction "f()", calls routine', tmp_path)
    assert f"m.asm:{LINE}: fatal: PyTypedFunction is outside of PyModule" in line


@pytest.mark.parametrize(
    ("flags", "signature", "error"),
    [
        ("METH_FASTCALL", '"f(a)"', "with METH_FASTCALL alone all parameters are positional-only"),
        ("METH_O", '"f(a, /)"', "the function's flags do not contain METH_FASTCALL"),
        (
            "METH_FASTCALL",
            '"f(*a, b)"',
            "no parameter may follow `*a' here; PyTypedFunction allows",
        ),
        ("METH_FASTCALL", '"f()"', "no parameters; METH_NOARGS checks that itself"),
        ("METH_FASTCALL", "a", "PyArguments needs the signature as a string"),
        ("METH_FASTCALL", "", "wrong number of arguments; write `PyArguments"),
    ],
)
def test_arguments(flags: str, signature: str, error: str, tmp_path: Path) -> None:
    (line,) = errors_of(f"PyFunction f, {flags}\nPyArguments {signature}", tmp_path)
    assert f"m.asm:{LINE}: fatal: " in line
    assert error in line


def test_arguments_outside_of_a_function(tmp_path: Path) -> None:
    (line,) = errors_of('\nPyArguments "f(a)"', tmp_path)
    assert f"m.asm:{LINE}: fatal: PyArguments is outside of PyFunction" in line


def test_names_of_the_user_change_nothing(tmp_path: Path) -> None:
    """A %define of the user's is not read into a signature, whatever it is called."""
    source = tmp_path / "m.asm"
    names = "a i64 double bytes buffer object signed real str name result integer stack none count"
    defines = "\n".join(f"%define {name} [rbx + 8]" for name in names.split())
    declaration = (
        'PyTypedFunction "f(a: i64, name: bytes, count: double[], result: object = None)'
        ' -> double", calls routine'
    )
    source.write_text('%include "python.inc"\n' + defines + SOURCE.format(declaration))
    said = assemble(source, tmp_path / "m.o")
    assert (said.returncode, said.stderr) == (0, "")

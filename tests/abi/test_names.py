"""The includes take no name that a source might want: all have the prefixes that python.inc says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.abi.assembling import INCLUDE, UNIVERSAL, Defines, assemble, said_by

OURS = re.compile(r"(Py|PY|METH_|T_|_Py|_PY|_py)\w|(NULL|READONLY)$")
CPYTHONS = {
    *("READ_RESTRICTED", "RESTRICTED"),
    *("SSTATE_INTERNED_IMMORTAL", "SSTATE_INTERNED_IMMORTAL_STATIC"),
    *("SSTATE_INTERNED_MORTAL", "SSTATE_NOT_INTERNED"),
}
"""Constants of Python.h without a prefix of CPython's."""
EXTENDED = {
    *(
        "extern",
        "struc",
        "istruc",
        "push",
        "pop",
        "add",
        "sub",
        "and",
        "lea",
        "mov",
        "leave",
        "ret",
    ),
    "jmp",
    "NullMethodDef",
}
"""Words of nasm that mean the same as before and more, and one of hand-written includes."""
DEFINING = re.compile(
    r"\s*(?:"
    r"%i?(?:define|xdefine|assign|defstr|deftok|defalias|substr|strlen|strcat|pathsearch|macro)\s+"
    r"|struc\s+|istruc\s+|(?:\[|\b)(?:extern|global|common|static)\s+"
    r")([^\s\](:]+)"
    r"|(\w[\w.]*)(?::|\s+equ\b)"
)


def names_defined(text: str) -> set[str]:
    """What lines define; not what is made of a macro's arguments, or local to it or a label."""
    found = filter(None, map(DEFINING.match, text.splitlines()))
    names = {match[1] or match[2] for match in found}
    return {name for name in names if not name.startswith(("%", ".", "__?"))}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("%define one 1\n  %xdefine two(a) a", {"one", "two"}),
        ("%assign three 3\n%macro four 0-1.nolist\n%idefine five", {"three", "four", "five"}),
        ("struc six\nseven:  dq 1\neight equ 2\n[extern nine]\nglobal ten:function", {"six", "seven", "eight", "nine", "ten"}),
        ("%define %$a 1\n%%b:\n.c:\n%1: dq 1\n%undef d\n    mov rax, [e]\n; f: 1", set()),
    ],
)  # fmt: skip
def test_definitions_are_found(text: str, names: set[str]) -> None:
    assert names_defined(text) == names


def test_names_have_our_prefixes() -> None:
    names = {
        f"{path.relative_to(INCLUDE)}: {name}"
        for path in INCLUDE.rglob("*.inc")
        for name in names_defined(path.read_text()) - CPYTHONS - EXTENDED
        if not OURS.match(name)
    }
    assert names == set()


def test_names_local_to_a_block_have_our_prefix() -> None:
    """A source has %$ names of its own in PyFunction; two are of nasm's own STRUC."""
    local = {
        f"{path.relative_to(INCLUDE)}: {name}"
        for path in INCLUDE.rglob("*.inc")
        for name in re.findall(r"%\$(\w+)", path.read_text())
        if not name.startswith("_py_") and not name.startswith("struc")
    }
    assert local == set()


def test_names_of_the_source_in_a_function(tmp_path: Path) -> None:
    """Labels local to the block, and an argument called like its function."""
    source = tmp_path / "source.asm"
    source.write_text(
        '%include "python.inc"\nPyModule m\nPyFunction data, METH_O, -, data\n%$name:\n%$doc:\n'
        "cmp qword [data + 16], 0\njz %$line\n%$line:\nPyReturn NULL\nPyEndFunction\nPyEndModule\n"
    )
    said = assemble(source, tmp_path / "source.o", UNIVERSAL)
    assert (said.returncode, said.stderr) == (0, "")
    assert "]  data\n" in said_by("readelf", "-p", ".rodata", tmp_path / "source.o")


# Each macro that makes labels, in a source whose own names all begin with own.
SOURCE = """
%include "python.inc"
PyModule own
PyDoc "Doc."
PyConstant "own", 1
PyConstant "owned", "text"
PyMethod "own_method", own_routine, METH_NOARGS, "Doc."
PyModuleSlot exec, own_routine
PyModuleSlot state_size, 8
PyTypedFunction "own_typed(own_a: i64 = 1, *, own_b: str, own_c: f64[] = None) -> str", doc "Doc."
PyTypedFunction "own_method(own_d: writable bytes, own_e: cstr = 'x')", extern own_c, nogil
PyDispatch own_dispatch, own_typed, PyCPU_AVX2, own_typed
PyFunction own_function, METH_FASTCALL | METH_KEYWORDS
    PyArguments "own_function(own_a, own_b=None)"
    jz .own_error
    PyBuffer own_buffer
    PyGetBuffer own_buffer, [own_a], PyBUF_SIMPLE
    jnz .own_error
    PyRaise PyExc_ValueError, "%zd", 1
.own_error:
    PyReturn NULL
PyEndFunction
PyType own_Type, 64
PyMember "own", Py_T_INT, 32
PyGetSet "own_too", own_routine
PyTypeSlot Py_tp_dealloc, own_routine
PyEndType
PyRoutine own_routine, own_self
    PyFreeInstance own_self
    PyReturn 0
PyEndRoutine
PyEndModule
own_typed: ret
"""


@pytest.mark.parametrize("defines", [UNIVERSAL, {"PY_VERSION_HEX": "0x030d0df0"}])
def test_symbols_have_our_prefixes(defines: Defines, tmp_path: Path) -> None:
    """What is made of the names of the source is the source's; nasm's own begin with `..@'."""
    source, output = tmp_path / "own.asm", tmp_path / "own.o"
    source.write_text(SOURCE)
    assert assemble(source, output, defines).stderr == ""
    names = {line.split()[0] for line in said_by("nm", "--format=posix", output).splitlines()}
    assert {
        name for name in names if not OURS.match(name) and name[:3] not in ("own", "..@")
    } == set()

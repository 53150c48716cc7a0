"""Each rule of the tables of types and methods is broken by one table, and kept by the right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check.assembled import rules

TYPE = """\
%include "python.inc"
struc Object_fields
    PyObject_HEAD
  .value resq 1
endstruc
section .rodata
name: db "sample.Object", 0
value: db "{name}", 0
section .data.rel.ro progbits alloc noexec write align=8
members: dq value
    dd Py_T_LONGLONG, 0
    dq {offset}, 0, 0
    dq 0, 0, 0, 0, 0
slots: dq Py_tp_members, members, Py_tp_repr, f, {slot}, f, 0, 0
methods: dq value, {function}
    dd METH_NOARGS, 0
    dq 0, 0, 0, 0, 0
spec: dq name
    dd Object_fields_size, 0, {flags}, 0
    dq slots
section .text
f: xor eax, eax
    ret
"""
RIGHT = {
    "name": "value",
    "offset": "Object_fields.value",
    "slot": "Py_tp_traverse",
    "function": "f",
    "flags": "Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC",
}


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("member-outside", {"offset": "4096"}),
        ("member-outside", {"offset": "0"}),
        ("member-outside", {"offset": "Object_fields_size"}),
        ("slot-twice", {"slot": "Py_tp_repr", "flags": "Py_TPFLAGS_DEFAULT"}),
        ("gc-without-traverse", {"slot": "Py_tp_str"}),
        ("entry-not-code", {"function": "members"}),
    ],
)
def test_table(rule: str, changed: dict[str, str], tmp_path: Path) -> None:
    assert rules(tmp_path, TYPE.format_map(RIGHT | changed)) == {rule}
    assert rules(tmp_path, TYPE.format_map(RIGHT)) == set()


def test_where_a_type_keeps_its_dictionary_is_no_field(tmp_path: Path) -> None:
    behind = RIGHT | {"name": "__dictoffset__", "offset": "-8"}

    assert rules(tmp_path, TYPE.format_map(behind)) == set()


@pytest.mark.parametrize(
    ("slot", "register", "is_passed"),
    [
        *(("Py_tp_str", "rdi", True), ("Py_tp_str", "rsi", False), ("Py_nb_add", "rsi", True)),
        *(("Py_nb_add", "rdx", False), ("Py_nb_power", "rdx", True), ("Py_tp_init", "rdx", True)),
        *(("Py_tp_call", "rcx", False), ("Py_sq_item", "rdx", False), ("Py_tp_hash", "rax", False)),
    ],
)
def test_a_slot_gets_its_arguments(
    slot: str, register: str, is_passed: bool, tmp_path: Path
) -> None:
    body = f"xor eax, eax\n    mov rax, [{register}]"
    if register == "rax":
        body = "mov rax, [rax]"
    text = TYPE.format_map(RIGHT | {"slot": f"{slot}, f, Py_tp_traverse"})
    text = text.replace(f"{slot}, f", f"{slot}, g", 1) + f"g: {body}\n    ret\n"

    assert rules(tmp_path, text) == (set() if is_passed else {"unset-register"})


@pytest.mark.parametrize(
    ("slot", "use", "is_right"),
    [
        *(("Py_tp_richcompare", "cmp rdx, 2", False), ("Py_tp_richcompare", "cmp edx, 2", True)),
        ("Py_tp_richcompare", "mov rcx, rdx\n    cmp rcx, 2", False),
        ("Py_tp_richcompare", "movsxd rdx, edx\n    cmp rdx, 2", True),
        ("Py_tp_richcompare", "lea rcx, [rdx - 1]", False),
        ("Py_tp_richcompare", "lea ecx, [rdx - 1]", True),
        *(("Py_bf_getbuffer", "test rdx, rdx", False), ("Py_bf_getbuffer", "test edx, 1", True)),
        # The upper half is masked, shifted out, or not looked at.
        *(("Py_bf_getbuffer", "test rdx, 1", True), ("Py_bf_getbuffer", "test rdx, -2", False)),
        *(("Py_tp_richcompare", "and rdx, 7", True), ("Py_tp_richcompare", "and rdx, -8", False)),
        *(("Py_tp_richcompare", "bt rdi, rdx", True), ("Py_tp_richcompare", "bt rdx, 33", False)),
        ("Py_tp_richcompare", "shl rdx, 32\n    sar rdx, 32", True),
        ("Py_tp_richcompare", "xchg rsi, rdx\n    cmp esi, 2", True),
        ("Py_tp_richcompare", "xchg rsi, rdx\n    cmp rsi, 2", False),
        ("Py_tp_init", "test rdx, rdx", True),
    ],
)
def test_an_int_of_a_slot_has_32_bits(slot: str, use: str, is_right: bool, tmp_path: Path) -> None:
    text = TYPE.format_map(RIGHT | {"slot": f"{slot}, g, Py_tp_traverse"})
    text += f"g: {use}\n    xor eax, eax\n    ret\n"

    assert rules(tmp_path, text) == (set() if is_right else {"int-result"})


@pytest.mark.parametrize(("register", "is_passed"), [("rsi", True), ("rdx", False)])
def test_a_getter_gets_its_arguments(register: str, is_passed: bool, tmp_path: Path) -> None:
    text = TYPE.format_map(RIGHT | {"slot": "Py_tp_getset, attributes, Py_tp_traverse"})
    text = text.replace("methods:", "attributes: dq value, g, 0, 0, 0, 0, 0\nmethods:")
    text += f"g: mov rax, [{register}]\n    ret\n"

    assert rules(tmp_path, text) == (set() if is_passed else {"unset-register"})

"""A module of many sources of three kinds: C, NASM and GAS, written here."""

from __future__ import annotations

from pathlib import Path

from . import generate

COUNTS = {"c": 60, "asm": 60, "S": 10}
"""The number of sources of each kind; one of C is the binding."""

_C = """\
#include "common.h"

long c_{number}(const long *values, long count)
{{
    long sum = {number};
    for (long at = 0; at < count; at++)
        sum += MIXED(values[at], {number}) ^ (sum >> 3);
    return sum;
}}
"""
_COMMON = """\
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#define MIXED(value, by) ((value) * (by) + ((value) >> ((by) & 7)))
"""
_GAS = """\
#include "common.S.h"
    .text
    .globl gas_{number}
    .type gas_{number}, @function
gas_{number}:
    LOADED({number})
    .rept {number}
    imulq %rdi, %rax
    addq $1, %rax
    .endr
    ret
"""
_COMMON_GAS = "#define LOADED(number) movq $number, %rax\n"
_BINDING = """\
#include <Python.h>
{externs}
static PyObject *number(PyObject *module, PyObject *unused)
{{
    long values[] = {{1, 2, 3}}, sum = 0;
{calls}
    return PyLong_FromLong(sum);
}}
static PyMethodDef methods[] = {{{{"number", number, METH_NOARGS, NULL}}, {{NULL, NULL, 0, NULL}}}};
static struct PyModuleDef definition = {{PyModuleDef_HEAD_INIT, "kernels", NULL, 0, methods}};
PyMODINIT_FUNC PyInit_kernels(void) {{ return PyModuleDef_Init(&definition); }}
"""


def names() -> tuple[str, ...]:
    """Return the names of the sources."""
    return (
        "binding.c",
        *(f"c_{number}.c" for number in range(1, COUNTS["c"])),
        *(f"kernel_{number}.asm" for number in range(1, COUNTS["asm"] + 1)),
        *(f"gas_{number}.S" for number in range(1, COUNTS["S"] + 1)),
    )


def write(folder: Path) -> None:
    """Write the sources and what they include."""
    # The sources for NASM are those of the other generated projects, without their module.
    generate.write(folder, COUNTS["asm"] + 1)
    (folder / "module.asm").unlink()
    (folder / "inc" / "common.h").write_text(_COMMON)
    (folder / "inc" / "common.S.h").write_text(_COMMON_GAS)
    externs, calls = [], []
    for name in names()[1:]:
        function, _, kind = name.rpartition(".")
        number = function.partition("_")[2]
        arguments = {"c": "values, 3", "S": "7", "asm": ""}[kind]
        externs.append(f"extern long {function}();")
        calls.append(f"    sum += {function}({arguments});")
        text = {"c": _C, "S": _GAS}.get(kind)
        if text is not None:
            (folder / name).write_text(text.format(number=number))
    binding = _BINDING.format(externs="\n".join(externs), calls="\n".join(calls))
    (folder / "binding.c").write_text(binding)

"""Sources and tools that show which options have reached them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from asmsetup.facts import elf
from tests.projects import Project

NUMBER = '%include "module.inc"\nMODULE hello, NUMBER\n'

FUNCTION = "global number:function\nsection .text\nnumber: mov eax, 42\nret\n"

C_MODULE = """\
#define PY_SSIZE_T_CLEAN
#include <Python.h>
extern long number(void);
static PyObject *answer(PyObject *module, PyObject *unused) { return PyLong_FromLong(number() + MORE); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "hello", NULL, 0, methods};
PyMODINIT_FUNC PyInit_hello(void) { return PyModuleDef_Init(&definition); }
"""


MIXED = pytest.mark.parametrize("mixed", [False, True], ids=["assembly", "mixed"])


def linked(project: Project, mixed: bool, *arguments: str, **keywords: object) -> elf.ElfFacts:
    sources = ["hello.asm"]
    if mixed:
        project.write({"unused.c": "int unused_by_anybody(void) { return 1; }\n"})
        sources.append("unused.c")
    project.extension("hello", sources, **keywords)
    project.build_ext(*arguments)
    assert project.answer() == "42"
    return elf.read(project.module())


def soname(project: Project) -> str:
    command = ["readelf", "-dW", str(project.module())]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (name,) = re.findall(r"\(SONAME\) .*\[(.*)\]", said)
    return str(name)


def recording(project: Project, tool: str, real: str) -> Path:
    """A program that notes its arguments in <tool>.log and runs the real one."""
    path = project.folder.parent / tool
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{path}.log"\nexec {real} "$@"\n')
    path.chmod(0o755)
    return path

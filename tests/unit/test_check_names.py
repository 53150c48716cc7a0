"""Who provides a name: CPython by version and build, a library, the C library, nobody."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from asmsetup.check import CheckedObject, ModuleContext, check_objects
from asmsetup.facts import cpython_abi, elf
from asmsetup.link import libraries
from tests.checking import assembled, checked, linked

CONTEXT = ModuleContext(
    "x", ("PyInit_x",), (3, 12), c_library=libraries.c_library_files(), exports=frozenset(["f"])
)


def use(folder: Path, *externs: str) -> CheckedObject:
    lines = [f"extern {name}" for name in externs]
    lines += ["global PyInit_x:function", "section .text", "PyInit_x:"]
    lines += [f"mov rax, [rel {name.split(':')[0]} wrt ..got]" for name in externs]
    return checked(folder / "x.asm", "\n".join(lines) + "\n")


def broken(object_: CheckedObject, context: ModuleContext) -> list[str]:
    return [finding.rule for finding in check_objects([object_], context, cpython_abi)]


UNIVERSAL = CONTEXT._replace(universal=True)
LIMITED = CONTEXT._replace(limited_api=(3, 10))
FREE_THREADED = CONTEXT._replace(python=(3, 13), free_threaded=True)


@pytest.mark.parametrize(
    ("name", "context", "rules"),
    [
        ("PyLong_FromLong", CONTEXT, []),
        ("PyLong_FromLong", LIMITED, []),
        ("PyLong_FromLong", UNIVERSAL, []),
        ("PyLong_FromLong", FREE_THREADED, []),
        ("PyLong_FromLnog", CONTEXT, ["unknown-name"]),
        # A macro of the headers.
        ("Py_INCREF", CONTEXT, ["unknown-name"]),
        # New in 3.14, and the module is for 3.12.
        ("PyLong_FromInt64", CONTEXT, ["unknown-name"]),
        ("PyLong_FromInt64", CONTEXT._replace(python=(3, 14)), []),
        ("PyLong_FromInt64:weak", CONTEXT, []),
        ("PyLong_FromInt63:weak", CONTEXT, ["unknown-weak-name"]),
        # Only free-threaded builds have it.
        ("PyUnstable_Module_SetGIL:weak", UNIVERSAL, []),
        ("PyUnstable_Module_SetGIL", FREE_THREADED, []),
        ("PyUnstable_Module_SetGIL", CONTEXT, ["unknown-name"]),
        # Public, and not in the stable ABI.
        ("PyUnicode_AsUTF8", CONTEXT, []),
        ("PyUnicode_AsUTF8", LIMITED, ["outside-stable-abi"]),
        ("PyUnicode_AsUTF8:weak", LIMITED, []),
        # In the stable ABI since 3.12.
        ("PyErr_GetRaisedException", LIMITED, ["outside-stable-abi"]),
        ("PyErr_GetRaisedException", LIMITED._replace(limited_api=(3, 12)), []),
        ("PyErr_GetRaisedException", UNIVERSAL, ["outside-stable-abi"]),
        ("_Py_NoneStruct", CONTEXT, []),
        ("_Py_NoneStruct", FREE_THREADED, []),
        ("_Py_NoneStruct", UNIVERSAL, []),
        ("_PyLong_AsInt", CONTEXT, ["private-name"]),
        ("write", CONTEXT, []),
        ("cos", CONTEXT, []),
        ("write", UNIVERSAL, ["needs-a-library"]),
        ("wirte", CONTEXT, ["unknown-name"]),
        ("wirte:weak", CONTEXT, []),
        ("_GLOBAL_OFFSET_TABLE_", CONTEXT, []),
    ],
)
def test_names(name: str, context: ModuleContext, rules: list[str], tmp_path: Path) -> None:
    assert broken(use(tmp_path, name), context) == rules


@pytest.fixture
def library(tmp_path: Path) -> Path:
    text = "global helper:function, PyHelper:function\nhelper:\nPyHelper: ret\n"
    return linked(tmp_path / "libhelp.so", assembled(tmp_path / "lib.asm", text)).parent


def test_a_library_that_is_named(library: Path) -> None:
    context = CONTEXT._replace(libraries=("help",), library_dirs=(str(library),))
    assert broken(use(library, "helper", "PyHelper"), context) == []
    assert broken(use(library, "hepler"), context) == ["unknown-name"]
    assert broken(use(library, "helper"), context._replace(universal=True)) == ["needs-a-library"]
    assert broken(use(library, "helper"), CONTEXT) == ["unknown-name"]


@pytest.mark.parametrize("content", [b"!<arch>\n", b"INPUT(other.so)\n"])
def test_what_an_archive_or_a_script_has_is_not_judged(library: Path, content: bytes) -> None:
    (library / "libhelp.so").write_bytes(content)
    context = CONTEXT._replace(libraries=("help",), library_dirs=(str(library),))
    assert broken(use(library, "anything"), context) == []
    assert broken(use(library, "anything"), CONTEXT._replace(extra_objects=True)) == []


def test_what_another_object_defines(tmp_path: Path) -> None:
    user = use(tmp_path, "kernel")
    text = "global kernel:function\nsection .text\nkernel: ret\n"
    other = checked(tmp_path / "k.asm", text)
    assert check_objects([user, other], CONTEXT, cpython_abi) == []


def test_a_direct_call_of_what_an_archive_may_have(tmp_path: Path) -> None:
    source = "extern helper, PyErr_Clear\nsection .text\ncall helper\ncall PyErr_Clear\n"
    object_ = checked(tmp_path / "x.asm", source)
    (tmp_path / "libhelp.a").write_bytes(b"!<arch>\n")

    with_archive = CONTEXT._replace(libraries=("help",), library_dirs=(str(tmp_path),))
    for context in (CONTEXT._replace(extra_objects=True), with_archive):
        findings = check_objects([object_], context, cpython_abi)
        (direct,) = [f.what for f in findings if f.rule == "call-without-plt"]
        assert direct.startswith("`PyErr_Clear' is outside this module")
        assert "unknown-name" not in [f.rule for f in findings]


def test_an_object_that_is_compiled_only_when_it_is_linked(tmp_path: Path) -> None:
    source = "void *PyInit_x(void) { return 0; } int helper(void) { return 1; }\n"
    (tmp_path / "lto.c").write_text(source)
    subprocess.run(["gcc", "-c", "-O2", "-flto", "-fPIC", "lto.c"], cwd=tmp_path, check=True)
    objects = [
        CheckedObject("lto.o", elf.read(tmp_path / "lto.o")),
        checked(tmp_path / "x.asm", "extern helper\nsection .text\ncall helper\n"),
    ]
    context = CONTEXT._replace(exports=frozenset())
    assert check_objects(objects, context, cpython_abi) == []

"""The rules about the linked module, each kept and broken; and one real module of each kind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import asmsetup.check.module
from asmsetup.check import CheckedObject, Finding, ModuleContext, check_module, report
from asmsetup.facts import elf
from asmsetup.facts.elf import ElfFacts, Segment, Symbol
from asmsetup.link import libraries
from tests.checking import assembled, linked

ENTRY = Symbol("PyInit_x", "global", "func", "default", ".text", 1, 0x1000, 0)
OTHER = ENTRY._replace(name="helper")
LOAD = Segment("LOAD", "RE", 0, 0, 0, 0)
SOUND = {
    "kind": "module",
    "globals": (ENTRY,),
    "segments": (LOAD,),
    "stack_flags": "RW",
    "relro": True,
    "bind_now": True,
}
SOURCE = Path(asmsetup.check.module.__file__).read_text()
RULES_AFTER_LINK = re.findall(r'"([a-z-]+)",\s+(?:ERROR|WARNING)', SOURCE)
CONTEXT = ModuleContext("x", ("PyInit_x", "PyModExport_x"), (3, 11), libraries=("z",))


def rules_broken_by(facts: dict[str, object], context: ModuleContext = CONTEXT) -> list[str]:
    findings = check_module("x.so", ElfFacts(**{**SOUND, **facts}), context)  # type: ignore[arg-type]
    return [finding.rule for finding in findings]


@pytest.mark.parametrize(
    ("facts", "broken"),
    [
        ({}, []),
        ({"stack_flags": "RWE"}, ["executable-stack"]),
        # ld leaves the header out when no object says anything: same effect.
        ({"stack_flags": None}, ["executable-stack"]),
        ({"globals": ()}, ["module-without-entry-point"]),
        ({"globals": (ENTRY._replace(name="PyModExport_x"),)}, []),
        ({"globals": (ENTRY, OTHER)}, ["unexpected-export"]),
        ({"globals": (ENTRY, OTHER._replace(visibility="hidden"))}, []),
        ({"globals": (ENTRY, OTHER._replace(section=None))}, []),
        ({"segments": (LOAD, LOAD._replace(flags="RWE"))}, ["writable-and-executable"]),
        ({"segments": (LOAD, LOAD._replace(flags="RW"))}, []),
        ({"text_relocations": True}, ["text-relocations"]),
        ({"relro": False}, ["not-hardened"]),
        ({"bind_now": False}, ["not-hardened"]),
        ({"needed": ("libc.so.6", "libm.so.6", "libgcc_s.so.1")}, []),
        ({"needed": ("libc.musl-x86_64.so.1",)}, []),
        ({"needed": ("libz.so.1", "libz-ng.so.2")}, []),
        ({"needed": ("libzstd.so.1",)}, ["unexpected-library"]),
        ({"needed": ("libpython3.11.so.1.0",)}, ["linked-with-libpython"]),
        ({"runpath": "/opt/lib"}, ["unexpected-runpath"]),
        ({"refuses_dlopen": True}, ["refuses-dlopen"]),
        ({"globals": (ENTRY._replace(value=0),)}, ["module-without-entry-point"]),
    ],
)
def test_rules(facts: dict[str, object], broken: list[str]) -> None:
    assert rules_broken_by(facts) == broken


def test_what_the_project_asks_for_is_no_surprise() -> None:
    context = CONTEXT._replace(exports=frozenset(["helper"]), runtime_library_dirs=("/opt/lib",))
    assert rules_broken_by({"globals": (ENTRY, OTHER), "runpath": "/opt/lib"}, context) == []


def test_what_the_project_promises_is_there() -> None:
    context = CONTEXT._replace(exports=frozenset(["helper", "nosuch"]))
    assert rules_broken_by({"globals": (ENTRY, OTHER)}, context) == ["missing-export"]


CALLED = ENTRY._replace(name="called", section=None)
LOCAL = ENTRY._replace(name="called", binding="local")


@pytest.mark.parametrize(
    ("undefined", "broken"),
    [
        (CALLED, ["unknown-name"]),
        (CALLED._replace(binding="weak"), []),
        (CALLED._replace(name="getpid"), []),
        (CALLED._replace(name="PyLong_Frobnicate"), ["unknown-name"]),
        (CALLED._replace(name="__morestack"), ["unknown-name"]),
        (CALLED._replace(name="__tls_get_addr"), []),
        (CALLED._replace(name="__stack_chk_fail"), []),
        (CALLED._replace(name="PyLong_FromLong"), []),
        (CALLED._replace(name="__asan_init"), []),
    ],
)
def test_somebody_provides_what_the_module_leaves_open(
    undefined: Symbol, broken: list[str]
) -> None:
    context = CONTEXT._replace(c_library=libraries.c_library_files())
    assert rules_broken_by({"globals": (ENTRY, undefined)}, context) == broken
    # What is not where the linker looks may provide anything.
    unknown = {"globals": (ENTRY, undefined), "needed": ("libz.so.99",)}
    assert rules_broken_by({**unknown}, context) == []


def test_the_label_that_nobody_sees_is_named() -> None:
    context = CONTEXT._replace(c_library=libraries.c_library_files())
    facts = ElfFacts(**{**SOUND, "globals": (ENTRY, CALLED)})  # type: ignore[arg-type]
    made = CheckedObject("x.o", ElfFacts(symbols=(LOCAL,)), "x.asm")
    (finding,) = check_module("x.so", facts, context, (), [made])
    assert finding.what == (
        "nothing provides `called': neither this module nor CPython, the C library or a library it"
        " needs, so the import fails with `undefined symbol'"
    )
    assert finding.ways_out == (
        "x.asm has such a label; let the others see it:   global called:function hidden",
    )


WRONG: dict[str, object] = {
    "globals": (OTHER, CALLED),
    "stack_flags": "RWE",
    "segments": (LOAD._replace(flags="RWE"),),
    "text_relocations": True,
    "relro": False,
    "runpath": "/opt/lib",
    "refuses_dlopen": True,
    "needed": ("libpython3.11.so.1.0", "libzstd.so.1"),
}


def test_a_library_is_called_one() -> None:
    library = ModuleContext(
        "k", (), (3, 11), exports=frozenset(["kernel"]), c_library=libraries.c_library_files()
    )
    path = "k.cpython-311-aarch64-linux-gnu.so"
    facts = ElfFacts(**{**SOUND, **WRONG})  # type: ignore[arg-type]

    findings = check_module(path, facts, library)

    rules = {*(rule for rule in RULES_AFTER_LINK if rule != "module-without-entry-point")}
    assert {finding.rule for finding in findings} == rules
    said = report(findings).replace("manylinux library", "")
    assert not re.search(r"module|import|[^.]Extension|CPython,", said), said
    assert (
        "neither this library nor the C library or a library it needs, so loading it fails" in said
    )
    assert "the library tells the loader to search /opt/lib" in said
    assert "asmsetup.Library(..., libraries=[...])" in said


def test_strict_makes_errors_of_warnings() -> None:
    facts = ElfFacts(**{**SOUND, "relro": False})  # type: ignore[arg-type]
    (finding,) = check_module("x.so", facts, CONTEXT._replace(strict=True))
    assert finding.is_error


@pytest.mark.parametrize(
    ("known", "rule"),
    [("absolute-address", "text-relocations"), ("writable-code", "writable-and-executable")],
)
def test_what_was_said_of_the_objects_is_not_said_again(known: str, rule: str) -> None:
    segments = (LOAD._replace(flags="RWE"),)
    facts = ElfFacts(**{**SOUND, "text_relocations": True, "segments": segments})  # type: ignore[arg-type]
    before = [Finding(known, "warning", "x.asm", 1, "said")]
    assert rule not in [f.rule for f in check_module("x.so", facts, CONTEXT, before)]
    assert rule in [f.rule for f in check_module("x.so", facts, CONTEXT)]


def test_a_module_linked_without_care(tmp_path: Path) -> None:
    source = "global PyInit_x:function, helper\nsection .text\nPyInit_x: mov rax, PyInit_x\nhelper: ret\n"
    libz = ["/lib/x86_64-linux-gnu/libdl.so.2", "-rpath", "/opt", "-z", "norelro"]
    made = linked(tmp_path / "x.so", assembled(tmp_path / "x.asm", source), *libz)

    findings = check_module("x.so", elf.read(made), CONTEXT)
    assert report(findings) == (
        "x.so: error: the module says nothing about its stack, which means an executable stack:"
        " since glibc 2.41 the import fails, and before it made the whole process's stack"
        " executable [executable-stack]\n"
        "  take `-z execstack' out of the linker's arguments, or add `-z noexecstack'\n"
        "x.so: warning: the module is linked without `-z relro': its table of function addresses"
        " stays writable, an attacker's first target [not-hardened]\n"
        "  take the option that undoes it out of the linker's arguments\n"
        "x.so: warning: the loader has to rewrite the module's code whenever it is loaded"
        " (DT_TEXTREL), which hardened systems forbid [text-relocations]\n"
        "  the absolute addresses in the objects cause it; C is compiled with -fPIC\n"
        "x.so: warning: the module exports `helper': others may have the same names"
        " [unexpected-export]\n"
        "  name the symbols to export:   Extension(..., export_symbols=[...])\n"
        "x.so: warning: the module tells the loader to search /opt, a folder of this machine"
        " [unexpected-runpath]\n"
        "  take `-rpath' out of LDFLAGS, LDSHARED or extra_link_args\n"
        "  if it is meant:   Extension(..., runtime_library_dirs=[...])"
    )

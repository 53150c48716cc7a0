"""What nasm and ld say keeps its words and gets its line and a hint."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from asmsetup import elf
from asmsetup.check import CheckedObject, ModuleContext, locator
from asmsetup.check.explain import explain_ld, explain_nasm
from tests.checking import LD, NASM, TOOLS

HEAD = "default rel\nextern foo\nsection .text\nstart:\nnop\n"

NASM_MISTAKES = [
    # (line, what must follow nasm's own message)
    ("mov rax, [rel foo wrt ..gotpcrel]", "NASM spells it:   [rel name wrt ..got]"),
    ("call bar", "if another source or a library defines it:   extern bar"),
    ("call strat", "perhaps it is:   start"),
    ("call PyLong_FromLong", "declare it, it is CPython's:   extern PyLong_FromLong"),
    (
        "mov eax, dword ptr [rdi]",
        "NASM has no `ptr': `dword [x]' is the value at x, and plain `x' its address",
    ),
    (
        "movv rax, rbx",
        "`movv' is no instruction and no macro known here: misspelt, or its %include is missing",
    ),
    (
        "movl %eax, %ebx",
        "this is AT&T syntax; NASM writes the target first, and no % or $:   mov eax, ebx",
    ),
    (".globl foo", "NASM writes it without the dot:   global foo:function"),
    (".section .rodata", "NASM writes it:   section .rodata"),
    ("PyCall PyErr_Clear", 'the macros that begin with Py need:   %include "python.inc"'),
    ("mov [rdi], [rsi]", "one instruction cannot have two operands in memory: go through a register"),
    (
        "mov eax, rbx",
        "the operands do not fit each other or this instruction: often two registers of unlike size",
    ),
    ("inc [rax]", "say how many bytes are meant, for instance 8:   inc qword [rax]"),
    ("push eax", "in 64-bit code push and pop take 64-bit registers, and BCD and pusha are gone"),
    (
        '%include "pyhton.inc"',
        "if it is elsewhere, name its folder:   Extension(..., include_dirs=[...])",
    ),
    ("lea rax, [rdi + rsi*3]", "an address is [base + index*1, 2, 4 or 8 + number], nothing more"),
    (
        "mov rax, foo wrt ..plt",
        "a call:   call name wrt ..plt      an address:   mov rax, [rel name wrt ..got]",
    ),
    (
        "start: nop",
        "a label that begins with a dot belongs to the one above it, and may come again:   .loop",
    ),
    ("# a comment", "a comment begins with a semicolon:   ; ..."),
    ("%if FOO > 3", "an %if sees only what stands above it"),
]  # fmt: skip


@pytest.fixture(params=["nasm", "nasm-2.15.05", "nasm-3.01"])
def nasm(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name != "nasm" and not (TOOLS / name).exists():
        pytest.skip(f"{TOOLS / name} is not there")
    return NASM if name == "nasm" else str(TOOLS / name)


@pytest.mark.parametrize(("line", "hint"), NASM_MISTAKES)
def test_nasm(line: str, hint: str, nasm: str, tmp_path: Path) -> None:
    (tmp_path / "x.asm").write_text(f"{HEAD}{line}\n    ret\n")
    command = [nasm, "-f", "elf64", "x.asm"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if line == "inc [rax]" and not done.returncode:
        pytest.skip("this nasm takes it")
    assert done.returncode != 0

    said = done.stderr.strip().splitlines()
    explained = explain_nasm(
        "\n".join(said), lambda path: (tmp_path / path).read_text().splitlines()
    )
    added = [each for each in explained.splitlines() if each not in said]
    assert [each for each in explained.splitlines() if each in said] == said
    assert added[:2] in ([f"    {line}", f"  {hint}"], [f"  {hint}", f"    {line}"])


def test_what_nasm_says_without_a_line_stays_as_it_is() -> None:
    said = "nasm: fatal: unable to open input file `x.asm'\nx.asm:900: error: something new"
    assert explain_nasm(said, lambda path: ["one line"]) == said
    assert explain_nasm("", lambda path: []) == ""


def test_the_same_line_is_shown_once() -> None:
    said = "x.asm:1: error: first\nx.asm:1: error: second\nx.asm:2: error: third"
    assert explain_nasm(said, lambda path: ["mov one", "mov two"]) == (
        "x.asm:1: error: first\n"
        "x.asm:1: error: second\n"
        "    mov one\n"
        "x.asm:2: error: third\n"
        "    mov two"
    )


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[CheckedObject]:
    monkeypatch.chdir(tmp_path)
    Path("one.asm").write_text(
        "extern gone, foo\nglobal same\nsection .text\nsame: call gone wrt ..plt\nmov edi, foo\n"
    )
    Path("two.asm").write_text("global same\nsection .text\nnop\nsame:\n  ret\n")

    def listing(name: str) -> str:
        command = [NASM, "-f", "elf64", f"{name}.asm", "-o", "x.o", "-l", f"{name}.lst"]
        subprocess.run(command, check=True)
        return Path(f"{name}.lst").read_text()

    checked = []
    for name in ("one", "two"):
        subprocess.run([NASM, "-f", "elf64", f"{name}.asm", "-o", f"{name}.o"], check=True)
        facts = elf.read(f"{name}.o")
        checked.append(
            CheckedObject(f"{name}.o", facts, f"{name}.asm", lambda name=name: listing(name))  # type: ignore[misc]
        )
    return checked


def ld(*arguments: str) -> str:
    command = [LD, "-shared", *arguments, "-o", "x.so"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    return done.stderr.strip()


def explained(said: str, objects: list[CheckedObject]) -> list[str]:
    module = ModuleContext("x", ("PyInit_x",), (3, 11))
    text = explain_ld(said, locator(objects, module))
    assert set(said.splitlines()) <= set(text.splitlines())
    return [line for line in text.splitlines() if line not in said.splitlines()]


def test_ld_undefined(objects: list[CheckedObject]) -> None:
    Path("one.asm").write_text(Path("one.asm").read_text().replace("mov edi, foo\n", ""))
    subprocess.run([NASM, "-f", "elf64", "one.asm", "-o", "one.o"], check=True)

    assert explained(ld("-z", "defs", "one.o"), objects) == [
        "    one.asm:4: same: call gone wrt ..plt",
        "  name the library that defines it:   Extension(libraries=[...])",
    ]


def test_ld_two_definitions(objects: list[CheckedObject]) -> None:
    assert explained(ld("one.o", "two.o"), objects)[:3] == [
        "    two.asm:4: same:",
        "    one.asm:4: same: call gone wrt ..plt",
        "  rename one, or take it out of GLOBAL where no other source uses it",
    ]


def test_ld_not_position_independent(objects: list[CheckedObject]) -> None:
    assert explained(ld("one.o"), objects) == [
        "  what is not position-independent cannot go into a module: compile C with -fPIC, and in"
        " assembly reach names by [rel name], [rel name wrt ..got] and name wrt ..plt"
    ]


def test_ld_a_library_that_is_not_there(objects: list[CheckedObject]) -> None:
    assert explained(ld("two.o", "-lnowhere"), objects) == [
        "  no libnowhere.so or libnowhere.a in Extension(library_dirs=[...]) or the system's"
        " folders; a distribution's -dev package often holds it"
    ]


def test_ld_a_file_of_another_kind(objects: list[CheckedObject]) -> None:
    Path("i386.asm").write_text("ret\n")
    subprocess.run([NASM, "-f", "elf32", "i386.asm", "-o", "i386.o"], check=True)
    assert explained(ld("two.o", "i386.o"), objects) == [
        "  only x86-64 ELF objects can be linked: was it made for another machine or system?"
    ]


def test_ld_an_lto_object(objects: list[CheckedObject]) -> None:
    Path("lto.c").write_text("int answer(void) { return 42; }\n")
    command = ["gcc", "-c", "-O2", "-flto", "-fPIC", "lto.c"]
    subprocess.run(command, check=True)
    done = subprocess.run(
        [LD, "-shared", "lto.o", "-o", "x.so"], capture_output=True, text=True, check=False
    )
    # ld exits with 0 here, and the module is empty.
    assert "  an object was compiled with -flto, which only the compiler's driver can link: compile it without" in explained(done.stderr, objects)  # fmt: skip

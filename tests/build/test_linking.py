"""The module that comes out: hardened, small, exporting its entry points, needing what it uses."""

from __future__ import annotations

import re
import shutil

import pytest

from asmsetup.facts import elf
from tests.conftest import MakeProject
from tests.projects import Project, Python, path_of
from tools.matrix.interpreters import REPOSITORY

C_LIBRARY = """\
%include "module.inc"
extern FUNCTION
MODULE hello, call_it
call_it:
    push        rax
    mov         edi, 1
    lea         rsi, [text]
    xor         edx, edx
    call        FUNCTION wrt ..plt
    pop         rax
    mov         edi, 42
    jmp         PyLong_FromLong wrt ..plt
section .data
text: db "x"
"""


@pytest.fixture(params=["assembly", "mixed"])
def built(request: pytest.FixtureRequest, hello: Project) -> Project:
    """A module of assembly alone, and one with C in it."""
    hello.write({"more.c": "int more_of_it(void) { return 1; }\n"})
    hello.extension("hello", ["hello.asm", "more.c"] if request.param == "mixed" else ["hello.asm"])
    hello.build_ext(CFLAGS="-fvisibility=default")
    return hello


def test_hardened(built: Project) -> None:
    facts = elf.read(built.module())

    assert facts.stack_flags == "RW"
    assert facts.relro
    assert facts.bind_now
    assert not facts.text_relocations


def test_only_the_entry_points_are_exported(built: Project) -> None:
    assert [symbol.name for symbol in elf.read(built.module()).exported] == ["PyInit_hello"]


def test_stripped(built: Project) -> None:
    facts = elf.read(built.module())

    assert facts.section(".symtab") is None
    assert built.folder.name.encode() not in facts.data
    assert b"hello.asm" not in facts.data


def test_the_stack_of_the_process_is_not_made_executable(built: Project) -> None:
    code = "import hello; print(*[l for l in open('/proc/self/maps') if '[stack]' in l])"

    (stack,) = built.run("-c", code).output.strip().splitlines()

    assert re.search(r" rw-p ", stack)


def test_nothing_of_the_interpreters_link_command_is_in_it(
    each_python: Python, project: MakeProject
) -> None:
    # pyenv's and conda's name a folder of their own for the module to look in.
    built = project(python=each_python)

    built.build_ext()

    facts = elf.read(built.module())
    assert facts.runpath is None
    assert facts.needed == ()


@pytest.mark.parametrize("function", ["write", "memcpy", "printf", "getpid"])
def test_the_c_library_is_a_versioned_dependency(hello: Project, function: str) -> None:
    hello.write({"hello.asm": C_LIBRARY.replace("FUNCTION", function)})

    hello.build_ext()

    facts = elf.read(hello.module())
    (symbol,) = [s for s in facts.undefined if s.name == function]
    assert facts.needed == ("libc.so.6",)
    assert [need.library for need in facts.version_needs] == ["libc.so.6"]
    assert facts.version_needs[0].version.startswith("GLIBC_2.")
    assert symbol.name == function


def test_the_maths_library_too(hello: Project) -> None:
    hello.write({"hello.asm": C_LIBRARY.replace("FUNCTION", "cos")})

    hello.build_ext()

    assert elf.read(hello.module()).needed == ("libm.so.6",)
    assert hello.answer() == "42"


def test_no_compiler_and_no_headers_are_needed(hello: Project) -> None:
    path = path_of(hello.folder.parent / "bin", "nasm", "ld")

    hello.wheel(PATH=path, CC="/no/compiler", C_INCLUDE_PATH="/nowhere")

    assert hello.answer(path=hello.built_wheel().unpacked()) == "42"


def test_sayit_is_small(project: MakeProject, each_python: Python) -> None:
    sayit = project(python=each_python)
    shutil.copytree(REPOSITORY / "examples" / "sayit", sayit.folder, dirs_exist_ok=True)

    sayit.build_ext()

    assert sayit.module("sayit").stat().st_size <= 5.4 * 1024
    assert sayit.run("-c", "import sayit; sayit.sayit()").output == "Assembly is great fun! :)\n"


def test_text_relocations_are_reported(hello: Project) -> None:
    hello.write(
        {
            "hello.asm": '%include "module.inc"\nMODULE hello, load\nload:\n'
            "    mov rdi, number\n    mov edi, [rdi]\n    jmp PyLong_FromLong wrt ..plt\n"
            "section .data\nnumber: dd 42\n"
        }
    )

    warned = hello.build_ext().output
    refused = hello.refused(ASMSETUP_STRICT="1")

    assert "hello.asm:4: warning: the absolute address of `number'" in warned
    assert "hello.asm:4: error: the absolute address of `number'" in refused
    assert hello.answer() == "42"

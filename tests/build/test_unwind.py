"""unwind = true: which routines get a table, that it reaches each kind of module, and when it is made anew."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.abi.stepping import rows_of
from tests.projects import CALLING, Project

PLAIN = """\
%include "python.inc"
PyModule hello
PyMethod "answer", answer, METH_NOARGS
PyMethod "jumps", jumps, METH_O
PyEndModule
section .text
answer:
    push rbx
    mov edi, 42
    PyCall PyLong_FromLong
    pop rbx
    ret
jumps:
    push rbx
    lea rax, [rel jumps]
    add rax, rsi
    jmp rax
PyFrame framed
    ret
PyEndFrame
"""
REFUSED = (
    "hello.asm: jumps gets no unwind table: a jump goes to an address that could not be found out"
)


@pytest.fixture
def plain(hello: Project, decoder: Path) -> Project:
    """The project hello with plain routines, built where the decoder is installed."""
    hello.write({"hello.asm": PLAIN})
    return hello.settings("unwind = true").beside(decoder)


def tables(module: Path) -> int:
    """How many routines of a module have a table."""
    return len(rows_of(module))


def offsets(module: Path) -> list[int]:
    """How far the frame is, row by row."""
    return [row["cfa"].offset for _, rows in rows_of(module).values() for row in rows]


def test_what_was_followed_gets_one_and_what_was_not_is_named(plain: Project) -> None:
    output = plain.setup("-v", "build_ext", "--inplace").output

    assert REFUSED in output
    assert "answer gets no" not in output
    # `push rbx' is 16, and PyCall pushes rbp.
    assert 24 in offsets(plain.module())
    assert plain.answer() == "42"


def test_a_changed_setting_makes_another_object(plain: Project) -> None:
    plain.build_ext()
    with_them = plain.module().read_bytes(), tables(plain.module())
    assert "nasm hello.asm" not in plain.build_ext().output

    assert "nasm hello.asm" in plain.build_ext(ASMSETUP_UNWIND="0").output
    assert tables(plain.module()) < with_them[1]
    plain.build_ext()
    assert (plain.module().read_bytes(), tables(plain.module())) == with_them


def test_the_cache_keeps_it_and_what_was_told(plain: Project) -> None:
    built = [
        plain.setup("-v", "build_ext", "-b", name, "-t", f"{name}.t", ASMSETUP_CACHE="1").output
        for name in ("first", "second")
    ]
    assert "cached hello.asm" not in built[0]
    assert "cached hello.asm" in built[1]
    assert all(REFUSED in each for each in built)
    first, second = (next((plain.folder / name).glob("*.so")) for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    assert tables(first) > 1


@pytest.mark.parametrize("lines", ['strip = "debug"\nld-args = ["--gc-sections"]', "debug = true"])
def test_it_stays_in_the_module(plain: Project, lines: str) -> None:
    plain.settings(f"unwind = true\n{lines}").build_ext()

    assert 24 in offsets(plain.module())
    assert plain.answer() == "42"


ROUTINES = """\
global answer:function
section .text.answer exec
answer:
    push rbx
    mov ebx, 42
    mov eax, ebx
    pop rbx
    ret
section .text.more exec
    ret
"""


def test_modules_with_c(hello: Project, decoder: Path) -> None:
    hello.write({"hello.c": CALLING, "kernel.asm": ROUTINES}).settings("unwind = true")
    hello = hello.beside(decoder).extension(
        "hello", ["hello.c", "kernel.asm"], extra_link_args=["-Wl,--gc-sections"]
    )
    hello.build_ext(ASMSETUP_UNWIND="0")
    before = tables(hello.module())
    hello.build_ext()

    assert tables(hello.module()) == before + 1
    assert hello.answer() == "42"


def test_shared_libraries(hello: Project, decoder: Path) -> None:
    setup = (
        "import asmsetup\nfrom setuptools import setup\nsetup(ext_modules=["
        'asmsetup.Library("libkernel", ["kernel.asm"], export_symbols=["answer"])])\n'
    )
    hello.write({"setup.py": setup, "kernel.asm": ROUTINES}).settings("unwind = true")
    hello.beside(decoder).build_ext()

    (module,) = hello.folder.glob("*.so")
    assert offsets(module) == [8, 16, 16, 8]
    said = subprocess.run(["readelf", "-lW", module], capture_output=True, text=True, check=True)
    assert "GNU_EH_FRAME" in said.stdout


def test_without_the_decoder(hello: Project) -> None:
    assert hello.settings("unwind = true").refused() == (
        "the setting unwind needs the decoder of machine code, iced-x86, which is missing\n"
        "  install it:   pip install 'asmsetup[check]'\n"
        '  or add "asmsetup[check]" to requires in [build-system]\n'
        "  or build without these tables: take unwind out of the settings"
    )

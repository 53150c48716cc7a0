"""Typed functions in a build: wherever their declaration stands, and after every edit of it."""

from __future__ import annotations

import pytest

from tests.projects import Project

SOURCE = """%include "python.inc"
PyModule hello
{}
PyEndModule
section .text
answer:
    mov         rax, 42
    ret
"""
PLAIN = 'PyTypedFunction "answer() -> i64"'

DECLARATIONS = {
    "plain": PLAIN,
    "continued": 'PyTypedFunction "answer() -> i64", \\\n    doc "The answer."',
    "in a branch": f"%if 1\n{PLAIN}\n%endif",
    "in the other branch": f'%if 0\nPyTypedFunction "answer(a: wrong)"\n%else\n{PLAIN}\n%endif',
    "by a macro": '%macro Export 2\nPyTypedFunction %1, calls %2\n%endmacro\nExport "answer() -> i64", answer',
    "by a macro without the GIL": (
        '%macro Export 1\nPyTypedFunction %1, nogil\n%endmacro\nExport "answer() -> i64"'
    ),
    "by a definition": '%define SIGNATURE "answer() -> i64"\nPyTypedFunction SIGNATURE',
    "in other quotes": "PyTypedFunction 'answer() -> i64'",
    "in backquotes": "PyTypedFunction `answer() -> i64`",
    "twice, for two targets": f"%ifdef PY_CET\n{PLAIN}, nogil\n%else\n{PLAIN}\n%endif",
    "included": '%include "declared.inc"',
}


def test_the_stub_is_in_the_wheel(hello: Project) -> None:
    hello.settings("stubs = true").write({"hello.asm": SOURCE.format(PLAIN)})
    stub = hello.wheel().unpacked() / "hello.pyi"
    assert stub.read_text() == (
        "# Made by asmsetup from the signatures in hello.asm: changes are lost.\n"
        "def answer() -> int: ...\n"
    )

    hello.write({"hello.asm": SOURCE.format('PyTypedFunction "answer(a: str = None) -> i64"')})
    assert (
        "def answer(a: str | None = None) -> int: ...\n"
        in (hello.wheel().unpacked() / "hello.pyi").read_text()
    )


def test_a_stub_of_ones_own_stays(hello: Project) -> None:
    hello.settings("stubs = true").write({"hello.asm": SOURCE.format(PLAIN)}).build_ext()
    (module,) = hello.folder.glob("build/lib*/hello.*.so")
    stub = module.with_name("hello.pyi")
    assert stub.exists()

    stub.write_text("def answer() -> Literal[42]: ...\n")
    hello.write({"hello.asm": SOURCE.format(f"{PLAIN}, doc 'a'")}).build_ext()
    assert "Literal" in stub.read_text()


def test_no_stub_unless_it_is_asked_for(hello: Project) -> None:
    hello.write({"hello.asm": SOURCE.format(PLAIN)}).build_ext()
    assert list(hello.folder.rglob("*.pyi")) == []


@pytest.mark.parametrize("declaration", DECLARATIONS.values(), ids=DECLARATIONS)
def test_where_it_stands(declaration: str, hello: Project) -> None:
    files = {"hello.asm": SOURCE.format(declaration), "declared.inc": PLAIN + "\n"}
    hello.write(files).build_ext("--inplace")
    assert hello.answer() == "42"


@pytest.mark.parametrize(
    ("declaration", "line", "error"),
    [
        (
            '%strcat text "answer", "() -> i64"\nPyTypedFunction text',
            4,
            "PyTypedFunction: the signature `answer() -> i64' is not written out in the source",
        ),
        (
            '%macro Export 1\nPyTypedFunction %1\n%endmacro\nExport "answer() -> i46"',
            6,
            "PyTypedFunction answer: unknown type `i46'",
        ),
    ],
)
def test_refused(declaration: str, line: int, error: str, hello: Project) -> None:
    hello.write({"hello.asm": SOURCE.format(declaration)})
    said = hello.refused()
    assert f"hello.asm:{line}: fatal: {error}" in said


def test_an_edit_of_the_signature_is_built(hello: Project) -> None:
    hello.write({"hello.asm": SOURCE.format(PLAIN)}).build_ext("--inplace")
    changed = SOURCE.format('PyTypedFunction "answer() -> bool"')
    hello.write({"hello.asm": changed}).build_ext("--inplace")
    assert hello.answer() == "True"


def test_the_bindings_lie_beside_the_object(hello: Project) -> None:
    hello.write({"hello.asm": SOURCE.format(PLAIN)}).build_ext("--inplace")
    (path,) = hello.folder.rglob("hello.asm.*.bindings.inc")
    assert "; int64_t answer(void)" in path.read_text()

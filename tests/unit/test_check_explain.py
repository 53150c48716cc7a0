"""What nasm and ld say keeps its words and gets its line and a hint."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from asmsetup.assemble.includes import INCLUDE_DIR
from asmsetup.check import CheckedObject, ModuleContext, locator
from asmsetup.check.explain import explain_nasm
from asmsetup.check.explain_ld import explain_ld
from asmsetup.facts import elf
from tests.checking import LD, NASM, assembled

HEAD = "default rel\nextern foo\nsection .text\nstart:\nnop\n"

NASM_MISTAKES = [
    # (line, what must follow nasm's own message)
    ("mov rax, [rel foo wrt ..gotpcrel]", "NASM spells it:   [rel name wrt ..got]"),
    ("call bar", "if another source or a library defines it:   extern bar"),
    ("call bswap", "`bswap' is an instruction; give the routine, and its label, another name"),
    ("call strat", "perhaps it is:   start"),
    ("call PyLong_FromLong", "declare it, it is CPython's:   extern PyLong_FromLong"),
    (
        "mov eax, dword ptr [rdi]",
        "this is GAS syntax",
    ),
    (
        "movv rax, rbx",
        "`movv' is neither an instruction nor a macro known here: misspelt, or its %include is missing",
    ),
    (
        "movl %eax, %ebx",
        "this is AT&T syntax",
    ),
    (".globl foo", "this is GAS syntax"),
    (".section .rodata", "this is GAS syntax"),
    ("PyFuncion f, METH_NOARGS", "did you mean PyFunction?"),
    ("PyReise PyExc_ValueError", "did you mean PyRaise?"),
    ("Py_INCREFF rdi", "did you mean Py_INCREF?"),
    ("PyCall PyErr_Clear", 'the macros that begin with Py need:   %include "python.inc"'),
    ("pycall PyErr_Clear", "did you mean PyCall?"),
    (".a: PyCal PyErr_Clear", "did you mean PyCall?"),
    ("Py_RETURN NONE", "did you mean Py_RETURN_NONE?"),
    ("mov eax, PyCPU_AVX3", "did you mean PyCPU_AVX512F?"),
    ("mov eax, PyCPU_SSE2", "every x86-64 processor has it: leave the feature out"),
    ("mov [rdi], [rsi]", "one instruction cannot have two operands in memory: go through a register"),
    (
        "mov eax, rbx",
        "the operands do not fit each other or this instruction: often two registers of unlike size",
    ),
    (
        "mov rax, rbp - 16",
        "a name of PyLocal or PyBuffer is an address, and needs brackets:   mov rax, [name]",
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
    ("# a comment", "a comment begins with a semicolon"),
    ("k0: ret", "`k0' is the name of a register, and cannot be a label: choose another name"),
    ("r10d ret", "`r10d' is the name of a register, and cannot be a label: choose another name"),
    (
        "PyInit_x PROC",
        "this is MASM syntax",
    ),
    (
        "x ENDP",
        "this is MASM syntax",
    ),
    ("%if FOO > 3", "an %if sees only what stands above it; if the build defines it as a macro:"
        '   Extension(..., define_macros=[("FOO", "1")])'),
]  # fmt: skip


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
    # Warnings come last.
    assert {each for each in explained.splitlines() if each in said} == set(said)
    assert added[:2] in ([f"    {line}", f"  {hint}"], [f"  {hint}", f"    {line}"])


def test_what_nasm_says_without_a_line_stays_as_it_is() -> None:
    said = (
        "nasm: fatal: unable to open input file `x.asm'\nx.asm:900: error: something new\n"
        "x.asm:901: error: parser: instruction expected"
    )
    assert explain_nasm(said, lambda path: ["one line"]) == said
    assert explain_nasm("", lambda path: []) == ""


def test_a_missing_name_is_shown_once_with_its_lines() -> None:
    said = "\n".join(f"x.asm:{n}: error: symbol `BIT_DEPTH' not defined" for n in range(1, 300))
    lines = ["mov eax, BIT_DEPTH"] * 300

    assert explain_nasm(said, lambda path: lines).splitlines() == [
        "x.asm:1: error: symbol `BIT_DEPTH' not defined",
        "  the same in 298 more lines: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...",
        "    mov eax, BIT_DEPTH",
        "  if the build defines it as a macro:"
        '   Extension(..., define_macros=[("BIT_DEPTH", "1")])',
    ]


def test_the_same_line_is_shown_once() -> None:
    said = "x.asm:1: error: first\nx.asm:1: error: second\nx.asm:2: error: third"
    assert explain_nasm(said, lambda path: ["mov one", "mov two"]) == (
        "x.asm:1: error: first\n"
        "x.asm:1: error: second\n"
        "    mov one\n"
        "x.asm:2: error: third\n"
        "    mov two"
    )


def test_errors_come_first_and_each_keeps_what_belongs_to_it() -> None:
    said = (
        "x.asm:1: warning: odd\nx.asm:2: error: bad\nx.asm:1: ... from macro `m' defined here\n"
        "x.asm:3: warning: odder"
    )
    assert explain_nasm(said, lambda path: []) == (
        "x.asm:2: error: bad\nx.asm:1: ... from macro `m' defined here\n"
        "x.asm:1: warning: odd\nx.asm:3: warning: odder"
    )


def test_of_very_many_errors_the_first_are_shown() -> None:
    errors = [f"x.asm:{line}: error: symbol `n{line}' not defined" for line in range(1, 5001)]
    warnings = [f"x.asm:{line}: warning: odd" for line in range(1, 22)]
    end = "x.asm:5000: fatal: this ends it"
    asked: list[str] = []

    def source(path: str) -> list[str]:
        asked.append(path)
        return [f"call n{line}" for line in range(1, 5001)]

    lines = explain_nasm("\n".join([*errors, *warnings, end]), source).splitlines()

    assert asked == ["x.asm"]
    shown = [line for line in lines if not line.startswith(" ")]
    assert shown == [
        *errors[:20],
        end,
        "x.asm: ... and 4980 more errors",
        *warnings[:20],
        "x.asm: ... and 1 more warning",
    ]


def test_the_same_message_again_is_shown_once() -> None:
    assert explain_nasm("x.asm:1: error: a\nx.asm:1: error: a", lambda path: ["b"]) == (
        "x.asm:1: error: a\n    b"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("PyModule m", ["x.asm:3: error: PyModule of line 3 has no PyEndModule"]),
        (
            "PyRoutine r\nPyReturn 0\nPyReturn 0",
            ["x.asm:3: error: PyRoutine of line 3 has no PyEndRoutine"],
        ),
        (
            "PyModule m\nPyFunction f, METH_O\nPyReturn 0",
            [
                "x.asm:3: error: PyModule of line 3 has no PyEndModule",
                "x.asm:4: error: PyFunction of line 4 has no PyEndFunction",
            ],
        ),
        (
            "PyModule m\nPyType T, 32",
            ["x.asm:3: error: PyModule of line 3 has no PyEndModule"],
        ),
    ],
)
def test_a_block_that_is_not_closed(text: str, shown: list[str], nasm: str, tmp_path: Path) -> None:
    source = f'default rel\n%include "python.inc"\n{text}\n'
    (tmp_path / "x.asm").write_text(source)
    command = [nasm, "-f", "elf64", "-DPY_UNIVERSAL=1", f"-I{INCLUDE_DIR}/", "x.asm"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    explained = explain_nasm(done.stderr, lambda path: source.splitlines()).splitlines()
    assert [line for line in explained if not line.startswith(" ")] == shown


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        (
            "utf-8-sig",
            "x.asm:1: error: instruction expected\n    bogus eax\n"
            "  the file begins with a byte order mark, which NASM takes for a name: save it as"
            " UTF-8 without one",
        ),
        (
            "utf-16",
            "x.asm:1: error: NASM cannot read this file: it is in UTF-16; save it as UTF-8",
        ),
    ],
)
def test_an_encoding_that_nasm_does_not_read(encoding: str, said: str) -> None:
    lines = "bogus eax\nret\n".encode(encoding).decode("utf-8", "replace").splitlines()
    errors = "x.asm:1: error: instruction expected"
    if encoding == "utf-16":
        errors += "\nx.asm:2: warning: label alone on a line"
    assert explain_nasm(errors, lambda path: lines) == said


@pytest.mark.parametrize(
    ("text", "said", "advice"),
    [
        ("Py_RETURN_NON", "error: label alone on a line", "did you mean Py_RETURN_NONE?"),
        ("PyErr_Clear", "error: label alone on a line", "to call it:   PyCall PyErr_Clear"),
        (
            "rett",
            "error: label alone on a line",
            "an instruction that is misspelt; or, if it is a label:   rett:",
        ),
        *(
            (f"PyTypeSlot {name}, f", f"fatal: `{name}' is not a slot of a type", advice)
            for name, advice in [
                ("Py_tp_reprr", "did you mean Py_tp_repr?"),
                ("py_tp_repr", "did you mean Py_tp_repr?"),
                ("__repr__", "did you mean Py_tp_repr?"),
                ("Py_nb_sub", "did you mean Py_nb_subtract?"),
                ("Py_sq_len", "did you mean Py_sq_length?"),
            ]
        ),
        *(
            (f"PyDispatch v, f, {name}, g", f"fatal: that PyDispatch does not know: {name}", advice)
            for name, advice in [
                ("PyCPU_AVX512", "did you mean PyCPU_AVX512F?"),
                ("PyCPU_SSE4_1", "did you mean PyCPU_SSE41?"),
                ("PyCPU_avx2", "did you mean PyCPU_AVX2?"),
                ("PyCPU_BMI", "did you mean PyCPU_BMI1?"),
            ]
        ),
        *(
            (text, "error: invalid register set size", f"write:   {written}")
            for text, written in [
                ("mov rax, count", "mov rax, [count]"),
                ("mov count, rax", "mov [count], rax"),
                ("inc count", "inc qword [count]"),
                ("cmp count, 0", "cmp qword [count], 0"),
                ("movsd xmm0, count ; it", "movsd xmm0, [count]"),
                ("mov rdi, view.len", "mov rdi, [view.len]"),
                ("mov rdi, second", "mov rdi, [second]"),
                ("PyReturn count", "PyReturn [count]"),
            ]
        ),
    ],
)
def test_what_was_meant(text: str, said: str, advice: str) -> None:
    lines = ["PyLocal count", "PyBuffer view", 'PyArguments "f(first, second)"', text]
    assert explain_nasm(f"x.asm:4: {said}", lambda path: lines).splitlines()[-1] == f"  {advice}"


def test_what_follows_from_a_misspelt_block_is_not_shown() -> None:
    lines = ["PyModule m", "PyFuncion f, METH_O", "PyEndFunction"]
    said = (
        "x.asm:2: error: parser: instruction expected\n"
        "x.asm:3: fatal: PyEndFunction is outside of PyFunction"
    )
    assert explain_nasm(said, lambda path: lines).splitlines()[1:] == [
        "    PyFuncion f, METH_O",
        "  did you mean PyFunction?",
    ]


def test_the_size_of_a_struc_that_is_misspelt() -> None:
    lines = ["struc Point_object", "PyObject_HEAD", "endstruc", "PyType P, Point_objet_size"]
    said = "x.asm:4: error: symbol `Point_objet_size' not defined"
    assert explain_nasm(said, lambda path: lines).splitlines()[1:] == [
        "    PyType P, Point_objet_size",
        "  perhaps it is:   Point_object_size",
    ]


def test_a_number_that_is_cut_off_is_shown_once() -> None:
    said = (
        "x.asm:1: error: signed dword immediate exceeds bounds [-w+error=number-overflow]\n"
        "x.asm:1: error: dword data exceeds bounds [-w+error=number-overflow]"
    )
    assert explain_nasm(said, lambda path: ["and rax, 0x5555555555555555"]).splitlines()[1:] == [
        "    and rax, 0x5555555555555555",
        "  the processor takes 32 bits with a sign here, and no more: load the number into"
        " another register, and use that",
    ]


def test_a_very_long_line_is_cut() -> None:
    text = "db " + "1, " * 1000
    explained = explain_nasm("x.asm:1: error: odd", lambda path: [text])
    assert explained == f"x.asm:1: error: odd\n    {text[:200]} ..."


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
    assembled(Path("one.asm"), Path("one.asm").read_text().replace("mov edi, foo\n", ""))

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


def test_a_warning_is_not_cured_by_the_line_itself() -> None:
    said = "x.asm:1: warning: `ptr' is not a NASM keyword [-w+ptr]"

    assert explain_nasm(said, lambda file: ["jmp [ptr]"]).splitlines() == [
        said,
        "    jmp [ptr]",
        "  give a label that is called so another name",
    ]


def test_labels_that_move_behind_an_undefined_name_are_left_out() -> None:
    """NASM 3 leaves the data out, and then says of each label that follows that it has moved."""
    undefined = "x.asm:3: error: symbol `nothing' not defined"
    moved = (
        "x.asm:4: error: label `table' changed during code generation (offset 0x8 -> 0x0)"
        " [-w+error=label-redef-late]"
    )
    told = explain_nasm(f"{undefined}\n{moved}", lambda path: ())
    assert undefined in told
    assert moved not in told
    assert moved in explain_nasm(moved, lambda path: ())

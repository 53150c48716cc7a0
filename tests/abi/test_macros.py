"""The macros of python.inc, used in one module, on every CPython of the machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.abi.assembling import (
    ASSEMBLERS,
    INCLUDE,
    INTERPRETERS,
    MODULES,
    TYPED,
    UNIVERSAL,
    Defines,
    assemble,
    build,
    python,
    said_by,
    target_of,
)
from tools.matrix.interpreters import Interpreter

CHECKS = Path(__file__).with_name("check_macros.py")


@pytest.fixture(scope="session", params=list(INTERPRETERS.values()), ids=list(INTERPRETERS))
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    chosen: Interpreter = request.param
    return chosen


@pytest.fixture(scope="session")
def universal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one module for every CPython."""
    folder = tmp_path_factory.mktemp("universal")
    build(MODULES / "macros.asm", folder / "macros.so")
    return folder


def test_universal(interpreter: Interpreter, universal: Path) -> None:
    python(interpreter, universal, str(CHECKS))


def test_specific(interpreter: Interpreter, tmp_path: Path) -> None:
    """The same module, made for one CPython."""
    build(MODULES / "macros.asm", tmp_path / "macros.so", target_of(interpreter))
    python(interpreter, tmp_path, str(CHECKS))


LIMITED = [
    (minor, name)
    for minor in (11, 13, 15)
    for name, interpreter in INTERPRETERS.items()
    if interpreter.version >= (3, minor) and not interpreter.free_threaded
]


@pytest.mark.parametrize(("minor", "name"), LIMITED)
def test_limited_api(minor: int, name: str, tmp_path: Path) -> None:
    """One module for every CPython with a GIL from 3.minor on; 3.10's limited API has no buffers."""
    defines = {"Py_LIMITED_API": f"0x03{minor:02x}0000"}
    build(MODULES / "macros.asm", tmp_path / "macros.so", defines)
    python(INTERPRETERS[name], tmp_path, str(CHECKS))


ABI3T = [name for name, interpreter in INTERPRETERS.items() if interpreter.version >= (3, 15)]


@pytest.mark.skipif(not ABI3T, reason="no CPython 3.15 was fetched: see docs/testing.md")
@pytest.mark.parametrize("name", ABI3T)
def test_limited_api_without_gil(name: str, tmp_path: Path) -> None:
    """abi3t, which builds with a GIL take as well."""
    defines = {"Py_LIMITED_API": "0x030f0000", "Py_GIL_DISABLED": "1"}
    build(MODULES / "macros.asm", tmp_path / "macros.so", defines)
    python(INTERPRETERS[name], tmp_path, str(CHECKS))


@pytest.mark.parametrize("source", [MODULES / "macros.asm", TYPED / "typed.asm"])
def test_universal_is_the_default(source: Path, tmp_path: Path) -> None:
    """nasm without asmsetup, and with no -D, makes the module for every CPython."""
    named, default = tmp_path / "named.o", tmp_path / "default.o"
    assert assemble(source, named, UNIVERSAL).stderr == ""
    assert assemble(source, default, {}).stderr == ""
    assert default.read_bytes() == named.read_bytes()


@pytest.mark.parametrize("nasm", ASSEMBLERS)
def test_every_nasm_assembles_the_same(nasm: str, tmp_path: Path) -> None:
    code = {}
    for name in ("nasm", nasm):
        built = build(MODULES / "macros.asm", tmp_path / f"{name}.so", nasm=ASSEMBLERS[name])
        dump = said_by(
            "objdump", "-d", "-s", "-j", ".text", "-j", ".rodata", "--no-show-raw-insn", built
        )
        code[name] = dump.replace(str(built), "")
    assert code[nasm] == code["nasm"]


@pytest.mark.parametrize(
    ("without", "level"),
    [
        ("0xffffffffffffffff", 0),
        ("PyCPU_BMI2 | PyCPU_AVX512F", 1),
        ("PyCPU_AVX2 | PyCPU_AVX512F", 1),
    ],
)
def test_dispatch_needs_all_features(without: str, level: int, tmp_path: Path) -> None:
    build(MODULES / "macros.asm", tmp_path / "macros.so", UNIVERSAL | {"PY_CPU_WITHOUT": without})
    said = python(
        next(iter(INTERPRETERS.values())), tmp_path, "-c", "import macros; print(macros.level())"
    )
    assert int(said) <= level


@pytest.mark.parametrize(
    "defines",
    [
        UNIVERSAL,
        {"PY_VERSION_HEX": "0x030a0df0"},
        {"PY_VERSION_HEX": "0x030d0df0", "Py_GIL_DISABLED": "1"},
        {"PY_VERSION_HEX": "0x030f02f0"},
        {"Py_LIMITED_API": "0x030a0000"},
    ],
)
def test_include_alone_adds_nothing(defines: Defines, tmp_path: Path) -> None:
    """No symbol and no byte; but the section that says what the stack need not be."""
    facts = {}
    for name, text in (("nothing", ""), ("python.inc", '%include "python.inc"\n')):
        source = tmp_path / "source.asm"
        source.write_text(text)
        assert assemble(source, tmp_path / "source.o", defines).stderr == ""
        facts[name] = [
            said_by(tool, "--format=sysv", tmp_path / "source.o").splitlines()
            for tool in ("nm", "size")
        ]
    symbols, sizes = facts["python.inc"]
    assert symbols == facts["nothing"][0]
    assert {line.split()[1] for line in sizes if line.startswith(".")} <= {"0"}
    assert any(line.startswith(".note.GNU-stack ") for line in sizes)


def test_the_stack_is_not_executable(universal: Path) -> None:
    said = said_by("readelf", "-lW", universal / "macros.so")
    (stack,) = [line for line in said.splitlines() if "GNU_STACK" in line]
    assert "RW " in stack


def test_only_entry_points_are_exported(universal: Path) -> None:
    said = said_by("nm", "-D", "--defined-only", "--format=posix", universal / "macros.so")
    assert sorted(line.split()[0] for line in said.splitlines()) == [
        "PyInit_macros",
        "PyModExport_macros",
    ]


def test_newer_names_are_weak(universal: Path) -> None:
    """What 3.10 has not is not needed to load the module."""
    said = said_by("nm", "-D", "--undefined-only", "--format=posix", universal / "macros.so")
    weak = {line.split()[0] for line in said.splitlines() if line.split()[1] == "w"}
    assert weak == {
        "PyLong_FromInt64",
        "PyModule_Add",
        "PyType_FromMetaclass",
        "Py_TYPE",
    }


def test_cet_note_where_asked_for(tmp_path: Path) -> None:
    build(MODULES / "macros.asm", tmp_path / "macros.so", UNIVERSAL | {"PY_CET": "1"})
    said = said_by("readelf", "-n", tmp_path / "macros.so")
    assert "x86 feature: IBT, SHSTK" in said
    python(next(iter(INTERPRETERS.values())), tmp_path, str(CHECKS), "check_calling_conventions")


def test_macros_are_nolist() -> None:
    """So an error in a line has the line of the source that used the macro."""
    listed = [
        f"{path.name}: {line}"
        for path in INCLUDE.rglob("*.inc")
        for line in path.read_text().splitlines()
        if re.match(r"\s*%macro ", line) and ".nolist" not in line
    ]
    assert listed == []


def test_a_type_named_like_its_module(tmp_path: Path) -> None:
    """Each has a table of methods of its own."""
    functions = [
        f"PyFunction {name}, METH_NOARGS\nPy_RETURN_NONE\nPyEndFunction\n"
        for name in ("before", "method", "after")
    ]
    (tmp_path / "same.asm").write_text(
        '%include "python.inc"\nPyModule same\n'
        f"{functions[0]}PyType same, 32\n{functions[1]}PyEndType\n{functions[2]}PyEndModule\n"
    )
    build(tmp_path / "same.asm", tmp_path / "same.so")
    check = (
        "import same; assert same.before() is same.after() is same.same().method() is None;"
        "assert not {'before', 'after'} & set(dir(same.same)); assert not hasattr(same, 'method')"
    )
    python(next(iter(INTERPRETERS.values())), tmp_path, "-c", check)


def test_the_section_stays(tmp_path: Path) -> None:
    """What follows the include goes where it would have gone without."""
    source = tmp_path / "source.asm"
    source.write_text('section .data\n%include "python.inc"\nvariable: dq 1\n')
    assert assemble(source, tmp_path / "source.o", UNIVERSAL | {"PY_CET": "1"}).stderr == ""
    assert "0000000000000000 d variable\n" in said_by("nm", tmp_path / "source.o")


@pytest.mark.parametrize("nasm", ASSEMBLERS)
def test_doc_strings_of_several_lines(nasm: str, tmp_path: Path) -> None:
    """In braces, one argument of the macro is several of db."""
    source = tmp_path / "source.asm"
    source.write_text(
        '%include "python.inc"\nPyModule m\nPyMethod "f", f, METH_O, {"first", 10, "second"}\n'
        'PyType T, 40\nPyMember "x", Py_T_INT, 32, 0, {"third", 10, "fourth"}\n'
        'PyGetSet "y", f, 0, {"fifth", 10, "sixth"}\nPyEndType\nPyEndModule\nf: ret\n'
    )
    said = assemble(source, tmp_path / "source.o", UNIVERSAL, ASSEMBLERS[nasm])
    assert (said.returncode, said.stderr) == (0, "")
    for text in (b"first\nsecond\0", b"third\nfourth\0", b"fifth\nsixth\0"):
        assert text in (tmp_path / "source.o").read_bytes()


@pytest.mark.parametrize("defines", [UNIVERSAL, {"PY_VERSION_HEX": "0x030e00f0"}])
@pytest.mark.parametrize("nasm", ASSEMBLERS)
def test_no_warning_of_any_kind(nasm: str, defines: Defines, tmp_path: Path) -> None:
    source = tmp_path / "source.asm"
    # nasm 3.01 warns of the warnings of its own STRUC, so there is none here.
    source.write_text(
        '%include "python.inc"\nPyModule m\n'
        "PyFunction f, METH_O, -, object\nPyCall PyErr_Clear\nPyCall PyErr_Clear\n"
        "PyHas PyLong_FromInt64\nPyHas PyLong_FromInt64\nPy_INCREF object\n"
        'PyRaise PyExc_ValueError, "%zd", object\nPyReturn NULL\nPyEndFunction\n'
        'PyTypedFunction "g(a: i64) -> i64", extern labs\n'
        'PyTypedFunction "h(a: i64) -> i64", extern labs\n'
        'PyType T, 32\nPyEndType\nPyConstant "A", 1\nPyEndModule\n'
    )
    options = ["-w+all", "-w+error"]
    if "version 3" in said_by(ASSEMBLERS[nasm], "-v"):
        # These are what position-independent code consists of.
        options += ["-w-reloc-abs-qword", "-w-reloc-rel-dword"]
    said = assemble(source, tmp_path / "source.o", defines, ASSEMBLERS[nasm], *options)
    assert (said.returncode, said.stderr) == (0, "")


def test_a_classic_source(interpreter: Interpreter, tmp_path: Path) -> None:
    """What hand-written includes declare is there, laid out for the version compiled for."""
    build(MODULES / "classic.asm", tmp_path / "classic.so", target_of(interpreter))
    check = (
        "import classic; assert classic.give() is None; assert classic.give.__doc__ == 'Give None.'"
    )
    python(interpreter, tmp_path, "-W", "ignore", "-c", check)


def test_the_parts_of_the_version(tmp_path: Path) -> None:
    source = tmp_path / "source.asm"
    source.write_text(
        '%include "python.inc"\n'
        "%if PY_MAJOR_VERSION != 3 || PY_MINOR_VERSION != 13 || PY_MICRO_VERSION != 7\n"
        "  %error other\n%endif\n"
    )
    said = assemble(source, tmp_path / "source.o", {"PY_VERSION_HEX": "0x030d07f0"})
    assert (said.returncode, said.stderr) == (0, "")


def test_one_module_for_all_has_no_version(tmp_path: Path) -> None:
    source = tmp_path / "source.asm"
    source.write_text('%include "python.inc"\nmov eax, PY_MINOR_VERSION\n')
    said = assemble(source, tmp_path / "source.o")
    assert "2: error: symbol `PY_MINOR_VERSION__is_not_the_same_in_every_Python'" in said.stderr

"""What an Extension says reaches nasm and ld, and the environment says the rest."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from asmsetup.facts import elf
from tests.build.given import C_MODULE, FUNCTION, MIXED, NUMBER, linked, recording, soname
from tests.projects import Project

TEXT = """\
%include "module.inc"
extern PyUnicode_FromString
MODULE hello, text
text:
    lea rdi, [message]
    jmp PyUnicode_FromString wrt ..plt
section .rodata
message: db TEXT, 0
"""

CALL = """\
%include "module.inc"
extern number
MODULE hello, call_number
call_number:
    push rax
    call number wrt ..plt
    pop rdi
    mov edi, eax
    jmp PyLong_FromLong wrt ..plt
"""


@pytest.mark.parametrize(
    ("keywords", "answer"),
    [
        ({"define_macros": [("NUMBER", "42")]}, "42"),
        ({"define_macros": [("NUMBER", "40 + 2")]}, "42"),
        ({"define_macros": [("NUMBER", 42)]}, "42"),
        ({"define_macros": [("NUMBER", "7"), ("NUMBER", "42")]}, "42"),
        ({"define_macros": [("NUMBER", "42"), ("OTHER", None)]}, "42"),
        ({"extra_compile_args": ["-DNUMBER=42"]}, "42"),
        ({"extra_compile_args": {"nasm": ["-DNUMBER=42"], "c": ["-no-such"]}}, "42"),
        ({"include_dirs": ["numbers"], "extra_compile_args": ["--include", "number.inc"]}, "42"),
    ],
)
def test_a_number_reaches_nasm(hello: Project, keywords: dict[str, object], answer: str) -> None:
    hello.write({"hello.asm": NUMBER, "numbers/number.inc": "%define NUMBER 42\n"})
    hello.extension("hello", ["hello.asm"], **keywords)

    hello.build_ext()

    assert hello.answer() == answer


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ('"two words"', "two words"),
        ("'single'", "single"),
        ('"it\'s"', "it's"),
        ("'say \"hi\"'", 'say "hi"'),
        ('"$HOME `id` ; \\ *"', "$HOME `id` ; \\ *"),
        ('"größer"', "größer"),
        ("'a', 'b'", "ab"),
    ],
)
def test_a_macro_with_spaces_and_quotes(hello: Project, value: str, answer: str) -> None:
    hello.write({"hello.asm": TEXT})
    hello.extension("hello", ["hello.asm"], define_macros=[("TEXT", value)])

    hello.build_ext()

    assert hello.answer() == answer


def test_undef_macros(hello: Project) -> None:
    hello.write(
        {
            "hello.asm": '%include "module.inc"\n%ifdef ODD\nMODULE hello, 1\n'
            "%else\nMODULE hello, 42\n%endif\n"
        }
    )
    hello.extension("hello", ["hello.asm"], define_macros=[("ODD", None)], undef_macros=["ODD"])

    hello.build_ext()

    assert hello.answer() == "42"


@pytest.mark.parametrize(
    ("folders", "found"),
    [
        (["", "asm", "inc"], ""),
        (["asm", "inc"], "asm"),
        (["inc", "more"], "inc"),
        (["more"], "more"),
    ],
)
def test_the_order_in_which_includes_are_looked_for(
    hello: Project, folders: list[str], found: str
) -> None:
    numbers = {"": 1, "asm": 2, "inc": 3, "more": 4}
    hello.write({"asm/hello.asm": '%include "number.inc"\n' + NUMBER})
    for folder in folders:
        hello.write({str(Path(folder, "number.inc")): f"%define NUMBER {numbers[folder]}\n"})
    hello.extension("hello", ["asm/hello.asm"], include_dirs=["inc", "more"])

    hello.build_ext()

    assert hello.answer() == str(numbers[found])


def test_asmsetups_own_includes_come_last(hello: Project) -> None:
    hello.extension("hello", ["hello.asm"], include_dirs=["inc"])

    (command,) = [
        line for line in hello.setup("-v", "build_ext").output.splitlines() if "-f elf64" in line
    ]

    own = hello.run("-c", "import asmsetup; print(asmsetup.include_dir())").output.strip()
    folders = [word.strip("'") for word in command.split() if word.strip("'").startswith("-I")]
    assert folders == ["-I.", "-Iinc", f"-I{own}"]


def test_a_list_of_arguments_is_the_c_compilers_in_a_mixed_module(hello: Project) -> None:
    # NASM would take the macro too, and then refuse the source.
    source = "%ifdef MORE\n%error no business of nasm\n%endif\n" + FUNCTION
    hello.write({"hello.c": C_MODULE, "number.asm": source})
    hello.extension("hello", ["hello.c", "number.asm"], extra_compile_args=["-DMORE=1"])

    hello.build_ext()

    assert hello.answer() == "43"


def test_a_dictionary_of_arguments_says_which(hello: Project) -> None:
    hello.write(
        {
            "hello.c": C_MODULE.replace("MORE", "MORE + more()").replace(
                "extern long number(void);", "extern long number(void), more(void);"
            ),
            "more.cpp": 'extern "C" long more(void) { return BYTES; }\n',
            "number.asm": FUNCTION.replace("42", "NUMBER"),
        }
    )
    hello.extension(
        "hello",
        ["hello.c", "more.cpp", "number.asm"],
        extra_compile_args={"nasm": ["-DNUMBER=100"], "c": ["-DMORE=20"], "cxx": ["-DBYTES=3"]},
    )

    hello.build_ext()

    assert hello.answer() == "123"


@pytest.mark.parametrize(
    ("key", "suggestion"), [("cpp", None), ("NASM", None), ("nasmm", "did you mean 'nasm'?")]
)
def test_an_unknown_language(hello: Project, key: str, suggestion: str | None) -> None:
    hello.extension("hello", ["hello.asm"], extra_compile_args={key: ["-DX"]})

    error = hello.refused()

    assert error.startswith(f"Extension 'hello': extra_compile_args has the key {key!r}\n")
    assert suggestion is None or suggestion in error
    assert error.endswith(
        "the keys are: nasm, gas, c, cxx, and sources or patterns such as 'src/*_avx2.c'"
    )


def archive(project: Project, folder: str) -> Path:
    """A static library libnumber.a with number(), and the object it is made of."""
    target = project.folder / folder
    target.mkdir()
    (target / "number.asm").write_text(FUNCTION)
    for command in (
        ["nasm", "-f", "elf64", "number.asm"],
        ["ar", "crs", "libnumber.a", "number.o"],
    ):
        subprocess.run(command, cwd=target, check=True)
    return target


@pytest.mark.parametrize(
    "keywords",
    [
        {"libraries": ["number"], "library_dirs": ["lib"]},
        {"extra_link_args": ["lib/libnumber.a"]},
        {"extra_link_args": ["-Llib", "-lnumber"]},
        {"extra_link_args": ["-Wl,-Llib", "-Wl,-lnumber"]},
        {"extra_objects": ["lib/number.o"]},
    ],
    ids=str,
)
def test_what_is_linked_with(hello: Project, keywords: dict[str, object]) -> None:
    archive(hello, "lib")
    hello.write({"hello.asm": CALL}).extension("hello", ["hello.asm"], **keywords)

    hello.build_ext()

    assert hello.answer() == "42"


def test_library_options_of_the_command_line(hello: Project) -> None:
    archive(hello, "lib")
    hello.write({"hello.asm": CALL}).extension("hello", ["hello.asm"])

    hello.build_ext("--library-dirs=lib", "--libraries=number")

    assert hello.answer() == "42"


@MIXED
def test_link_arguments(hello: Project, mixed: bool) -> None:
    linked(hello, mixed, extra_link_args=["-Wl,-soname,hello.so.1"])

    assert soname(hello) == "hello.so.1"


def test_runtime_library_dirs(hello: Project) -> None:
    facts = linked(hello, mixed=False, runtime_library_dirs=["$ORIGIN/lib", "/opt/lib"])

    assert facts.runpath == "$ORIGIN/lib:/opt/lib"


@MIXED
@pytest.mark.parametrize("symbols", [[], ["number"], ["number", "more"]])
def test_export_symbols(hello: Project, mixed: bool, symbols: list[str]) -> None:
    hello.write({"hello.asm": (hello.folder / "hello.asm").read_text() + FUNCTION})
    hello.write(
        {"hello.asm": (hello.folder / "hello.asm").read_text() + "global more\nmore: ret\n"}
    )

    facts = linked(hello, mixed, export_symbols=symbols)

    assert sorted(symbol.name for symbol in facts.exported) == sorted(["PyInit_hello", *symbols])


def test_depends(hello: Project) -> None:
    hello.write({"hello.c": '#include "more.h"\n' + C_MODULE, "more.h": "#define MORE 1\n"})
    hello.write({"number.asm": '%include "number.inc"\n' + FUNCTION, "number.inc": ""})
    hello.extension("hello", ["hello.c", "number.asm"], depends=["more.h"])
    hello.build_ext()

    hello.write({"more.h": "#define MORE 2\n"}).build_ext()

    assert hello.answer() == "44"


def test_the_compiler_setuptools_chose_makes_a_mixed_module(hello: Project) -> None:
    own = recording(hello, "own-cc", "gcc")
    hello.write({"more.c": "int more;\n"}).extension("hello", ["hello.asm", "more.c"])

    hello.build_ext(CC=str(own))

    noted = Path(f"{own}.log").read_text().splitlines()
    assert {"-c", "-shared", "more.c"} <= set(noted)
    assert "hello.asm" not in noted
    assert hello.answer() == "42"


def test_language(hello: Project) -> None:
    hello.write(
        {"number.cpp": "#include <string>\nstd::string text(const char *c) { return c; }\n"}
    )
    hello.extension("hello", ["hello.asm", "number.cpp"], language="c++")

    hello.build_ext()

    assert any(name.startswith("libstdc++") for name in elf.read(hello.module()).needed)


def test_optional_warns_and_goes_on(hello: Project) -> None:
    hello.write({"broken.asm": "bogus eax\n"})
    hello.extensions(("broken", ["broken.asm"], {"optional": True}), ("hello", ["hello.asm"], {}))

    said = hello.build_ext().output

    assert "broken.asm:1: error:" in said
    assert "Traceback" not in said
    assert hello.answer() == "42"
    assert not list(hello.folder.glob("broken*.so"))


def test_optional_with_a_source_that_is_not_there(hello: Project) -> None:
    hello.extensions(("gone", ["gone.asm"], {"optional": True}), ("hello", ["hello.asm"], {}))

    said = hello.build_ext().output

    assert "gone.asm: there is no such source file" in said
    assert hello.answer() == "42"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("extra_link_args", "-s", "extra_link_args must be a list of strings, and is '-s'"),
        ("extra_link_args", [5], "extra_link_args must be a list of strings, and is [5]"),
        ("include_dirs", "inc", "include_dirs must be a list of strings, and is 'inc'"),
        ("libraries", "m", "libraries must be a list of strings, and is 'm'"),
        ("extra_compile_args", 5, "extra_compile_args must be a list of strings, and is 5"),
        (
            "extra_compile_args",
            {"nasm": "-Ox"},
            "extra_compile_args['nasm'] must be a list of strings, and is '-Ox'",
        ),
        (
            "define_macros",
            ["X"],
            "define_macros has 'X'\n"
            '  each is a name and its value:   define_macros=[("NAME", "1"), ("FLAG", None)]',
        ),
        ("define_macros", [("X", 1.5)], "define_macros has ('X', 1.5)"),
    ],
)
def test_what_must_be_a_list(hello: Project, option: str, value: object, message: str) -> None:
    hello.extension("hello", ["hello.asm"], **{option: value})

    assert hello.refused().startswith(f"Extension 'hello': {message}")


@pytest.mark.parametrize("mixed", [False, True])
def test_paths_may_be_path_objects(hello: Project, mixed: bool) -> None:
    hello.write({"inc/number.inc": "%define NUMBER 42\n", "more.c": "int more;\n"})
    source = '%include "module.inc"\n%include "number.inc"\nMODULE hello, NUMBER\n'
    hello.write({"hello.asm": source, "lib/empty": ""})
    sources = ["hello.asm", "more.c"] if mixed else ["hello.asm"]
    folders = 'include_dirs=[Path("inc")], library_dirs=[Path("lib")], depends=[Path("more.c")]'
    hello.write(
        {
            "setup.py": "from pathlib import Path\nfrom setuptools import Extension, setup\n"
            f'setup(py_modules=[], ext_modules=[Extension("hello", {sources!r}, {folders})])\n'
        }
    )

    hello.build_ext()

    assert hello.answer() == "42"


def test_an_export_that_is_not_there(hello: Project) -> None:
    hello.extension("hello", ["hello.asm"], export_symbols=["nosuch"])

    assert "export_symbols names `nosuch', but the module does not export it" in hello.refused()


@pytest.mark.parametrize("name", ["", "a b", "x; }; y", "a\0b", "local: *"])
def test_an_export_that_is_no_name(hello: Project, name: str) -> None:
    hello.extension("hello", ["hello.asm"], export_symbols=["kernel_*", name])

    assert f"export_symbols has {name!r}, which is not the name of a symbol" in hello.refused()


@pytest.mark.parametrize("variable", ["LDFLAGS", "CFLAGS", "CC", "LDSHARED"])
def test_quotes_that_do_not_match(hello: Project, variable: str) -> None:
    value = "gcc '-DX=1"

    assert hello.refused(**{variable: value}) == (
        f"{variable} is {value!r}: a quotation mark in it has no other end\n"
        "  close it, or leave it out"
    )

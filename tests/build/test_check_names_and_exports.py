"""Exports, names and tables as codecs and other libraries have them: judged as they are meant."""

from __future__ import annotations

import pytest

from asmsetup.facts import elf
from tests.cures import apply_cures
from tests.projects import Project, run

PLAIN = """\
global kernel:function{hidden}
global kernel_two:function
global table:{kind}
section .text
kernel: mov eax, 42
    ret
kernel_two: ret
section .data
table: dq 1
"""


def exported(project: Project, name: str = "hello") -> list[str]:
    return sorted(symbol.name for symbol in elf.read(project.module(name)).exported)


def test_a_hidden_name_is_told_at_its_line_and_nothing_else(hello: Project) -> None:
    hello.write({"hello.asm": PLAIN.format(hidden=" hidden", kind="data")})
    hello.extension("hello", ["hello.asm"], export_symbols=["kernel"])

    error = hello.refused()

    assert "hello.asm:1: error: export_symbols names `kernel', which is hidden here" in error
    assert "PyInit_" not in error
    apply_cures(hello.folder, error)
    hello.build_ext()
    assert exported(hello) == ["kernel"]


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["kern*"], ["kernel", "kernel_two"]),
        (["kernel"], ["kernel"]),
        (["*_two", "table"], ["kernel_two", "table"]),
        (["kernel?two"], ["kernel_two"]),
    ],
)
def test_patterns(hello: Project, patterns: list[str], names: list[str]) -> None:
    hello.write({"hello.asm": PLAIN.format(hidden="", kind="data")})
    hello.extension("hello", ["hello.asm"], export_symbols=patterns)

    hello.build_ext(ASMSETUP_STRICT="1")

    assert exported(hello) == names


def test_a_pattern_that_matches_nothing(hello: Project) -> None:
    hello.write({"hello.asm": PLAIN.format(hidden="", kind="data")})
    hello.extension("hello", ["hello.asm"], export_symbols=["kernel", "nothing*"])

    error = hello.refused()

    assert "export_symbols names `nothing*', but the module does not export it" in error
    assert "PyInit_" not in error


def test_a_table_that_is_declared_as_a_function(hello: Project) -> None:
    hello.write({"hello.asm": PLAIN.format(hidden="", kind="function")})
    hello.extension("hello", ["hello.asm"], export_symbols=["kernel", "table"])

    warned = hello.build_ext().output

    assert "hello.asm:3: warning: `table' is declared as a function in .data" in warned
    refused = hello.refused(ASMSETUP_STRICT="1")
    apply_cures(hello.folder, refused)
    hello.build_ext(ASMSETUP_STRICT="1")


def test_a_table_that_is_called(hello: Project) -> None:
    text = PLAIN.format(hidden="", kind="function")
    hello.write({"hello.asm": text.replace("    ret\n", "    call table\n    ret\n", 1)})
    hello.extension("hello", ["hello.asm"], export_symbols=["kernel"])

    assert "crashes" in hello.refused() or "segmentation fault" in hello.refused()


def test_the_bounds_of_a_section(hello: Project) -> None:
    hello.write(
        {
            "hello.asm": '%include "module.inc"\nextern __start_myset, __stop_myset\n'
            "MODULE hello, size\nsize:\n    lea rdi, [rel __stop_myset]\n"
            "    lea rax, [rel __start_myset]\n    sub rdi, rax\n    add rdi, 34\n"
            "    jmp PyLong_FromLong wrt ..plt\nsection myset alloc\ndq 1\n"
        }
    )

    hello.build_ext()

    assert hello.answer() == "42"


@pytest.mark.parametrize("name", ["PyNoSuch", "__morestack", "plain_missing"])
def test_an_object_that_needs_what_nobody_has(hello: Project, name: str) -> None:
    hello.write({"x.c": f"int {name}(void); int f(void) {{ return {name}(); }}\n"})
    run("gcc", "-c", "-fPIC", "x.c", "-o", "x.o", cwd=hello.folder, env=hello.env)
    hello.extension("hello", ["hello.asm"], extra_objects=["x.o"])

    assert f"nothing provides `{name}'" in hello.refused()


def test_a_name_that_is_defined_with_another_prefix(hello: Project) -> None:
    hello.write(
        {
            "hello.asm": '%include "module.inc"\nextern x264_cpu_cpuid\nMODULE hello, ask\nask:\n'
            "    push rax\n    call x264_cpu_cpuid wrt ..plt\n    pop rax\n    mov edi, 42\n"
            "    jmp PyLong_FromLong wrt ..plt\n",
            "cpu.asm": "global x264_8_cpu_cpuid:function\nsection .text\nx264_8_cpu_cpuid: ret\n",
        }
    )
    hello.extension("hello", ["hello.asm", "cpu.asm"])

    error = hello.refused()

    assert "hello.asm:6: error: nothing provides `x264_cpu_cpuid'" in error
    assert "perhaps it is:   x264_8_cpu_cpuid" in error


def test_the_same_in_c(hello: Project) -> None:
    hello.write(
        {
            "more.c": "void x264_cpu_cpuid(void); void f(void) { x264_cpu_cpuid(); }\n",
            "cpu.asm": "global x264_8_cpu_cpuid:function\nsection .text\nx264_8_cpu_cpuid: ret\n",
        }
    )
    hello.extension("hello", ["hello.asm", "cpu.asm", "more.c"])

    error = hello.refused()

    assert "more.o needs" in error
    assert "perhaps it is:   x264_8_cpu_cpuid" in error


def test_errors_stand_above_warnings(hello: Project) -> None:
    hello.write(
        {
            "hello.asm": '%include "module.inc"\nextern nowhere\nMODULE hello, ask\nask:\n'
            "    mov rax, number\n    call nowhere wrt ..plt\n    jmp PyLong_FromLong wrt ..plt\n"
            "section .data\nnumber: dd 1\n"
        }
    )

    error = hello.refused()

    assert error.index("error: nothing provides") < error.index("warning: the absolute address")


def test_an_included_file_among_the_sources(hello: Project) -> None:
    hello.write(
        {
            "macros.asm": "\n".join(f"    mov eax, UNKNOWN_{n}_" for n in range(100))
            + "\n    foo bar baz\n" * 30,
            "main.asm": '%define X 1\n%include "macros.asm"\n',
        }
    )
    hello.extension("hello", ["hello.asm", "macros.asm", "main.asm"])

    error = hello.refused()

    assert "main.asm includes macros.asm" in error


IGNORED = '[tool.asmsetup.check.ignore]\ncode-not-executable = "a table of a codec"'
OF_SOURCE = '[tool.asmsetup.check.sources."hel*.asm"]\ncode-not-executable = "a table of a codec"'
OF_ANOTHER = '[tool.asmsetup.check.sources."asm/*"]\ncode-not-executable = "a table of a codec"'


@pytest.mark.parametrize(
    ("settings", "built"), [("", False), (IGNORED, True), (OF_SOURCE, True), (OF_ANOTHER, False)]
)
def test_a_rule_is_switched_off(hello: Project, settings: str, built: bool) -> None:
    hello.write({"hello.asm": PLAIN.format(hidden="", kind="function")}).settings(settings)
    hello.extension("hello", ["hello.asm"], export_symbols=["kernel", "table"])

    assert (hello.build_ext(ok=None, ASMSETUP_STRICT="1").status == 0) == built


def test_a_rule_that_does_not_exist(hello: Project) -> None:
    hello.settings('[tool.asmsetup.check]\nignore = ["absolute-adress"]')

    assert hello.refused() == (
        "[tool.asmsetup.check] in pyproject.toml: there is no rule absolute-adress\n"
        "  did you mean absolute-address?"
    )


def test_an_exported_label_that_is_not_global(hello: Project) -> None:
    hello.write({"hello.asm": "section .text\nkernel: mov eax, 42\n    ret\n"})
    hello.extension("hello", ["hello.asm"], export_symbols=["kernel"])

    error = hello.refused()

    assert "hello.asm:2: error: export_symbols names `kernel', which is not GLOBAL here" in error
    apply_cures(hello.folder, error)
    hello.build_ext()
    assert exported(hello) == ["kernel"]

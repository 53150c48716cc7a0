"""Options that the environment and the project's settings give."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.build.given import C_MODULE, FUNCTION, MIXED, NUMBER, linked, recording, soname
from tests.projects import Project

# ---- the environment ----


@pytest.mark.parametrize(("variable", "real"), [("NASM", "nasm"), ("LD", "ld")])
def test_a_tool_from_the_environment(hello: Project, variable: str, real: str) -> None:
    own = recording(hello, f"own-{real}", real)

    hello.build_ext(ok=True, **{variable: str(own)})

    assert hello.answer() == "42"
    noted = Path(f"{own}.log").read_text().splitlines()
    assert ("elf64" if real == "nasm" else "-shared") in noted


@pytest.mark.parametrize("setting", ["nasm", "ld"])
def test_a_tool_from_the_settings(hello: Project, setting: str) -> None:
    own = recording(hello, f"own-{setting}", setting)
    hello.settings(f'{setting} = "{own}"')

    hello.build_ext()

    assert Path(f"{own}.log").exists()


def test_nasmflags(hello: Project) -> None:
    hello.write({"hello.asm": NUMBER})

    hello.build_ext(NASMFLAGS="-w+all '-DNUMBER=40 + 2'")

    assert hello.answer() == "42"


@pytest.mark.parametrize("flags", ["-Wl,-soname,own", "-soname own", "-Xlinker -soname=own"])
def test_ldflags(hello: Project, flags: str) -> None:
    hello.build_ext(LDFLAGS=f"-O2 -flto=auto {flags}")

    assert soname(hello) == "own"


@MIXED
def test_ld_args_of_the_settings(hello: Project, mixed: bool) -> None:
    hello.settings('ld-args = ["-soname", "own"]')

    linked(hello, mixed)

    assert soname(hello) == "own"


def test_nasm_args_of_the_settings(hello: Project) -> None:
    hello.write({"hello.asm": NUMBER}).settings('nasm-args = ["-DNUMBER=40 + 2"]')

    hello.build_ext()

    assert hello.answer() == "42"


@pytest.mark.parametrize(
    "environment",
    [
        {"CFLAGS": "-DNUMBER=7 -fno-such-thing --bogus"},
        {"CPPFLAGS": "-DNUMBER=7 --bogus"},
        {"NASMENV": "-DNUMBER=7"},
        {"NASMENV": "--bogus"},
        {"CC": "/no/compiler"},
        {"LDSHARED": "/no/compiler -shared"},
    ],
    ids=str,
)
def test_what_never_reaches_assembly(hello: Project, environment: dict[str, str]) -> None:
    hello.write({"hello.asm": "%ifndef NUMBER\n%define NUMBER 42\n%endif\n" + NUMBER})

    hello.build_ext(ok=True, **environment)

    assert hello.answer() == "42"


def test_cflags_reach_the_c_of_a_mixed_module(hello: Project) -> None:
    source = "%ifdef MORE\n%error no business of nasm\n%endif\n" + FUNCTION
    hello.write({"hello.c": C_MODULE, "number.asm": source})
    hello.extension("hello", ["hello.c", "number.asm"])

    hello.build_ext(CFLAGS="-DMORE=1")

    assert hello.answer() == "43"

"""Bad input: one block that says what happened and what to do, no traceback, and nothing is lost."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from tests.build.shells import build
from tests.conftest import MakeProject
from tests.projects import Project, path_of, run

BUILD = ("setup.py", "build_ext", "--inplace")

INSTALL = """\
  Debian, Ubuntu:   apt-get install {0}
  Fedora, RHEL:     dnf install {0}
  Alpine:           apk add {0}
  Arch:             pacman -S {0}
  without root:     conda install -c conda-forge {0}
  elsewhere, or another one: set {1}=/path/to/{2}, or {2} in [tool.asmsetup]"""


def script(folder: Path, name: str, text: str) -> Path:
    """A program that stands for a tool."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_no_nasm(hello: Project) -> None:
    assert hello.refused(PATH="/nowhere") == (
        "cannot find nasm: no nasm on PATH (/nowhere)\n" + INSTALL.format("nasm", "NASM", "nasm")
    )


def test_a_nasm_that_is_not_there(hello: Project) -> None:
    error = hello.refused(NASM="/no/nasm")

    assert error.startswith("cannot find nasm: /no/nasm is not a program that can be run\n")


def test_a_nasm_that_the_environment_names(hello: Project) -> None:
    error = hello.refused(NASM="nasm-nope")

    first, named, *ways_out = error.splitlines()
    assert first.startswith("cannot find nasm: no nasm-nope on PATH (")
    assert named == "  the environment variable NASM names it: correct it, or unset it"
    assert "\n".join(ways_out) == INSTALL.format("nasm", "NASM", "nasm")


def test_a_nasm_with_arguments(hello: Project) -> None:
    arguments = "-Ox -DA='b c'"

    error = hello.refused(NASM=f"nasm {arguments}")

    assert error.splitlines()[1:3] == [
        "  NASM names only the program; its arguments go into NASMFLAGS:",
        f"      NASM=nasm NASMFLAGS={shlex.quote(arguments)}",
    ]


def test_a_nasm_that_crashes(hello: Project) -> None:
    crashing = script(
        hello.folder.parent, "bad-nasm", 'case "$1" in -v) exec nasm -v;; esac; kill -SEGV $$'
    )

    assert hello.refused(NASM=str(crashing)) == (
        "hello.asm: nasm was killed by signal 11 (SIGSEGV)\n"
        "  it crashed, or the system killed it, as it does when memory runs out\n"
        "  build again, or with another version of it:   NASM=/path/to/it"
    )


def test_a_nasm_that_makes_nothing(hello: Project) -> None:
    lazy = script(hello.folder.parent, "lazy-nasm", 'case "$1" in -v) exec nasm -v;; esac')

    assert hello.refused(NASM=str(lazy)) == (
        "hello.asm: the assembler reported success and left no object\n"
        f"  {lazy} must run nasm with the arguments it is given\n"
        "  and no option may make nasm do anything else, as -E and -M do: see NASMFLAGS and"
        " nasm-args"
    )


def test_a_linker_that_is_not_gnu_ld(hello: Project) -> None:
    other = script(
        hello.folder.parent,
        "ld.mold",
        'case "$1" in --version) echo "mold 2.4.0 (compatible with GNU ld)"; exit;; esac\n'
        "echo 'mold: fatal: unknown command line option: -z odd'; exit 1",
    )

    assert hello.refused(LD=str(other)) == (
        "mold: fatal: unknown command line option: -z odd\n"
        f"  {other} (chosen by LD={other}) is mold 2.4.0 (compatible"
        " with GNU ld)\n"
        "  GNU ld may take it:   LD=ld.bfd, or ld in [tool.asmsetup]"
    )


def test_nasm_too_old(hello: Project) -> None:
    old = script(hello.folder.parent, "old-nasm", "echo 'NASM version 2.14.02'")

    assert hello.refused(NASM=str(old)) == (
        f"{old} is NASM 2.14, and asmsetup needs 2.15 or newer\n"
        + INSTALL.format("nasm", "NASM", "nasm")
    )


def test_no_ld(hello: Project) -> None:
    path = path_of(hello.folder.parent / "bin", "nasm")

    assert hello.refused(PATH=path) == (
        f"cannot find the linker: no ld on PATH ({path})\n" + INSTALL.format("binutils", "LD", "ld")
    )


def test_an_ld_that_is_not_there(hello: Project) -> None:
    error = hello.refused(LD="/no/ld")

    assert error.startswith("cannot find the linker: /no/ld is not a program that can be run\n")


def nasms_words(error: str) -> list[str]:
    """The lines of an error that NASM has written."""
    return [line for line in error.splitlines() if " error: " in line]


def test_syntax_errors_in_nasms_own_words(hello: Project) -> None:
    hello.write({"asm/hello.asm": "bogus eax\n\nbogus ebx\n"})
    hello.extension("hello", ["asm/hello.asm"])

    assert nasms_words(hello.refused()) == [
        "asm/hello.asm:1: error: parser: instruction expected",
        "asm/hello.asm:3: error: parser: instruction expected",
    ]


def test_errors_of_sources_that_are_assembled_at_once(hello: Project) -> None:
    # Each waits for the other, so that neither is stopped by the other's failure.
    meeting = script(
        hello.folder.parent,
        "meeting-nasm",
        'case "$1" in -v) exec nasm -v;; esac\n'
        f'cd "{hello.folder}"; touch "here-$$"\n'
        'while [ "$(ls here-* | wc -l)" -lt 2 ]; do sleep 0.01; done\nexec nasm "$@"',
    )
    hello.write({"one.asm": "bogus eax\n", "two.asm": "bogus ebx\n"})
    hello.extensions(("one", ["one.asm"], {}), ("two", ["two.asm"], {}))

    lines = nasms_words(hello.refused(NASM=str(meeting), ASMSETUP_JOBS="2"))

    assert [line.partition(" error:")[0] for line in lines] == ["one.asm:1:", "two.asm:1:"]


def test_the_failing_command_is_shown_when_asked_for(hello: Project) -> None:
    hello.write({"hello.asm": "bogus eax\n"})

    quiet = hello.build_ext(ok=False)
    verbose = hello.setup("-v", "build_ext", ok=False)

    assert "nasm -f elf64" not in quiet.output
    assert "nasm -f elf64" in verbose.output
    assert verbose.error.startswith("hello.asm:1: error: ")


@pytest.mark.parametrize(
    ("line", "named"),
    [('%include "gone.inc"', "gone.inc"), ('section .data\nincbin "gone.bin"', "gone.bin")],
)
def test_a_missing_include(hello: Project, line: str, named: str) -> None:
    hello.write({"asm/hello.asm": f"DEFAULT REL\n{line}\n"})
    hello.extension("hello", ["asm/hello.asm"], include_dirs=["inc", "more inc"])

    error = hello.refused()

    assert error.startswith(f"asm/hello.asm:{1 + len(line.splitlines())}: error: ")
    assert named in error.splitlines()[0]
    own = hello.run("-c", "import asmsetup; print(asmsetup.include_dir())").output.strip()
    assert error.splitlines()[-1] == f"  looked for in: ., asm, inc, more inc, {own}"


def own_includes(project: Project) -> str:
    return project.run("-c", "import asmsetup; print(asmsetup.include_dir())").output.strip()


def test_an_include_that_is_misspelt(hello: Project) -> None:
    hello.write({"hello.asm": '%include "pyton.inc"\n'})

    assert hello.refused() == (
        "hello.asm:1: error: unable to open include file `pyton.inc': No such file or directory\n"
        '    %include "pyton.inc"\n'
        "  perhaps it is:   python.inc\n"
        f"  looked for in: ., {own_includes(hello)}"
    )


def test_an_include_that_cannot_be_read(hello: Project) -> None:
    hello.write({"hello.asm": '%include "round.inc"\n'})
    (hello.folder / "round.inc").symlink_to("round.inc")

    assert hello.refused().splitlines()[1:3] == [
        '    %include "round.inc"',
        "  round.inc exists, but cannot be read: it is a symbolic link that leads back to itself",
    ]


@pytest.mark.parametrize(
    ("one", "other"), [("", ""), ("nop\n", "bogus eax\n")], ids=["alone", "with other errors"]
)
def test_includes_that_include_each_other(hello: Project, one: str, other: str) -> None:
    hello.write(
        {
            "hello.asm": 'ret\n%include "a.inc"\n',
            "a.inc": f'{one}%include "b.inc"\n{other}',
            "b.inc": '%include "a.inc"\n',
        }
    )

    failed = build(hello, "ulimit -n 200", *BUILD, ok=False)

    lines = failed.error.splitlines()
    assert "unable to open include file" in lines[0]
    named = "b.inc" if "`b.inc'" in lines[0] else "a.inc"
    between = "a.inc" if named == "b.inc" else "b.inc"
    assert lines[2:4] == [
        f"  the includes form a loop: {named} includes {between} includes {named}",
        "  guard each against a second inclusion:   %ifndef NAME, %define NAME, ..., %endif",
    ]
    assert len(lines) < 10
    assert "include_dirs" not in failed.error
    assert "looked for" not in failed.error


def test_very_many_errors(hello: Project) -> None:
    hello.write({"hello.asm": "default rel\n" + "bogus eax\n" * 5000})

    lines = hello.refused().splitlines()

    assert len(lines) == 61
    assert lines[-1] == "hello.asm: ... and 4980 more errors"


def test_a_name_that_begins_with_a_space(hello: Project) -> None:
    hello.write({" x.asm": "default rel\nbogus eax\n"})
    hello.extension("hello", [" x.asm"])

    assert "error:  x.asm:2: error: " in hello.build_ext(ok=False).output


def test_a_source_that_looks_like_a_list_of_options(hello: Project) -> None:
    (hello.folder / "hello.asm").rename(hello.folder / "@hello.asm")
    hello.extension("hello", ["@hello.asm"])

    hello.build_ext()

    assert hello.answer() == "42"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        ("mkdir x.asm", "it is a folder"),
        ("mkfifo x.asm", "it is a pipe"),
        ("ln -s x.asm x.asm", "it is a symbolic link that leads back to itself"),
        ("ln -s gone.asm x.asm", "it is a symbolic link to gone.asm, which does not exist"),
    ],
)
def test_a_source_that_is_no_file(hello: Project, make: str, why: str) -> None:
    hello.extension("hello", ["x.asm"])

    assert build(hello, make, *BUILD, ok=False).error == (
        f"x.asm: this source cannot be read: {why}\n"
        f"  Extension 'hello' names it; paths start from {hello.folder}"
    )


@pytest.mark.parametrize("again", ["hello.asm", "./hello.asm", "FOLDER/hello.asm"])
def test_a_source_that_is_listed_twice(hello: Project, again: str) -> None:
    hello.extension("hello", ["hello.asm", again.replace("FOLDER", str(hello.folder))])

    assert hello.refused() == ("Extension 'hello' lists hello.asm twice\n  name each source once")


@pytest.mark.parametrize("sources", [["gone.asm"], ["hello.asm", "gone.asm"], ["gone.asm", "x.c"]])
def test_a_source_that_does_not_exist(hello: Project, sources: list[str]) -> None:
    hello.extension("hello", sources)

    assert hello.refused() == (
        "gone.asm: there is no such source file\n"
        f"  Extension 'hello' names it; paths start from {hello.folder}"
    )


def test_an_empty_list_of_sources(hello: Project) -> None:
    hello.extensions(("empty", [], {}), ("hello", ["hello.asm"], {}))

    assert hello.refused() == (
        "Extension 'empty' has an empty list of sources\n"
        '  name at least one:   Extension("x", sources=["x.asm"])'
    )


@pytest.mark.skipif(shutil.which("setarch") is None, reason="no setarch on this machine")
def test_a_machine_that_is_not_x86_64(hello: Project) -> None:
    python = hello.python.path

    assert run(
        "setarch", "i686", python, *BUILD, cwd=hello.folder, env=hello.env, ok=False
    ).error == (
        "asmsetup builds modules for x86-64 only, and this machine is i686\n"
        '  leave the assembly out here:   elsewhere = "skip"   in [tool.asmsetup]'
    )


@pytest.mark.parametrize(
    ("package", "said"),
    [
        ("entry-point-missing", "PyInit_sample"),
        ("entry-point-misspelt", "PyInit_sample"),
        ("entry-point-not-code", "PyInit_sample"),
        ("unknown-name", "Py"),
    ],
)
def test_a_module_that_would_not_import(project: MakeProject, package: str, said: str) -> None:
    error = project(package).refused()

    assert said in error
    assert "\n  " in error, "says what to do"


def test_an_undefined_name_suggests_near_ones(hello: Project) -> None:
    source = (hello.folder / "hello.asm").read_text()
    hello.write({"hello.asm": f"{source}extern PyLong_FromLnog\ncall PyLong_FromLnog wrt ..plt\n"})

    error = hello.refused()

    assert error.startswith("this would not work:\nhello.asm:5: error: ")
    assert "PyLong_FromLong" in error


# ---- in every front end ----


@pytest.mark.parametrize(
    "command",
    [
        "-m pip wheel --no-deps --no-build-isolation .",
        "-m pip install --no-deps --no-build-isolation --target there -e .",
        "-m build --no-isolation --wheel .",
        "setup.py bdist_wheel",
    ],
)
def test_no_traceback_anywhere(hello: Project, command: str) -> None:
    hello.write({"hello.asm": "bogus eax\n"})

    said = hello.run(*command.split(), ok=False).output

    assert "error: hello.asm:1: error: " in said
    assert "Traceback" not in said

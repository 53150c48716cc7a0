"""What a build says: a line for each file assembled and each module linked, and NASM's warnings once."""

from __future__ import annotations

import os
import pty
import re
import subprocess

import pytest

from asmsetup.progress import drawn
from tests.projects import Project

FUNCTIONS = "global {0}:function hidden\nsection .text\n{0}: ret\n"


def test_one_line_for_each_file_and_each_module(hello: Project) -> None:
    source = (hello.folder / "hello.asm").read_text()
    hello.write({"other.asm": source.replace("MODULE hello", "MODULE other")})
    hello.write({f"part{i}.asm": FUNCTIONS.format(f"part{i}") for i in range(3)})
    hello.extensions(
        ("hello", ["hello.asm", *(f"part{i}.asm" for i in range(3))], {}),
        ("other", ["other.asm"], {}),
    )

    said = hello.build_ext().output

    assembled = re.findall(r"^\[(\d)/5\] nasm (\S+)$", said, re.MULTILINE)
    assert [number for number, _ in assembled] == ["1", "2", "3", "4", "5"]
    assert {name for _, name in assembled} == {
        *("hello.asm", "other.asm", "part0.asm", "part1.asm", "part2.asm")
    }
    linked = re.findall(r"^ld (\S+)$", said, re.MULTILINE)
    assert [path.rpartition("/")[2].partition(".")[0] for path in linked] == ["hello", "other"]


def test_the_count_is_right_from_the_first_line(hello: Project) -> None:
    names = [f"other{number}" for number in range(40)]
    source = (hello.folder / "hello.asm").read_text()
    hello.write({f"{name}.asm": source.replace("MODULE hello", f"MODULE {name}") for name in names})
    hello.extensions(*((name, [f"{name}.asm"], {}) for name in names))

    said = hello.setup("build_ext").output

    assert re.findall(r"^\[\d+/(\d+)\] nasm", said, re.MULTILINE) == ["40"] * 40


def test_nothing_to_do_says_so_by_silence(hello: Project) -> None:
    hello.build_ext()

    assert "nasm" not in hello.build_ext().output


def test_quiet(hello: Project) -> None:
    assert hello.setup("-q", "build_ext").output == ""


def test_warnings_are_shown_once_and_even_when_quiet(hello: Project) -> None:
    source = (hello.folder / "hello.asm").read_text()
    hello.write({"hello.asm": source + "section .data\nresb 1\n"})

    said = hello.setup("-q", "build_ext").output

    assert said.count("warning") == 1
    assert re.search(r"^hello\.asm:5: warning: uninitialized", said, re.MULTILINE)


def test_a_failed_build_shows_warnings_and_errors(hello: Project) -> None:
    hello.write({"hello.asm": "resb 1\nbogus eax\n"})

    error = hello.refused()

    assert "hello.asm:2: error: " in error


def on_terminal(project: Project, *arguments: str, **env: str) -> str:
    """Run setup.py with a terminal for its output; return what it wrote there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [project.python.path, "setup.py", *arguments],
        cwd=project.folder,
        env={**project.env, "TERM": "xterm", **env},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        written = b""
        try:
            while piece := os.read(ours, 65536):
                written += piece
        except OSError:  # the end of a terminal
            pass
        os.close(ours)
    assert process.returncode == 0, written.decode()
    return written.decode()


@pytest.fixture
def many(hello: Project) -> Project:
    """A module of twelve sources."""
    hello.write({f"part{i}.asm": FUNCTIONS.format(f"part{i}") for i in range(11)})
    return hello.extension("hello", ["hello.asm", *(f"part{i}.asm" for i in range(11))])


def test_a_terminal_shows_a_bar(many: Project) -> None:
    said = on_terminal(many, "build_ext", "--inplace")

    assert re.search(r"\r\x1b\[K\x1b\[32m#+\.*\x1b\[0m 6/12 nasm \S+\.asm\r", said)
    assert "[6/12]" not in said
    shown = said[said.rindex("/12 nasm") :]
    assert "\r\x1b[K" in shown
    assert re.search(r"\x1b\[Kld \S+hello\S+\r\n", shown)


@pytest.mark.parametrize(
    ("env", "options", "bars", "colours"),
    [
        ({"NO_COLOR": "1"}, (), True, False),
        ({"TERM": "dumb"}, (), False, False),
        ({}, ("-v",), False, False),
        ({}, ("-q",), False, False),
    ],
)
def test_who_wants_no_bar_or_no_colour(
    env: dict[str, str], options: tuple[str, ...], bars: bool, colours: bool, many: Project
) -> None:
    said = on_terminal(many, *options, "build_ext", "--inplace", **env)

    assert ("##" in said) == bars
    assert ("\x1b[32m" in said) == colours
    assert ("[6/12] nasm" in said) == (not bars and "-q" not in options)


def test_short_work_has_lines_on_a_terminal_too(hello: Project) -> None:
    assert "[1/1] nasm hello.asm" in on_terminal(hello, "build_ext", "--inplace")


def test_a_bar_never_fills_the_line() -> None:
    for columns in (20, 40, 80):
        text = drawn(3, 12, f"nasm {'x' * 200}.asm", columns, coloured=False)
        assert len(text.rstrip("\r")) < max(columns, 25)

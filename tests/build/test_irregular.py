"""Only regular files are opened: an include of a pipe, a device or a folder is an error, and no build hangs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.projects import Project

MODULE = '%include "python.inc"\n'


def with_line(hello: Project, line: str) -> Project:
    text = (hello.folder / "hello.asm").read_text()
    os.mkfifo(hello.folder / "pipe")
    (hello.folder / "folder").mkdir()
    (hello.folder / "loop").symlink_to("loop")
    (hello.folder / "link").symlink_to("pipe")
    return hello.write({"hello.asm": f"{line}\n{text}"})


@pytest.mark.parametrize(
    ("line", "name", "kind"),
    [
        ('%include "pipe"', "pipe", "a pipe"),
        ('%include "link"', "link", "a pipe"),
        ('%include "folder"', "folder", "a folder"),
        ('%include "/dev/zero"', "/dev/zero", "a device"),
        ('%include "/dev/stdin"', "/dev/stdin", "a device"),
        ('incbin "/dev/zero", 0, 4', "/dev/zero", "a device"),
        ('incbin "pipe"', "pipe", "a pipe"),
        ('incbin "folder"', "folder", "a folder"),
        ('%ifndef NEVER\n%include "pipe"\n%endif', "pipe", "a pipe"),
    ],
)
def test_what_is_no_regular_file_is_refused(
    hello: Project, line: str, name: str, kind: str
) -> None:
    number = line[: line.index(name)].count("\n") + 1
    assert with_line(hello, line).refused() == (
        f"hello.asm:{number}: error: `{name}' cannot be read: it is {kind}\n"
        f"    {line.splitlines()[number - 1]}\n"
        "  name a regular file, or leave the line out"
    )


@pytest.mark.parametrize(
    "line",
    [
        '%if 0\n%include "pipe"\n%endif',
        '%if 0\n%include "/dev/zero"\n%else\n%endif',
        '%if 1\n%else\n%endif\n%if 0 ; not now\n%ifdef __NASM_VER__\nincbin "pipe"\n%endif\n%endif',
        '%ifdef NOBODY_DEFINES_THIS\n%include "folder"\n%endif',
        '%depend "pipe"',
        '; %include "pipe"',
    ],
)
def test_what_nasm_does_not_open_is_not_opened(hello: Project, line: str) -> None:
    with_line(hello, line).build_ext()
    assert hello.answer() == "42"
    hello.setup("egg_info")


def test_a_folder_whose_name_is_not_written_out(hello: Project) -> None:
    error = with_line(hello, '%define NAME "folder"\n%include NAME').refused()
    assert error.startswith("hello.asm: `folder' cannot be read: it is a folder")


def test_a_blob_is_hashed_and_not_read_as_text(hello: Project, tmp_path: Path) -> None:
    # Were it text, the private file would be part of the sdist.
    (hello.folder / "private.txt").write_text("secret")
    blob = b'\n%include "private.txt"\n' + b"incbin " * 60_000
    (hello.folder / "blob.bin").write_bytes(blob)
    with_line(hello, 'section .rodata\nincbin "blob.bin"')
    hello.build_ext()
    hello.setup("sdist")
    sources = next(hello.folder.glob("*.egg-info/SOURCES.txt")).read_text().split()
    assert "blob.bin" in sources
    assert "private.txt" not in sources


@pytest.mark.parametrize(
    "line",
    [
        "incbin " * 60_000,
        "`\\" * 200_000,
        "'\" " * 100_000,
        "%include " * 50_000,
        "times " * 60_000,
    ],
    ids=["incbin", "quotes", "more quotes", "include", "times"],
)
def test_a_long_line_takes_linear_time(hello: Project, line: str) -> None:
    # Of time in proportion to the square, these would take minutes.
    text = (hello.folder / "hello.asm").read_text()
    hello.write({"hello.asm": f"{text}\n%if 0\n{line}\n%endif\n"})
    hello.run("-c", "import asmsetup.assemble.includes as i; i.closure('hello.asm', ())")

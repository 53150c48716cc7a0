"""NASM: its command line, how it is found, and what becomes of what it says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asmsetup.assemble import nasm
from asmsetup.assemble.nasm import AssemblerOptions
from asmsetup.errors import AssembleError, ToolError


def arguments(**options: object) -> list[str]:
    """What stands between the tool with its format and the output."""
    command = nasm.command("nasm", "x.asm", "x.o", AssemblerOptions(**options))  # type: ignore[arg-type]
    assert command[:3] == ["nasm", "-f", "elf64"]
    errors = [f"-w+error={name}" for name in ("number-overflow", "float-overflow", "label-orphan")]
    assert command[3:6] == errors
    assert command[-3:] == ["-o", "x.o", "x.asm"]
    return command[6:-3]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, []),
        ({"include_dirs": ("inc", "with space")}, ["-Iinc", "-Iwith space"]),
        ({"define": (("A", None), ("B", "1"), ("C", ""))}, ["-DA", "-DB=1", "-DC="]),
        ({"define": (("A", 'say "hi" it\'s'),)}, ['-DA=say "hi" it\'s']),
        ({"define": (("A", "1"),), "undefine": ("A",)}, ["-DA=1", "-UA"]),
        ({"args": ("-w+all", "-O0")}, ["-w+all", "-O0"]),
        ({"debug": True}, ["-g", "-F", "dwarf"]),
    ],
)
def test_options(options: dict[str, object], expected: list[str]) -> None:
    assert arguments(**options) == expected


@pytest.mark.parametrize("name", ["-v.asm", "@resp.asm"])
def test_a_source_that_looks_like_an_option(name: str) -> None:
    assert nasm.command("nasm", name, "x.o", AssemblerOptions())[-1] == f"./{name}"


def fake(folder: Path, text: str) -> str:
    path = folder / "nasm"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("banner", "version"),
    [
        ("NASM version 2.15", (2, 15, 0)),
        ("NASM version 2.15.05 compiled on Sep 24 2020", (2, 15, 5)),
        ("NASM version 3.01", (3, 1, 0)),
        ("NASM version 3.02rc2-20260101", (3, 2, 0)),
    ],
)
def test_versions(tmp_path: Path, banner: str, version: tuple[int, int, int]) -> None:
    assert nasm.find(fake(tmp_path, f"echo '{banner}'")).version == version


def test_the_loader_says_something_first(tmp_path: Path) -> None:
    found = nasm.find(
        fake(tmp_path, "echo 'ld.so: object x.so: ignored.'; echo NASM version 2.16.03")
    )

    assert (found.version, found.banner) == ((2, 16, 3), "NASM version 2.16.03")


def test_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere:/neither")

    with pytest.raises(ToolError) as refused:
        nasm.find(None)

    assert refused.value.what == "cannot find nasm: no nasm on PATH (/nowhere:/neither)"
    assert [way.split(":")[0] for way in refused.value.ways_out] == [
        "Debian, Ubuntu",
        "Fedora, RHEL",
        "Alpine",
        "Arch",
        "without root",
        "elsewhere, or another one",
    ]
    said = str(refused.value)
    for way in ("apt-get install nasm", "dnf install nasm", "apk add nasm", "pacman -S nasm"):
        assert way in said
    assert "NASM=/path/to/nasm" in said


def test_a_path_that_is_no_program(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=f"{tmp_path}/nasm is not a program that can be run"):
        nasm.find(str(tmp_path / "nasm"))


@pytest.mark.parametrize(
    ("says", "refusal"),
    [
        ("echo 'NASM version 2.14.02'", "is NASM 2.14, and asmsetup needs 2.15 or newer"),
        ("echo 'NASM version 0.99.06'", "is NASM 0.99, and asmsetup needs 2.15 or newer"),
        ("echo 'yasm 1.3.0'", "does not look like NASM: it says 'yasm 1.3.0'"),
        ("exit 3", "nasm -v' failed with exit code 3"),
        ("kill -9 $$", "nasm -v' was killed by signal 9 (SIGKILL)"),
    ],
)
def test_unfit(tmp_path: Path, says: str, refusal: str) -> None:
    with pytest.raises(ToolError) as refused:
        nasm.find(fake(tmp_path, says))

    assert refusal in refused.value.what
    assert refused.value.ways_out


def test_a_file_that_is_no_program_at_all(tmp_path: Path) -> None:
    path = tmp_path / "nasm"
    path.write_bytes(b"\x7fELF, not really")
    path.chmod(0o755)

    with pytest.raises(ToolError, match=f"cannot run {path}: Exec format error"):
        nasm.find(str(path))


def test_nasmenv_is_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASMENV", "-DX")

    assert "NASMENV" not in nasm.environment()
    assert nasm.environment()["PATH"] == os.environ["PATH"]


def assembled(folder: Path, text: str, *args: str) -> str:
    source = folder / "x.asm"
    source.write_text(text)
    options = AssemblerOptions(args=args)
    found = nasm.find(os.environ.get("NASM"))
    command = nasm.command(found.path, str(source), str(folder / "x.o"), options)
    return nasm.assemble(command, str(source), nasm.environment())


def test_warnings_are_returned(tmp_path: Path) -> None:
    said = assembled(tmp_path, "section .data\nresb 1\ndb 1\nresb 1\n")

    assert [line.split("warning:")[0].rsplit("/", 1)[1] for line in said.splitlines()] == [
        "x.asm:2: ",
        "x.asm:4: ",
    ]


def test_all_errors_are_told(tmp_path: Path) -> None:
    with pytest.raises(AssembleError) as refused:
        assembled(tmp_path, "DEFAULT REL\nbogus eax\nbogus ebx\n")

    first, second = str(refused.value).splitlines()[:2]
    assert first.startswith(f"{tmp_path}/x.asm:2: error: ")
    assert second.startswith(f"{tmp_path}/x.asm:3: error: ")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 7", "x.asm: nasm failed with exit code 7"),
        ("kill -9 $$", r"x.asm: nasm was killed by signal 9 \(SIGKILL\)"),
    ],
)
def test_a_death_without_a_word(tmp_path: Path, script: str, said: str) -> None:
    with pytest.raises(AssembleError, match=said):
        nasm.assemble([fake(tmp_path, script)], "x.asm", nasm.environment())


def test_a_program_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"cannot run .*/gone: No such file or directory"):
        nasm.assemble([str(tmp_path / "gone")], "x.asm", nasm.environment())

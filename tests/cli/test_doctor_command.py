from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from asmsetup.cli import doctor
from tests.cli.running import asmsetup


def things(done_stdout: str) -> dict[str, dict[str, object]]:
    said = json.loads(done_stdout)
    assert said["version"] == 1
    return {thing["name"]: thing for thing in said["things"]}


def test_a_machine_that_can_build() -> None:
    done = asmsetup("doctor")

    assert (done.returncode, done.stderr) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line[0] != " ")
    assert lines["Python"].endswith(sys.executable)
    assert lines["nasm"].startswith(("2.", "3."))
    assert {
        "ld",
        "setuptools",
        "auditwheel",
        "iced-x86",
        "patchelf",
        "libc",
        "processor",
    } <= lines.keys()


def test_the_same_for_programs() -> None:
    done = asmsetup("doctor", "--json")

    assert json.loads(done.stdout)["ok"] is True
    assert things(done.stdout)["nasm"]["required"] is True


def test_without_nasm_and_ld(tmp_path: Path) -> None:
    done = asmsetup("doctor", PATH=str(tmp_path))

    assert done.returncode == 1
    assert "nasm        missing: nothing can be assembled without it\n" in done.stdout
    assert "gdb         missing: crashes cannot be analysed without it\n" in done.stdout
    found = things(asmsetup("doctor", "--json", PATH=str(tmp_path)).stdout)
    assert (found["ld"]["found"], found["ld"]["required"]) == (None, True)


def test_what_is_not_required_fails_nothing(tmp_path: Path) -> None:
    for tool in ("nasm", "ld"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    done = asmsetup("doctor", PATH=str(tmp_path))

    assert done.returncode == 0
    assert "cc          missing: C and C++ beside the assembly cannot be compiled" in done.stdout


def test_a_nasm_that_is_too_old(tmp_path: Path) -> None:
    old = tmp_path / "nasm"
    old.write_text("#!/bin/sh\necho 'NASM version 2.14.02'\n")
    old.chmod(0o755)
    done = asmsetup("doctor", NASM=str(old))

    assert done.returncode == 1
    assert f"{old} is NASM 2.14, and asmsetup needs 2.15 or newer: nothing can" in done.stdout


@pytest.mark.parametrize(
    ("manager", "package", "command"),
    [
        ("apt-get", "nasm", "apt-get install nasm"),
        ("dnf", "binutils", "dnf install binutils"),
        ("apk", "cc", "apk add gcc musl-dev"),
        ("pacman", "gdb", "pacman -S gdb"),
        ("zypper", "patchelf", "zypper install patchelf"),
        ("brew", "nasm", ""),
    ],
)
def test_the_command_that_installs_it_here(
    manager: str, package: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / manager).write_text("#!/bin/sh\n")
    (tmp_path / manager).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert doctor.install(package) == command

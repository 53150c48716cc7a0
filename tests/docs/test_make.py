"""tools/make.sh on machines that lack something, played by a PATH that holds stand-ins alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHELL = shutil.which("sh") or "/bin/sh"

# Answers the questions tools/make.sh puts to an interpreter, and stops where .venv would be made.
PYTHON = """
case "$*" in
*ensurepip*) test -e "$BIN/has-venv" ;;
*Python.h*) test -e "$BIN/has-headers" ;;
*print*) echo python3.11 ;;
*version_info*) ;;
*) echo "python3 $*" >> "$LOG"; exit 70 ;;
esac
"""
OLD_PYTHON = """
case "$*" in
--version) echo Python 3.9.2 ;;
*) exit 1 ;;
esac
"""
# What the package manager installs is there afterwards.
MANAGER = """
echo "${0##*/} $*" >> "$LOG"
case "$*" in
*add*|*install*|*-S*) : > "$BIN/has-venv"; : > "$BIN/has-headers"
    for program in nasm ld c++ ccache; do echo > "$BIN/$program"; chmod +x "$BIN/$program"; done ;;
esac
"""
SUDO = 'echo "sudo $*" >> "$LOG"; shift; "$@"'
SUDO_THAT_ASKS = "exit 1"


class Machine:
    """A machine that has a shell and what a test puts on it."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        (self.project / "tools").mkdir(parents=True)
        shutil.copy(ROOT / "tools" / "make.sh", self.project / "tools")
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.log = folder / "log"
        for name in ("chmod", "dirname", "env", "rm"):
            (self.bin / name).symlink_to(shutil.which(name) or name)
        self.add("python3", PYTHON)
        self.user(0)

    def add(self, name: str, script: str = "") -> None:
        path = self.bin / name
        path.write_text(f"#!{SHELL}\n{script}\n")
        path.chmod(0o755)

    def user(self, number: int) -> None:
        self.add("id", f"echo {number}")

    def make(self, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SHELL, str(self.project / "tools" / "make.sh"), *args],
            env={"PATH": str(self.bin), "BIN": str(self.bin), "LOG": str(self.log), **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    def commands(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


VENV = "python3 -m venv --clear .venv"


@pytest.mark.parametrize(
    ("manager", "target", "commands"),
    [
        (
            "apt-get",
            "wheel",
            [
                "apt-get update -q",
                "apt-get install -y --no-install-recommends nasm binutils python3.11-venv",
            ],
        ),
        ("dnf", "wheel", ["dnf install -y nasm binutils python3"]),
        ("apk", "wheel", ["apk add nasm binutils python3"]),
        ("pacman", "wheel", ["pacman -S --noconfirm --needed nasm binutils python"]),
        (
            "apt-get",
            "test",
            [
                "apt-get update -q",
                "apt-get install -y --no-install-recommends nasm binutils python3.11-venv g++ python3.11-dev ccache",
            ],
        ),
        ("dnf", "test", ["dnf install -y nasm binutils python3 gcc-c++ python3-devel ccache"]),
        ("apk", "test", ["apk add nasm binutils python3 g++ musl-dev python3-dev ccache"]),
        (
            "pacman",
            "test",
            ["pacman -S --noconfirm --needed nasm binutils python gcc python ccache"],
        ),
    ],
)
def test_root_gets_what_is_missing(
    machine: Machine, manager: str, target: str, commands: list[str]
) -> None:
    machine.add(manager, MANAGER)
    machine.make(target)
    assert machine.commands() == [*commands, VENV]


def test_only_what_is_missing_is_installed(machine: Machine) -> None:
    machine.add("apk", MANAGER)
    machine.add("ld")
    (machine.bin / "has-venv").touch()
    machine.make("wheel")
    assert machine.commands() == ["apk add nasm", VENV]


def test_nothing_missing_nothing_installed(machine: Machine) -> None:
    for name in ("apt-get", "nasm", "ld"):
        machine.add(name, MANAGER if name == "apt-get" else "")
    (machine.bin / "has-venv").touch()
    machine.make("wheel")
    assert machine.commands() == [VENV]


def test_nasm_and_ld_may_be_named_by_path(machine: Machine, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("nasm", "ld"):
        machine.add(name)
        os.rename(machine.bin / name, other / name)
    (machine.bin / "has-venv").touch()
    machine.make("wheel", NASM=str(other / "nasm"), LD=str(other / "ld"))
    assert machine.commands() == [VENV]


def test_sudo_without_a_password_is_used(machine: Machine) -> None:
    machine.user(1000)
    machine.add("true")
    machine.add("sudo", SUDO)
    machine.add("dnf", MANAGER)
    machine.make("wheel")
    assert machine.commands() == [
        "sudo -n true",
        "sudo -n env DEBIAN_FRONTEND=noninteractive dnf install -y nasm binutils python3",
        "dnf install -y nasm binutils python3",
        VENV,
    ]


@pytest.mark.parametrize(
    ("manager", "said"),
    [
        (
            "apt-get",
            "  sudo apt-get update && sudo apt-get install -y --no-install-recommends nasm binutils python3.11-venv",
        ),
        ("dnf", "  sudo dnf install -y nasm binutils python3"),
        ("apk", "  sudo apk add nasm binutils python3"),
    ],
)
def test_without_rights_the_command_is_printed(machine: Machine, manager: str, said: str) -> None:
    machine.user(1000)
    machine.add("sudo", SUDO_THAT_ASKS)
    machine.add(manager, MANAGER)
    done = machine.make("wheel")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "that takes the rights of root: run this, then start again",
        said,
    ]
    assert machine.commands() == []


def test_without_sudo_the_command_is_for_root(machine: Machine) -> None:
    machine.user(1000)
    machine.add("apk", MANAGER)
    done = machine.make("wheel")
    assert done.stderr.splitlines() == [
        "that takes the rights of root: run this as root, then start again",
        "  apk add nasm binutils python3",
    ]


def test_no_package_manager_it_knows(machine: Machine) -> None:
    done = machine.make("wheel")
    assert done.returncode == 1
    assert done.stderr == (
        "install with the system's package manager, then start again: nasm ld venv\n"
    )


def test_an_install_that_brings_nothing_stops(machine: Machine) -> None:
    machine.add("apk", 'echo "apk $*" >> "$LOG"')
    done = machine.make("wheel")
    assert done.returncode == 1
    assert done.stderr == "apk is done, and nasm is still missing\n"


def test_apt_goes_on_when_a_source_is_out_of_reach(machine: Machine) -> None:
    machine.add("apt-get", MANAGER + '[ "$1" != update ]')
    machine.make("wheel")
    assert machine.commands()[-1] == VENV


def test_a_newer_python_beside_an_old_one_is_taken(machine: Machine) -> None:
    machine.add("python3", OLD_PYTHON)
    machine.add("python3.12", PYTHON)
    machine.add("apk", MANAGER)
    machine.make("wheel")
    assert machine.commands()[-1] == VENV


def test_an_old_python_alone_is_told(machine: Machine) -> None:
    machine.add("python3", OLD_PYTHON)
    done = machine.make("wheel")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "asmsetup needs Python 3.10 or newer, and here is Python 3.9.2",
        "  install one beside it, and name it:   PYTHON=/path/to/python3.12 sh tools/make.sh wheel",
    ]


def test_the_python_that_is_named_is_the_only_one_asked(machine: Machine) -> None:
    done = machine.make("wheel", PYTHON="python3.99")
    assert done.returncode == 1
    assert "no python3.99 that runs" in done.stderr


def test_an_unknown_target_is_answered_with_the_known_ones(machine: Machine) -> None:
    done = machine.make("whel")
    assert done.returncode == 1
    assert "make wheel" in done.stderr
    assert done.stderr.endswith("no such target: whel\n")

"""What asmsetup builds for, and what it refuses."""

from __future__ import annotations

import sys
import sysconfig

import pytest

from asmsetup.errors import PlatformError
from asmsetup.facts import target

BIG = 2**63 - 1


def test_the_running_interpreter() -> None:
    running = target.running()

    assert running.version == sys.version_info[:2]
    assert running.version_hex == sys.hexversion
    assert running.free_threaded == bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    assert running.libc in ("glibc", "musl")


@pytest.mark.parametrize("machine", ["x86_64", "AMD64"])
def test_supported(machine: str) -> None:
    target.require_supported("linux", machine, BIG)


@pytest.mark.parametrize(
    ("system", "machine", "maxsize", "said"),
    [
        ("darwin", "x86_64", BIG, "for Linux only, and this is darwin"),
        ("win32", "AMD64", BIG, "for Linux only, and this is win32"),
        ("linux", "aarch64", BIG, "for x86-64 only, and this machine is aarch64"),
        ("linux", "i686", 2**31 - 1, "for x86-64 only, and this machine is i686"),
        # A 32-bit interpreter on a 64-bit kernel.
        ("linux", "x86_64", 2**31 - 1, "64-bit modules only, and this is a 32-bit Python"),
    ],
)
def test_refused(system: str, machine: str, maxsize: int, said: str) -> None:
    with pytest.raises(PlatformError, match=said) as refused:
        target.require_supported(system, machine, maxsize)

    assert refused.value.ways_out


def test_another_python_is_refused() -> None:
    with pytest.raises(PlatformError) as refused:
        target.require_supported("linux", "x86_64", BIG, "PyPy")

    assert str(refused.value) == (
        "asmsetup builds modules for CPython only, and this is PyPy\n"
        '  leave the assembly out here:   elsewhere = "skip"   in [tool.asmsetup]'
    )

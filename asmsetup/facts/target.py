"""The target of a build: x86-64 Linux, and the CPython that runs the build; and what machines are called."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from typing import Literal

from ..errors import PlatformError
from ..named import NamedTuple

OBJECT_FORMAT = "elf64"
"""NASM's name of the object format (nasm -f)."""

EMULATION = "elf_x86_64"
"""GNU ld's name of the output format (ld -m)."""

Libc = Literal["glibc", "musl"]

PLATFORM = "x86_64-linux"
"""asmsetup's own name of what it builds for."""

_MACHINES = ("x86_64", "i686", "aarch64", "armv7l", "ppc64le", "s390x", "riscv64", "loongarch64")
_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows", "freebsd": "freebsd"}
_SYNONYMS = {"amd64": "x86_64", "arm64": "aarch64", "x86": "i686", "i386": "i686"}

PLATFORMS = tuple(f"{machine}-{system}" for machine in _MACHINES for system in _SYSTEMS.values())
"""The names of platforms: machine and system."""


class Target(NamedTuple):
    """The interpreter a module is built for; asmsetup builds for the one it runs in."""

    version_hex: int
    """sys.hexversion, which is C's PY_VERSION_HEX."""
    free_threaded: bool
    debug: bool
    libc: Libc
    is_host: bool = True
    """Whether what is built for it can be loaded here."""

    @property
    def version(self) -> tuple[int, int]:
        """Major and minor version."""
        return self.version_hex >> 24, self.version_hex >> 16 & 0xFF


def platform_name() -> str:
    """Return what this machine is called, machine and system: x86_64-linux, aarch64-macos."""
    machine = platform.machine().lower()
    system = sys.platform.rstrip("0123456789") if sys.platform != "win32" else sys.platform
    return f"{_SYNONYMS.get(machine, machine)}-{_SYSTEMS.get(system, system)}"


def is_supported() -> bool:
    """Return whether asmsetup builds for the interpreter and the machine that it runs on."""
    try:
        running()
    except PlatformError:
        return False
    return True


def running(wanted: str | None = None) -> Target:
    """Return the running interpreter as a target.

    Raises PlatformError on anything but a 64-bit CPython on x86-64 Linux, unless that is the
    ``wanted`` platform: then this machine builds for another one.
    """
    if wanted == PLATFORM and not is_supported():
        return Target(sys.hexversion, free_threaded=False, debug=False, libc="glibc", is_host=False)
    require_supported(
        sys.platform, platform.machine(), sys.maxsize, platform.python_implementation()
    )
    return Target(
        version_hex=sys.hexversion,
        free_threaded=bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        debug=hasattr(sys, "gettotalrefcount"),
        libc=_libc(),
    )


_LEFT_OUT = 'leave the assembly out here:   elsewhere = "skip"   in [tool.asmsetup]'


def require_supported(
    system: str, machine: str, maxsize: int, implementation: str = "CPython"
) -> None:
    """Raise PlatformError unless this is a 64-bit CPython on x86-64 Linux."""
    if system != "linux":
        raise PlatformError(
            f"asmsetup builds modules for Linux only, and this is {system}",
            _LEFT_OUT,
        )
    if machine.lower() not in ("x86_64", "amd64"):
        raise PlatformError(
            f"asmsetup builds modules for x86-64 only, and this machine is {machine}",
            _LEFT_OUT,
        )
    if maxsize < 2**32:
        raise PlatformError(
            "asmsetup builds 64-bit modules only, and this is a 32-bit Python",
            "build with a 64-bit Python",
        )
    if implementation != "CPython":
        raise PlatformError(
            f"asmsetup builds modules for CPython only, and this is {implementation}",
            _LEFT_OUT,
        )


def _libc() -> Libc:
    # confstr knows the name on glibc alone: musl's Pythons raise one or the other.
    try:
        version = os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        return "musl"
    return "glibc" if version else "musl"

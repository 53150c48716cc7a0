"""The target of a build: x86-64 Linux, and the CPython that runs the build."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from typing import Literal, NamedTuple

from ..errors import PlatformError

OBJECT_FORMAT = "elf64"
"""NASM's name of the object format (nasm -f)."""

EMULATION = "elf_x86_64"
"""GNU ld's name of the output format (ld -m)."""

Libc = Literal["glibc", "musl"]


class Target(NamedTuple):
    """The interpreter a module is built for; asmsetup builds for the one it runs in."""

    version_hex: int
    """sys.hexversion, which is C's PY_VERSION_HEX."""
    free_threaded: bool
    debug: bool
    libc: Libc

    @property
    def version(self) -> tuple[int, int]:
        """Major and minor version."""
        return self.version_hex >> 24, self.version_hex >> 16 & 0xFF


def running() -> Target:
    """Return the running interpreter as a target.

    Raises PlatformError on anything but a 64-bit CPython on x86-64 Linux.
    """
    require_supported(
        sys.platform, platform.machine(), sys.maxsize, platform.python_implementation()
    )
    return Target(
        version_hex=sys.hexversion,
        free_threaded=bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        debug=hasattr(sys, "gettotalrefcount"),
        libc=_libc(),
    )


def require_supported(
    system: str, machine: str, maxsize: int, implementation: str = "CPython"
) -> None:
    """Raise PlatformError unless this is a 64-bit CPython on x86-64 Linux."""
    if system != "linux":
        raise PlatformError(
            f"asmsetup builds modules for Linux only, and this is {system}",
            "leave the assembly extensions out here:   ext_modules=... if sys.platform == 'linux' else []",
        )
    if machine.lower() not in ("x86_64", "amd64"):
        raise PlatformError(
            f"asmsetup builds modules for x86-64 only, and this machine is {machine}",
            "leave the assembly extensions out here, or mark them optional=True",
        )
    if maxsize < 2**32:
        raise PlatformError(
            "asmsetup builds 64-bit modules only, and this is a 32-bit Python",
            "build with a 64-bit Python",
        )
    if implementation != "CPython":
        raise PlatformError(
            f"asmsetup builds modules for CPython only, and this is {implementation}",
            "leave the assembly extensions out here:"
            "   ext_modules=... if sys.implementation.name == 'cpython' else []",
        )


def _libc() -> Libc:
    # confstr knows the name on glibc alone: musl's Pythons raise one or the other.
    try:
        version = os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        return "musl"
    return "glibc" if version else "musl"

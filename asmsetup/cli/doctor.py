"""asmsetup doctor: what is installed here, and what is missing for what."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from .. import program
from ..assemble import nasm
from ..errors import AsmsetupError
from ..facts import target
from ..named import NamedTuple

_JSON_VERSION = 1


class Examined(NamedTuple):
    """One thing that builds need or can use."""

    name: str
    found: str | None
    """Its version and where it is; None when it is missing or of no use."""
    needed_for: str
    required: bool
    problem: str = ""
    cure: str = ""
    """The command that installs it here."""


_PACKAGES = {
    "apt-get": ("apt-get install", {"cc": "gcc"}),
    "dnf": ("dnf install", {"cc": "gcc"}),
    "apk": ("apk add", {"cc": "gcc musl-dev"}),
    "pacman": ("pacman -S", {"cc": "gcc"}),
    "zypper": ("zypper install", {"cc": "gcc"}),
}
"""The package managers: how they install, and what they call a package that is not called as elsewhere."""
_FEATURES = {
    "x86-64-v2": "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3",
    "x86-64-v3": "abm avx avx2 bmi1 bmi2 f16c fma movbe xsave",
    "x86-64-v4": "avx512f avx512bw avx512cd avx512dq avx512vl",
}
"""The levels of the x86-64 psABI, and their features as /proc/cpuinfo calls them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(options: argparse.Namespace) -> int:
    """Show what was found; return 1 when something is missing that every build needs."""
    examined = list(_examine())
    if options.json:
        things = [each._asdict() for each in examined]
        print(json.dumps({"version": _JSON_VERSION, "ok": _is_ok(examined), "things": things}))
    else:
        print("\n".join(line for each in examined for line in _described(each)))
    return 0 if _is_ok(examined) else 1


def _is_ok(examined: list[Examined]) -> bool:
    return not any(each.required and each.found is None for each in examined)


def _described(each: Examined) -> Iterator[str]:
    if each.found is not None:
        yield f"{each.name:12}{each.found}"
        return
    yield f"{each.name:12}{each.problem or 'missing'}: {each.needed_for}"
    if each.cure:
        yield f"{'':12}{each.cure}"


def _examine() -> Iterator[Examined]:
    yield _python()
    yield _tool("nasm", "nothing can be assembled without it", _nasm, "nasm")
    yield _tool("ld", "modules of pure assembly cannot be linked without it", _ld, "binutils")
    yield _package("setuptools", "projects cannot be built without it", required=True)
    yield _package("auditwheel", "wheels get no manylinux tag without it", required=True)
    decoder = _package("iced-x86", "check and annotate cannot read machine code", required=False)
    yield decoder if decoder.found else decoder._replace(cure="pip install 'asmsetup[check]'")
    yield _optional(
        "patchelf", "--version", "external libraries cannot be copied into wheels without it"
    )
    yield _optional(
        "cc", "--version", "C and C++ beside the assembly cannot be compiled without it"
    )
    llvm = _optional("llvm-mca", "--version", "annotate --costs cannot show cycles without it")
    yield llvm if llvm.found else llvm._replace(cure=install("llvm"))
    yield _optional("gdb", "--version", "crashes cannot be analysed without it")
    yield Examined("libc", _libc(), "", required=False)
    yield Examined("processor", _processor(), "", required=False)


def _python() -> Examined:
    kinds = {
        "free-threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "debug": hasattr(sys, "gettotalrefcount"),
    }
    kind = "".join(f" {name}" for name, is_it in kinds.items() if is_it)
    found = f"{platform.python_version()}{kind}, {sys.executable}"
    try:
        target.running()
    except AsmsetupError as error:
        return Examined("Python", None, error.what, required=True, problem=found)
    return Examined("Python", found, "", required=True)


def _tool(name: str, needed_for: str, find: Callable[[], str], package: str) -> Examined:
    try:
        return Examined(name, find(), needed_for, required=True)
    except AsmsetupError as error:
        missing = "cannot find" in error.what
        problem = "missing" if missing else error.what
        return Examined(name, None, needed_for, True, problem, install(package))


def _nasm() -> str:
    found = nasm.find(os.environ.get("NASM"))
    return f"{'.'.join(map(str, found.version))}, {found.path}"


def _ld() -> str:
    wanted = os.environ.get("LD") or "ld"
    path = program.find("ld", wanted, (), chosen_by="LD", arguments="LDFLAGS")
    return f"{_version([path, '--version'])}, {path}"


def _version(command: list[str]) -> str:
    """Return the version in the first line that a program writes of itself."""
    first = program.run(command).output.partition("\n")[0]
    numbers = re.findall(r"\d+(?:\.\d+)+", first)
    return numbers[-1] if numbers else first


def _package(name: str, needed_for: str, *, required: bool) -> Examined:
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Examined(name, None, needed_for, required, cure=f"pip install {name}")
    return Examined(name, found, needed_for, required)


def _optional(name: str, option: str, needed_for: str) -> Examined:
    beside = os.path.join(os.path.dirname(sys.executable), name)
    path = shutil.which(name) or shutil.which(beside)
    if path is None:
        return Examined(name, None, needed_for, required=False, cure=install(name))
    return Examined(name, f"{_version([path, option])}, {path}", needed_for, required=False)


def install(package: str) -> str:
    """Return the command that installs a package of the system here, empty when none is known."""
    for manager, (command, names) in _PACKAGES.items():
        if shutil.which(manager):
            sudo = "sudo " if os.geteuid() and shutil.which("sudo") else ""
            return f"{sudo}{command} {names.get(package, package)}"
    return ""


def _libc() -> str:
    name, version = platform.libc_ver()
    return f"{name} {version}" if name == "glibc" else "musl"


def _processor() -> str:
    """Return the processor's name and its level, with the features of it that the next one needs."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "unknown"
    name = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*: (.*)$", text, re.MULTILINE)
    has = set(flags[1].split()) if flags else set()
    level = "x86-64"
    for each, features in _FEATURES.items():
        if not has.issuperset(features.split()):
            break
        level = each
    return f"{level}, {name[1] if name else platform.processor()}"

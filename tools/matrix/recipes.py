"""The recipes that fill the cache, one for each of its folders."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tools.matrix.interpreters import (
    MINORS,
    Interpreter,
    InterpreterError,
    Inventory,
    probe,
    replace_text,
)
from tools.matrix.packages import (
    MULTIARCH,
    UnavailableError,
    download_source,
    keep_links_inside,
    output,
    own_libc_command,
    relocate_pythons,
    relocated_specs,
    unpack,
    write_script,
)

# gcc would answer for glibc, and CPython's configure stops when that is not what the headers say.
MUSL_GCC = """\
#!/bin/sh
for argument in "$@"; do
    case "$argument" in
        -print-multiarch | --print-multiarch) echo x86_64-linux-musl; exit ;;
    esac
done
exec gcc "$@"
"""


class Recipe(Protocol):
    """Instructions for making one folder of the cache, and the names of what it holds."""

    @property
    def folder(self) -> str:
        """The folder, relative to the cache."""

    @property
    def provides(self) -> tuple[str, ...]:
        """The interpreters and tools that are missing without it."""

    def make(self, cache: Path) -> None:
        """Fill the folder. Raises UnavailableError."""

    def publish(self, cache: Path) -> Inventory:
        """Return what is in the finished folder, each started once. Raises UnavailableError."""


@dataclass(frozen=True)
class Root:
    """Packages of one suite unpacked together, with all that they depend on."""

    name: str
    suite: str
    packages: tuple[str, ...]
    interpreters: dict[str, str] = field(default_factory=dict)
    """Names and programs: {"3.14": "usr/bin/python3.14"}."""
    tools: dict[str, str] = field(default_factory=dict)
    """Kinds and programs: {"nasm": "usr/bin/nasm"}."""

    @property
    def folder(self) -> str:
        return f"roots/{self.name}"

    @property
    def provides(self) -> tuple[str, ...]:
        return (*self.interpreters, *(f"{kind} of Debian {self.suite}" for kind in self.tools))

    def make(self, cache: Path) -> None:
        folder = cache / self.folder
        unpack(self.suite, self.packages, folder)
        keep_links_inside(folder)
        for program in self.interpreters.values():
            # The wrapper takes the program's place: CPython finds its library by where its
            # executable lies, and virtual environments link to it.
            (folder / program).rename(folder / f"{program}.elf")
        relocate_pythons(folder)

    def publish(self, cache: Path) -> Inventory:
        root = cache / self.folder
        found = Inventory()
        for name, program in self.interpreters.items():
            write_script(root / program, own_libc_command(root, f"{program}.elf"))
            found += Inventory((publish_interpreter(name, root / program, cache),))
        for kind, program in self.tools.items():
            found += publish_tool(kind, own_libc_command(root, program), cache)
        return found


@dataclass(frozen=True)
class Toolchain:
    """gcc with options to compile and link against another C library than the machine's."""

    name: str
    suite: str
    packages: tuple[str, ...]

    @property
    def folder(self) -> str:
        return f"roots/{self.name}"

    @property
    def provides(self) -> tuple[str, ...]:
        return (f"{self.name}-gcc",)

    def make(self, cache: Path) -> None:
        root = cache / self.folder
        unpack(self.suite, self.packages, root)
        keep_links_inside(root)
        if self.name == "musl":
            specs = root / "usr/lib/x86_64-linux-musl/musl-gcc.specs"
            specs.write_text(relocated_specs(specs.read_text(), root))
            replace_text(root / "usr/bin/musl-gcc", MUSL_GCC, mode=0o755)

    def publish(self, cache: Path) -> Inventory:
        root = cache / self.folder
        if self.name == "musl":
            specs = root / "usr/lib/x86_64-linux-musl/musl-gcc.specs"
            command = [str(root / "usr/bin/musl-gcc"), "-specs", str(specs)]
        else:
            libraries = root / "usr/lib" / MULTIARCH
            loader = next((root / "lib" / MULTIARCH).glob("ld-*.so"), Path("ld.so"))
            command = ["gcc", f"--sysroot={root}", f"-B{libraries}/", f"-L{libraries}"]
            # gcc's own shared library is made for the machine's glibc.
            command += ["-static-libgcc", f"-Wl,--dynamic-linker={loader}"]
            # The old tag: it holds for what the libraries need, too.
            command += [f"-Wl,--disable-new-dtags,-rpath,{loader.parent}:{libraries}"]
        return publish_tool(self.provides[0], command, cache)


@dataclass(frozen=True)
class SourceBuild:
    """A CPython built from the distribution's source package."""

    name: str
    package: str
    configure: tuple[str, ...] = ()
    compiler: str | None = None
    """The tool of the cache to compile with."""

    @property
    def folder(self) -> str:
        return f"interpreters/{self.name}/prefix"

    @property
    def provides(self) -> tuple[str, ...]:
        return (self.name,)

    def make(self, cache: Path) -> None:
        work = cache / "work" / self.name
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        build = Build(cache / "logs" / f"{self.name}.log")
        settings = [f"--prefix={cache / self.folder}", *self.configure]
        if self.compiler:
            build.environment["CC"] = str(cache / "tools" / self.compiler)
            # pip needs the zlib module; a static library needs no place at run time.
            zlib = extracted(download_source(cache, "zlib", work))
            build.run(zlib, "./configure", "--static")
            build.run(zlib, "make", "libz.a", "CFLAGS=-O2 -fPIC")
            # pkg-config would name the machine's libraries, which are made for its own libc.
            settings += ["PKG_CONFIG=false", f"ZLIB_CFLAGS=-I{zlib}", f"ZLIB_LIBS={zlib}/libz.a"]
        source = extracted(download_source(cache, self.package, work))
        say(f"{self.name}: building {source.name}, which takes some minutes (log: {build.log})")
        build.run(source, "./configure", "--disable-test-modules", "--without-ensurepip", *settings)
        build.run(source, "make", f"-j{os.cpu_count()}")
        build.run(source, "make", "altinstall")
        shutil.rmtree(work)

    def publish(self, cache: Path) -> Inventory:
        program = next((cache / self.folder / "bin").glob("python3.*[0-9t]"), Path("missing"))
        return Inventory((publish_interpreter(self.name, program, cache),))


@dataclass(frozen=True)
class Pytest:
    """pytest and pip in pure Python, for any interpreter by way of PYTHONPATH."""

    # pip takes the running interpreter for the one to install for when it decides which of
    # pytest's backports are needed (pypa/pip#11198), so they are named.
    packages: tuple[str, ...] = ("pytest>=8", "exceptiongroup", "tomli", "typing-extensions", "pip")

    folder = "site"
    provides = ("pytest",)

    def make(self, cache: Path) -> None:
        # For the oldest version, whose backports do no harm in the newer ones.
        target = ["--target", str(cache / self.folder), "--python-version", f"3.{MINORS.start}"]
        target += ["--implementation", "py", "--abi", "none", "--platform", "any"]
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        output([*pip, *target, "--only-binary", ":all:", *self.packages])

    def publish(self, cache: Path) -> Inventory:
        environment = {**os.environ, "PYTHONPATH": str(cache / self.folder)}
        output([sys.executable, "-c", "import exceptiongroup, pip, pytest, tomli"], environment)
        return Inventory()


def _pythons(version: str) -> tuple[str, ...]:
    return (f"python{version}", f"python{version}-venv", f"libpython{version}-dev")


GLIBC_2_31 = ("libc6", "libc6-dev", "linux-libc-dev", "libcrypt1", "libcrypt-dev", "libgcc-s1")
RECIPES: tuple[Recipe, ...] = (
    Root(
        name="unstable",
        suite="unstable",
        packages=(*_pythons("3.14"), *_pythons("3.15"), "nasm", "binutils"),
        interpreters={"3.14": "usr/bin/python3.14", "3.15": "usr/bin/python3.15"},
        tools={"nasm": "usr/bin/nasm", "ld": "usr/bin/x86_64-linux-gnu-ld.bfd"},
    ),
    # 2.15 is the oldest NASM a supported distribution ships.
    Root(name="bullseye", suite="bullseye", packages=("nasm",), tools={"nasm": "usr/bin/nasm"}),
    Pytest(),
    SourceBuild("3.13t", "python3.13", ("--disable-gil",)),
    SourceBuild("3.14t", "python3.14", ("--disable-gil",)),
    SourceBuild("3.15t", "python3.15", ("--disable-gil",)),
    Toolchain("musl", "trixie", ("musl", "musl-dev")),
    SourceBuild("3.13-musl", "python3.13", compiler="musl-gcc"),
    # manylinux_2_31 and Ubuntu 20.04: the oldest that a supported distribution has.
    Toolchain("glibc-2.31", "bullseye", GLIBC_2_31),
    SourceBuild("3.13-glibc2.31", "python3.13", compiler="glibc-2.31-gcc"),
    Root(
        name="unstable-debug",
        suite="unstable",
        packages=(*_pythons("3.14"), *_pythons("3.15"), "python3.14-dbg", "python3.15-dbg"),
        interpreters={"3.14-debug": "usr/bin/python3.14d", "3.15-debug": "usr/bin/python3.15d"},
    ),
)


def publish_interpreter(name: str, program: Path, cache: Path) -> Interpreter:
    """Link <cache>/interpreters/<name>/python to the program; it must be what its name says."""
    link = cache / "interpreters" / name / "python"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(program, link.parent))
    try:
        interpreter = probe((str(link),))
    except InterpreterError as error:
        raise UnavailableError(str(error)) from error
    if interpreter.name != name or not interpreter.has_headers:
        raise UnavailableError(
            f"{program} is {interpreter.name}, headers: {interpreter.has_headers}"
        )
    return interpreter


def publish_tool(kind: str, command: Sequence[str], cache: Path) -> Inventory:
    """Write <cache>/tools/<name>, which runs the command."""
    name = tool_name(kind, output([*command, "--version"]))
    path = cache / "tools" / name
    write_script(path, command)
    return Inventory(tools={name: path})


def tool_name(kind: str, version: str) -> str:
    """Return the kind, and the version in the output of --version: nasm-2.15.05, ld-2.47.

    A snapshot of binutils (2.47.50.20261021) goes by the release it is made from.
    """
    patterns = {"nasm": r"^NASM version (\S+)", "ld": r"^GNU ld .* (\d+\.\d+)[.\d]*$"}
    if kind not in patterns:
        return kind
    match = re.search(patterns[kind], version, re.MULTILINE)
    if match is None:
        raise UnavailableError(f"{kind} does not tell its version: {version}")
    return f"{kind}-{match[1]}"


class Build:
    """Runs the steps of a build behind everything else on the machine, into one log."""

    def __init__(self, log: Path) -> None:
        self.log = log
        # Settings meant for the user's own builds and Pythons do not belong in this one.
        self.environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
        self.environment |= {"CFLAGS": "-O2 -g0"}
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")

    def run(self, folder: Path, *command: str) -> None:
        """Run one step. Raises UnavailableError."""
        with self.log.open("a") as log:
            step = subprocess.run(
                ["nice", "-n", "19", *command],
                cwd=folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if step.returncode:
            raise UnavailableError(f"{shlex.join(command)} failed: see {self.log}")


def extracted(archive: Path) -> Path:
    """Extract a source archive beside itself and return the one folder it holds."""
    folder = archive.with_name(f"{archive.name}.d")
    folder.mkdir()
    output(["tar", "--extract", "--file", str(archive), "--directory", str(folder)])
    (tree,) = folder.iterdir()
    return tree


def say(message: str) -> None:
    """Print a line for the person who waits."""
    print(message, file=sys.stderr, flush=True)

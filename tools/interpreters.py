"""Fetch the interpreters and tools of the test matrix from the distribution's packages into the cache.

Nothing is installed on the machine: packages are unpacked into the cache folder and run there with
their own loader and C library; interpreters that no package has are built from the distribution's
source package. What cannot be had is named, with the reason, and the rest goes on.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.interpreters import (
    MINORS,
    Interpreter,
    InterpreterError,
    Inventory,
    Missing,
    cache_folder,
    installed,
    load_inventory,
    probe,
    replace_text,
    save_inventory,
)
from tools.archive import Archive, PoolFile, RefusedError, UnavailableError, unpack

STAMP = ".complete.json"
ASK_AGAIN = 24 * 3600
"""Seconds for which a refusal of the archive is remembered: a cache that has all else is quick."""

BEHIND = ("nice", "-n", "19")
MULTIARCH = "x86_64-linux-gnu"
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
LEFT_OUT = (
    "./usr/share/doc",
    "./usr/share/man",
    "./usr/share/locale",
    "./usr/share/gdb",
    "./usr/lib/debug",
    "./usr/lib/python3.*/config-*/*.a",
    # Says that pip must not install into the interpreter, which is ours here.
    "./usr/lib/python3.*/EXTERNALLY-MANAGED",
)


class DamagedError(Exception):
    """What lies in the cache does not work."""


class Recipe(Protocol):
    """How one folder of the cache comes to be, and what is in it."""

    @property
    def folder(self) -> str:
        """The folder, relative to the cache."""

    @property
    def provides(self) -> tuple[str, ...]:
        """What is missing without it."""

    def make(self, cache: Path, archive: Archive, folder: Path) -> None:
        """Fill `folder`, which then moves to its place in the cache. Raises UnavailableError."""

    def publish(self, cache: Path) -> Inventory:
        """Start all that is in the finished folder and say what it is. Raises DamagedError.

        Also writes the wrappers it is used through, which hold nothing worth keeping.
        """


@dataclass(frozen=True)
class PackageRoot:
    """Packages unpacked together, as in a small root file system."""

    name: str
    suite: str
    packages: tuple[str, ...]
    interpreters: tuple[tuple[str, str], ...] = ()
    """Names and programs: ("3.14", "usr/bin/python3.14")."""
    tools: tuple[tuple[str, str], ...] = ()
    """Kinds and programs: ("nasm", "usr/bin/nasm")."""
    own_libc: bool = True
    """Unpack what the packages depend on too, and run them with that C library."""

    @property
    def folder(self) -> str:
        return f"roots/{self.name}"

    @property
    def provides(self) -> tuple[str, ...]:
        interpreters = [name for name, _ in self.interpreters]
        return (*interpreters, *(f"{kind} of Debian {self.suite}" for kind, _ in self.tools))

    def make(self, cache: Path, archive: Archive, folder: Path) -> None:
        merge_usr(folder)
        suite = archive.suite(self.suite)
        for package in suite.packages(self.packages, dependencies=self.own_libc):
            unpack(package, folder, LEFT_OUT)
        suite.forget_packages()
        for _, program in self.interpreters:
            # The wrapper takes the program's place: CPython finds its library by where its
            # executable lies, and virtual environments link to it.
            (folder / program).rename(folder / f"{program}.elf")
        relocate_pythons(folder, cache / self.folder)

    def publish(self, cache: Path) -> Inventory:
        root = cache / self.folder
        interpreters = []
        for name, program in self.interpreters:
            write_script(root / program, own_libc_command(root, f"{program}.elf"))
            interpreters.append(publish_interpreter(name, root / program, cache))
        tools = {}
        for kind, program in self.tools:
            command = own_libc_command(root, program) if self.own_libc else [str(root / program)]
            name, path = publish_tool(kind, command, cache)
            tools[name] = path
        return Inventory(tuple(interpreters), tools)


@dataclass(frozen=True)
class MuslToolchain:
    """musl, and gcc told to compile and link against it."""

    suite: str

    folder = "roots/musl"
    provides = ("musl-gcc",)

    def make(self, cache: Path, archive: Archive, folder: Path) -> None:
        require("gcc")
        suite = archive.suite(self.suite)
        for package in suite.packages(("musl", "musl-dev"), dependencies=False):
            unpack(package, folder, LEFT_OUT)
        suite.forget_packages()
        specs = musl_specs(folder)
        specs.write_text(relocated_specs(specs.read_text(), cache / self.folder))
        replace_text(folder / "usr/bin/musl-gcc", MUSL_GCC, mode=0o755)

    def publish(self, cache: Path) -> Inventory:
        root = cache / self.folder
        command = [str(root / "usr/bin/musl-gcc"), "-specs", str(musl_specs(root))]
        return publish_compiler("musl-gcc", command, cache)


@dataclass(frozen=True)
class GlibcToolchain:
    """An older glibc, and gcc told to compile and link against it, to run with it too."""

    suite: str
    version: str

    @property
    def folder(self) -> str:
        return f"roots/glibc-{self.version}"

    @property
    def provides(self) -> tuple[str, ...]:
        return (f"glibc-{self.version}-gcc",)

    def make(self, cache: Path, archive: Archive, folder: Path) -> None:
        require("gcc")
        merge_usr(folder)
        suite = archive.suite(self.suite)
        names = ("libc6", "libc6-dev", "linux-libc-dev", "libcrypt1", "libcrypt-dev", "libgcc-s1")
        for package in suite.packages(names, dependencies=False):
            unpack(package, folder, LEFT_OUT)
        suite.forget_packages()
        keep_links_inside(folder)

    def publish(self, cache: Path) -> Inventory:
        root = cache / self.folder
        libraries = root / "usr/lib" / MULTIARCH
        command = ["gcc", f"--sysroot={root}", f"-B{libraries}/", f"-L{libraries}"]
        # gcc's own shared library is made for the machine's glibc.
        command += ["-static-libgcc", f"-Wl,--dynamic-linker={libraries}/ld-{self.version}.so"]
        # The old tag: it holds for what the libraries need, too.
        command += [f"-Wl,--disable-new-dtags,-rpath,{libraries}"]
        return publish_compiler(self.provides[0], command, cache)


@dataclass(frozen=True)
class SourceBuild:
    """A CPython built from the distribution's source package."""

    name: str
    program: str
    """The executable, relative to the folder."""
    package: str
    suites: tuple[str, ...]
    """Where to look for the source package, in this order."""
    configure: tuple[str, ...] = ()
    compiler: str | None = None
    """The tool of the cache to compile with, for another C library than the machine's."""
    older: PoolFile | None = None
    """The source of an older version, for days when the archive does not give what it lists."""

    @property
    def folder(self) -> str:
        return f"interpreters/{self.name}"

    @property
    def provides(self) -> tuple[str, ...]:
        return (self.name,)

    def make(self, cache: Path, archive: Archive, folder: Path) -> None:
        require("gcc", "make", "tar")
        work = cache / "work" / self.name
        remove(work)
        work.mkdir(parents=True)
        builder = Builder(cache / "logs" / f"{self.name}.log")
        settings = [f"--prefix={cache / self.folder}", *self.configure]
        if self.compiler:
            compiler = cache / "tools" / self.compiler
            if not compiler.exists():
                raise UnavailableError(f"{self.compiler} could not be fetched")
            builder.environment["CC"] = str(compiler)
            zlib = self._zlib(work, archive, builder)
            # pkg-config would name the machine's libraries, which are made for its own libc.
            settings += ["PKG_CONFIG=false", f"ZLIB_CFLAGS=-I{zlib}", f"ZLIB_LIBS={zlib}/libz.a"]
        source = extracted(archive.source(self.package, self.suites, work, self.older))
        say(f"{self.name}: building {source.name}, which takes some minutes (log: {builder.log})")
        builder.run(
            source, "./configure", "--disable-test-modules", "--without-ensurepip", *settings
        )
        builder.run(source, "make", "-j2")
        builder.run(source, "make", "altinstall", f"DESTDIR={work}/installed")
        folder.rmdir()
        Path(f"{work}/installed{cache / self.folder}").rename(folder)
        remove(work)

    def publish(self, cache: Path) -> Inventory:
        program = cache / self.folder / self.program
        return Inventory((publish_interpreter(self.name, program, cache),))

    def _zlib(self, work: Path, archive: Archive, builder: Builder) -> Path:
        """pip needs the zlib module; a static library needs no place at run time."""
        source = extracted(archive.source("zlib", self.suites, work))
        builder.run(source, "./configure", "--static")
        builder.run(source, "make", "libz.a", "CFLAGS=-O2 -fPIC")
        return source


@dataclass(frozen=True)
class PytestFolder:
    """pytest and pip in pure Python, for any interpreter by way of PYTHONPATH."""

    # pip takes the running interpreter for the one to install for when it decides which of
    # pytest's backports are needed (pypa/pip#11198), so they are named.
    packages: tuple[str, ...] = ("pytest>=8", "exceptiongroup", "tomli", "typing-extensions", "pip")

    folder = "site"
    provides = ("pytest",)

    def make(self, cache: Path, archive: Archive, folder: Path) -> None:
        # For the oldest version, whose backports do no harm in the newer ones.
        oldest = f"3.{MINORS.start}"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input"]
        command += ["--disable-pip-version-check", "--target", str(folder)]
        command += ["--only-binary", ":all:", "--python-version", oldest]
        command += ["--implementation", "py", "--abi", "none", "--platform", "any", *self.packages]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode:
            raise RefusedError(f"pip could not install pytest: {run.stderr.strip()}")

    def publish(self, cache: Path) -> Inventory:
        environment = {**os.environ, "PYTHONPATH": str(cache / self.folder)}
        started([sys.executable, "-c", "import exceptiongroup, pip, pytest, tomli"], environment)
        return Inventory()


RECIPES: tuple[Recipe, ...] = (
    PackageRoot(
        name="unstable",
        suite="unstable",
        packages=(
            *("python3.14", "python3.14-venv", "libpython3.14-dev"),
            *("python3.15", "python3.15-venv", "libpython3.15-dev"),
            *("nasm", "binutils"),
        ),
        interpreters=(("3.14", "usr/bin/python3.14"), ("3.15", "usr/bin/python3.15")),
        tools=(("nasm", "usr/bin/nasm"), ("ld", "usr/bin/x86_64-linux-gnu-ld.bfd")),
    ),
    # 2.15 is the oldest NASM a supported distribution ships.
    PackageRoot(
        name="bullseye",
        suite="bullseye",
        packages=("nasm",),
        tools=(("nasm", "usr/bin/nasm"),),
        own_libc=False,
    ),
    PytestFolder(),
    SourceBuild(
        "3.13t", "bin/python3.13t", "python3.13", ("unstable", "trixie"), ("--disable-gil",)
    ),
    SourceBuild(
        "3.14t",
        "bin/python3.14t",
        "python3.14",
        ("unstable", "testing"),
        ("--disable-gil",),
        older=PoolFile(
            "pool/main/p/python3.14/python3.14_3.14.7.orig.tar.xz",
            "3b48dac8fb59f62eaa67ac83c1eb12bda1b7a08406dd286e252c11a66be27f81",
        ),
    ),
    SourceBuild(
        "3.15t",
        "bin/python3.15t",
        "python3.15",
        ("unstable", "testing"),
        ("--disable-gil",),
        older=PoolFile(
            "pool/main/p/python3.15/python3.15_3.15.0~rc2.orig.tar.xz",
            "8d93af5eaaaea5adfd41bd786a7ba3f03f2ad1ab57c6a65e0b963deab91d5ad7",
        ),
    ),
    MuslToolchain("trixie"),
    SourceBuild(
        "3.13-musl",
        "bin/python3.13",
        "python3.13",
        ("unstable", "trixie"),
        compiler="musl-gcc",
    ),
    # manylinux_2_31 and Ubuntu 20.04: the oldest that a supported distribution has.
    GlibcToolchain("bullseye", "2.31"),
    SourceBuild(
        "3.13-glibc2.31",
        "bin/python3.13",
        "python3.13",
        ("unstable", "trixie"),
        compiler="glibc-2.31-gcc",
    ),
    PackageRoot(
        name="unstable-debug",
        suite="unstable",
        packages=(
            *("python3.14-dbg", "python3.14-venv", "libpython3.14-dev"),
            *("python3.15-dbg", "python3.15-venv", "libpython3.15-dev"),
        ),
        interpreters=(("3.14-debug", "usr/bin/python3.14d"), ("3.15-debug", "usr/bin/python3.15d")),
    ),
)


def collect(
    recipes: Sequence[Recipe], cache: Path, archive: Archive, *, retry: bool = False
) -> Inventory:
    """Verify what is in the cache, make what is not, and write the inventory of both."""
    known = load_inventory(cache).missing
    parts = [use(recipe, cache) for recipe in recipes]
    # At once, and again after each: others may be testing with what is there.
    save_inventory(merged(parts), cache)
    for place, recipe in enumerate(recipes):
        if parts[place] is None:
            remembered = {name: known[name] for name in recipe.provides if name in known}
            if not retry and any(map(recent, remembered.values())):
                parts[place] = Inventory(missing=remembered)
            else:
                parts[place] = obtain(recipe, cache, archive)
            save_inventory(merged(parts), cache)
    return merged(parts)


def use(recipe: Recipe, cache: Path) -> Inventory | None:
    """What the recipe has put into the cache; None when that is not there or does not work."""
    folder = cache / recipe.folder
    if not (folder / STAMP).exists():
        return None
    stamp = json.loads((folder / STAMP).read_text())
    if stamp["recipe"] != fingerprint(recipe):
        return None
    try:
        check_files(folder, stamp["files"])
        return recipe.publish(cache)
    except DamagedError as error:
        say(f"{recipe.folder} in the cache is damaged: {error}")
        return None


def obtain(recipe: Recipe, cache: Path, archive: Archive) -> Inventory:
    """What the recipe makes; or what is missing, and why."""
    try:
        return fetch(recipe, cache, archive)
    except UnavailableError as error:
        say(f"{', '.join(recipe.provides)}: {error}")
        asked = time.time() if isinstance(error, RefusedError) else None
        return Inventory(missing={name: Missing(str(error), asked) for name in recipe.provides})


def fetch(recipe: Recipe, cache: Path, archive: Archive) -> Inventory:
    """Carry the recipe out. What is cut short has no stamp, and is not used. Raises UnavailableError."""
    say(f"fetching {', '.join(recipe.provides)}")
    final = cache / recipe.folder
    partial = final.with_name(f"{final.name}.partial")
    remove(partial)
    partial.mkdir(parents=True)
    try:
        recipe.make(cache, archive, partial)
    except UnavailableError:
        remove(partial)
        raise
    remove(final)
    partial.rename(final)
    try:
        found = recipe.publish(cache)
    except DamagedError as error:
        raise UnavailableError(f"what was fetched does not work: {error}") from error
    stamp = {"recipe": fingerprint(recipe), "files": files_in(final)}
    replace_text(final / STAMP, json.dumps(stamp, indent=0))
    return found


def fingerprint(recipe: Recipe) -> str:
    """Changes when the recipe does, so that what another one made is not taken for this one's."""
    return hashlib.sha256(repr(recipe).encode()).hexdigest()


def files_in(folder: Path) -> dict[str, int | None]:
    """The files below the folder with their sizes; not what CPython compiles in its time."""
    return {
        str(path.relative_to(folder)): file_size(path)
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts and (path.is_symlink() or not path.is_dir())
    }


def check_files(folder: Path, sizes: dict[str, int | None]) -> None:
    """Raise DamagedError unless the folder has these files, in these sizes."""
    for path, size in sizes.items():
        if file_size(folder / path) != size:
            raise DamagedError(f"{path} is not what it was")


def file_size(path: Path) -> int | None:
    """Of the file or of the symbolic link itself; None when there is none."""
    return path.lstat().st_size if path.is_symlink() or path.exists() else None


def recent(missing: Missing) -> bool:
    return missing.asked is not None and 0 <= time.time() - missing.asked < ASK_AGAIN


def merged(parts: Sequence[Inventory | None]) -> Inventory:
    present = [part for part in parts if part is not None]
    return Inventory(
        tuple(interpreter for part in present for interpreter in part.interpreters),
        {name: path for part in present for name, path in part.tools.items()},
        {name: why for part in present for name, why in part.missing.items()},
    )


def publish_interpreter(name: str, program: Path, cache: Path) -> Interpreter:
    """Link <cache>/interpreters/<name>/python to the program; it must be what its name says."""
    link = cache / "interpreters" / name / "python"
    target = os.path.relpath(program, link.parent)
    if not link.is_symlink() or str(link.readlink()) != target:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    try:
        interpreter = probe((str(link),))
    except InterpreterError as error:
        raise DamagedError(str(error)) from error
    if interpreter.name != name or not interpreter.has_headers:
        raise DamagedError(f"{program} is {interpreter.name}, headers: {interpreter.has_headers}")
    return interpreter


def publish_tool(kind: str, command: Sequence[str], cache: Path) -> tuple[str, Path]:
    """Write <cache>/tools/<name>, which runs the command; returns name and path."""
    name = tool_name(kind, started([*command, "--version"]))
    path = cache / "tools" / name
    write_script(path, command)
    started([str(path), "--version"])
    return name, path


def publish_compiler(kind: str, command: Sequence[str], cache: Path) -> Inventory:
    """Publish a compiler whose programs run."""
    name, path = publish_tool(kind, command, cache)
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "nothing.c"), Path(folder, "nothing")
        source.write_text("int main(void) { return 0; }\n")
        started([str(path), str(source), "-o", str(program)])
        started([str(program)])
    return Inventory((), {name: path})


def tool_name(kind: str, version: str) -> str:
    """`nasm-2.15.05`, `ld-2.47`: the kind, and the version in the output of --version.

    A snapshot of binutils (2.47.50.20261021) goes by the release it is made from.
    """
    patterns = {"nasm": r"^NASM version (\S+)", "ld": r"^GNU ld .* (\d+\.\d+)[.\d]*$"}
    if kind not in patterns:
        return kind
    match = re.search(patterns[kind], version, re.MULTILINE)
    if match is None:
        raise DamagedError(f"{kind} does not tell its version: {version}")
    return f"{kind}-{match[1]}"


def merge_usr(root: Path) -> None:
    """Make the links that packages expect, and base-files would make: all lies under usr."""
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")


def keep_links_inside(root: Path) -> None:
    """Have links with an absolute path lead into the root, and not to the machine's files."""
    for link in root.rglob("*"):
        if link.is_symlink() and link.readlink().is_absolute():
            target = os.path.relpath(f"{root}{link.readlink()}", link.parent)
            link.unlink()
            link.symlink_to(target)


def own_libc_command(root: Path, program: str) -> list[str]:
    """Start a program of an unpacked root with the root's loader and libraries, and no others.

    In a script, $0 is the path the program was called by: CPython looks there for its virtual
    environment. --argv0 needs glibc 2.33 in the root.
    """
    loader = root / "usr/lib64/ld-linux-x86-64.so.2"
    libraries = root / "usr/lib" / MULTIARCH
    command = [str(loader), "--inhibit-cache", "--library-path", str(libraries)]
    return [*command, "--argv0", "$0", str(root / program)]


def relocate_pythons(folder: Path, root: Path) -> None:
    """Point files of Debian's CPythons in `folder` to `root`, where it will lie, and not to /."""
    for header in folder.glob("usr/include/python3.*/pyconfig.h"):
        # Includes the multiarch one, by a path that is right in /usr/include only.
        shutil.copy2(folder / "usr/include" / MULTIARCH / header.parent.name / header.name, header)
    for settings in folder.glob("usr/lib/python3.*/_sysconfig*"):
        # Say where ensurepip finds pip. Some are links to others.
        text = settings.read_text()
        text = re.sub(r"(?<=['\"])/usr/share/python-wheels/", rf"{root}\g<0>", text)
        settings.write_text(text)


def write_script(path: Path, command: Sequence[str]) -> None:
    """A shell script that runs the command with its own arguments after it; $0 stays a variable."""
    words = ['"$0"' if word == "$0" else shlex.quote(word) for word in command]
    text = f'#!/bin/sh\nexec {" ".join(words)} "$@"\n'
    if not path.is_file() or path.read_bytes() != text.encode():
        replace_text(path, text, mode=0o755)


def started(command: Sequence[str], environment: dict[str, str] | None = None) -> str:
    """The standard output of a program that must succeed. Raises DamagedError."""
    try:
        run = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise DamagedError(str(error)) from error
    return run.stdout


def musl_specs(root: Path) -> Path:
    return root / "usr/lib/x86_64-linux-musl/musl-gcc.specs"


def relocated_specs(specs: str, root: Path) -> str:
    """gcc's specs file from the musl package, with the root's paths for those of the system."""
    loader = "/lib/ld-musl-x86_64.so.1"
    specs = re.sub(r"/usr/(lib|include)/x86_64-linux-musl", rf"{root}\g<0>", specs)
    return specs.replace(f" {loader} ", f" {root}/usr{loader} ")


class Builder:
    """Runs the steps of a build behind everything else on the machine, into one log."""

    def __init__(self, log: Path) -> None:
        self.log = log
        # Settings meant for the user's own builds and Pythons do not belong in this one.
        self.environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
        self.environment |= {"CFLAGS": "-O2 -g0"}
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)

    def run(self, folder: Path, *command: str) -> None:
        with self.log.open("a") as log:
            log.write(f"+ {shlex.join(command)}\n")
            log.flush()
            step = subprocess.run(
                [*BEHIND, *command],
                cwd=folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if step.returncode:
            raise UnavailableError(
                f"`{command[0]} {command[1]}' failed in {folder}, see {self.log}"
            )


def extracted(tar_archive: Path) -> Path:
    """Extract a source archive beside itself and return the one folder it holds."""
    folder = tar_archive.with_name(f"{tar_archive.name}.d")
    folder.mkdir()
    command = ["tar", "--extract", "--file", str(tar_archive), "--directory", str(folder)]
    subprocess.run(command, check=True)
    (tree,) = folder.iterdir()
    return tree


def require(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise UnavailableError(f"{' and '.join(missing)}: not on the machine")


def remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


@contextmanager
def alone(cache: Path) -> Iterator[None]:
    """Hold the cache against other runs; several checkouts may share one."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that fills {cache}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def report(machine: Sequence[Interpreter], inventory: Inventory) -> str:
    """What the tests can use, one thing a line, and what they have to do without."""
    lines = []
    for interpreter in [*machine, *inventory.interpreters]:
        version = ".".join(map(str, interpreter.version))
        place = interpreter.command[0]
        lines.append(f"{interpreter.name:<15} {version:<8} {interpreter.libc:<12} {place}")
    lines += [f"{name:<34} {path}" for name, path in inventory.tools.items()]
    lines += [f"missing: {name}: {each.reason}" for name, each in inventory.missing.items()]
    minors = {each.version[1] for each in [*machine, *inventory.interpreters]}
    absent = [f"3.{minor}" for minor in MINORS if minor not in minors]
    lines += [f"missing: {name}: not installed, and not fetched" for name in absent]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Fetch the interpreters the tests need.")
    parser.add_argument(
        "--retry", action="store_true", help="ask again for what the archive refused today"
    )
    options = parser.parse_args(arguments)
    cache = cache_folder()
    with alone(cache):
        inventory = collect(RECIPES, cache, Archive(cache / "apt"), retry=options.retry)
        print(report(installed(cache), inventory))
    return 0


if __name__ == "__main__":
    sys.exit(main())

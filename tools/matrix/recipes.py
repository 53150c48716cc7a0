"""Fetch the interpreters and tools of the test matrix into the cache; nothing is installed.

mmdebstrap unpacks the distribution's packages into folders of the cache, where their programs run
with their own loader and C library. Interpreters that no package has are built from the
distribution's source packages. What cannot be had is named, with the reason, and the rest goes on.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.interpreters import (
    MINORS,
    Interpreter,
    InterpreterError,
    Inventory,
    cache_folder,
    installed,
    probe,
    replace_text,
    save_inventory,
)

STAMP = ".complete"
MULTIARCH = "x86_64-linux-gnu"
KEYRINGS = "/usr/share/keyrings/"
LEFT_OUT = (
    *("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/gdb"),
    *("./usr/lib/debug", "./usr/lib/python3.*/config-*/*.a", "./dev"),
    # Says that pip must not install into the interpreter, which is ours here.
    "./usr/lib/python3.*/EXTERNALLY-MANAGED",
)
OLDER = {
    "python3.13": ("3.13.15", "1e66a7945a48390ee4c2a4268a0e4185884059a13c4aab6d148aa208deea4a76"),
    "python3.14": ("3.14.7", "3b48dac8fb59f62eaa67ac83c1eb12bda1b7a08406dd286e252c11a66be27f81"),
    "python3.15": (
        "3.15.0~rc2",
        "8d93af5eaaaea5adfd41bd786a7ba3f03f2ad1ab57c6a65e0b963deab91d5ad7",
    ),
}
"""Versions and SHA-256 of sources for days when the archive refuses what its lists name."""
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


class UnavailableError(Exception):
    """Something cannot be had, or does not work; the message says what and why."""


class Recipe(Protocol):
    """How one folder of the cache comes to be, and what is in it."""

    @property
    def folder(self) -> str:
        """The folder, relative to the cache."""

    @property
    def provides(self) -> tuple[str, ...]:
        """What is missing without it."""

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
    """gcc told to compile and link against another C library than the machine's."""

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


def collect(recipes: Sequence[Recipe], cache: Path) -> Inventory:
    """Make what the cache lacks, and write the inventory of all that it has then."""
    parts = {recipe.folder: use(recipe, cache) for recipe in recipes}
    for recipe in recipes:
        # Before each, too: others may be testing with what is there.
        save_inventory(sum(filter(None, parts.values()), Inventory()), cache)
        parts[recipe.folder] = parts[recipe.folder] or fetch(recipe, cache)
    inventory = sum(filter(None, parts.values()), Inventory())
    save_inventory(inventory, cache)
    return inventory


def use(recipe: Recipe, cache: Path) -> Inventory | None:
    """Return what the recipe has put into the cache, None when it is not there or does not work."""
    stamp = cache / recipe.folder / STAMP
    if not stamp.is_file() or stamp.read_text() != fingerprint(recipe):
        return None
    try:
        return recipe.publish(cache)
    except UnavailableError as error:
        say(f"{recipe.folder} in the cache is damaged: {error}")
        return None


def fetch(recipe: Recipe, cache: Path) -> Inventory:
    """Carry the recipe out. What is cut short has no stamp, and is made again by the next run."""
    say(f"fetching {', '.join(recipe.provides)}")
    folder = cache / recipe.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        recipe.make(cache)
        found = recipe.publish(cache)
    except UnavailableError as error:
        say(f"{', '.join(recipe.provides)}: {error}")
        return Inventory(missing=dict.fromkeys(recipe.provides, str(error)))
    (folder / STAMP).write_text(fingerprint(recipe))
    return found


def fingerprint(recipe: Recipe) -> str:
    """Return what changes with the recipe, so that what another one made is not taken for its own."""
    return hashlib.sha256(repr(recipe).encode()).hexdigest()


def unpack(suite: str, packages: Sequence[str], folder: Path) -> None:
    """Unpack packages of a suite with their dependencies. Raises UnavailableError."""
    archive, reaching = (folder.with_name(f"{folder.name}.{kind}") for kind in ("tar", "conf"))
    # Proxies, and whether dates are checked, are as for the machine itself.
    lines = output(["apt-config", "dump", "Acquire"]).splitlines(keepends=True)
    replace_text(reaching, "".join(line for line in lines if "IndexTargets" not in line))
    # Lists stay, so that download_source can ask the same archive for sources.
    mmdebstrap = ["mmdebstrap", "--quiet", "--variant=extract", "--skip=cleanup/apt"]
    mmdebstrap += [f"--aptopt={reaching}", f"--include={','.join(packages)}"]
    output([*mmdebstrap, suite, str(archive)])
    tar = ["tar", "--extract", "--no-same-owner", *(f"--exclude={each}" for each in LEFT_OUT)]
    output([*tar, "--file", str(archive), "--directory", str(folder)])
    archive.unlink()


def download_source(cache: Path, package: str, folder: Path) -> Path:
    """Download a source package's upstream archive, verified by apt, into `folder`.

    The lists may name a version that the archive does not give: then it is the one in OLDER.
    """
    root = cache / "roots/unstable"
    sources = root / "etc/apt/sources.list"
    text = re.sub(r"^deb ", "deb-src ", sources.read_text(), flags=re.MULTILINE)
    replace_text(root / "etc/apt/sources.list.d/source.list", text)
    apt = ["-q", "-o", f"Dir={root}", "-o", f"Dir::Etc::trustedparts={KEYRINGS}"]
    output(["apt-get", *apt, "update"])
    try:
        source = ["source", "--download-only", "--tar-only", "--only-source", package]
        output(["apt-get", *apt, *source], folder=folder)
    except UnavailableError:
        if package not in OLDER:
            raise
        version, digest = OLDER[package]
        name = f"{package}_{version}.orig.tar.xz"
        url = f"{text.split()[1].rstrip('/')}/pool/main/p/{package}/{name}"
        helper = ["/usr/lib/apt/apt-helper", "download-file", url, name, f"SHA256:{digest}"]
        output(helper, folder=folder)
    return next(folder.glob(f"{package}_*.orig.tar.?z*"))


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


def keep_links_inside(root: Path) -> None:
    """Have links with an absolute path lead into the root, and not to the machine's files."""
    for link in root.rglob("*"):
        if link.is_symlink() and link.readlink().is_absolute():
            target = os.path.relpath(f"{root}{link.readlink()}", link.parent)
            link.unlink()
            link.symlink_to(target)


def own_libc_command(root: Path, program: str) -> list[str]:
    """Return how to start a program of a root with the root's loader and libraries, and no others.

    In a script, $0 is the path the program was called by: CPython looks there for its virtual
    environment. --argv0 came with glibc 2.33; an older root has no interpreters.
    """
    loader = next(root.glob("**/ld-linux-x86-64.so.2"), root / "ld-linux-x86-64.so.2")
    folders = [str(root / top / "lib" / MULTIARCH) for top in ("usr", ".")]
    command = [str(loader), "--inhibit-cache", "--library-path", ":".join(folders)]
    named = ["--argv0", "$0"] if program.endswith(".elf") else []
    return [*command, *named, str(root / program)]


def relocate_pythons(root: Path) -> None:
    """Point files of Debian's CPythons in a root there, and not to /."""
    for header in root.glob("usr/include/python3.*/pyconfig.h"):
        # Includes the multiarch one, by a path that is right in /usr/include only.
        shutil.copy2(root / "usr/include" / MULTIARCH / header.parent.name / header.name, header)
    for settings in root.glob("usr/lib/python3.*/_sysconfig*"):
        # Say where ensurepip finds pip. Some are links to others.
        text = settings.read_text()
        text = re.sub(r"(?<=['\"])/usr/share/python-wheels/", rf"{root}\g<0>", text)
        settings.write_text(text)


def relocated_specs(specs: str, root: Path) -> str:
    """Return gcc's specs file from the musl package with the root's paths."""
    loader = "/lib/ld-musl-x86_64.so.1"
    specs = re.sub(r"/usr/(lib|include)/x86_64-linux-musl", rf"{root}\g<0>", specs)
    return specs.replace(f" {loader} ", f" {root}/usr{loader} ")


def write_script(path: Path, command: Sequence[str]) -> None:
    """Write a shell script that runs the command with its own arguments; $0 stays a variable."""
    words = ['"$0"' if word == "$0" else shlex.quote(word) for word in command]
    replace_text(path, f'#!/bin/sh\nexec {" ".join(words)} "$@"\n', mode=0o755)


def output(
    command: Sequence[str],
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """Return the standard output of a program that must succeed. Raises UnavailableError."""
    options = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL}
    try:
        run = subprocess.run(command, env=environment, cwd=folder, check=True, **options)  # type: ignore[call-overload]
    except OSError as error:
        raise UnavailableError(f"{command[0]}: {error.strerror}") from error
    except subprocess.CalledProcessError as error:
        raise UnavailableError(f"{command[0]}: {error.stderr.strip()[-500:]}") from error
    return str(run.stdout)


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
    """Return what the tests can use, one thing a line, and what they have to do without."""
    found = [*machine, *inventory.interpreters]
    lines = [
        f"{each.name:<15} {'.'.join(map(str, each.version)):<8} {each.libc:<12} {each.command[0]}"
        for each in found
    ]
    lines += [f"{name:<34} {path}" for name, path in inventory.tools.items()]
    lines += [f"missing: {name}: {reason}" for name, reason in inventory.missing.items()]
    absent = set(MINORS) - {each.version[1] for each in found}
    lines += [f"missing: 3.{minor}: neither installed nor fetched" for minor in sorted(absent)]
    return "\n".join(lines)


if __name__ == "__main__":
    with alone(cache_folder()):
        fetched = collect(RECIPES, cache_folder())
        print(report(installed(cache_folder()), fetched))

"""Which CPython interpreters, assemblers and linkers the tests can use; fetches nothing.

Installed interpreters are discovered; the cached ones were put into the cache folder by
``python -m tools.matrix`` and are read from the inventory it left there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from asmsetup.versions import NEWEST, OLDEST

REPOSITORY = Path(__file__).resolve().parents[2]
INVENTORY = "interpreters.json"
PROBES = "probes.json"
ALL = "ASMSETUP_TEST_ALL" in os.environ
"""Tests leave nothing out, however long that takes."""
MINORS = range(OLDEST[1], NEWEST[1] + 1)
"""The CPython 3.x versions the project supports."""

_EXECUTABLE = re.compile(r"python3\.(\d+)t?d?")

# Runs in the interpreter that is asked about. The file that exports the C API is the libpython this
# process has mapped or, where there is none, the executable; /proc/self/exe would name the loader
# of an interpreter that was started through one.
_PROBE = """
import json, os, subprocess, sys, sysconfig
with open("/proc/self/maps") as maps:
    mapped = {line.split(maxsplit=5)[5].strip() for line in maps if "/" in line}
named = {path: os.path.basename(path) for path in mapped}
exporting = [path for path in named if named[path].startswith("libpython")] or [
    path for path in named if named[path].startswith("python")
]
musl = [path for path in named if named[path].startswith("ld-musl-") or named[path] == "libc.so"]
if musl:
    talk = subprocess.run([musl[0]], stderr=subprocess.PIPE, text=True).stderr
    libc = "musl " + talk.split("Version ")[1].split()[0]
else:
    libc = os.confstr("CS_GNU_LIBC_VERSION")
print(json.dumps({
    "implementation": sys.implementation.name,
    "version": sys.version_info[:3],
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "debug": hasattr(sys, "gettotalrefcount"),
    "libc": libc,
    "include_dir": sysconfig.get_path("include"),
    "ext_suffix": sysconfig.get_config_var("EXT_SUFFIX"),
    "library": exporting[0],
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """One CPython, as it describes itself."""

    name: str
    """The version and what is special: 3.13, 3.14t, 3.14-debug, 3.13-musl, 3.13-glibc2.31."""
    command: tuple[str, ...]
    """The command that starts it; arguments follow."""
    version: tuple[int, int, int]
    free_threaded: bool
    debug: bool
    libc: str
    """The C library in use: `glibc 2.36`, `musl 1.2.5`."""
    include_dir: Path
    """The folder of Python.h; see has_headers."""
    ext_suffix: str
    library: Path
    """The file that exports the C API: libpython, or the executable itself."""

    @property
    def has_headers(self) -> bool:
        return (self.include_dir / "Python.h").is_file()


class InterpreterError(Exception):
    """The command did not start a CPython that can describe itself."""


@dataclass(frozen=True)
class Inventory:
    """The content of the cache folder, as `python -m tools.matrix` last verified it."""

    interpreters: tuple[Interpreter, ...] = ()
    tools: dict[str, Path] = field(default_factory=dict)
    """Assemblers, linkers and compilers by name and version: nasm-2.15.05, ld-2.47, musl-gcc."""
    missing: dict[str, str] = field(default_factory=dict)
    """The names of what could not be fetched, with the reason."""

    def __add__(self, other: Inventory) -> Inventory:
        return Inventory(
            self.interpreters + other.interpreters,
            self.tools | other.tools,
            self.missing | other.missing,
        )


def cache_folder() -> Path:
    """The folder for things fetched for tests: $ASMSETUP_TEST_CACHE, or .cache in the repository."""
    return Path(os.environ.get("ASMSETUP_TEST_CACHE") or REPOSITORY / ".cache").absolute()


def installed(cache: Path | None = None) -> list[Interpreter]:
    """The CPythons of the machine, one of each name: the running one, pyenv's, those on PATH."""
    running = str(Path(_base_executable()).resolve())
    best: dict[str, Interpreter] = {}
    for interpreter in _probe_all(candidates(), cache or cache_folder()):
        known = best.get(interpreter.name)
        if known is None or _preference(interpreter, running) > _preference(known, running):
            best[interpreter.name] = interpreter
    return sorted(best.values(), key=_order)


def cached(cache: Path | None = None) -> list[Interpreter]:
    """The interpreters that `python -m tools.matrix` put into the cache; none before its first run."""
    return sorted(load_inventory(cache or cache_folder()).interpreters, key=_order)


def all_interpreters(cache: Path | None = None) -> list[Interpreter]:
    """Installed and cached; where both have one of a name, the installed one."""
    by_name = {each.name: each for each in [*cached(cache), *installed(cache)]}
    return sorted(by_name.values(), key=_order)


def for_tests(known: Sequence[Interpreter]) -> list[Interpreter]:
    """Return those of the interpreters that tests run on.

    All of them where ASMSETUP_TEST_ALL is set (make test-matrix); else the plain versions between
    the oldest and the newest are left out, but for the running one.
    """
    plain = [each for each in known if re.fullmatch(r"3\.\d+", each.name)]
    running = "{}.{}".format(*sys.version_info[:2])
    left_out = [each for each in plain[1:-1] if each.name != running]
    return [each for each in known if ALL or each not in left_out]


def tools(prefix: str = "", cache: Path | None = None) -> dict[str, Path]:
    """The cached tools by name; `nasm-` and `ld-` select the assemblers and the linkers."""
    inventory = load_inventory(cache or cache_folder())
    return {name: path for name, path in inventory.tools.items() if name.startswith(prefix)}


def pytest_path(cache: Path | None = None) -> Path:
    """For PYTHONPATH: pytest and pip in pure Python, for every interpreter of the matrix."""
    return (cache or cache_folder()) / "site"


def candidates() -> Iterator[Path]:
    """Files that may be CPythons of the supported versions, symbolic links resolved, each once.

    pyenv's shims are left out: they start whatever `pyenv global` names, or nothing. The versions
    folder has the interpreters themselves.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = sorted(pyenv.glob("versions/*/bin"))
    folders += [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    folders += [Path("/usr/local/bin"), Path("/usr/bin")]
    seen = {Path(_base_executable()).resolve()}
    yield from seen
    for folder in folders:
        if folder.resolve() == (pyenv / "shims").resolve() or not folder.is_dir():
            continue
        for path in sorted(folder.glob("python3.*")):
            match = _EXECUTABLE.fullmatch(path.name)
            if match is None or int(match[1]) not in MINORS or path.resolve() in seen:
                continue
            seen.add(path.resolve())
            yield path.resolve()


def probe(command: tuple[str, ...]) -> Interpreter:
    """Start the interpreter and have it describe itself.

    Raises InterpreterError when it does not start, or is not CPython.
    """
    try:
        run = subprocess.run(
            [*command, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=120
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InterpreterError(f"{command[0]}: {error}") from error
    if run.returncode:
        raise InterpreterError(f"{command[0]}: exit status {run.returncode}: {run.stderr.strip()}")
    try:
        facts = json.loads(run.stdout)
    except json.JSONDecodeError as error:
        raise InterpreterError(f"{command[0]}: not Python: it prints {run.stdout!r}") from error
    if facts.pop("implementation") != "cpython":
        raise InterpreterError(f"{command[0]}: not CPython")
    return _interpreter({"name": _name(facts), "command": command, **facts})


def load_inventory(cache: Path) -> Inventory:
    """Read what `python -m tools.matrix` wrote; an empty inventory when it has not run."""
    path = cache / INVENTORY
    if not path.exists():
        return Inventory()
    stored = json.loads(path.read_text())
    return Inventory(
        interpreters=tuple(_interpreter(each) for each in stored["interpreters"]),
        tools={name: Path(tool) for name, tool in stored["tools"].items()},
        missing=stored["missing"],
    )


def save_inventory(inventory: Inventory, cache: Path) -> None:
    """Write the inventory in one step: a reader sees the old one or the new one."""
    replace_text(cache / INVENTORY, _json(asdict(inventory)))


def replace_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Put a text file in place in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.partial")
    temporary.write_text(text)
    temporary.chmod(mode)
    temporary.replace(path)


def _base_executable() -> str:
    # In a virtual environment sys.executable is the environment's, without headers.
    executable: str = getattr(sys, "_base_executable", sys.executable)
    return executable


def _probe_all(paths: Iterable[Path], cache: Path) -> list[Interpreter]:
    """Probe each file, or recall what it said when it had the same size and time."""
    store = cache / PROBES
    recalled: dict[str, Any] = json.loads(store.read_text()) if store.exists() else {}
    current: dict[str, Any] = {}
    for path in paths:
        status = path.stat()
        key = f"{path} {status.st_size} {status.st_mtime_ns}"
        if key in recalled:
            current[key] = recalled[key]
            continue
        try:
            current[key] = asdict(probe((str(path),)))
        except InterpreterError as error:
            current[key] = {"refused": str(error)}
    if current != recalled:
        replace_text(store, _json(current))
    return [_interpreter(facts) for facts in current.values() if "refused" not in facts]


def _interpreter(facts: dict[str, Any]) -> Interpreter:
    """From JSON, which knows neither tuples nor paths."""
    major, minor, micro = facts["version"]
    return Interpreter(
        name=facts["name"],
        command=tuple(facts["command"]),
        version=(major, minor, micro),
        free_threaded=facts["free_threaded"],
        debug=facts["debug"],
        libc=facts["libc"],
        include_dir=Path(facts["include_dir"]),
        ext_suffix=facts["ext_suffix"],
        library=Path(facts["library"]),
    )


def _name(facts: dict[str, Any]) -> str:
    major, minor, _ = facts["version"]
    name = f"{major}.{minor}"
    if facts["free_threaded"]:
        name += "t"
    if facts["debug"]:
        name += "-debug"
    kind, _, libc_version = facts["libc"].partition(" ")
    if kind == "musl":
        name += "-musl"
    elif _numbers(libc_version) < _numbers(_own_glibc()):
        name += f"-glibc{libc_version}"
    return name


def _own_glibc() -> str:
    """The version of the glibc that runs the tests; empty on musl."""
    try:
        said = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return ""
    return said.partition(" ")[2]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def _preference(interpreter: Interpreter, running: str) -> tuple[bool, bool, tuple[int, int, int]]:
    return (
        interpreter.command == (running,),
        interpreter.has_headers,
        interpreter.version,
    )


def _order(interpreter: Interpreter) -> tuple[int, str]:
    return (interpreter.version[1], interpreter.name)


def _json(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True, default=str) + "\n"

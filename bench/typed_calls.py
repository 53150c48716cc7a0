"""Measures a call of a typed function against the same in C, ctypes and cffi.

    python -m bench.typed_calls [interpreter name ...]

For every interpreter with headers, or those named, builds the functions of bench/typed_calls/ as
typed functions for that version and for every version, in C parsed as Argument Clinic does, and
for ctypes and cffi's API mode. The ways take turns in one process, so that what else the machine
does hits all alike.

Where the code lies changes the time of a call by up to a third, C's as well as ours. So all is
built at several places, which moves the code of each way through its page. What is printed is the
mean of a call's best rounds at the places, the least and the most of them, and the ratio of the
mean to C's.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from asmsetup.bind import bindings_for
from tools.matrix.interpreters import Interpreter, all_interpreters, cache_folder, pytest_path

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCES = REPOSITORY / "bench" / "typed_calls"
INCLUDE = REPOSITORY / "asmsetup" / "include"
PLACES = range(16, 1024, 128)
"""By how many bytes the code is moved."""

CFFI_SOURCE = """
from cffi import FFI
ffi = FFI()
ffi.cdef('''
    int64_t add(int64_t a, int64_t b);
    double mean(double a, double b);
    uint64_t first(const unsigned char *data, size_t length);
''')
with open("kernels.c") as kernels:
    ffi.set_source("through_cffi", kernels.read())
ffi.emit_c_code("through_cffi.c")
"""


def run(*command: str | Path, folder: Path, **environment: str) -> str:
    """Standard output of a command that must succeed."""
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def build_typed(name: str, folder: Path, *defines: str) -> None:
    output, bindings = folder / f"{name}.o", folder / f"{name}.bindings.inc"
    bindings.write_text(bindings_for([str(SOURCES / "typed.asm")], str(INCLUDE)))
    nasm = ["nasm", "-f", "elf64", f"-I{INCLUDE}/", "-P", str(bindings), f"-DNAME={name}", *defines]
    run(*nasm, "-o", output, SOURCES / "typed.asm", folder=folder)
    link = ["ld", "-shared", "-z", "noexecstack", "-z", "now", "-z", "relro", "-z", "text"]
    run(*link, "-o", folder / f"{name}.so", output, folder=folder)


def compile_c(source: str, folder: Path, interpreter: Interpreter, *options: str) -> None:
    """Compiles as setuptools does: without the assertions of CPython's headers."""
    output = Path(source).with_suffix(".so")
    include = f"-I{interpreter.include_dir}"
    gcc = ["gcc", "-O2", "-DNDEBUG", "-shared", "-fPIC"]
    run(*gcc, *options, include, source, "-o", output, folder=folder)


def cffi_path(interpreter: Interpreter) -> str:
    """PYTHONPATH with cffi for the interpreter, which pip puts into the cache."""
    target = cache_folder() / "cffi" / interpreter.name
    site = str(pytest_path())
    if not target.is_dir():
        pip = [*interpreter.command, "-m", "pip", "install", "--quiet", "--target", str(target)]
        run(*pip, "cffi", folder=cache_folder(), PYTHONPATH=site)
    return os.pathsep.join((str(target), site))


def build(interpreter: Interpreter, folder: Path, place: int) -> None:
    """Builds what is compared with C, and C, into the folder."""
    for name in ("clinic.c", "kernels.c", "measure.py"):
        shutil.copy(SOURCES / name, folder)
    major, minor, _ = interpreter.version
    defines = [f"-DPY_VERSION_HEX=0x{major:02x}{minor:02x}0000", f"-DPLACE={place}"]
    if interpreter.free_threaded:
        defines.append("-DPy_GIL_DISABLED")
    build_typed("typed", folder, *defines)
    build_typed("universal", folder, f"-DPLACE={place}")
    compile_c("clinic.c", folder, interpreter, f"-DPLACE={place}")
    compile_c("kernels.c", folder, interpreter)


def build_cffi(interpreter: Interpreter, folder: Path) -> str:
    """Builds the way of cffi, where it can be had, and returns the PYTHONPATH to measure with."""
    try:
        path = cffi_path(interpreter)
        run(*interpreter.command, "-c", CFFI_SOURCE, folder=folder, PYTHONPATH=path)
        compile_c("through_cffi.c", folder, interpreter)
    except subprocess.CalledProcessError as error:
        print(f"{interpreter.name}: no cffi: {error}", file=sys.stderr)
        return ""
    return path


def measure(interpreter: Interpreter) -> None:
    best: dict[str, dict[str, list[float]]] = {}
    for place in PLACES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            build(interpreter, folder, place)
            path = build_cffi(interpreter, folder) if place == PLACES[0] else ""
            output = run(*interpreter.command, "measure.py", folder=folder, PYTHONPATH=path)
        times: dict[str, dict[str, list[float]]] = json.loads(output)
        for call, by_way in times.items():
            for way, rounds in by_way.items():
                best.setdefault(call, {}).setdefault(way, []).append(min(rounds))
    print(f"{interpreter.name}: nanoseconds per call, and the ratio to C")
    for call, at_places in best.items():
        of_c = statistics.mean(at_places["clinic"])
        cells = [
            f"{way} {statistics.mean(each):6.1f} ({min(each):.0f}-{max(each):.0f}) "
            f"{statistics.mean(each) / of_c:5.2f}"
            for way, each in at_places.items()
        ]
        print(f"  {call:16} {'   '.join(cells)}")


def main() -> None:
    wanted = sys.argv[1:]
    for interpreter in all_interpreters():
        if interpreter.has_headers and (not wanted or interpreter.name in wanted):
            measure(interpreter)


if __name__ == "__main__":
    main()

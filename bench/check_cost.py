"""Measure the cost of the checks: on sayit, and on 10,000 lines of assembly beside nasm's own time.

    python -m bench.check_cost [--runs N] [--instructions]

The checks of one module are timed in this process, as a build runs them: reading the objects,
judging them, reading the module and judging it. Processor time, runs of nasm and of the checks
alternating; the medians are printed. With ``--instructions`` they are counted below valgrind
instead, which a busy machine does not change.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from asmsetup.check import CheckedObject, ModuleContext, check_module, check_objects, report
from asmsetup.facts import cpython_abi, elf
from asmsetup.link import libraries, linker
from asmsetup.link.linker import entry_points

from .measure import instructions

ROOT = Path(__file__).parent.parent
TARGET = "-DPY_VERSION_HEX=0x030B07F0"

HEAD = """\
default rel
extern PyLong_FromLong, PyErr_Occurred, _Py_NoneStruct, PyExc_ValueError, memcpy
global PyInit_large:function
section .rodata
text: db "large", 0
section .data
table: dq text, PyInit_large
section .text
"""
# As C compilers write it: one line in five refers to a name.
ORDINARY = """\
function_{n}:
    push rbx
    sub rsp, 16
    mov rbx, rdi
    lea rsi, [rel text]
    call PyLong_FromLong wrt ..plt
    test rax, rax
    jz .error
    mov rcx, [rel table + 8]
    vpaddd ymm0, ymm1, [rel text]
    add rax, rcx
    cmp rax, 1000
    jne .done
    mov rax, [rel _Py_NoneStruct wrt ..got]
.done:
    add rsp, 16
    pop rbx
    ret
.error:
    call PyErr_Occurred wrt ..plt
    jmp .done
"""
# As kernels are written: registers and local jumps.
KERNEL = """\
kernel_{n}:
    vmovdqu ymm0, [rdi]
    vmovdqu ymm1, [rdi + 32]
    vpaddd ymm0, ymm0, [rsi]
    vpmulld ymm1, ymm1, [rsi + 32]
    vpshufb ymm2, ymm0, ymm7
    vpxor ymm3, ymm2, ymm1
    vmovdqu [rdx], ymm3
    add rdi, 64
    add rsi, 64
    add rdx, 32
    sub rcx, 16
    ja kernel_{n}
    vpbroadcastd ymm7, [rel text]
    vzeroupper
    ret
"""
# The worst there is: each line refers to a name.
REFERENCES = "    call memcpy wrt ..plt\n    mov rax, [rel PyExc_ValueError wrt ..got]\n"
TAIL = "PyInit_large:\n    xor eax, eax\n    ret\n"


def source(block: str, lines: int = 10_000) -> str:
    count = lines // block.count("\n")
    return HEAD + "".join(block.replace("{n}", str(n)) for n in range(count)) + TAIL


def own_time(action: Callable[[], object]) -> float:
    """Milliseconds of this process."""
    gc.collect()
    started = time.process_time()
    action()
    return 1000 * (time.process_time() - started)


def child_time(command: list[str]) -> float:
    """Milliseconds of the command, the system's share included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def build(folder: Path, name: str, path: Path) -> tuple[list[str], Path, Path]:
    """The nasm command for a source, its object and its module."""
    object_, module, script = folder / f"{name}.o", folder / f"{name}.so", folder / f"{name}.map"
    nasm = ["nasm", "-f", "elf64", TARGET, f"-I{path.parent}/", str(path), "-o", str(object_)]
    nasm.insert(3, f"-I{ROOT}/asmsetup/include/")
    subprocess.run(nasm, check=True)
    script.write_text(linker.version_script(entry_points(name)))
    files = libraries.c_library_files()
    options = linker.LinkerOptions()
    command = linker.command("ld", [str(object_)], str(module), str(script), options, files)
    subprocess.run(command, check=True)
    return nasm, object_, module


def check(name: str, path: Path, object_: Path, module: Path) -> None:
    context = ModuleContext(
        name, entry_points(name), (3, 11), c_library=libraries.c_library_files()
    )
    objects = [CheckedObject(str(object_), elf.read(object_), str(path))]
    findings = check_objects(objects, context, cpython_abi)
    findings += check_module(str(module), elf.read(module), context, findings)
    if findings:
        raise SystemExit(f"{name} should be clean:\n{report(findings)}")


def measure(folder: Path, name: str, path: Path, runs: int) -> None:
    label, name = name, "sayit" if name == "sayit" else "large"
    nasm, object_, module = build(folder, name, path)
    assembling, checking = [], []
    for _ in range(runs):
        assembling.append(child_time(nasm))
        checking.append(own_time(lambda: check(name, path, object_, module)))
    lines = path.read_text().count("\n")
    relocations = sum(map(len, elf.read(object_).relocation_tables))
    took, beside = statistics.median(checking), statistics.median(assembling)
    share = f"{100 * took / beside:6.1f} %"
    print(f"{label:12} {lines:7} {relocations:12} {beside:9.2f} {took:9.2f} {share:>9}")


_CHECKS = """
from pathlib import Path
from bench.check_cost import check
for _ in range({times}):
    check("large", *map(Path, {files!r}))
"""


def count(folder: Path, label: str, path: Path) -> None:
    """Print the million instructions of nasm and of one run of the checks."""
    nasm, object_, module = build(folder, "large", path)
    files = [str(path), str(object_), str(module)]
    once, thrice = (
        instructions([sys.executable, "-c", _CHECKS.format(times=times, files=files)])
        for times in (1, 3)
    )
    took, beside = (thrice - once) / 2e6, instructions(nasm) / 1e6
    print(f"{label:12} {beside:9.1f} {took:9.2f} {100 * took / beside:7.2f} %")


def import_time() -> float:
    code = (
        "import time, setuptools; start = time.process_time();"
        " import asmsetup.check, asmsetup.facts.cpython_abi; print(time.process_time() - start)"
    )
    # With its bytecode beside it, as pip installs it.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-c", code]
    done = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        for _ in range(9)
    ]
    return 1000 * statistics.median(float(each.stdout) for each in done)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--instructions", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        (count_all if options.instructions else measure_all)(Path(temporary), options.runs)


def large_sources(folder: Path) -> Iterator[tuple[str, Path]]:
    """Write the sources of 10,000 lines; yield the name and the path of each."""
    for name, block in (("kernel", KERNEL), ("ordinary", ORDINARY), ("references", REFERENCES)):
        path = folder / f"{name}.asm"
        path.write_text(source(block))
        yield name, path


def count_all(folder: Path, _: int) -> None:
    """Print the instructions of the checks beside nasm's, a line a kind of source."""
    print(f"{'':12} {'nasm':>9} {'checks':>9} {'share':>9}   (million instructions)")
    for name, path in large_sources(folder):
        count(folder, name, path)


def measure_all(folder: Path, runs: int) -> None:
    """Print the time of the checks beside nasm's, a line a kind of source."""
    print(f"Python {sys.version.split()[0]}, {runs} runs, load {os.getloadavg()[0]:.1f}, ms")
    print(f"{'':12} {'lines':>7} {'relocations':>12} {'nasm':>9} {'checks':>9} {'share':>9}")
    measure(folder, "sayit", ROOT / "examples" / "sayit" / "sayit.asm", runs)
    for name, path in large_sources(folder):
        measure(folder, name, path, runs)
    print(f"importing the checks, once a build: {import_time():.1f} ms")


if __name__ == "__main__":
    main()

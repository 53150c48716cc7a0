"""Feeds damaged objects and modules to the reader, the checks and the library look-up.

    python -m tests.fuzz_elf --seconds 600 --seed 1

Another exception than ObjectError, more than a second, or 64 MB of memory beyond the file's size is a
bug: the input is saved under the folder given by --keep, and its path printed. Exits 1 when
there was one. Not collected by pytest; tests/check/test_damaged.py makes a short run, and
tests/unit/test_elf_damaged.py holds what was found.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import time
import traceback
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

from asmsetup.check import CheckedObject, ModuleContext, check_module, check_objects
from asmsetup.check.code.analysis import analyse
from asmsetup.check.code.image import Image
from asmsetup.check.code.levels import faults_of, needs_of
from asmsetup.check.code.load import load_module, load_objects
from asmsetup.check.code.verdicts import entries_of, findings_of
from asmsetup.errors import ObjectError
from asmsetup.facts import cpython_abi, elf
from asmsetup.unwind import add_tables

SECONDS_ALLOWED = 1.0
BYTES_ALLOWED = 64 * 1024 * 1024

SOURCE = """\
default rel
extern PyModule_Create2, _Py_NoneStruct, write, gone:weak
global PyInit_sample:function, table:data hidden (table.end - table)
section .rodata
text: db "sample", 0
list: dq text, function, PyInit_sample
section .data
table: dq 1, 0, 0, 0, 0, text, 0, -1, list, 0, 0, 0, 0
.end:
slots: dq 66, function, 72, members, 73, attributes, 71, function, 0, 0
members: dq text, 19, 16, 0, 0, 0, 0, 0, 0, 0
attributes: dq text, function, function, 0, 0, 0, 0, 0, 0, 0
spec: dq text
    dd 24, 0, 1 << 14, 0
    dq slots
section .txt
odd: call write wrt ..plt
section .text
function:
    mov rax, [rel _Py_NoneStruct wrt ..got]
    mov rcx, [rel gone wrt ..got]
    mov rdx, text
    mov edi, text
    call write
    lea rsi, [rel text]
    test spl, 15
    jz .over
    stmxcsr [rsp - 4]
    movaps xmm0, [rel list]
    ldmxcsr [rsp - 4]
.over:
    ret
PyInit_sample:
    lea rdi, [rel table]
    jmp PyModule_Create2 wrt ..plt
"""

# Compilers make tables of distances of it, and of addresses where the code is not to be moved.
SWITCH = """\
extern long PyLong_AsLong(void *);
extern int puts(const char *);
int choose(void *number) {
    switch (PyLong_AsLong(number)) {
    case 0: return puts("a");
    case 1: return puts("b") + 3;
    case 2: return 7;
    case 3: return puts("c") * 5;
    case 4: return puts("d");
    case 5: return puts("e") - 9;
    case 6: __builtin_trap();
    }
    return -1;
}
"""

CONTEXT = ModuleContext("sample", ("PyInit_sample", "PyModExport_sample"), (3, 11))

# Numbers that upset sizes, offsets, counts and indexes.
INTERESTING = (
    *(0, 1, 2, 3, 7, 8, 23, 24, 25, 63, 64, 0x7F, 0xFF, 0x100, 0xFFF1, 0xFFFE, 0xFFFF, 0x10000),
    *(2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1),
)


def seeds(folder: Path) -> list[bytes]:
    """Small real files: objects of nasm's, with and without DWARF, and of gcc's, and modules."""
    (folder / "seed.asm").write_text(SOURCE)
    (folder / "seed.c").write_text(
        "int puts(const char *); int main(void) { return puts(__func__); }"
    )
    (folder / "switch.c").write_text(SWITCH)
    libc = "/lib/x86_64-linux-gnu/libc.so.6"
    commands = [
        ["nasm", "-f", "elf64", "seed.asm", "-o", "seed.o"],
        ["nasm", "-f", "elf64", "-g", "-F", "dwarf", "seed.asm", "-o", "debug.o"],
        ["gcc", "-c", "-fPIC", "-g", "seed.c", "-o", "c.o"],
        ["ld", "-shared", "c.o", "-o", "seed.so", "-soname", "seed", "-rpath", "/x", libc],
        ["gcc", "-c", "-fPIC", "-O2", "switch.c", "-o", "pic.o"],
        ["gcc", "-c", "-fno-pic", "-O0", "switch.c", "-o", "static.o"],
        ["ld", "-shared", "pic.o", "-o", "switch.so"],
    ]
    for command in commands:
        subprocess.run(command, cwd=folder, check=True)
    assembled, compiled = ("seed.o", "debug.o"), ("c.o", "pic.o", "static.o")
    names = *assembled, *compiled, "seed.so", "switch.so"
    return [(folder / name).read_bytes() for name in names]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """``data`` with a few fields, bits or stretches changed; now and then cut off or doubled."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        kind = chance.randrange(8)
        if kind < 3:
            _put_number(changed, _place_in_a_header(changed, chance), chance)
        elif kind == 3:
            _put_number(changed, chance.randrange(len(changed)), chance)
        elif kind == 4:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        elif kind == 5:
            start, source = chance.randrange(len(changed)), chance.randrange(len(changed))
            length = chance.choice((1, 4, 8, 24, 64, 200))
            changed[start : start + length] = changed[source : source + length]
        elif kind == 6:
            del changed[chance.randrange(len(changed)) :]
        else:
            changed += changed[: 4096 * chance.randrange(8)]
        if not changed:
            break
    return bytes(changed)


def _place_in_a_header(data: bytearray, chance: random.Random) -> int:
    """Somewhere in the ELF header, a section header, or a table that one points at."""
    table = int.from_bytes(data[40:48], "little")
    count = int.from_bytes(data[60:62], "little") or 1
    if chance.random() < 0.2 or table + 64 * count > len(data):
        return chance.randrange(64)
    header = table + 64 * chance.randrange(count)
    if chance.random() < 0.6:
        return header + 4 * chance.randrange(16)
    offset = int.from_bytes(data[header + 24 : header + 32], "little")
    size = int.from_bytes(data[header + 32 : header + 40], "little")
    return min(offset + chance.randrange(min(size, 4096) + 1), max(len(data) - 1, 0))


def _put_number(data: bytearray, at: int, chance: random.Random) -> None:
    width = chance.choice((1, 2, 4, 8))
    number = chance.choice((*INTERESTING, len(data), len(data) - 64, chance.getrandbits(64)))
    data[at : at + width] = (number % 2 ** (8 * width)).to_bytes(width, "little")


def exercise(data: bytes) -> None:
    """Do everything that a build does with a file, and read every lazy part of the facts."""
    facts = elf.parse(data)
    for symbol in facts.symbols:
        facts.defined(symbol.name)
    for relocation in facts.relocations:
        assert relocation.type_name
    for section in facts.sections:
        facts.content(section)
    if facts.kind == "module":
        check_module("sample.so", facts, CONTEXT)
        exports = elf.Exports(data)
        for name in ("PyInit_sample", "main", "nowhere"):
            assert (name in exports) in (True, False)
        assert len(exports.names) <= len(data)
        judge(load_module("sample.so", facts))
    else:
        judge(load_objects([("sample.o", facts)]))
        check_objects([CheckedObject("sample.o", facts, "sample.asm")], CONTEXT, cpython_abi)
        add_tables("sample.asm", data)


def judge(image: Image) -> None:
    """Everything that `asmsetup check` does with code."""
    verdict = analyse(image)
    needs = needs_of(verdict.engine, verdict.roots)
    verdict.faults += faults_of(verdict, needs, "x86-64")
    assert len(findings_of(verdict, "sample", lambda path: ())) < 10_000
    assert len(entries_of(verdict)) < 10_000


def complaint(data: bytes, measure_memory: bool) -> str | None:
    """Return the bug that ``data`` has shown, or None."""
    if measure_memory:
        tracemalloc.start()
    started = time.process_time()
    try:
        exercise(data)
    except ObjectError as error:
        if "\n" in str(error) or not str(error):
            return f"an error without a plain sentence: {error!r}"
    except Exception:
        return traceback.format_exc()
    finally:
        peak = tracemalloc.get_traced_memory()[1] if measure_memory else 0
        tracemalloc.stop()
    if peak > BYTES_ALLOWED + len(data):
        return f"{peak} bytes of memory"
    took = time.process_time() - started
    return f"{took:.1f} seconds" if took > SECONDS_ALLOWED else None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    options = parser.parse_args(arguments)
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        corpus = seeds(Path(folder))
    end = time.monotonic() + options.seconds
    runs, refused, found = 0, 0, 0
    while time.monotonic() < end:
        data = mutated(chance.choice(corpus), chance)
        runs += 1
        # Tracing memory costs a factor of ten, so only some runs are traced.
        if (wrong := complaint(data, measure_memory=runs % 16 == 0)) is None:
            refused += _is_refused(data)
            continue
        found += 1
        options.keep.mkdir(parents=True, exist_ok=True)
        path = options.keep / f"{hashlib.sha256(data).hexdigest()[:16]}.elf"
        path.write_bytes(data)
        print(f"{path}: {wrong}", file=sys.stderr)
    print(f"seed {options.seed}: {runs} files, {refused} refused, {found} bugs")
    return 1 if found else 0


def _is_refused(data: bytes) -> bool:
    try:
        elf.parse(data)
    except ObjectError:
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())

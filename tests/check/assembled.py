"""Assembles a few lines and has the machine code judged."""

from __future__ import annotations

import subprocess
from pathlib import Path

from asmsetup.assemble.includes import INCLUDE_DIR
from asmsetup.check.code.analysis import Verdict, analyse
from asmsetup.check.code.load import load_objects
from asmsetup.check.code.verdicts import CodeFinding, findings_of
from asmsetup.facts import elf
from tests.checking import NASM

HEAD = "default rel\nsection .text\n"


def verdict_of(folder: Path, *texts: str, universal: bool = True) -> Verdict:
    """Return the verdict of sources, taken together as one module."""
    objects = []
    for number, text in enumerate(texts):
        source = folder / f"source{number}.asm"
        source.write_text(text)
        command = [NASM, "-f", "elf64", "-g", "-F", "dwarf", "-I", f"{INCLUDE_DIR}/"]
        if universal:
            command.append("-DPY_UNIVERSAL=1")
        subprocess.run([*command, source.name, "-o", f"{number}.o"], cwd=folder, check=True)
        objects.append((source.name, elf.read(folder / f"{number}.o")))
    return analyse(load_objects(objects))


def findings(folder: Path, *texts: str) -> list[CodeFinding]:
    """Return what is found in sources."""
    return findings_of(verdict_of(folder, *texts), "test.o", lambda path: ())


def rules(folder: Path, *texts: str) -> set[str]:
    """Return the rules that sources break."""
    return {found.rule for found in findings(folder, *texts)}


def function(body: str, extern: str = "") -> str:
    """Return a source of one exported function with this body."""
    lines = "\n".join(f"    {line.strip()}" for line in body.strip().split("/"))
    lines = lines.replace("    .", ".")
    names = f"extern {extern}\n" if extern else ""
    return f"{HEAD}{names}global f:function\nf:\n{lines}\n"


def method(flags: str, body: str, arguments: str = "") -> str:
    """Return a source of a module with one method."""
    lines = "\n".join(f"    {line.strip()}" for line in body.strip().split("/"))
    lines = lines.replace("    .", ".")
    names = f", {arguments}" if arguments else ""
    return (
        f'%include "python.inc"\nPyModule sample\nPyFunction f, {flags}{names}\n{lines}\n'
        "PyEndFunction\nPyEndModule\n"
    )

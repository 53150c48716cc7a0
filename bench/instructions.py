"""Counts instructions: what is small takes as many on a busy machine as on an idle one.

    python -m bench.instructions

`pip wheel` of sayit runs below valgrind with all that it starts, in assembly and in C.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools.matrix.interpreters import cache_folder

from . import projects, tools
from .measure import measure
from .projects import Project
from .tools import Tool

_PARTS = {
    "the process that makes the metadata": r"\bprepare_metadata_for_build_wheel\b",
    "the process that makes the wheel": r"\bbuild_wheel\b",
    "pip itself": r"-m pip\b",
    "NASM, or the compiler with its assembler": r"^\S*/(nasm|cc|[\w-]*gcc[\w-]*|cc1|[\w-]*as)$",
    "the linker": r"^\S*/(collect2|[\w-]*ld(\.bfd)?)$",
}
"""The processes of a build by their command lines; the first that is found there counts."""
ALL = "all"


def counted(work: Path, tool: Tool, project: Project) -> dict[str, float]:
    """Return how many million instructions each part of a build takes, and all together."""
    folder = Path(tempfile.mkdtemp(dir=work))
    project.write(folder / "tree", tool.name)
    environment = tools.environment(tool, folder / "cache")
    environment["PYTHONHASHSEED"] = "0"
    valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--trace-children=yes"]
    files = [f"--log-file={folder}/log.%p", f"--cachegrind-out-file={folder}/out.%p"]
    # Once before: what Python compiles it compiles once.
    for command in (tool.build(folder / "first"), [*valgrind, *files, *tool.build(folder / "w")]):
        shutil.rmtree(folder / "tree" / "build", ignore_errors=True)
        shutil.rmtree(folder / "cache", ignore_errors=True)
        measure(command, folder / "tree", environment, folder / "output")
    found = dict.fromkeys((*_PARTS, ALL), 0.0)
    for command_line, millions in _processes(folder):
        found[ALL] += millions
        part = part_of(command_line)
        if part is not None:
            found[part] += millions
    return found


def part_of(command_line: str) -> str | None:
    """Return the part of a build that a process is; None for another one."""
    program = command_line.split(" ")[0]
    for part, is_it in _PARTS.items():
        if re.search(is_it, program if is_it.startswith("^") else command_line):
            return part
    return None


def _processes(folder: Path) -> Iterator[tuple[str, float]]:
    """Yield the command line of each process below valgrind, and its million instructions."""
    for log in folder.glob("log.*"):
        text = log.read_text(errors="replace")
        command = re.search(r"Command: (.*)", text)
        count = re.search(r"I +refs: +([\d,]+)", text)
        if command and count:
            yield command[1], int(count[1].replace(",", "")) / 1e6


def measured(work: Path, assembly: Tool, c: Tool) -> dict[str, dict[str, float]]:
    """Return the counts of sayit in assembly and in C; nothing where there is no valgrind."""
    if shutil.which("valgrind") is None:
        return {}
    return {
        "assembly, asmsetup": counted(work, assembly, projects.sayit()),
        "C, setuptools": counted(work, c, projects.sayit_in_c()),
    }


def main() -> None:
    """Count, and print a line a part."""
    store = cache_folder() / "bench"
    store.mkdir(parents=True, exist_ok=True)
    pair = [tools.tool(name, store) for name in ("asmsetup", "setuptools")]
    with tempfile.TemporaryDirectory(prefix="asmsetup-bench-") as name:
        os.environ["TMPDIR"] = name
        found = measured(Path(name), *pair)
    for part in (*_PARTS, ALL):
        print(f"{part:44}" + "".join(f"{each[part]:10,.0f}" for each in found.values()))


if __name__ == "__main__":
    main()

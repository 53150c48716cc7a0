"""Measures how soon NASM has its first source, counted from where setuptools begins build_ext.

    python -m bench.first_nasm [--runs N]

Printed are the medians and the quartiles, in milliseconds, of wall clock and of the processor
time of Python's own process; what NASM takes to show its version is in the first one alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path
from statistics import quantiles

from tools.matrix.interpreters import cache_folder

from . import projects, tools
from .projects import Project
from .tools import Tool

_BUILD = """
import os, sys, time
from setuptools import Distribution

class Timed(Distribution):
    def run_command(self, command):
        if command == "build_ext":
            clocks.extend((time.perf_counter(), time.process_time()))
        super().run_command(command)

def start(program, arguments, *rest, **options):
    if "-v" not in arguments:
        wall, own = time.perf_counter() - clocks[0], time.process_time() - clocks[1]
        os.write(output, f"{wall} {own}\\n".encode())
        os._exit(0)
    return spawn(program, arguments, *rest, **options)

clocks, spawn, os.posix_spawnp = [], os.posix_spawnp, start
output = int(sys.argv[1])
sys.argv = ["setup.py", "-q", "build_ext"]
text = open("setup.py").read().replace("setup(", "setup(distclass=Timed, ", 1)
exec(compile(text, "setup.py", "exec"))
"""


def milliseconds(tool: Tool, folder: Path) -> tuple[float, float]:
    """Return the wall clock and the processor time until the first source of a project is assembled."""
    reading, writing = os.pipe()
    command = [str(tool.python), "-c", _BUILD, str(writing)]
    environment = tools.environment(tool, folder / "cache")
    subprocess.run(command, cwd=folder, env=environment, check=True, pass_fds=[writing])
    os.close(writing)
    with open(reading, encoding="ascii") as file:
        wall, own = file.readline().split()  # another thread may have started one, too
    return 1000 * float(wall), 1000 * float(own)


def _report(name: str, measured: list[float]) -> None:
    low, middle, high = quantiles(measured, n=4)
    print(f"{name:40}{middle:7.1f} ({low:.1f} to {high:.1f})")


def _measured(tool: Tool, project: Project, work: Path, runs: int) -> None:
    folder = work / project.name
    project.write(folder, tool.name)
    # The first run compiles, and reads from the disk.
    each = [milliseconds(tool, folder) for _ in range(runs + 1)][1:]
    for what, values in zip(("wall clock", "processor time"), zip(*each, strict=True), strict=True):
        _report(f"{project.name}, {what}", list(values))


def main() -> None:
    """Measure, and print two lines a project."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=21)
    runs = parser.parse_args().runs
    store = cache_folder() / "bench"
    store.mkdir(parents=True, exist_ok=True)
    tool = tools.tool("asmsetup", store)
    with tempfile.TemporaryDirectory(prefix="asmsetup-bench-") as name:
        for project in (projects.sayit(), projects.generated(100), projects.generated(1000)):
            _measured(tool, project, Path(name), runs)


if __name__ == "__main__":
    main()

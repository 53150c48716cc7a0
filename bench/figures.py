"""Measure what comes out: size of module and wheel, time to load, to import and to call, against C."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from statistics import median

from . import tools
from .measure import measure
from .projects import Project, sayit, sayit_in_c
from .tools import Tool

_RUNS = 41

# In a fresh process each time: what is loaded once stays loaded.
_LOAD = """
import sys, time
from _ctypes import dlopen
start = time.perf_counter_ns()
dlopen(sys.argv[1], 2)
print(time.perf_counter_ns() - start)
"""
_IMPORT = """
import sys, time
sys.path.insert(0, sys.argv[1])
start = time.perf_counter_ns()
import sayit
print(time.perf_counter_ns() - start)
"""
_CALL = """
import io, sys, time
sys.path.insert(0, sys.argv[1])
import sayit
sys.stdout = io.StringIO()
say = sayit.sayit
count = range(20_000)
best = []
for _ in range(5):
    start = time.perf_counter_ns()
    for _ in count:
        say()
    best.append((time.perf_counter_ns() - start) // len(count))
sys.stderr.write(str(min(best)))
"""


def measured(work: Path, assembly: Tool, c: Tool) -> dict[str, dict[str, float]]:
    """Return the figures of sayit, in assembly and in C; times in nanoseconds."""
    made = {
        "assembly": _unpacked(work, assembly, sayit()),
        "C": _unpacked(work, c, sayit_in_c()),
    }
    times: dict[str, dict[str, list[int]]] = {name: {} for name in made}
    for _ in range(_RUNS):
        for name, (_, module) in made.items():
            for what, code, argument in (
                ("dlopen", _LOAD, module),
                ("import", _IMPORT, module.parent),
                ("call", _CALL, module.parent),
            ):
                times[name].setdefault(what, []).append(_said(c, code, argument))
    return {
        name: {
            "module bytes": module.stat().st_size,
            "wheel bytes": wheel.stat().st_size,
            **{f"{what} ns": median(values) for what, values in times[name].items()},
        }
        for name, (wheel, module) in made.items()
    }


def _unpacked(work: Path, tool: Tool, project: Project) -> tuple[Path, Path]:
    folder = Path(tempfile.mkdtemp(dir=work))
    tree, output = folder / "tree", folder / "wheel"
    project.write(tree, tool.name)
    measure(tool.build(output), tree, tools.environment(tool, folder / "cache"), folder / "log")
    (wheel,) = output.glob("*.whl")
    if not tool.tags_itself:
        measure(
            tool.tag(wheel, output / "tagged"),
            tree,
            tools.environment(tool, folder),
            folder / "log",
        )
        (wheel,) = (output / "tagged").glob("*.whl")
    shutil.unpack_archive(wheel, folder / "installed", "zip")
    (module,) = (folder / "installed").glob("*.so")
    return wheel, module


def _said(tool: Tool, code: str, argument: Path) -> int:
    done = subprocess.run(
        [str(tool.python), "-I", "-c", code, str(argument)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout or done.stderr)

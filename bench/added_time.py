"""Measures what asmsetup adds to setuptools' own time: to a build without assembly, and to sayit's.

    python -m bench.added_time [--runs N]

Each figure is the processor time of one PEP 517 hook, in a process of its own with all that it
starts, less that of setuptools doing the rest of the same work; the two take turns, and printed
are the median and the spread of the differences. For sayit the rest of the work is done by a
build_ext that copies a module made before.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from tools.matrix.interpreters import cache_folder

from . import projects, tools
from .measure import measure
from .tools import Tool

_HOOK = """
import sys
from setuptools import build_meta
build_meta.{hook}(sys.argv[1])
"""
_NO_ASSEMBLY = 'from setuptools import setup\nsetup(name="plain", py_modules=["plain"])\n'
_COPYING = """
import os, shutil
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

class Copying(build_ext):
    def build_extension(self, ext):
        path = self.get_ext_fullpath(ext.name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy("made-before", path)

setup(py_modules=[], cmdclass={"build_ext": Copying}, ext_modules=[Extension("sayit", ["sayit.c"])])
"""


class Measured:
    """One way to do the work."""

    def __init__(self, tool: Tool, project: Path, hook: str, *, cold: bool) -> None:
        """``cold``: the object cache is empty each time."""
        self._tool = tool
        self._project = project
        self._hook = hook
        self._cold = cold

    def seconds(self, work: Path) -> float:
        """Return the processor time of one run in a fresh copy of the project."""
        with _fresh(work) as folder:
            tree, output = folder / "tree", folder / "output"
            shutil.copytree(self._project, tree)
            output.mkdir()
            cache = (folder if self._cold else work) / "cache"
            command = [str(self._tool.python), "-c", _HOOK.format(hook=self._hook), str(output)]
            environment = tools.environment(self._tool, cache)
            return measure(command, tree, environment, folder / "log").cpu


@contextmanager
def _fresh(work: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=work))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _plain(work: Path) -> Path:
    folder = work / "plain"
    folder.mkdir()
    (folder / "setup.py").write_text(_NO_ASSEMBLY)
    (folder / "plain.py").touch()
    return folder


def _sayit(work: Path) -> Path:
    folder = work / "sayit"
    projects.sayit().write(folder, "asmsetup")
    return folder


def _copied(work: Path, tool: Tool, sayit: Path) -> Path:
    """Return the project that copies what asmsetup makes of ``sayit``."""
    folder = work / "copied"
    shutil.copytree(sayit, folder)
    environment = tools.environment(tool, work / "made-cache")
    command = [str(tool.python), "setup.py", "build_ext", "--inplace"]
    measure(command, folder, environment, work / "log")
    (folder / "sayit.so").rename(folder / "made-before")
    shutil.rmtree(folder / "build")
    (folder / "setup.py").write_text(_COPYING)
    return folder


def _report(what: str, limit: float, differences: list[float]) -> None:
    low, _, high = quantiles(differences, n=4)
    milliseconds = (f"{value * 1000:7.2f}" for value in (median(differences), low, high))
    print("{:44}{} ({} to {}), at most {}".format(what, *milliseconds, limit))


def main() -> None:
    """Measure, and print a line a figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=41)
    runs = parser.parse_args().runs
    store = cache_folder() / "bench"
    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="asmsetup-bench-") as name:
        work = Path(name)
        print("milliseconds of processor time added: median (quartiles)")
        for what, with_it, without, limit in _pairs(work, store):
            differences = [with_it.seconds(work) - without.seconds(work) for _ in range(runs)]
            _report(what, limit, differences)


def _pairs(work: Path, store: Path) -> list[tuple[str, Measured, Measured, float]]:
    """Return what is measured: its name, with asmsetup, without, and the limit in milliseconds."""
    ours, theirs = tools.tool("asmsetup", store), tools.tool("setuptools", store)
    plain, sayit = _plain(work), _sayit(work)
    copied = _copied(work, ours, sayit)
    metadata, wheel = "prepare_metadata_for_build_wheel", "build_wheel"
    own_plain = Measured(theirs, plain, wheel, cold=False)
    own_metadata = Measured(theirs, copied, metadata, cold=False)
    own_wheel = Measured(theirs, copied, wheel, cold=False)
    return [
        ("a wheel without assembly", Measured(ours, plain, wheel, cold=False), own_plain, 0.3),
        ("sayit, metadata", Measured(ours, sayit, metadata, cold=False), own_metadata, 2),
        (
            "sayit, wheel, nasm and ld included",
            Measured(ours, sayit, wheel, cold=True),
            own_wheel,
            35,
        ),
        ("the same with a warm cache", Measured(ours, sayit, wheel, cold=False), own_wheel, 35),
    ]


if __name__ == "__main__":
    main()

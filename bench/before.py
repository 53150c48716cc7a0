"""Compares `pip wheel` of sayit with an earlier revision's: does a build cost more than before?

    python -m bench.before REVISION [--runs N]

Both are installed from their trees, beside the same setuptools, and take turns. Printed are the
median processor times, with all that each run starts, and the median of the differences.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from statistics import median, quantiles

from tools.matrix.interpreters import REPOSITORY, cache_folder

from . import projects, tools
from .measure import measure
from .tools import Tool

_PACKAGED = ("asmsetup", "pyproject.toml", "setup.py", "README.md", "LICENSE")


def _tree(revision: str | None, folder: Path) -> Path:
    """Write a revision's tree, or without one that of the working folder; return it."""
    folder.mkdir()
    if revision is None:
        for name in _PACKAGED:
            path = REPOSITORY / name
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, folder / name)
        return folder
    command = ["git", "archive", revision, *_PACKAGED]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _installed(tool: Tool, tree: Path, folder: Path) -> Path:
    command = [str(tool.python), "-m", "pip", "-q", "install", "--no-deps"]
    command += ["--no-build-isolation", "--target", str(folder), str(tree)]
    subprocess.run(command, check=True)
    return folder


def _seconds(tool: Tool, packages: Path, project: Path, work: Path) -> float:
    """Return the processor time of one `pip wheel` of a fresh copy, with an empty cache."""
    with tempfile.TemporaryDirectory(dir=work) as name:
        folder = Path(name)
        shutil.copytree(project, folder / "tree")
        environment = tools.environment(tool, folder / "cache")
        environment["PYTHONPATH"] = os.fspath(packages)
        command = tool.build(folder / "output")
        return measure(command, folder / "tree", environment, folder / "log").cpu


def main() -> None:
    """Measure, and print a line a figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("revision")
    parser.add_argument("--runs", type=int, default=31)
    options = parser.parse_args()
    store = cache_folder() / "bench"
    store.mkdir(parents=True, exist_ok=True)
    tool = tools.tool("setuptools", store)
    with tempfile.TemporaryDirectory(prefix="asmsetup-bench-") as name:
        work = Path(name)
        project = work / "sayit"
        projects.sayit().write(project, "asmsetup")
        versions = {
            label: _installed(tool, _tree(revision, work / f"{label}-tree"), work / label)
            for label, revision in (("before", options.revision), ("now", None))
        }
        pairs = [
            [_seconds(tool, packages, project, work) for packages in versions.values()]
            for _ in range(options.runs)
        ]
    for label, times in zip(versions, zip(*pairs, strict=True), strict=True):
        print(f"{label:8}{median(times) * 1000:8.1f} ms")
    low, middle, high = quantiles([(now - before) * 1000 for before, now in pairs], n=4)
    print(f"added   {middle:8.1f} ms ({low:.1f} to {high:.1f})")


if __name__ == "__main__":
    main()

"""Build the same projects with every tool, interleaved, and write what came out under docs/."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from asmsetup.assemble.cache import Cache
from asmsetup.assemble.includes import Reader
from tools.matrix.interpreters import installed

from . import figures, instructions, machine, projects, report, tools
from .measure import Sample, measure
from .projects import REPOSITORY, Project
from .rows import ONE_JOB
from .tools import Tool

RIVALS = ("asmsetup", "meson-python", "scikit-build-core")
CORES = len(os.sched_getaffinity(0))
_LONG = ("kernels-1000", "heavy-46")
"""Projects that are not built for what the smaller ones show as well."""


@dataclass(frozen=True)
class Result:
    """One run of one tool in one situation."""

    project: str
    situation: str
    tool: str
    build: Sample
    tag: Sample | None
    """auditwheel, where the tool does not bring the wheel to manylinux itself."""
    rebuilt: int
    """Objects that were made."""
    expected: int | None
    """The number of objects that had to be made; None when all."""
    assembled: int | None
    """The number of them that the cache did not have; None for tools that have no cache."""


@dataclass(frozen=True)
class Situation:
    """A change of a project, and the build with a tool that follows."""

    name: str
    build: Callable[[Tool], None]


class Bench:
    """The folders of one run of the benchmark."""

    def __init__(self, work: Path, store: Path) -> None:
        self.work = work
        self.store = store
        self.cache = work / "cache"
        self.log = work / "log"
        self.edits = 0
        self.results: list[Result] = []

    def run(
        self,
        project: Project,
        situation: str,
        tool: Tool,
        name: str,
        expected: int | None = None,
        front_end: Callable[[Path], list[str]] | None = None,
    ) -> Result:
        """Build once, as the project lies there; ``front_end`` returns another command than pip's."""
        folder = self.work / name
        output = self.work / "wheels"
        shutil.rmtree(output, ignore_errors=True)
        env = tools.environment(tool, self.cache)
        before = time.time_ns()
        misses = self._misses()
        build = measure((front_end or tool.build)(output), folder, env, self.log)
        rebuilt = sum(path.stat().st_mtime_ns > before for path in tools.objects(folder))
        tag = None
        if not tool.tags_itself:
            (wheel,) = output.glob("*.whl")
            tag = measure(tool.tag(wheel, output / "tagged"), folder, env, self.log)
        assembled = self._misses() - misses if tool.name == "asmsetup" else None
        result = Result(
            project.name, situation, tool.name, build, tag, rebuilt, expected, assembled
        )
        self._keep(result)
        return result

    def run_bare(self, project: Project, name: str, situation: str, jobs: int) -> None:
        """Do the same with nothing but NASM, the compiler, the linker and make."""
        folder = self.work / name
        shutil.rmtree(folder / "bare", ignore_errors=True)
        command = tools.bare(project, folder, jobs)
        build = measure(command, folder, dict(os.environ), self.log)
        rebuilt = sum(1 for _ in tools.objects(folder))
        self._keep(Result(project.name, situation, "bare tools", build, None, rebuilt, None, None))

    def run_build_ext(self, project: Project, tool: Tool, situation: str, jobs: int) -> None:
        """Do the same with asmsetup, without pip, metadata and the wheel."""
        name = f"{project.name}-build-ext"
        project.write(self.work / name, tool.name)
        shutil.rmtree(self.cache, ignore_errors=True)
        command = [str(tool.python), "setup.py", "build_ext", f"--parallel={jobs}"]
        env = tools.environment(tool, self.cache)
        build = measure(command, self.work / name, env, self.log)
        rebuilt = sum(1 for _ in tools.objects(self.work / name))
        self._keep(
            Result(project.name, situation, "build_ext alone", build, None, rebuilt, None, None)
        )
        shutil.rmtree(self.work / name)

    def _misses(self) -> int:
        return Cache(str(self.cache), 0, print).statistics().misses

    def _keep(self, result: Result) -> None:
        self.results.append(result)
        wall = result.build.wall + (result.tag.wall if result.tag else 0)
        print(
            f"{result.project:12} {result.situation:24} {result.tool:18} {wall:7.2f} s"
            f"  {result.rebuilt} objects",
            file=sys.stderr,
        )

    def incremental(self, project: Project, rivals: list[Tool], runs: int) -> None:
        """Measure a project cold and after each kind of change.

        The tools take turns in each situation, so that what else the machine
        does falls on all of them.
        """
        for number in range(runs):
            shutil.rmtree(self.cache, ignore_errors=True)
            for situation in self._situations(project):
                for tool in _turns(rivals, number):
                    situation.build(tool)
                if situation.name == "cold":
                    name = f"{project.name}-bare"
                    project.write(self.work / name, "asmsetup")
                    kinds = [("cold", CORES), (ONE_JOB, 1)]
                    for cold, jobs in kinds[: 1 if project.name == "heavy-46" else 2]:
                        self.run_bare(project, name, cold, jobs)
                        self.run_build_ext(project, rivals[0], cold, jobs)

    def _situations(self, project: Project) -> Iterator[Situation]:
        def folder(tool: Tool) -> Path:
            return self.work / f"{project.name}-{tool.name}"

        def cold(tool: Tool) -> None:
            project.write(folder(tool), tool.name)
            self.run(project, "cold", tool, folder(tool).name)

        def nothing(tool: Tool) -> None:
            self.run(project, "nothing changed", tool, folder(tool).name, 0)

        def edited(situation: str, path: str) -> Callable[[Tool], None]:
            def build(tool: Tool) -> None:
                self.edits += 1
                projects.edit(folder(tool), path, self.edits)
                expected = _concerned(project, folder(tool), path)
                self.run(project, situation, tool, folder(tool).name, expected)

            return build

        def flags(tool: Tool) -> None:
            self.edits += 1
            changed = replace(project, define=(*project.define, f"BENCH={self.edits}"))
            changed.write_build_files(folder(tool), tool.name)
            self.run(changed, "flags changed", tool, folder(tool).name)

        yield Situation("cold", cold)
        yield Situation("nothing changed", nothing)
        for situation, path in (
            ("one source changed", project.edited),
            ("one include changed", project.edited_include),
        ):
            yield Situation(situation, edited(situation, path))
        if project.name not in _LONG:
            yield Situation("flags changed", flags)

    def cached(self, project: Project, tool: Tool, second: Tool | None, runs: int) -> None:
        """Measure clean builds with a warm cache, for the same Python and for another one."""
        for number in range(runs):
            name = f"{project.name}-cached-{number}"
            shutil.rmtree(self.cache, ignore_errors=True)
            project.write(self.work / name, tool.name)
            self.run(project, "cold, cached run", tool, name)
            # Another folder, as pip and a CI's next run have it.
            for situation, python in (("warm cache", tool), ("second Python", second)):
                if python is not None:
                    again = f"{name}-{python.python.parent.parent.name}"
                    project.write(self.work / again, tool.name)
                    self.run(project, situation, python, again)
                    shutil.rmtree(self.work / again)


def _turns(rivals: list[Tool], number: int) -> Iterator[Tool]:
    """Yield every tool once, each time another one first."""
    start = number % len(rivals)
    yield from (*rivals[start:], *rivals[:start])


def _concerned(project: Project, folder: Path, edited: str) -> int:
    """Return how many objects an edit concerns: the sources that name the file."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        reader = Reader()
        search = [*project.include_dirs]
        closures = (
            reader.closure(source, [str(Path(source).parent), *search])
            for source in projects.sources(project)
        )
        return sum(any(Path(path) == Path(edited) for path in found.files) for found in closures)
    finally:
        os.chdir(here)


def small(bench: Bench, rivals: list[Tool], in_c: Tool, runs: int) -> None:
    """Measure sayit, whose build is nearly all overhead, by pip and by uv."""
    assembly, c = projects.sayit(), projects.sayit_in_c()
    uv = tools.tool("uv", bench.store)
    for number in range(runs):
        for tool in _turns([rivals[0], in_c], number):
            project = c if tool is in_c else assembly
            shutil.rmtree(bench.cache, ignore_errors=True)
            name = f"sayit-{tool.name}"
            project.write(bench.work / name, tool.name)
            with_uv = partial(tool.build_with_uv, uv=uv)
            bench.run(project, "cold, uv", tool, name, front_end=with_uv)
        for tool in _turns([*rivals, in_c], number):
            project = c if tool is in_c else assembly
            name = f"sayit-{tool.name}"
            if tool.name == "asmsetup":
                shutil.rmtree(bench.cache, ignore_errors=True)
            project.write(bench.work / name, tool.name)
            bench.run(project, "cold", tool, name)


_NAMES = ["sayit", "10", "100", "mixed", "isal", "1000", "heavy"]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each situation")
    parser.add_argument(
        "--only", action="append", choices=_NAMES, help="one project; may be given again"
    )
    parser.add_argument(
        "--second-python", help="another CPython, for the warm cache; by default an installed one"
    )
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs")
    parser.add_argument(
        "--work", type=Path, default=_memory(), help="where to build; by default in memory"
    )
    options = parser.parse_args()
    wanted = options.only or _NAMES
    store = (
        Path(os.environ.get("ASMSETUP_TEST_CACHE") or REPOSITORY / ".cache").absolute() / "bench"
    )
    store.mkdir(parents=True, exist_ok=True)
    rivals = [tools.tool(name, store) for name in RIVALS]
    other = options.second_python or _another_python()
    second = tools.tool("asmsetup", store, other) if other else None
    in_c = tools.tool("setuptools", store)
    with tempfile.TemporaryDirectory(prefix="asmsetup-bench-", dir=options.work) as work:
        # For what the tools write beside the project.
        os.environ["TMPDIR"] = work
        bench = Bench(Path(work), store)
        measured: dict[str, dict[str, dict[str, float]]] = {}
        if "sayit" in wanted:
            small(bench, rivals, in_c, options.runs + 2)
            measured["figures"] = figures.measured(bench.work, rivals[0], in_c)
            measured["instructions"] = instructions.measured(bench.work, rivals[0], in_c)
            _write(options.output, bench, measured)
        for name, runs, project in _projects(wanted, options.runs, store):
            bench.incremental(project, rivals, runs)
            if name in ("isal", "1000", "heavy"):
                bench.cached(project, rivals[0], second, min(runs, 2))
            # After each project: a run that is cut short has not been for nothing.
            _write(options.output, bench, measured)


def _memory() -> Path | None:
    """Return a folder in memory, where no disk takes part in what is measured."""
    memory = Path("/dev/shm")  # noqa: S108
    return memory if os.access(memory, os.W_OK) else None


def _another_python() -> str | None:
    """Return the newest installed CPython of another version than the running one."""
    plain = [each for each in installed() if not each.free_threaded and not each.debug]
    others = [each for each in plain if each.version[:2] != sys.version_info[:2]]
    return max(others, key=lambda each: each.version).command[0] if others else None


def _write(output: Path, bench: Bench, measured: Mapping[str, dict[str, dict[str, float]]]) -> None:
    data = {
        "machine": machine.described(),
        "results": [asdict(result) for result in bench.results],
        **measured,
    }
    report.write(output, json.loads(json.dumps(data)))


def _projects(wanted: list[str], runs: int, store: Path) -> Iterator[tuple[str, int, Project]]:
    makers: list[tuple[str, int, Callable[[], Project]]] = [
        ("10", runs, lambda: projects.generated(10)),
        ("100", runs, lambda: projects.generated(100)),
        ("mixed", runs, projects.mixed_kinds),
        ("isal", runs, lambda: projects.isal(tools.isal_sdist(store))),
        ("1000", min(3, runs), lambda: projects.generated(1000)),
        ("heavy", 1, projects.heavy),
    ]
    for name, times, make in makers:
        if name in wanted:
            yield name, times, make()


if __name__ == "__main__":
    main()

"""The benchmark measures what it says: its generated module is a module, and a wrong rebuild is called wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from asmsetup.assemble.includes import closure
from bench import generate, history, instructions, projects, rows, tools
from bench.targets import README_ROWS, RIVALS, targets
from tests.projects import REPOSITORY, run


def test_the_generated_sources_make_a_module(tmp_path: Path) -> None:
    generate.write(tmp_path, 11)
    names = generate.names(11)
    for name in names:
        run("nasm", "-f", "elf64", "-Iinc", "-o", f"{name}.o", name, cwd=tmp_path)
    objects = [f"{name}.o" for name in names]
    run("ld", "-shared", "-z", "noexecstack", "-o", "kernels.so", *objects, cwd=tmp_path)
    code = "import kernels; print(kernels.number())"
    assert run(sys.executable, "-c", code, cwd=tmp_path).output == f"{sum(range(11))}\n"


def test_as_many_sources_as_it_says_share_the_include(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate.write(tmp_path, 21)
    monkeypatch.chdir(tmp_path)
    closures = [closure(name, ["inc"]) for name in generate.names(21)]
    assert sum("inc/filter.inc" in found.files for found in closures) == 20 // generate.SHARED


@pytest.mark.parametrize("tool", ["asmsetup", "setuptools", "meson-python", "scikit-build-core"])
def test_each_tool_is_told_of_every_source(tmp_path: Path, tool: str) -> None:
    project = projects.generated(4)
    project.write(tmp_path / "project", tool)
    text = "".join(
        path.read_text()
        for name in ("setup.py", "meson.build", "CMakeLists.txt")
        if (path := tmp_path / "project" / name).exists()
    )
    assert [name for name in generate.names(4) if name not in text] == []


def test_no_cache_helps_a_rival(tmp_path: Path) -> None:
    (tmp_path / "x.c").write_text("int x;\n")
    tool = tools.Tool("meson-python", Path(sys.executable))
    env = tools.environment(tool, tmp_path) | {"CCACHE_DIR": str(tmp_path / "ccache")}
    command = ["ccache", "cc", "-c", "x.c"]
    subprocess.run(command, cwd=tmp_path, env=env, check=True)
    assert not list((tmp_path / "ccache").rglob("*R"))


def test_the_sources_of_a_library_are_read_from_its_makefile() -> None:
    makefile = (
        "lsrc += a.c \\\n  b.c\nlsrc_x86_64 += c.asm\nlsrc_aarch64 += d.S\nother_src += e.asm\n"
    )
    assert projects._library_sources(makefile) == ["a.c", "b.c", "c.asm"]


def row(tool: str, wall: float, project: str = "isal", situation: str = "cold") -> rows.Row:
    build = {"wall": wall, "cpu": 2 * wall, "memory": 50e6}
    named = {"project": project, "situation": situation, "tool": tool}
    return {**named, "build": build, "tag": None, "rebuilt": 7, "expected": None, "assembled": 0}


TURNS = [
    *(("asmsetup", wall) for wall in (3.0, 4.0, 9.0)),
    *(("bare tools", wall) for wall in (2.0, 2.0, 6.0)),
    *(("meson-python", wall) for wall in (3.0, 5.0, 10.0)),
    *(("scikit-build-core", wall) for wall in (30.0, 30.0, 30.0)),
]
MEASURED = [row(*each) for each in TURNS]


def test_ratios_are_of_runs_made_in_turn() -> None:
    found = {each.what: each for each in targets(MEASURED)}

    to_bare = found["isal, cold, wall, to the bare tools"]
    assert (to_bare.measured, to_bare.interval) == (1.5, (1.5, 2.0))
    to_better = found["isal, cold, wall, to the better of the two"]
    assert (to_better.measured, to_better.at_most, to_better.is_behind) == (0.9, 0.85, True)
    assert to_better.cells()[1:] == ("0.85", "🔴 0.90 (0.80 to 1.00)")
    assert [each for each in found if "nothing changed" in each] == []


def test_few_runs_have_no_interval() -> None:
    twice = [each for turn, each in enumerate(MEASURED) if turn % 3 < 2]
    assert {each.interval for each in targets(twice)} == {None}


def test_what_was_not_measured_has_no_ratio() -> None:
    only = rows.of(MEASURED, tool="asmsetup")
    assert [each for each in targets(only) if "to the" in each.what] == []


def test_a_run_is_kept_and_takes_the_place_of_its_like(tmp_path: Path) -> None:
    kept = tmp_path / "benchmarks.json"
    for commit in ("a", "b", "b"):
        machine = {"date": "2026-01-01", "commit": commit}
        history.write(kept, {"machine": machine, "results": MEASURED})

    found = json.loads(kept.read_text())

    assert [run["commit"] for run in found["runs"]] == ["b", "a"]
    assert found["runs"][1]["ratios"]["isal, cold, wall, to the bare tools"] == [1.5, 1.5, 2.0]
    assert found["medians"]["isal, cold, asmsetup"]["wall"] == 4.0
    assert max(map(len, kept.read_text().splitlines())) < 160


@pytest.mark.parametrize(
    ("rebuilt", "expected", "said"),
    [
        (20, 20, "20"),
        (20, None, "20"),
        (0, 20, "0 (**wrong**, 20 would be right)"),
        (21, 20, "21 (**wrong**, 20 would be right)"),
    ],
)
def test_a_wrong_rebuild_is_called_wrong(rebuilt: int, expected: int | None, said: str) -> None:
    assert rows.made([{"rebuilt": rebuilt, "expected": expected}]) == said


def test_the_plots_show_every_tool(tmp_path: Path) -> None:
    plots = pytest.importorskip("bench.plots", reason="matplotlib is for make bench")
    figures = {name: {"module bytes": 5000.0, "call ns": 160.0} for name in ("assembly", "C")}
    scaling = [row(*each, project=f"kernels-{size}") for size in (10, 100) for each in TURNS]
    plots.write(tmp_path, {"results": [*MEASURED, *scaling], "figures": figures})
    for path in sorted(tmp_path.iterdir()):
        words = re.findall(r">([^<>]+)</text>", path.read_text())
        wanted = {"module": {"assembly", "C"}}.get(path.stem.split("-")[1], {"asmsetup"})
        assert wanted <= set(words)


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("/e/bin/python -m pip wheel .", "pip itself"),
        ("/e/bin/python /p/_in_process.py prepare_metadata_for_build_wheel /t", "metadata"),
        ("/e/bin/python /p/_in_process.py build_wheel /t", "makes the wheel"),
        ("/usr/bin/nasm -f elf64 x.asm", "NASM"),
        ("/usr/lib/gcc/x86_64-linux-gnu/12/cc1 -quiet x.c", "compiler"),
        ("/usr/bin/ld -shared -o gcc.so", "linker"),
        ("/usr/lib/gcc/x86_64-linux-gnu/12/collect2 -o x", "linker"),
        ("/bin/true", None),
    ],
)
def test_each_process_is_counted_as_what_it_is(command: str, part: str | None) -> None:
    found = instructions.part_of(command)
    assert found is None if part is None else part in str(found)


README = (REPOSITORY / "README.md").read_text()


@pytest.mark.parametrize("name", README_ROWS)
def test_the_readmes_figures_are_the_medians(name: str) -> None:
    data = json.loads((REPOSITORY / "docs" / "benchmarks.json").read_text())
    where = ", ".join(README_ROWS[name])
    medians = [data["medians"][f"{where}, {tool}"]["wall"] for tool in ("asmsetup", *RIVALS)]
    assert f"| {name} | {' | '.join(f'{each:.2f}' for each in medians)} |" in README


def test_the_readme_has_no_row_but_the_measured_ones() -> None:
    table = README[README.index("| seconds to the manylinux wheel") :].partition("\n\n")[0]
    assert [line.split(" | ")[0].strip("| ") for line in table.splitlines()[2:]] == [*README_ROWS]

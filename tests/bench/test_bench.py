"""The benchmark measures what it says: its generated module is a module, and a wrong rebuild is called wrong."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from asmsetup.assemble.includes import closure
from bench import generate, projects, rows, tools
from bench.targets import RIVALS, targets
from tests.projects import REPOSITORY


def run(*command: str, cwd: Path) -> str:
    program = shutil.which(command[0])
    assert program
    done = subprocess.run([program, *command[1:]], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_generated_sources_make_a_module(tmp_path: Path) -> None:
    generate.write(tmp_path, 11)
    names = generate.names(11)
    for name in names:
        run("nasm", "-f", "elf64", "-Iinc", "-o", f"{name}.o", name, cwd=tmp_path)
    objects = [f"{name}.o" for name in names]
    run("ld", "-shared", "-z", "noexecstack", "-o", "kernels.so", *objects, cwd=tmp_path)
    code = "import kernels; print(kernels.number())"
    assert run(sys.executable, "-c", code, cwd=tmp_path) == f"{sum(range(11))}\n"


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


@pytest.fixture
def measured() -> rows.Rows:
    data = json.loads((REPOSITORY / "docs" / "benchmarks.json").read_text())
    found: rows.Rows = data["results"]
    return found


def test_ratios_are_those_of_the_medians(measured: rows.Rows) -> None:
    found = {each.what: each for each in targets(measured)}
    own, bare = (
        rows.middle(measured, rows.wall, "isal", "cold", tool)
        for tool in ("asmsetup", "bare tools")
    )

    assert own is not None
    assert bare is not None
    to_bare = found["isal, cold, wall, to the bare tools"]
    assert (to_bare.at_most, to_bare.measured) == ("1.35", f"{own / bare:.2f}")
    assert "kernels-10, flags changed" not in str(found)


def test_what_was_not_measured_has_no_ratio(measured: rows.Rows) -> None:
    only = rows.of(measured, tool="asmsetup", project="kernels-100")
    assert [each for each in targets(only) if "to the" in each.what] == []


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
    data = json.loads((REPOSITORY / "docs" / "benchmarks.json").read_text())
    plots.write(tmp_path, data)
    for path in sorted(tmp_path.iterdir()):
        words = re.findall(r">([^<>]+)</text>", path.read_text())
        wanted = {"module": {"assembly", "C"}}.get(path.stem.split("-")[1], {"asmsetup"})
        assert wanted <= set(words)


README = (REPOSITORY / "README.md").read_text()
IN_README = {
    "one small module, clean": ("sayit", "cold"),
    "isal, 77 objects, clean": ("isal", "cold"),
    "a thousand sources, one changed": ("kernels-1000", "one source changed"),
}


@pytest.mark.parametrize("row", IN_README)
def test_the_readmes_figures_are_the_medians(row: str, measured: rows.Rows) -> None:
    medians = [
        rows.middle(measured, rows.wall, *IN_README[row], tool) for tool in ("asmsetup", *RIVALS)
    ]
    assert f"| {row} | {' | '.join(f'{each:.2f}' for each in medians)} |" in README


def test_the_readme_has_no_row_but_the_measured_ones() -> None:
    table = README[README.index("| seconds to the manylinux wheel") :].partition("\n\n")[0]
    assert [line.split(" | ")[0].strip("| ") for line in table.splitlines()[2:]] == [*IN_README]

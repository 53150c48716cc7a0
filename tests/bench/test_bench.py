"""The benchmark measures what it says: its generated module is a module, and a wrong rebuild is called wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from asmsetup.assemble.includes import closure
from bench import generate, projects, report, tools


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
    assert report._made([{"rebuilt": rebuilt, "expected": expected}]) == said

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from asmsetup.assemble.nasm import AssemblerOptions
from asmsetup.config import Settings
from asmsetup.errors import AssembleError
from asmsetup.facts import target
from tests.building import UNCACHED, assembled, build_objects

SOURCES = {
    "plain.asm": "section .text\n ret\n",
    "one.asm": '%include "common.inc"\nsection .text\n common\n',
    "two.asm": '%include "outer.inc"\nsection .data\n incbin "table.bin"\n',
    "computed.asm": '%define NAME "chosen.inc"\n%include NAME\nsection .text\n chosen\n',
    "environment.asm": "section .data\n db %!GREETING\n",
}
INCLUDES = {
    "inc/common.inc": "%macro common 0\n nop\n%endmacro\n",
    "inc/outer.inc": '%include "common.inc"\n%define outer 1\n',
    "inc/chosen.inc": "%macro chosen 0\n nop\n%endmacro\n",
    "inc/table.bin": "0123456789",
    "README": "not read by anybody",
}
EVERYTHING = sorted(SOURCES)


@dataclass
class Project:
    """The project in the current directory, and how it is built."""

    options: AssemblerOptions = field(
        default_factory=lambda: AssemblerOptions(include_dirs=("early", "inc", "late"))
    )
    settings: Settings = UNCACHED
    python: target.Target = field(default_factory=target.running)

    def build(self, *sources: str) -> list[str]:
        """Build; return which sources were assembled."""
        return assembled(
            build_objects(
                sources or tuple(SOURCES), self.options, self.settings, python=self.python
            )
        )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GREETING", "'as before'")
    monkeypatch.delenv("NASMENV", raising=False)
    for name, text in {**SOURCES, **INCLUDES}.items():
        write(name, text)
    for folder in ("early", "late"):
        Path(folder).mkdir()
    built = Project()
    assert built.build() == EVERYTHING
    return built


def write(name: str, text: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)


def append(name: str, text: str = "\n; changed\n") -> None:
    with open(name, "a") as file:
        file.write(text)


def same_size_and_time(name: str) -> None:
    status = os.stat(name)
    text = Path(name).read_text()
    write(name, text.replace("nop", "cli"))
    os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert os.stat(name).st_size == status.st_size


def built(source: str) -> Path:
    (found,) = Path("build").glob(f"{source}.*.o")
    return found


def swap(one: str, other: str) -> None:
    contents = built(one).read_bytes(), built(other).read_bytes()
    built(other).write_bytes(contents[0])
    built(one).write_bytes(contents[1])


@pytest.mark.parametrize(
    ("change", "assembled"),
    [
        (lambda: None, []),
        (lambda: append("plain.asm"), ["plain.asm"]),
        (lambda: append("one.asm"), ["one.asm"]),
        # What it says is the same.
        (lambda: os.utime("plain.asm", (0, 0)), []),
        (lambda: os.utime("inc/common.inc"), []),
        (lambda: os.replace(shutil.copy("plain.asm", "copy"), "plain.asm"), []),
        # What it says is not the same, and nothing else tells.
        (lambda: same_size_and_time("inc/common.inc"), ["one.asm", "two.asm"]),
        (lambda: append("inc/common.inc"), ["one.asm", "two.asm"]),
        (lambda: append("inc/outer.inc"), ["two.asm"]),
        (lambda: append("inc/table.bin", "x"), ["two.asm"]),
        (lambda: append("README"), []),
        # Names that only NASM knows.
        (lambda: append("inc/chosen.inc"), ["computed.asm"]),
        (lambda: write("early/chosen.inc", INCLUDES["inc/chosen.inc"]), ["computed.asm"]),
        (lambda: write("chosen.inc", "%macro chosen 0\n%endmacro\n"), ["computed.asm"]),
        (lambda: write("late/chosen.inc", "%error not reached\n"), []),
        # A file that is found before the one that was.
        (lambda: write("early/common.inc", "%define common nop\n"), ["one.asm", "two.asm"]),
        (lambda: write("late/common.inc", "%error not reached\n"), []),
        (lambda: write("table.bin", "other"), ["two.asm"]),
        # The environment.
        (lambda: os.environ.update(GREETING="'otherwise'"), ["environment.asm"]),
        (lambda: os.environ.update(NASMENV="-DNEVER"), []),
        # What lies in the build folder.
        (lambda: built("one.asm").unlink(), ["one.asm"]),
        (lambda: built("one.asm").write_bytes(b""), ["one.asm"]),
        (lambda: os.truncate(built("one.asm"), 100), ["one.asm"]),
        (lambda: swap("one.asm", "two.asm"), ["one.asm", "two.asm"]),
        (lambda: shutil.rmtree("build"), EVERYTHING),
    ],
)
def test_exactly_what_a_change_concerns_is_assembled_again(
    project: Project, change: Callable[[], object], assembled: list[str]
) -> None:
    change()
    assert project.build() == assembled
    assert project.build() == []


def another_nasm() -> str:
    path = shutil.copy(shutil.which("nasm") or "", "nasm")
    append(path, "it may be patched and still say the same version")
    return os.path.abspath(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: replace(p, options=p.options._replace(define=(("A", "1"),))),
        lambda p: replace(p, options=p.options._replace(undefine=("A",))),
        lambda p: replace(p, options=p.options._replace(args=("-O0",))),
        lambda p: replace(p, options=p.options._replace(debug=True)),
        lambda p: replace(p, settings=p.settings._replace(nasm_args=("-O0",))),
        lambda p: replace(p, settings=p.settings._replace(nasm=another_nasm())),
        lambda p: replace(
            p, options=p.options._replace(include_dirs=("late", *p.options.include_dirs))
        ),
    ],
)
def test_another_command_or_another_nasm_assembles_all(
    project: Project, change: Callable[[Project], Project]
) -> None:
    changed = change(project)
    assert changed.build() == EVERYTHING
    assert changed.build() == []


def test_the_version_of_python_counts_for_those_who_ask(project: Project) -> None:
    write("asks.asm", "%if PY_VERSION_HEX\n%endif\nsection .text\n ret\n")
    project.build(*SOURCES, "asks.asm")
    other = target.running()._replace(version_hex=0x03FF00F0)
    # Which file a computed name leads to may hang on the version as well.
    changed = replace(project, python=other)
    assert changed.build(*SOURCES, "asks.asm") == ["asks.asm", "computed.asm"]


def test_what_nobody_can_know_is_always_assembled(project: Project) -> None:
    write("hidden.asm", '%define NAME "inc/table.bin"\nsection .data\n times 2 incbin NAME\n')
    for _ in range(2):
        assert project.build("hidden.asm") == ["hidden.asm"]


def test_a_change_that_is_taken_back_counts_twice(project: Project) -> None:
    append("plain.asm")
    assert project.build() == ["plain.asm"]
    write("plain.asm", SOURCES["plain.asm"])
    assert project.build() == ["plain.asm"]


def test_an_include_that_is_missing_and_comes_back(project: Project) -> None:
    os.rename("inc/common.inc", "aside")
    with pytest.raises(AssembleError, match=r"common\.inc"):
        project.build()
    os.rename("aside", "inc/common.inc")
    # The objects of before are still what these sources make.
    assert project.build() == []


def test_a_source_nasm_refuses_keeps_nothing_new(project: Project) -> None:
    append("one.asm", "no such instruction\n")
    with pytest.raises(AssembleError, match=r"one\.asm:4: error"):
        project.build()
    write("one.asm", SOURCES["one.asm"] + ";\n")
    assert project.build() == ["one.asm"]


def test_a_file_edited_while_nasm_runs_is_assembled_again(project: Project, tmp_path: Path) -> None:
    launcher = tmp_path / "launcher"
    launcher.write_text('#!/bin/sh\n"$@"\necho "; edited" >> plain.asm\n')
    launcher.chmod(0o755)
    append("plain.asm")
    editing = replace(project, settings=project.settings._replace(launcher=(str(launcher),)))
    assert editing.build("plain.asm") == ["plain.asm"]
    assert project.build("plain.asm") == ["plain.asm"]
    assert project.build("plain.asm") == []


BUILD_AND_BE_KILLED = """
import sys
from tests.build.test_incremental import Project
Project().build()
"""


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.05, 0.1])
def test_a_killed_build_leaves_nothing_that_is_trusted_wrongly(
    project: Project, tmp_path: Path, seconds: float
) -> None:
    for source in SOURCES:
        # Long enough to be killed in the middle.
        append(source, "\n%rep 60000\n nop\n%endrep\n")
    repository = Path(__file__).parents[2]
    build = subprocess.Popen(
        [sys.executable, "-c", BUILD_AND_BE_KILLED],
        env={**os.environ, "PYTHONPATH": str(repository)},
        start_new_session=True,
    )
    started = time.monotonic()
    while not list(Path("build").glob("*.tmp")):
        if time.monotonic() - started > 30:
            pytest.fail("the build has not begun to assemble")
    time.sleep(seconds)
    os.killpg(build.pid, signal.SIGKILL)
    assert build.wait() == -signal.SIGKILL
    project.build()
    objects = {source: built(source).read_bytes() for source in SOURCES}
    shutil.rmtree("build")
    assert project.build() == EVERYTHING
    assert {source: built(source).read_bytes() for source in SOURCES} == objects

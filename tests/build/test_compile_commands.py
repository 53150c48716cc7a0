"""compile_commands.json: its commands make the objects that the build has made."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.conftest import MakeProject
from tests.projects import Project

PATH = "build/compile_commands.json"

TYPED = """\
%include "python.inc"
PyModule hello
PyTypedFunction "answer() -> i64", calls answer_
answer_:
    mov         eax, 42
    ret
PyEndModule
"""


def entries(project: Project, path: str = PATH) -> dict[str, dict[str, Any]]:
    return {each["file"]: each for each in json.loads((project.folder / path).read_text())}


def check(project: Project, entry: dict[str, Any]) -> None:
    """Its command makes the same object again."""
    made = Path(entry["directory"], entry["output"])
    before = made.read_bytes()
    made.unlink()
    subprocess.run(entry["arguments"], cwd=entry["directory"], check=True)
    assert made.read_bytes() == before


def test_the_commands_run(project: MakeProject) -> None:
    made = project("c-and-assembly")
    made.settings(f'compile-commands = "{PATH}"')
    made.build_ext()
    found = entries(made)

    assert found.keys() == {"hello.c", "number.asm"}
    for entry in found.values():
        assert entry["directory"] == str(made.folder)
        check(made, entry)


def test_typed_functions_and_the_environment(hello: Project) -> None:
    hello.write({"hello.asm": TYPED})
    hello.build_ext(ASMSETUP_COMPILE_COMMANDS="commands.json")
    (entry,) = entries(hello, "commands.json").values()
    check(hello, entry)


def test_a_build_without_changes_leaves_the_file(hello: Project) -> None:
    hello.settings(f'compile-commands = "{PATH}"')
    hello.build_ext()
    before = (hello.folder / PATH).stat().st_mtime_ns
    hello.build_ext()
    assert entries(hello).keys() == {"hello.asm"}
    assert (hello.folder / PATH).stat().st_mtime_ns == before


def test_nobody_asked(hello: Project) -> None:
    hello.build_ext()
    assert not list(hello.folder.rglob("*.json"))


def test_a_file_that_cannot_be_written(hello: Project) -> None:
    hello.settings('compile-commands = "hello.asm/commands.json"')
    assert "cannot write hello.asm/commands.json" in hello.refused("build_ext", "--inplace")

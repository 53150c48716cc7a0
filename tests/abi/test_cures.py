"""Each cure that a macro or a binding prints is applied to a mistake, built and imported."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.abi.assembling import INCLUDE, UNIVERSAL
from tests.abi.cured import modules_of, read_rows
from tests.abi.misused import refused
from tests.docs.messages import macro_messages, python_messages
from tests.docs.test_messages import pattern
from tests.projects import REPOSITORY, Project, run

CURED_ELSEWHERE = {
    "python.inc knows CPython 3.10 to 3.15": "no source has the cure; another Python has",
    "needs bindings": "test_the_commands_that_are_printed",
}
"""Headings of docs/messages whose messages the tables leave out, and where their cures are applied."""
NO_CURE = [
    "PyBuffer needs Py_buffer, which the limited API has since 3.11",  # the target has to change
    "the name of a function has 300 letters, and 255 are the most",
    "PyTypedFunction f: more than 32 parameters",
]
CHECK = '''
import json, sys
from array import array
from importlib import import_module

def raised(function, *arguments):
    """The text of the exception that a call raises."""
    try:
        function(*arguments)
    except Exception as error:
        return str(error)

for module, number, holds in json.loads(sys.argv[1]):
    m = import_module(module)
    names = {name: getattr(m, f"{name}_{number}", None) for name in "fgTBE"}
    if not eval(holds, {**names, "m": m, "array": array, "raised": raised}):
        print("false:", holds, "in", module, number)
'''


def test_what_is_printed_cures(hello: Project, decoder: Path, tmp_path: Path) -> None:
    source, printed, cured = tmp_path / "m.asm", {}, {}
    for row in read_rows():
        source.write_text(row.broken)
        printed[row] = refused(source, UNIVERSAL)
        if found := row.found_in(printed[row]):
            cured[row] = row.cured(found)
    assert {row.message: printed[row] for row in printed.keys() - cured.keys()} == {}
    assert [each for each in messages() if not any(map(each.search, printed.values()))] == []

    modules = modules_of(cured)
    hello.write({f"{name}.asm": module.source for name, module in modules.items()})
    hello.extensions(*((name, [f"{name}.asm"], {}) for name in modules))
    hello.settings("universal = true").beside(decoder).build_ext(ASMSETUP_STRICT="1")
    checks = [
        (name, row.number, row.holds) for name, module in modules.items() for row in module.rows
    ]
    assert hello.run("-c", CHECK, json.dumps(checks)).output == ""


def test_the_commands_that_are_printed(tmp_path: Path) -> None:
    """The commands in the message about missing bindings make an object."""
    (tmp_path / "m.asm").write_text(
        '%include "python.inc"\nPyModule m\nPyTypedFunction "f() -> i64"\nf: ret\nPyEndModule\n'
    )
    options = ["-felf64", f"-I{INCLUDE}/", "-DPY_UNIVERSAL=1", "m.asm"]
    printed = run("nasm", *options, cwd=tmp_path, ok=False).output
    (commands,) = re.findall("with nasm alone: (asmsetup .*), then (nasm .*)", printed)
    names = {"SOURCE": "m.asm", "FILE": "m.inc", "asmsetup": f"{sys.executable} -m asmsetup"}
    ours, nasm = (
        " ".join(names.get(word, word) for word in command.split()).split() for command in commands
    )
    run(*ours, cwd=tmp_path)
    run(*nasm, *options, cwd=tmp_path)


def messages() -> Iterable[re.Pattern[str]]:
    """Yield each message of the macros, their arguments and the bindings that a row is due for."""
    elsewhere = [text for heading in CURED_ELSEWHERE for text in shown_below(heading)]
    of_python = (
        text for text, place in python_messages().items() if re.search("/(?:bind|calls)/", place)
    )
    for text in (*macro_messages(), *of_python):
        if not any(map(pattern(text).search, (*elsewhere, *NO_CURE))):
            yield pattern(text)


def shown_below(heading: str) -> list[str]:
    """Return the messages that docs/messages shows below a heading."""
    pages = ((REPOSITORY / "docs" / "messages" / f"{name}.md") for name in ("macros", "signatures"))
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    found = re.search(rf"^### {re.escape(heading)}$.*?```text\n(.*?)```", text, re.M | re.S)
    assert found, heading
    return found[1].splitlines()

"""Line tables of nasm and of compilers, in each version of DWARF; damaged ones give no error."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from asmsetup.check.code.load import load_module, load_objects
from asmsetup.facts import elf
from asmsetup.facts.lines import Lines, Place
from tests.check.assembled import findings, function, verdict_of

C = "int one(int a)\n{\n    return a + 1;\n}\n"


@pytest.mark.parametrize("version", ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5", "-gz"])
def test_of_compilers(version: str, tmp_path: Path) -> None:
    (tmp_path / "one.c").write_text(C)
    command = ["gcc", "-g", version, "-fPIC", "one.c", "-o"]
    subprocess.run([*command, "one.o", "-c"], cwd=tmp_path, check=True)
    subprocess.run([*command, "one.so", "-shared"], cwd=tmp_path, check=True)
    facts = elf.read(tmp_path / "one.o")
    for image in (
        load_objects([("one.o", facts)]),
        load_module("one.so", elf.read(tmp_path / "one.so")),
    ):
        address = next(symbol.address for symbol in image.symbols if symbol.name == "one")
        place = image.lines.at(address)
        assert place is not None
        assert (Path(place.file).name, place.line) == ("one.c", 2)


def test_macros_lead_to_their_use(tmp_path: Path) -> None:
    text = '%include "python.inc"\nPyModule m\nPyFunction f, METH_NOARGS\n    Py_RETURN_NONE\nPyEndFunction\nPyEndModule\n'
    verdict = verdict_of(tmp_path, text)
    start = next(root.start for root in verdict.roots.values() if root.name == "m.f")
    lines = {
        place.line
        for address, place in verdict.image.lines.rows
        if place is not None and address >= start and place.file == "source0.asm"
    }
    assert 4 in lines


def test_damaged_tables_give_fewer_lines(tmp_path: Path) -> None:
    (tmp_path / "one.c").write_text(C)
    subprocess.run(["gcc", "-g", "-c", "one.c"], cwd=tmp_path, check=True)
    facts = elf.read(tmp_path / "one.o")
    table = next(facts.content(s) for s in facts.sections if s.name == ".debug_line")
    chance = random.Random(1)
    for _ in range(500):
        damaged = bytearray(table)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        lines = Lines(bytes(damaged[: chance.randrange(len(damaged) + 1)]))
        assert len(lines.rows) < 10_000


def test_a_line_that_cannot_be_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lines, "at", lambda lines, address: Place("source0.asm", -3))

    (found,) = findings(tmp_path, function("push rax / ret"))
    assert (found.file, found.line, found.text) == ("test.o", None, "f+0x1")

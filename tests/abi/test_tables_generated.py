"""What is committed is what the generator makes of the headers at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import abi_files, abi_tables, generate_abi
from tools.abi_probe import Abi
from tools.matrix.interpreters import Interpreter, all_interpreters

INTERPRETERS = [
    interpreter
    for interpreter in all_interpreters()
    if interpreter.name in abi_tables.FULL_TARGETS and interpreter.has_headers
]


@pytest.mark.parametrize("interpreter", INTERPRETERS, ids=lambda interpreter: interpreter.name)
def test_facts(interpreter: Interpreter) -> None:
    facts = generate_abi.facts_of(interpreter)
    own = {generate_abi.facts_path(each.name) for each in INTERPRETERS}
    own.discard(generate_abi.facts_path(interpreter.name))
    # What the headers of 3.14 say of 3.14t holds only where there is no 3.14t.
    assert [
        path for path, text in facts.items() if generate_abi.read(path) != text and path not in own
    ] == []


def test_tables() -> None:
    tables = generate_abi.tables_of({})
    assert [path for path, text in tables.items() if generate_abi.read(path) != text] == []
    assert generate_abi.stale_files(tables) == []
    # A name that the hand-written includes put together has to be known to assemble/tables.py.
    texts = [
        path.read_text()
        for path in (generate_abi.ROOT / generate_abi.INCLUDE.parent).rglob("*.inc")
        if path.relative_to(generate_abi.ROOT) not in tables
    ]
    beginnings = abi_files.pasted(texts) - {"PyCPU_", "PyInit_", "PyModExport_"}  # in no table
    assert beginnings == abi_files.PASTED.keys()


def test_a_fresh_fact_shows() -> None:
    """The tables follow the facts of one version, the others as committed."""
    path = generate_abi.facts_path("3.12")
    fresh = generate_abi.read(path).replace("constant METH_O 8\n", "constant METH_O 9\n")
    tables = generate_abi.tables_of({path: fresh})
    changed = sorted(p.name for p, text in tables.items() if generate_abi.read(p) != text)
    assert "cp312.inc" in changed
    assert "%define METH_O 9\n" in tables[generate_abi.INCLUDE / "layout" / "cp312.inc"]


@pytest.mark.parametrize(
    ("public", "functions", "constants", "kept"),
    [
        # A later patch release exports one more name: the first one's facts stay.
        ({"PyA"}, {"PyA", "PyB"}, {"METH_O": 8}, True),
        ({"PyA", "PyB"}, {"PyA", "PyB"}, {"METH_O": 8}, True),
        # It lacks one, or has another number: that must be seen.
        (set(), {"PyB"}, {"METH_O": 8}, False),
        ({"PyA"}, {"PyA"}, {"METH_O": 9}, False),
    ],
)
def test_patch_releases(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    public: set[str],
    functions: set[str],
    constants: dict[str, int],
    kept: bool,
) -> None:
    monkeypatch.setattr(generate_abi, "ROOT", tmp_path)
    known = Abi("3.12.1", constants={"METH_O": 8}, functions={"PyA"}, public={"PyA"})
    text = abi_tables.dump(known)
    generate_abi.write({generate_abi.facts_path("3.12"): text}, [])
    fresh = Abi("3.12.9", constants=constants, functions=functions, public=public)
    assert (generate_abi.settle("3.12", fresh) == text) is kept


def test_facts_survive_being_written() -> None:
    for name in (*abi_tables.FULL_TARGETS, *abi_tables.LIMITED_FACTS):
        text = generate_abi.read(generate_abi.facts_path(name))
        assert abi_tables.dump(abi_tables.load(text)) == text

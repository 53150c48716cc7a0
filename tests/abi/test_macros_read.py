"""The files of the macros are read when a macro of theirs is used, and nothing else shows of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from asmsetup.assemble import includes
from tests.abi.assembling import ASSEMBLERS, INCLUDE, bindings_option, said_by

PYTHON_INC = (INCLUDE / "python.inc").read_text()
BODIES = {
    name: path.name
    for path in (INCLUDE / "python").glob("*.inc")
    for name in re.findall(r"^%macro _py_(Py\w+) 0-\*\.nolist$", path.read_text(), re.MULTILINE)
}
STUBS = {
    name: part
    for part, names in re.findall(
        r"^_py_stubs _py(\w+), ((?:.*\\\n)*.*)$", PYTHON_INC, re.MULTILINE
    )
    for name in re.findall(r"Py\w+", names)
}
INCLUDED = re.compile(r'^%include "python/(.+)"$', re.MULTILINE)

CODE = {"misuse.inc", "call.inc", "object.inc", "reference.inc", "function.inc"}
CODE |= {"unwind.inc", "watch.inc", "frame.inc"}
MODULE = CODE | {"strings.inc", "module.inc"}
TYPED = MODULE | {"exec.inc", "typed.inc", "runtime.inc"}
KEYWORDS = TYPED | {"keywords.inc"}

each_nasm = pytest.mark.parametrize("nasm", ASSEMBLERS)


def test_every_macro_has_a_stub_and_every_stub_a_macro() -> None:
    assert BODIES.keys() == STUBS.keys()
    for name, part in STUBS.items():
        (parts,) = re.findall(rf"^%define _py_parts_of_py{part} +(.*)$", PYTHON_INC, re.MULTILINE)
        files = [f"{each.removeprefix('_py')}.inc" for each in parts.split(", ")]
        included = INCLUDED.findall(
            "".join((INCLUDE / "python" / file).read_text() for file in files)
        )
        assert BODIES[name] in (*files, *included)


def files_read(folder: Path, text: str, nasm: str) -> set[str]:
    """The files of macros that nasm reads for a source."""
    source = folder / "source.asm"
    source.write_text(f'%include "python.inc"\n{text}\n')
    options = bindings_option(source, folder / "source.o")
    rule = said_by(ASSEMBLERS[nasm], "-felf64", f"-I{INCLUDE}/", *options, "-M", source)
    names = {Path(name).name for name in rule.replace("\\\n", " ").split()[1:]}
    return names & (set(BODIES.values()) | KEYWORDS)


@each_nasm
@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("", set()),
        ("%if 0\nPyModule m\n%endif", set()),
        ("call [Py_NewRef wrt ..got]\nmov eax, PyCPU_AVX2", set()),
        ("PyCall PyErr_Occurred", CODE),
        ("PyModule m\nPyEndModule", MODULE),
        ('PyModule m\nPyConstant "A", 1\nPyEndModule', MODULE | {"exec.inc"}),
        ("PyModule m\nPySinglePhase\nPyEndModule", MODULE | {"single_phase.inc"}),
        ("struc P\nPyObject_HEAD\nendstruc", MODULE | {"exec.inc", "lifetime.inc", "type.inc"}),
        ("PyRoutine a\nPyBuffer b\nPyReturn\nPyEndRoutine", CODE | {"buffer.inc"}),
        ("PyFrame f\nret\nPyEndFrame", CODE | {"plain.inc"}),
        ("PyDispatch f, g\ng: ret", CODE | {"plain.inc", "dispatch.inc"}),
        ('PyModule m\nPyTypedFunction "f()"\nPyEndModule\nf: ret', TYPED),
        ('PyModule m\nPyTypedFunction "f(a: i64)"\nPyEndModule\nf: ret', KEYWORDS),
    ],
)
def test_only_what_is_used(text: str, files: set[str], nasm: str, tmp_path: Path) -> None:
    assert files_read(tmp_path, text, nasm) == files


def test_the_lines_of_the_source_reach_the_debugger(tmp_path: Path) -> None:
    """Also of the macro that made nasm read a file, and of what follows it."""
    text = '%include "python.inc"\nPyRoutine a\nPyReturn 1\nPyEndRoutine\nnop\n'
    (tmp_path / "m.asm").write_text(text)
    command = ["nasm", "-felf64", "-g", "-Fdwarf", f"-I{INCLUDE}/", "-o", "m.o", "m.asm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    said = said_by("objdump", "--dwarf=decodedline", tmp_path / "m.o")
    rows = re.findall(r"^(\S+\.\w+) +(\d+) +0", said, re.MULTILINE)
    assert list(dict.fromkeys(rows)) == [("m.asm", line) for line in ("2", "3", "5")]


@each_nasm
def test_names_for_the_debugger_end_no_routine(nasm: str, tmp_path: Path) -> None:
    """A local label behind the first of them is still the routine's, and the code the same."""
    routine = "{0}:\nPyRoutine {0}_\nPyLocal a\nPyReturn\nPyEndRoutine\n.behind: ret\n"
    uses = "jmp first_.behind\njmp second_.behind\n"
    text = '%include "python.inc"\n' + routine.format("first") + routine.format("second") + uses
    (tmp_path / "m.asm").write_text(text)
    code = set()
    for options in ([], ["-g", "-Fdwarf"], ["-g", "-Fstabs"]):
        command = [ASSEMBLERS[nasm], "-felf64", *options, f"-I{INCLUDE}/", "-o", "m.o", "m.asm"]
        subprocess.run(command, cwd=tmp_path, check=True)
        code.add(said_by("objdump", "-d", tmp_path / "m.o"))
    assert len(code) == 1


def test_an_edit_of_any_of_them_assembles_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No source names them: what asks for one of asmsetup's includes hangs on all of them."""
    folder = tmp_path / "include"
    shutil.copytree(INCLUDE, folder)
    source = tmp_path / "source.asm"
    source.write_text('%include "python.inc"\n')
    monkeypatch.setattr(includes, "INCLUDE_DIR", str(folder))
    assert includes.closure(str(source), [str(folder)]).own

    def digest() -> str:
        includes.own_digest.cache_clear()
        return includes.own_digest()

    seen = {digest()}
    for name in sorted(set(BODIES.values()) | KEYWORDS):
        with (folder / "python" / name).open("a") as file:
            file.write("; edited\n")
        seen.add(digest())
    includes.own_digest.cache_clear()
    assert len(seen) == 1 + len(set(BODIES.values()) | KEYWORDS)

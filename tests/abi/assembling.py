"""Assemble and link a source with nasm and ld alone, and run Python code beside the module."""

from __future__ import annotations

import subprocess
from pathlib import Path

from asmsetup.bind import bindings_for
from asmsetup.unwind import add_tables
from tools.matrix.interpreters import REPOSITORY, Interpreter, all_interpreters, for_tests, tools

INCLUDE = REPOSITORY / "asmsetup" / "include"
MODULES = Path(__file__).parent / "modules"
TYPED = Path(__file__).parent / "typed"
INTERPRETERS = {each.name: each for each in for_tests(all_interpreters())}
ASSEMBLERS = {"nasm": "nasm", **{name: str(path) for name, path in tools("nasm-").items()}}

Defines = dict[str, str]
UNIVERSAL: Defines = {"PY_UNIVERSAL": "1"}


def assemble(
    source: Path,
    object_file: Path,
    defines: Defines = UNIVERSAL,
    nasm: str = "nasm",
    *options: str,
) -> subprocess.CompletedProcess[str]:
    """Run nasm with the source's bindings, and return what it said and whether it failed."""
    return subprocess.run(
        [
            nasm,
            "-felf64",
            f"-I{INCLUDE}/",
            *bindings_option(source, object_file),
            *(f"-D{name}={value}" for name, value in defines.items()),
            *options,
            "-o",
            str(object_file),
            str(source),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def bindings_option(source: Path, object_file: Path) -> list[str]:
    """Write the bindings of a source beside its object; return the options that include them."""
    text = bindings_for([str(source)], str(INCLUDE))
    if not text:
        return []
    path = object_file.with_suffix(".bindings.inc")
    path.write_text(text)
    return ["-P", str(path)]


def build(
    source: Path,
    module: Path,
    defines: Defines = UNIVERSAL,
    nasm: str = "nasm",
    *objects: Path,
    unwind: bool = False,
) -> Path:
    """Assemble and link a module; nasm and ld must have nothing to say.

    With ``unwind``, plain routines get the tables that `unwind = true` gives them: all of them.
    """
    object_file = module.with_suffix(".o")
    said = assemble(source, object_file, defines, nasm)
    assert (said.returncode, said.stderr) == (0, ""), said.stderr
    if unwind:
        extended = add_tables(source.name, object_file.read_bytes())
        assert extended.notes == []
        object_file.write_bytes(extended.content)
    link(module, object_file, *objects)
    return module


def link(module: Path, *objects: Path) -> None:
    """Link a module as asmsetup does; ld must have nothing to say."""
    options = ["-shared", "--eh-frame-hdr", "-z", "noexecstack"]
    options += ["-z", "now", "-z", "relro", "-z", "text"]
    linked = subprocess.run(
        ["ld", *options, "-o", str(module), *map(str, objects)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (linked.returncode, linked.stderr) == (0, ""), linked.stderr


def build_typed(folder: Path, defines: Defines = UNIVERSAL, nasm: str = "nasm") -> Path:
    """typed.so in the folder, with the C routine it calls."""
    kernels = folder / "kernels.o"
    said_by("gcc", "-O2", "-fPIC", "-c", TYPED / "kernels.c", "-o", kernels)
    return build(TYPED / "typed.asm", folder / "typed.so", defines, nasm, kernels)


def target_of(interpreter: Interpreter) -> Defines:
    """What asmsetup tells nasm to compile for this interpreter alone."""
    major, minor, micro = interpreter.version
    defines = {"PY_VERSION_HEX": f"0x{major:02x}{minor:02x}{micro:02x}f0"}
    if interpreter.free_threaded:
        defines["Py_GIL_DISABLED"] = "1"
    if interpreter.debug:
        defines["Py_DEBUG"] = "1"
    return defines


def python(interpreter: Interpreter, folder: Path, *arguments: str) -> str:
    """Run an interpreter in a folder, whose modules it can import, and return what it printed."""
    run = subprocess.run(
        [*interpreter.command, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def said_by(tool: str, *arguments: str | Path) -> str:
    """Run a tool of the binutils, which must succeed, and return what it printed."""
    return subprocess.run(
        [tool, *map(str, arguments)], capture_output=True, text=True, check=True
    ).stdout

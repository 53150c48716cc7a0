"""The targets of `asmsetup check`, and how their code is found."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from .. import config
from ..assemble.nasm import AssemblerOptions
from ..build import Builder
from ..check import calls
from ..errors import CheckError, ObjectError, SourceError, UsageError
from ..facts import archive, elf, target
from ..facts.elf import ElfFacts
from ..live.building import on_standard_error
from ..named import NamedTuple
from ..plan import Recipe
from ..suffixes import is_assembly

_ELF_MAGIC = b"\x7fELF"
_BUILD = "import sys, setuptools.build_meta as b; print(b.build_wheel(sys.argv[1]))"


class Code(NamedTuple):
    """An object or a module, with the name the user knows it by."""

    name: str
    facts: ElfFacts


def codes_of(what: str) -> Iterator[Code]:
    """Yield every object and module in a target.

    A target is a source, an object, a static library, a module, a wheel, the folder of a project,
    or the name of an installed package. Raises AsmsetupError for one that cannot be read, or
    that plain NASM has made of a macro's wrong arguments.
    """
    path = Path(what)
    if path.is_dir():
        yield from _in_project(path)
    elif is_assembly(what):
        yield _assembled(what)
    elif path.suffix == ".whl":
        yield from _in_wheel(path)
    elif path.exists():
        yield from _in_file(what, _read(path))
    else:
        yield from _installed(what)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ObjectError(f"{path}: cannot be read: {error.strerror}") from error


def _in_file(name: str, data: bytes) -> Iterator[Code]:
    if not archive.is_archive(data):
        yield _right(name, data)
        return
    try:
        for member, content in archive.members(data):
            if content.startswith(_ELF_MAGIC):
                yield _right(f"{name}({member})", content)
    except ObjectError as error:
        raise ObjectError(f"{name}: {error.what}") from error


def _right(name: str, data: bytes) -> Code:
    facts = elf.read(name, data)
    if facts.kind == "object":
        calls.require_right(name, facts)
    return Code(name, facts)


def _assembled(source: str) -> Code:
    """Assemble a source with line numbers, as the settings of its folder say."""
    if not os.path.exists(source):
        raise SourceError(f"{source}: there is no such source file")
    settings = config.load(os.path.dirname(source) or os.curdir, os.environ)
    with tempfile.TemporaryDirectory(prefix="asmsetup-") as folder:
        reporter = on_standard_error(verbose=False)._replace(progress=lambda text: None)
        builder = Builder(settings, target.running(), folder, reporter)
        recipe = Recipe(
            Path(source).stem,
            (source,),
            AssemblerOptions(debug=True),
            settings.limited_api,
            settings.universal,
        )
        try:
            objects = builder.assemble(recipe)
            return Code(source, elf.read(objects[0].path))
        finally:
            builder.finish()


def _in_wheel(path: Path) -> Iterator[Code]:
    try:
        with zipfile.ZipFile(path) as wheel:
            for name in sorted(wheel.namelist()):
                if ".so" in name:
                    data = wheel.read(name)
                    if data.startswith(_ELF_MAGIC):
                        yield Code(f"{path}:{name}", elf.read(f"{path}:{name}", data))
    except (OSError, zipfile.BadZipFile) as error:
        raise ObjectError(f"{path}: cannot be read: {error}") from error


def _in_project(folder: Path) -> Iterator[Code]:
    """Build a project's wheel with line numbers, and look into that."""
    if not any((folder / name).exists() for name in ("pyproject.toml", "setup.py", "setup.cfg")):
        raise UsageError(
            f"{folder} is a folder without pyproject.toml, setup.py or setup.cfg",
            "name a project, a source, an object, a module, a wheel or an installed package",
        )
    with tempfile.TemporaryDirectory(prefix="asmsetup-") as output:
        done = subprocess.run(
            [sys.executable, "-c", _BUILD, output],
            cwd=folder,
            env={
                **os.environ,
                "ASMSETUP_DEBUG": "1",
                "ASMSETUP_AUDITWHEEL": "skip",
                "ASMSETUP_CHECK": "false",  # what the build would refuse is what is looked for
            },
            capture_output=True,
            text=True,
            errors="backslashreplace",
            check=False,
        )
        wheels = sorted(Path(output).glob("*.whl"))
        if done.returncode or not wheels:
            output = (done.stderr or done.stdout).strip()
            raise CheckError(
                f"{folder}: the project could not be built, so there is no code:\n{output}"
            )
        for code in _in_wheel(wheels[0]):
            inner = code.name.rpartition(":")[2]
            yield code._replace(name=f"{folder}:{inner}")


def _installed(name: str) -> Iterator[Code]:
    try:
        files = metadata.distribution(name).files or []
    except (metadata.PackageNotFoundError, ValueError):
        raise UsageError(
            f"{name} is not a file, and no package of that name is installed",
            "name a project, a source, an object, a module, a wheel or an installed package",
        ) from None
    for file in sorted(files):
        if ".so" in file.name:
            path = Path(str(file.locate()))
            data = _read(path)
            if data.startswith(_ELF_MAGIC):
                yield Code(f"{name}:{file}", elf.read(path, data))

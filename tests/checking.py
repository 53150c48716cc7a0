"""Builds the sample projects of the checks with the real nasm and ld, and runs what comes out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asmsetup import config
from asmsetup.check import CheckedObject, Finding, ModuleContext, check_module, check_objects
from asmsetup.errors import LinkError
from asmsetup.facts import cpython_abi, elf
from asmsetup.link import libraries, linker
from asmsetup.link.linker import entry_points
from asmsetup.versions import Version
from tests.mistakes import write_package

NASM = os.environ.get("NASM", "nasm")
LD = os.environ.get("LD", "ld")

_RUN = "import sample; answer = sample.answer(); assert answer == 42, answer"


@dataclass(frozen=True)
class Sample:
    """A sample project unpacked into a folder of its own, where nasm and ld run."""

    folder: Path
    sources: tuple[str, ...]
    settings: config.Settings
    nasm: str

    @classmethod
    def of(cls, package: str, folder: Path, nasm: str = "nasm") -> Sample:
        write_package(package, folder)
        sources = tuple(sorted((path.name for path in folder.glob("*.asm")), reverse=True))
        return cls(folder, sources, config.load(str(folder), {}), nasm)

    def module(self, python: Version | None = None, strict: bool = False) -> ModuleContext:
        return ModuleContext(
            "sample",
            entry_points("sample"),
            python or sys.version_info[:2],
            limited_api=self.settings.limited_api,
            universal=self.settings.universal,
            c_library=libraries.c_library_files(),
            strict=strict,
        )

    def run_nasm(self, source: str, *arguments: str) -> None:
        command = [self.nasm, "-f", "elf64", source, *arguments]
        subprocess.run(command, cwd=self.folder, check=True)

    def listing(self, source: str) -> str:
        self.run_nasm(source, "-o", "listed.o", "-l", "listing.lst")
        return (self.folder / "listing.lst").read_text()

    def assemble(self) -> list[CheckedObject]:
        objects = []
        for source in self.sources:
            path = self.folder / f"{source}.o"
            self.run_nasm(source, "-o", path.name)
            objects.append(
                CheckedObject(path.name, elf.read(path), source, lambda s=source: self.listing(s))  # type: ignore[misc]
            )
        return objects

    def findings(self, python: Version | None = None, strict: bool = False) -> list[Finding]:
        return check_objects(self.assemble(), self.module(python, strict), cpython_abi)

    def link(self) -> Path:
        """The module, linked as asmsetup links; LinkError when ld refuses."""
        self.assemble()
        script = self.folder / "exports"
        script.write_text(linker.version_script(entry_points("sample")))
        module = self.folder / "sample.so"
        objects = [str(self.folder / f"{source}.o") for source in self.sources]
        files = libraries.c_library_files()
        # Each kind of section in a segment of its own, as compiler drivers link: without that,
        # read-only data can be executed by luck.
        options = linker.LinkerOptions(args=("-z", "separate-code"))
        linker.link(linker.command("ld", objects, str(module), str(script), options, files))
        return module

    def outcome(self, python: str = sys.executable) -> str:
        """The outcome for the project without the checks."""
        try:
            self.link()
        except LinkError:
            return "does not link"
        # Without site, whose .pth files take longer than the rest.
        command = [python, "-S", "-c", _RUN]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode < 0:
            return "crashes"
        if "ImportError" in done.stderr:
            return "does not import"
        return "works" if done.returncode == 0 else done.stderr


def assembled(source: Path, text: str, *options: str, nasm: str = NASM) -> Path:
    """Write a source and assemble it with nasm alone; return the object beside it."""
    source.write_text(text, errors="surrogateescape")
    command = [nasm, "-f", "elf64", *options, source.name, "-o", f"{source.stem}.o"]
    subprocess.run(command, cwd=source.parent, check=True)
    return source.with_suffix(".o")


def linked(module: Path, *arguments: str | Path) -> Path:
    """Link a module in its folder with ld alone; return it."""
    subprocess.run([LD, "-shared", *arguments, "-o", module.name], cwd=module.parent, check=True)
    return module


def checked(source: Path, text: str) -> CheckedObject:
    """Write a source and assemble it with nasm alone; return the object for the checks."""
    object_ = assembled(source, text)
    return CheckedObject(object_.name, elf.read(object_), source.name)


def module_findings(sample: Sample, known: Sequence[Finding] = ()) -> list[Finding]:
    path = sample.link()
    return check_module(path.name, elf.read(path), sample.module(), known)

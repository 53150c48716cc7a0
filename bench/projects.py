"""The projects that are built, each in the words of every tool that builds it."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asmsetup

from . import generate, mixed

REPOSITORY = Path(__file__).resolve().parent.parent

ISAL = "isal-1.9.1"
"""The sdist on PyPI whose ISA-L is built; 62 NASM and 12 C sources, beside the modules' own 3."""

ISAL_SHA256 = "d210dca02a689ef2af709d2c62d2daac2e36b5d2fa06e6dc0d023c83fee77e91"

_PYPROJECT = """\
[build-system]
requires = [{requires}]
build-backend = "{backend}"

[project]
name = "{name}"
version = "1.0"
requires-python = ">=3.10"
"""
_BACKENDS = {
    "asmsetup": ('"setuptools", "asmsetup"', "setuptools.build_meta"),
    "setuptools": ('"setuptools"', "setuptools.build_meta"),
    "meson-python": ('"meson-python"', "mesonpy"),
    "scikit-build-core": ('"scikit-build-core"', "scikit_build_core.build"),
}


@dataclass(frozen=True)
class Module:
    """An extension module."""

    name: str
    """With its package."""
    sources: tuple[str, ...]
    shared: bool = True
    """The project's common sources are part of it."""


@dataclass(frozen=True)
class Project:
    """A project's parts, from which each tool's build files are written."""

    name: str
    modules: tuple[Module, ...]
    write_sources: Callable[[Path, str], None]
    """Given a folder and the tool that is to build there."""
    common: tuple[str, ...] = ()
    include_dirs: tuple[str, ...] = ()
    define: tuple[str, ...] = ()
    edited: str = ""
    """A source to touch: one line of comment is added."""
    edited_include: str = ""
    """An include that some of the sources share."""
    python_files: tuple[str, ...] = ()
    extra: dict[str, str] = field(default_factory=dict)
    """Further text for pyproject.toml, by tool."""

    def write(self, folder: Path, tool: str) -> None:
        """Write the project as ``tool`` builds it."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.write_sources(folder, tool)
        self.write_build_files(folder, tool)

    def write_build_files(self, folder: Path, tool: str) -> None:
        """Write what tells ``tool`` how to build."""
        requires, backend = _BACKENDS[tool]
        text = _PYPROJECT.format(requires=requires, backend=backend, name=self.name)
        (folder / "pyproject.toml").write_text(text + self.extra.get(tool, ""))
        if tool in ("asmsetup", "setuptools"):
            (folder / "setup.py").write_text(self._setup())
        elif tool == "meson-python":
            (folder / "meson.build").write_text(self._meson())
        else:
            (folder / "CMakeLists.txt").write_text(self._cmake())

    def _sources(self, module: Module) -> list[str]:
        return [*module.sources, *(self.common if module.shared else ())]

    def _setup(self) -> str:
        extensions = "".join(
            f"        Extension({module.name!r}, sources={self._sources(module)!r},\n"
            f"                  include_dirs={list(self.include_dirs)!r},\n"
            f"                  define_macros={[tuple(word.split('=')) for word in self.define]!r}),\n"
            for module in self.modules
        )
        where = (
            'package_dir={"": "src"}, packages=["isal"],' if self.python_files else "py_modules=[],"
        )
        return (
            "from setuptools import Extension, setup\n\nsetup(\n"
            f"    {where}\n    ext_modules=[\n{extensions}    ],\n)\n"
        )

    def _meson(self) -> str:
        languages = "'nasm'" if self._pure else "'c', 'nasm'"
        quoted = ", ".join
        lines = [
            f"project('{self.name}', {languages}, version: '1.0')",
            "py = import('python').find_installation(pure: false)",
            f"inc = include_directories({quoted(map(repr, self.include_dirs))})",
            f"args = {[f'-D{name}' for name in self.define]!r}",
        ]
        link = ""
        if self.common:
            lines.append(
                f"common = static_library('common', {list(self.common)!r}, pic: true,\n"
                "  include_directories: inc, c_args: args, nasm_args: args)"
            )
        for module in self.modules:
            package, _, name = module.name.rpartition(".")
            link = "link_with: common, " if self.common and module.shared else ""
            subdir = f"subdir: {package!r}, " if package else ""
            lines.append(
                f"py.extension_module({name!r}, {list(module.sources)!r}, install: true, {subdir}\n"
                f"  {link}include_directories: inc, c_args: args, nasm_args: args)"
            )
        if self.python_files:
            lines.append(f"py.install_sources({list(self.python_files)!r}, subdir: 'isal')")
        return "\n".join(lines) + "\n"

    def _cmake(self) -> str:
        lines = [
            "cmake_minimum_required(VERSION 3.20)",
            f"project({self.name} LANGUAGES {self._cmake_languages})",
            "find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)",
            "set(CMAKE_POSITION_INDEPENDENT_CODE ON)",
            f"include_directories({' '.join(self.include_dirs)})" if self.include_dirs else "",
            *(f"add_compile_definitions({name})" for name in self.define),
        ]
        if self.common:
            lines.append(f"add_library(common STATIC {' '.join(self.common)})")
        for module in self.modules:
            package, _, name = module.name.rpartition(".")
            lines.append(f"Python_add_library({name} MODULE WITH_SOABI {' '.join(module.sources)})")
            if self._pure:
                # CMake links nothing, and says so nowhere, when NASM is the linker's language.
                lines.append(f"set_target_properties({name} PROPERTIES LINKER_LANGUAGE C)")
            if self.common and module.shared:
                lines.append(f"target_link_libraries({name} PRIVATE common)")
            lines.append(f"install(TARGETS {name} DESTINATION {package or '.'})")
        if self.python_files:
            lines.append(f"install(FILES {' '.join(self.python_files)} DESTINATION isal)")
        return "\n".join(lines) + "\n"

    @property
    def _cmake_languages(self) -> str:
        # GAS's sources are of a language of their own there.
        has_gas = any(source.endswith(".S") for m in self.modules for source in m.sources)
        return "C ASM ASM_NASM" if has_gas else "C ASM_NASM"

    @property
    def _pure(self) -> bool:
        everything = [source for module in self.modules for source in self._sources(module)]
        return all(source.endswith(".asm") for source in everything)


_SAYIT_C = """\
#include <Python.h>

static PyObject *
sayit(PyObject *module, PyObject *unused)
{
    PySys_WriteStdout("Assembly is great fun! :)\\n");
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"sayit", sayit, METH_NOARGS, "This method has something important to say."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "sayit", "Assembly with something to say.", 0, methods, slots,
};

PyMODINIT_FUNC
PyInit_sayit(void)
{
    return PyModuleDef_Init(&definition);
}
"""


def sayit() -> Project:
    """The program that asmsetup exists for, in assembly."""

    def write_sources(folder: Path, tool: str) -> None:
        shutil.copy(REPOSITORY / "examples" / "sayit" / "sayit.asm", folder)
        if tool == "asmsetup":
            (folder / "include").mkdir()
        else:
            # The other tools do not bring python.inc: there it is part of the project.
            shutil.copytree(asmsetup.include_dir(), folder / "include")

    return Project(
        "sayit",
        (Module("sayit", ("sayit.asm",)),),
        write_sources,
        include_dirs=("include",),
        define=("PY_UNIVERSAL=1",),
        edited="sayit.asm",
        extra={"asmsetup": "\n[tool.asmsetup]\nuniversal = true\n"},
    )


def _write_sayit_in_c(folder: Path, tool: str) -> None:
    (folder / "sayit.c").write_text(_SAYIT_C)


def sayit_in_c() -> Project:
    """The same module in C."""
    return Project(
        "sayit",
        (Module("sayit", ("sayit.c",)),),
        _write_sayit_in_c,
        edited="sayit.c",
    )


def generated(count: int, kind: str = "kernels", sizes: Sequence[int] = generate.LIGHT) -> Project:
    """A module of ``count`` macro-heavy sources."""
    names = tuple(generate.names(count))
    return Project(
        f"{kind}-{count}",
        (Module("kernels", names),),
        lambda folder, tool: generate.write(folder, count, sizes),
        include_dirs=("inc",),
        edited="kernel_1.asm",
        edited_include="inc/filter.inc",
    )


def heavy() -> Project:
    """A module of 46 long sources, on which NASM works for half a minute."""
    return generated(46, "heavy", generate.HEAVY)


def mixed_kinds() -> Project:
    """A module of 60 sources in C, 60 for NASM and 10 for GAS."""
    return Project(
        "mixed-130",
        (Module("kernels", mixed.names()),),
        lambda folder, tool: mixed.write(folder),
        include_dirs=("inc",),
        edited="kernel_1.asm",
        edited_include="inc/filter.inc",
    )


_ISAL_HEADER = """\
#define ISAL_MAJOR_VERSION 2
#define ISAL_MINOR_VERSION 32
#define ISAL_PATCH_VERSION 0
#define ISAL_MAKE_VERSION(maj, min, patch) ((maj) * 0x10000 + (min) * 0x100 + (patch))
#define ISAL_VERSION ISAL_MAKE_VERSION(ISAL_MAJOR_VERSION, ISAL_MINOR_VERSION, ISAL_PATCH_VERSION)
"""


def isal(sdist: Path) -> Project:
    """python-isal with its make step replaced by source lists."""
    if hashlib.sha256(sdist.read_bytes()).hexdigest() != ISAL_SHA256:
        raise RuntimeError(f"{sdist.name} is not the one this was written for")
    root = "src/isal/isa-l"
    with tarfile.open(sdist) as archive:
        lists = [_member(archive, f"{root}/{part}/Makefile.am") for part in ("igzip", "crc")]
    common = tuple(f"{root}/{name}" for text in lists for name in _library_sources(text))

    def write_sources(folder: Path, tool: str) -> None:
        with tarfile.open(sdist) as archive:
            for member in archive.getmembers():
                member.name = member.name.partition("/")[2]
                if member.name.startswith("src/") and "egg-info" not in member.name:
                    archive.extract(member, folder, filter="data")
        # Includes are spelt <isa-l/igzip_lib.h>.
        shutil.copytree(folder / root / "include", folder / "headers" / "isa-l")
        # ISA-L's own makefile generates this one.
        (folder / "headers" / "isa-l.h").write_text(_ISAL_HEADER)

    python_files = ("__init__.py", "igzip.py", "igzip_threaded.py", "_version.py")
    return Project(
        "isal",
        (
            Module("isal.isal_zlib", ("src/isal/isal_zlibmodule.c",)),
            Module("isal.igzip_lib", ("src/isal/igzip_libmodule.c",)),
            Module("isal._isal", ("src/isal/_isalmodule.c",), shared=False),
        ),
        write_sources,
        common=common,
        include_dirs=(
            "headers",
            *(f"{root}/{part}".rstrip("/") for part in ("", "include", "igzip", "crc")),
        ),
        define=("NDEBUG=1",),
        edited=f"{root}/igzip/igzip_body.asm",
        edited_include=f"{root}/igzip/huffman.asm",
        python_files=tuple(f"src/isal/{name}" for name in python_files),
    )


def _member(archive: tarfile.TarFile, path: str) -> str:
    file = archive.extractfile(f"{ISAL}/{path}")
    if file is None:
        raise RuntimeError(f"{path} is not a file")
    return file.read().decode()


def _library_sources(makefile: str) -> list[str]:
    """Return what a Makefile.am of ISA-L's adds to the library on x86-64."""
    found: list[str] = []
    for line in makefile.replace("\\\n", " ").splitlines():
        name, _, values = line.partition("+=")
        if name.strip() in ("lsrc", "lsrc_x86_64"):
            found += values.split()
    return found


def edit(folder: Path, name: str, number: int) -> None:
    """Change a file of a project: a comment in a line of its own."""
    mark = "//" if name.endswith(".c") else ";"
    with open(folder / name, "a") as file:
        file.write(f"{mark} edit {number}\n")


def sources(project: Project) -> Sequence[str]:
    """Return every source of the project once."""
    everything = [*project.common, *(s for module in project.modules for s in module.sources)]
    return list(dict.fromkeys(everything))

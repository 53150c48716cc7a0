"""asmsetup new: a complete project to begin with, written from asmsetup/templates."""

from __future__ import annotations

import argparse
import json
import keyword
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from .. import program
from ..errors import FileError, UsageError
from ..named import NamedTuple

_TEMPLATES = Path(__file__).parent.parent / "templates"
_SUFFIX = ".in"
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
"""The names that a package index accepts."""
_TAKEN = frozenset({"asmsetup", "setuptools", "pip", "wheel", "pytest", "src", "test", "tests"})
_UNIVERSAL = "[tool.asmsetup]\nuniversal = true     # one module and one wheel for every CPython"
_LIBRARY = "[tool.asmsetup]\nstrict = true        # warnings about the code stop the build"
_STUB = {"_core.pyi": "the same for type checkers and editors"}
_WHEEL_PER_PYTHON = """\
[tool.cibuildwheel]
build = "cp3*-manylinux_x86_64 cp3*-musllinux_x86_64"
manylinux-x86_64-image = "manylinux_2_34"
repair-wheel-command = ""           # asmsetup has tagged the wheel already
test-requires = "pytest"
test-command = "pytest {package}/tests"

[tool.cibuildwheel.linux]
before-all = "dnf install -y --enablerepo=crb nasm || apk add nasm\""""


class Kind(NamedTuple):
    """The files of one kind of project."""

    about: str
    layers: tuple[str, ...]
    """The folders of templates, apart from the common one."""
    sources: Mapping[str, str]
    """The sources of the extension, each with its description."""
    interface: Mapping[str, str]
    """The files that say what there is, each with its description."""
    example: str
    settings: str = _UNIVERSAL
    compiler: str = ""


KINDS = {
    "module": Kind(
        "Python functions in assembly",
        ("universal", "module"),
        {"_core.asm": "the functions"},
        _STUB,
        "from @package@ import clamp\n\nassert clamp(300) == 255",
    ),
    "type": Kind(
        "A Python type in assembly",
        ("universal", "type"),
        {"_core.asm": "the type"},
        _STUB,
        "from @package@ import Tally\n\ntally = Tally()\nassert tally.add(3) == 3",
    ),
    "mixed": Kind(
        "Assembly called from C",
        ("mixed",),
        {"_core.c": "the binding", "kernel.asm": "the arithmetic"},
        _STUB,
        "from array import array\nfrom @package@ import sum_squares\n\n"
        'assert sum_squares(array("d", [1, 2, 3])) == 14',
        _WHEEL_PER_PYTHON,
        " and a C compiler",
    ),
    "simd": Kind(
        "The fastest routine that the processor can run",
        ("universal", "simd"),
        {"_core.asm": "the function, for SSE2 and for AVX2"},
        _STUB,
        'from @package@ import sum_bytes\n\nassert sum_bytes(b"abc") == 294',
    ),
    "library": Kind(
        "A shared library for ctypes, without Python in it",
        ("universal", "library"),
        {"kernel.asm": "the library's function"},
        {"kernel.h": "its prototype, for C and other languages"},
        'from @package@ import count_byte\n\nassert count_byte(b"abca", ord("a")) == 2',
        _LIBRARY,
    ),
}
"""The kinds of projects."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    kinds = "\n".join(f"  {name:9}{kind.about}" for name, kind in KINDS.items())
    parser.epilog = f"kinds of projects:\n{kinds}"
    parser.add_argument(
        "folder", metavar="NAME", help="the project's name, or a new folder with that name"
    )
    parser.add_argument("--kind", choices=KINDS, default="module", help="what to begin with")


def run(options: argparse.Namespace) -> int:
    """Write the project.

    Raises UsageError for a name that no project can have, and FileError when something
    is in the way or cannot be written.
    """
    folder = options.folder
    name = os.path.basename(os.path.abspath(folder)) if folder else ""
    package = package_name(name)
    _require_empty(folder)
    files = dict(project_files(name, package, KINDS[options.kind]))
    _write(folder, files)
    print(f"{folder}: {len(files)} files")
    _show_next_steps(folder)
    return 0


def package_name(name: str) -> str:
    """Return the name that the project ``name`` is imported by.

    Raises UsageError when the project or its package cannot be called that.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a project",
            "it is made of the letters a to z, digits, and single - _ . between them",
        )
    package = re.sub(r"[-_.]+", "_", name).lower()
    if keyword.iskeyword(package) or package[0].isdigit():
        why = "begins with a digit" if package[0].isdigit() else "is a keyword of Python"
        raise UsageError(
            f"{name!r} cannot be imported by its name: {package} {why}",
            f"choose another name, for example:   asmsetup new asm-{name}",
        )
    if package in sys.stdlib_module_names or package in _TAKEN:
        raise UsageError(
            f"{name!r} would hide the module {package} that is already there",
            f"choose another name, for example:   asmsetup new fast-{name}",
        )
    return package


def project_files(name: str, package: str, kind: Kind) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each file of a project."""
    values = {
        "name": name,
        "package": package,
        "summary": kind.about,
        "authors": _authors(),
        "settings": kind.settings,
        "compiler": kind.compiler,
        "example": kind.example.replace("@package@", package),
        "sources": ", ".join(f'"src/{package}/{source}"' for source in kind.sources),
        "files": "\n".join(
            f"| `src/{package}/{source}` | {what} |"
            for source, what in {**kind.sources, **kind.interface}.items()
        ),
    }
    for layer in ("common", *kind.layers):
        root = _TEMPLATES / layer
        for path in sorted(root.rglob(f"*{_SUFFIX}")):
            target = str(path.relative_to(root)).removesuffix(_SUFFIX)
            # Tools leave names with a dot out, of packages too.
            target = re.sub(r"(^|/)dot\.", r"\1.", target)
            yield _filled(target, values), _filled(path.read_text(encoding="utf-8"), values)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"@(\w+)@", lambda match: values[match[1]], text)


def _authors() -> str:
    """Return the line of pyproject.toml with the author that git knows, empty without one."""
    name, email = (_git_config(f"user.{key}") for key in ("name", "email"))
    if not name:
        return ""
    entries = [f"name = {json.dumps(name, ensure_ascii=False)}"]
    if "@" in email:
        entries.append(f"email = {json.dumps(email, ensure_ascii=False)}")
    return f"authors = [{{ {', '.join(entries)} }}]\n"


def _git_config(key: str) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    done = program.run([git, "config", "--get", key])
    return done.output if done.status == 0 and done.output.isprintable() else ""


def _require_empty(folder: str) -> None:
    """Raise FileError unless ``folder`` is missing or empty, apart from a repository."""
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise FileError(f"{folder} is there already, and it is a file", "choose another name")
    if os.path.isdir(folder) and (found := sorted({*os.listdir(folder)} - {".git"})):
        raise FileError(
            f"the folder {folder} is not empty: it has {', '.join(found[:3])}"
            + (" ..." if len(found) > 3 else ""),
            "asmsetup new never overwrites; choose another name, or an empty folder",
        )


def _write(folder: str, files: Mapping[str, str]) -> None:
    """Write the files, all or none of them."""
    made: list[Path] = []
    try:
        for name, text in files.items():
            path = Path(folder, name)
            _make_folders(path.parent, made)
            with open(path, "x", encoding="utf-8") as file:
                made.append(path)
                file.write(text)
    except OSError as error:
        _remove(reversed(made))
        raise FileError(
            f"cannot write {error.filename or folder}: {error.strerror}", "nothing was left there"
        ) from error


def _make_folders(folder: Path, made: list[Path]) -> None:
    if not folder.is_dir():
        _make_folders(folder.parent, made)
        folder.mkdir()
        made.append(folder)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()


def _show_next_steps(folder: str) -> None:
    print("build, install and test it:", file=sys.stderr)
    if os.path.abspath(folder) != os.getcwd():
        print(f"  cd {folder}", file=sys.stderr)
    print("  pip install -e . pytest && pytest      (or: uv run pytest)", file=sys.stderr)

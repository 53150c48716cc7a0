"""Unpack packages of the distribution into folders where their programs run; nothing is installed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tools.matrix.interpreters import replace_text

MULTIARCH = "x86_64-linux-gnu"
KEYRINGS = "/usr/share/keyrings/"
LEFT_OUT = (
    *("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/gdb"),
    *("./usr/lib/debug", "./usr/lib/python3.*/config-*/*.a", "./dev"),
    # Says that pip must not install into the interpreter, which is ours here.
    "./usr/lib/python3.*/EXTERNALLY-MANAGED",
)
OLDER = {
    "python3.13": ("3.13.15", "1e66a7945a48390ee4c2a4268a0e4185884059a13c4aab6d148aa208deea4a76"),
    "python3.14": ("3.14.7", "3b48dac8fb59f62eaa67ac83c1eb12bda1b7a08406dd286e252c11a66be27f81"),
    "python3.15": (
        "3.15.0~rc2",
        "8d93af5eaaaea5adfd41bd786a7ba3f03f2ad1ab57c6a65e0b963deab91d5ad7",
    ),
}
"""Versions and SHA-256 of sources for days when the archive refuses what its lists name."""


class UnavailableError(Exception):
    """Something cannot be had, or does not work; the message says what and why."""


def unpack(suite: str, packages: Sequence[str], folder: Path) -> None:
    """Unpack packages of a suite with their dependencies. Raises UnavailableError."""
    archive, reaching = (folder.with_name(f"{folder.name}.{kind}") for kind in ("tar", "conf"))
    # Proxies, and whether dates are checked, are as for the machine itself.
    lines = output(["apt-config", "dump", "Acquire"]).splitlines(keepends=True)
    replace_text(reaching, "".join(line for line in lines if "IndexTargets" not in line))
    # Lists stay, so that download_source can ask the same archive for sources.
    mmdebstrap = ["mmdebstrap", "--quiet", "--variant=extract", "--skip=cleanup/apt"]
    mmdebstrap += [f"--aptopt={reaching}", f"--include={','.join(packages)}"]
    output([*mmdebstrap, suite, str(archive)])
    tar = ["tar", "--extract", "--no-same-owner", *(f"--exclude={each}" for each in LEFT_OUT)]
    output([*tar, "--file", str(archive), "--directory", str(folder)])
    archive.unlink()


def download_source(cache: Path, package: str, folder: Path) -> Path:
    """Download a source package's upstream archive, verified by apt, into `folder`.

    The lists may name a version that the archive does not give: then it is the one in OLDER.
    """
    root = cache / "roots/unstable"
    sources = root / "etc/apt/sources.list"
    text = re.sub(r"^deb ", "deb-src ", sources.read_text(), flags=re.MULTILINE)
    replace_text(root / "etc/apt/sources.list.d/source.list", text)
    apt = ["-q", "-o", f"Dir={root}", "-o", f"Dir::Etc::trustedparts={KEYRINGS}"]
    output(["apt-get", *apt, "update"])
    try:
        source = ["source", "--download-only", "--tar-only", "--only-source", package]
        output(["apt-get", *apt, *source], folder=folder)
    except UnavailableError:
        if package not in OLDER:
            raise
        version, digest = OLDER[package]
        name = f"{package}_{version}.orig.tar.xz"
        url = f"{text.split()[1].rstrip('/')}/pool/main/p/{package}/{name}"
        helper = ["/usr/lib/apt/apt-helper", "download-file", url, name, f"SHA256:{digest}"]
        output(helper, folder=folder)
    return next(folder.glob(f"{package}_*.orig.tar.?z*"))


def keep_links_inside(root: Path) -> None:
    """Have links with an absolute path lead into the root, and not to the machine's files."""
    for link in root.rglob("*"):
        if link.is_symlink() and link.readlink().is_absolute():
            target = os.path.relpath(f"{root}{link.readlink()}", link.parent)
            link.unlink()
            link.symlink_to(target)


def own_libc_command(root: Path, program: str) -> list[str]:
    """Return how to start a program of a root with the root's loader and libraries, and no others.

    In a script, $0 is the path the program was called by: CPython looks there for its virtual
    environment. --argv0 came with glibc 2.33; an older root has no interpreters.
    """
    loader = next(root.glob("**/ld-linux-x86-64.so.2"), root / "ld-linux-x86-64.so.2")
    folders = [str(root / top / "lib" / MULTIARCH) for top in ("usr", ".")]
    command = [str(loader), "--inhibit-cache", "--library-path", ":".join(folders)]
    named = ["--argv0", "$0"] if program.endswith(".elf") else []
    return [*command, *named, str(root / program)]


def relocate_pythons(root: Path) -> None:
    """Point files of Debian's CPythons in a root there, and not to /."""
    for header in root.glob("usr/include/python3.*/pyconfig.h"):
        # Includes the multiarch one, by a path that is right in /usr/include only.
        shutil.copy2(root / "usr/include" / MULTIARCH / header.parent.name / header.name, header)
    for settings in root.glob("usr/lib/python3.*/_sysconfig*"):
        # Say where ensurepip finds pip. Some are links to others.
        text = settings.read_text()
        text = re.sub(r"(?<=['\"])/usr/share/python-wheels/", rf"{root}\g<0>", text)
        settings.write_text(text)


def relocated_specs(specs: str, root: Path) -> str:
    """Return gcc's specs file from the musl package with the root's paths."""
    loader = "/lib/ld-musl-x86_64.so.1"
    specs = re.sub(r"/usr/(lib|include)/x86_64-linux-musl", rf"{root}\g<0>", specs)
    return specs.replace(f" {loader} ", f" {root}/usr{loader} ")


def write_script(path: Path, command: Sequence[str]) -> None:
    """Write a shell script that runs the command with its own arguments; $0 stays a variable."""
    words = ['"$0"' if word == "$0" else shlex.quote(word) for word in command]
    replace_text(path, f'#!/bin/sh\nexec {" ".join(words)} "$@"\n', mode=0o755)


def output(
    command: Sequence[str],
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """Return the standard output of a program that must succeed. Raises UnavailableError."""
    options = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL}
    try:
        run = subprocess.run(command, env=environment, cwd=folder, check=True, **options)  # type: ignore[call-overload]
    except OSError as error:
        raise UnavailableError(f"{command[0]}: {error.strerror}") from error
    except subprocess.CalledProcessError as error:
        raise UnavailableError(f"{command[0]}: {error.stderr.strip()[-500:]}") from error
    return str(run.stdout)

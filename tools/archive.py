"""The distribution's package archive, through an apt of our own: downloads, installs nothing.

Where the archive is, and how to reach it, comes from the machine's apt configuration; lists, state
and downloads lie in the cache, so neither root nor a change to the machine is needed.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.interpreters import replace_text

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
APT_HELPER = "/usr/lib/apt/apt-helper"


class UnavailableError(Exception):
    """Something cannot be had on this machine; the message says what and why."""


class RefusedError(UnavailableError):
    """The archive was asked and did not give it."""


@dataclass(frozen=True)
class PoolFile:
    """A file that the archive holds, whatever its lists name."""

    path: str
    """Below the archive's address."""
    sha256: str


class Archive:
    """Debian's package archive, one suite of it at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._suites: dict[str, Suite] = {}

    def suite(self, name: str) -> Suite:
        """The suite with its lists fetched, once in a run. Raises UnavailableError."""
        if name not in self._suites:
            suite = Suite(name, self._folder / name)
            suite.update()
            self._suites[name] = suite
        return self._suites[name]

    def source(
        self, package: str, suites: Sequence[str], folder: Path, older: PoolFile | None = None
    ) -> Path:
        """Download the newest upstream source that the archive really gives, into `folder`.

        A suite's list may name versions that the archive does not hold any more, or not yet: then
        it is `older`. Raises RefusedError, naming the first refusal, when it gives none.
        """
        refusals = []
        for name in suites:
            suite = self.suite(name)
            for version in suite.source_versions(package):
                try:
                    return suite.source(package, version, folder)
                except RefusedError as error:
                    refusals.append(error)
        if older:
            return self.suite(suites[0]).pool_file(older, folder)
        if refusals:
            raise refusals[0]
        raise RefusedError(f"no source package {package} in Debian {', '.join(suites)}")


class Suite:
    """One suite of the archive: `unstable`, `trixie`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.uri = ""
        """The archive's address, when the lists were fetched."""

    def update(self) -> None:
        """Configure apt and fetch the suite's lists."""
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise UnavailableError("apt-get and dpkg-deb are not on the machine")
        for path in ("state/lists/partial", "cache/archives/partial"):
            (self.folder / path).mkdir(parents=True, exist_ok=True)
        self.uri = archive_uri(
            Path("/etc/os-release").read_text(),
            _output("apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)"),
        )
        replace_text(self.folder / "status", "")
        replace_text(self.folder / "archive.sources", apt_sources(self.uri, self.name))
        machine = _output("apt-config", "dump")
        replace_text(self.folder / "apt.conf", apt_configuration(machine, self.folder))
        self._run("package lists", "apt-get", "update")

    def packages(self, names: Sequence[str], *, dependencies: bool) -> list[Path]:
        """Download binary packages; with all that they depend on, if asked. apt verifies them."""
        archives = self.folder / "cache" / "archives"
        shutil.rmtree(archives, ignore_errors=True)
        (archives / "partial").mkdir(parents=True)
        what = f"packages {', '.join(names)}"
        if dependencies:
            self._run(what, "apt-get", "install", "--yes", "--download-only", *names)
        else:
            self._run(what, "apt-get", "download", *names, folder=archives)
        return sorted(archives.glob("*.deb"))

    def forget_packages(self) -> None:
        """Drop the packages downloaded last, when they have been unpacked."""
        shutil.rmtree(self.folder / "cache", ignore_errors=True)

    def source_versions(self, package: str) -> list[str]:
        """The versions of a source package that the suite lists, newest first."""
        what = f"source package {package}"
        listed = self._run(what, "apt-cache", "showsrc", "--only-source", package)
        return newest_first(re.findall(r"^Version: (\S+)$", listed, re.MULTILINE))

    def source(self, package: str, version: str, folder: Path) -> Path:
        """Download a source package's upstream tar archive into `folder`. apt verifies it."""
        what = f"the source of {package} {version}"
        command = ["apt-get", "source", "--download-only", "--tar-only", "--only-source"]
        self._run(what, *command, f"{package}={version}", folder=folder)
        (tar_archive,) = folder.glob(f"{package}_*.orig.tar.?z*")
        return tar_archive

    def pool_file(self, file: PoolFile, folder: Path) -> Path:
        """Download a file of the archive's pool into `folder`. apt verifies it."""
        target = folder / Path(file.path).name
        command = [APT_HELPER, "download-file", f"{self.uri.rstrip('/')}/{file.path}", str(target)]
        self._run(file.path, *command, f"SHA256:{file.sha256}")
        return target

    def _run(self, what: str, *command: str, folder: Path | None = None) -> str:
        environment = {**os.environ, "APT_CONFIG": str(self.folder / "apt.conf"), "LC_ALL": "C"}
        run = subprocess.run(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if run.returncode:
            raise RefusedError(f"{what} from Debian {self.name}: {first_error(run.stderr)}")
        return run.stdout


def archive_uri(os_release: str, index_targets: str) -> str:
    """The archive's address, as the machine's apt sources have it.

    Takes the text of os-release(5), and lines of release, component and address from
    `apt-get indextargets`. Raises UnavailableError when that is not Debian's archive.
    """
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', os_release, re.MULTILINE))
    if release.get("ID") != "debian":
        raise UnavailableError("the packages are Debian's, and the machine runs something else")
    for line in index_targets.splitlines():
        codename, component, uri = line.split(" ", 2)
        if (codename, component) == (release.get("VERSION_CODENAME"), "main"):
            return uri
    raise UnavailableError("the machine's apt sources do not name Debian's archive")


def apt_sources(uri: str, suite: str) -> str:
    """A suite's binary and source packages as apt wants it told: deb822, see sources.list(5)."""
    lines = ["Types: deb deb-src", f"URIs: {uri}", f"Suites: {suite}", "Components: main"]
    if KEYRING.exists():
        lines.append(f"Signed-By: {KEYRING}")
    return "\n".join(lines) + "\n"


def apt_configuration(machine: str, folder: Path) -> str:
    """An apt.conf(5) with which apt stays in `folder`.

    `machine` is what `apt-config dump` prints: how the machine reaches archives (proxies,
    certificates) carries over; its hooks, preferences and installed packages do not.
    """
    reaching = [
        line
        for line in machine.splitlines()
        if line.startswith("Acquire::") and not line.startswith("Acquire::IndexTargets")
    ]
    own = {
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        # What apt would keep to be quicker next time is larger than the lists.
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Log": folder / "log",
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::Etc::sourcelist": folder / "archive.sources",
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64",
        "APT::Install-Recommends": "false",
        # Otherwise a list that could not be fetched is a warning.
        "APT::Update::Error-Mode": "any",
    }
    return "\n".join([*reaching, *(f'{key} "{value}";' for key, value in own.items())]) + "\n"


def newest_first(versions: Sequence[str]) -> list[str]:
    """Package versions, each once, by the order dpkg defines (deb-version(7))."""

    def compare(one: str, other: str) -> int:
        command = ["dpkg", "--compare-versions", one, "lt", other]
        return -1 if subprocess.run(command).returncode == 0 else 1

    return sorted(set(versions), key=functools.cmp_to_key(compare), reverse=True)


def first_error(stderr: str) -> str:
    """What apt complained of first; everything it said when it named no error."""
    errors = re.findall(r"^E: (.*)$", stderr, re.MULTILINE)
    return errors[0] if errors else stderr.strip()


def unpack(package: Path, root: Path, leave_out: Sequence[str]) -> None:
    """Unpack a binary package into `root`, except for paths that match `leave_out` (tar's way)."""
    listing = ["dpkg-deb", "--fsys-tarfile", str(package)]
    extraction = ["tar", "--extract", "--keep-directory-symlink", "--no-same-owner"]
    extraction += [f"--exclude={pattern}" for pattern in leave_out]
    with subprocess.Popen(listing, stdout=subprocess.PIPE) as files:
        subprocess.run([*extraction, "--directory", str(root)], stdin=files.stdout, check=True)
    if files.returncode:
        raise UnavailableError(f"{package.name} cannot be unpacked")


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout

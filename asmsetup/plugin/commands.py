"""What assembly adds to build_ext, build_py, sdist and bdist_wheel.

Each class is a layer to put over a command class of setuptools, of another
plugin or of the user: it says what it has to say and hands on to the next.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import setuptools.errors
from setuptools import Command, Extension

from .. import wheel
from ..assemble import cache
from ..check import packaged
from ..errors import WheelError
from ..facts import target
from ..files import atomic_write, sweep_folders
from ..suffixes import is_assembly
from ..versions import ABI3T_SINCE, FREE_THREADED_SINCE, OLDEST, VERSIONS
from .extensions import (
    assembly_sources,
    missing_from_sdist,
    require_sources,
    require_universal,
    shadowing,
    shipped_files,
)
from .session import is_universal, lowest_version, settings, setuptools_errors

if TYPE_CHECKING:
    from .assembler import Assembler


def _universal_tags() -> tuple[str, str]:
    """Return Python and ABI tag of modules for every supported CPython.

    Installers that know abi3t (PEP 803) need no more than cp310-abi3.abi3t; the
    others find the free-threaded versions before abi3t by name.
    """
    named = [v for v in VERSIONS if FREE_THREADED_SINCE <= v < ABI3T_SINCE]
    tags = [f"cp{major}{minor}" for major, minor in (OLDEST, *named)]
    return ".".join(tags), ".".join(["abi3", "abi3t", *(f"{tag}t" for tag in tags[1:])])


class BuildExt(Command):
    """A build_ext that builds the assembly in extensions."""

    editable_mode = False
    """As in setuptools; a class derived from distutils' own has none."""

    _in_setuptools_loop = False
    """Extensions are built by setuptools' own loop: nobody changes the next one any more."""

    def run(self) -> None:
        """Build everything; see setuptools."""
        try:
            super().run()
        except (setuptools.errors.BaseError, setuptools.errors.CCompilerError) as error:
            # Editable builds show a traceback for an exception; this one is for the user.
            if self.editable_mode:
                raise SystemExit(f"error: {error}") from error
            raise
        finally:
            if "_assembler" in self.__dict__:
                self._assembler.finish()

    def _build_extensions_serial(self) -> None:
        self._in_setuptools_loop = True
        super()._build_extensions_serial()

    def _build_extensions_parallel(self) -> None:
        self._in_setuptools_loop = True
        super()._build_extensions_parallel()

    def build_extension(self, ext: Extension) -> None:
        """Build one extension; the first one has the objects of all of them assembled."""
        with setuptools_errors():
            require_sources(ext)
            if is_universal():
                require_universal([ext])
        if not any(map(is_assembly, ext.sources)):
            super().build_extension(ext)
            return
        settled = self._in_setuptools_loop and not _may_change_extensions(type(self))
        with self._assembler.building(ext, settled=settled) as wanted:
            super().build_extension(wanted)

    @cached_property
    def _assembler(self) -> Assembler:
        # All that builds hangs on this one. Front ends ask for metadata first, in a process of
        # its own, which does without.
        from .assembler import Assembler

        with setuptools_errors():
            return Assembler(self)

    def get_ext_filename(self, fullname: str) -> str:
        """Return the module's path below the build folder; see setuptools.

        A universal module goes by the one name that all Pythons look for, one for the
        stable ABI by the one that all since its lowest version look for.
        """
        path: str = super().get_ext_filename(fullname)
        if not is_universal():
            # Python 3.15 would have the platform in it, and older ones not look for that.
            return re.sub(r"[.](abi3t?)-[^./]+[.]so$", r".\1.so", path)
        return os.path.join(os.path.dirname(path), os.path.basename(path).split(".", 1)[0] + ".so")

    def get_source_files(self) -> list[str]:
        """Return the sources of all extensions with everything they include, for the sdist.

        Works without nasm and raises nothing of its own: setuptools asks for
        metadata too.
        """
        found = dict.fromkeys(super().get_source_files())
        for source in assembly_sources(self.extensions):
            found.pop(source, None)
        return [*found, *shipped_files(self.extensions)]

    def copy_file(self, infile: str, outfile: str, *args: Any, **kwargs: Any) -> Any:
        """Put a built module into the source tree in one step; see distutils.

        A process that runs with the old module keeps it, and a killed build
        leaves the old one there.
        """
        if os.path.isdir(outfile):
            return super().copy_file(infile, outfile, *args, **kwargs)
        self.announce(f"copying {infile} -> {os.path.dirname(outfile)}", logging.INFO)
        # Not beside the module: packages are collected from the source tree as well.
        scratch = str(self.get_finalized_command("build").build_temp)
        with atomic_write(outfile, scratch) as partial:
            shutil.copy2(infile, partial)
        for path in shadowing(outfile):
            self.announce(f"removing {path}, which would be imported instead", logging.INFO)
            os.remove(path)
        return outfile, True


def _may_change_extensions(command: type[Command]) -> bool:
    """Tell whether somebody's build_extension has a word in what an extension is built with."""
    theirs = [cls for cls in command.__mro__ if "build_extension" in vars(cls)]
    modules = {cls.__module__.partition(".")[0] for cls in theirs}
    return not modules <= {"asmsetup", "setuptools", "distutils", "Cython"}


class BuildPy(Command):
    """A build_py that keeps the sources of extensions out of the wheel."""

    def analyze_manifest(self) -> None:
        """Sort the manifest's files to packages; see setuptools.

        Being in the sdist is no wish to be installed: with
        include-package-data, which is on by default, setuptools would take
        every source that lies in a package. What package_data names stays.
        """
        super().analyze_manifest()
        sources = set(shipped_files(self.distribution.ext_modules or ()))
        for package, files in self.manifest_files.items():
            self.manifest_files[package] = [
                path for path in files if os.path.normpath(path) not in sources
            ]


class Sdist(Command):
    """An sdist that says which files of the extensions it cannot hold."""

    def run(self) -> None:
        """Make the sdist; see setuptools."""
        for line in missing_from_sdist(self.distribution.ext_modules or ()):
            self.announce(f"warning: {line}", logging.WARNING)
        super().run()


class BdistWheel(Command):
    """A bdist_wheel whose platform tag is proved, and whose bytes depend on the source alone."""

    py_limited_api: str | Literal[False]
    bdist_dir: str | None
    """Where the wheel's files are collected; ours has the process in its name, so that two
    builds do not meet there, and a build that was killed leaves nothing to the next."""
    dist_dir: str
    _examined: wheel.Verdict | None = None

    def finalize_options(self) -> None:
        """Settle the options; modules for the stable ABI only make a wheel for it."""
        extensions = self.distribution.ext_modules or ()
        if not self.py_limited_api and all(getattr(e, "py_limited_api", False) for e in extensions):
            self.py_limited_api = self._stable_abi_tag() or False
        chosen = self.bdist_dir
        super().finalize_options()
        if chosen is None:
            self.bdist_dir = f"{self.bdist_dir}-{os.getpid()}"

    def _stable_abi_tag(self) -> str | None:
        if sysconfig.get_config_var("Py_GIL_DISABLED") and sys.version_info < ABI3T_SINCE:
            return None  # no stable ABI yet: setuptools makes a module of this version
        with setuptools_errors():
            version = lowest_version(self.distribution, settings())
        return f"cp{version[0]}{version[1]}"

    def get_tag(self) -> tuple[str, str, str]:
        """Return the wheel's tag, with the platforms that auditwheel finds the modules fit for."""
        python, abi, platform = super().get_tag()
        self._require_modules_as_named()
        if is_universal():
            python, abi = _universal_tags()
        verdict = self._verdict()
        if verdict is None or not verdict.platforms:
            return python, abi, platform
        return python, abi, ".".join(verdict.platforms)

    def _require_modules_as_named(self) -> None:
        """Raise PlatformError for modules that no Python, or not every one, could import."""
        modules = wheel.modules_in(str(self.bdist_dir))
        if wrong := packaged.misnamed(modules):
            raise setuptools.errors.PlatformError("\n".join(wrong))
        if is_universal() and (others := packaged.not_universal(modules)):
            raise setuptools.errors.PlatformError(
                "\n".join(others)
                + "\n  universal = true promises a wheel for every CPython: move what is built otherwise"
                "\n  to a package of its own, or leave `universal' out of [tool.asmsetup]"
            )

    def _verdict(self) -> wheel.Verdict | None:
        """Return what auditwheel says of the modules; None when it is not asked.

        That is when the user has said what to claim, and before anything is
        built: editable installs want a tag then.
        """
        mode = settings().auditwheel
        folder = str(self.bdist_dir)
        if self.plat_name_supplied or mode == "skip" or not os.path.isdir(folder):
            return None
        if self._examined is None:
            modules = wheel.modules_in(folder)
            if not modules:
                return None
            with setuptools_errors():
                self._examined = _examine(modules)
        if mode == "check" and not self._examined.platforms:
            raise setuptools.errors.PlatformError(str(_not_portable(self._examined)))
        return self._examined

    def write_wheelfile(self, wheelfile_base: str, *args: Any, **kwargs: Any) -> None:
        """Write WHEEL, the last file before all are archived; see setuptools."""
        super().write_wheelfile(wheelfile_base, *args, **kwargs)
        if os.path.dirname(wheelfile_base) == str(self.bdist_dir):
            wheel.normalize_modes(str(self.bdist_dir))

    def run(self) -> None:
        """Make the wheel, and graft external libraries into it where that makes it portable."""
        with self._staged():
            super().run()
            self._graft()

    @contextmanager
    def _staged(self) -> Iterator[None]:
        """Have the wheel written in a folder of this process, and moved when it is finished."""
        final, staged = self.dist_dir, os.path.join(self.dist_dir, f".asmsetup-{os.getpid()}")
        sweep_folders(os.path.dirname(str(self.bdist_dir)), final)
        self.dist_dir = staged
        try:
            yield
            command, version, path = self.distribution.dist_files[-1]
            finished = os.path.join(final, os.path.basename(path))
            os.replace(path, finished)
            self.distribution.dist_files[-1] = (command, version, finished)
        finally:
            self.dist_dir = final
            shutil.rmtree(staged, ignore_errors=True)
            if not self.keep_temp:
                shutil.rmtree(str(self.bdist_dir), ignore_errors=True)

    def _graft(self) -> None:
        verdict = self._examined
        if verdict is None or verdict.platforms:
            return
        if not verdict.graftable:
            self.announce(str(_not_portable(verdict)), logging.WARNING)
            return
        command, version, path = self.distribution.dist_files[-1]
        try:
            path = wheel.graft(path, verdict.graftable, target.running().libc)
        except WheelError as error:
            self.announce(
                f"{error}\n  as it is, the wheel is for this machine only", logging.WARNING
            )
            return
        self.distribution.dist_files[-1] = (command, version, path)


def _examine(modules: Mapping[str, str]) -> wheel.Verdict:
    libc = target.running().libc
    ask = settings().auditwheel == "check"
    # What is wrong with the cache, building the modules has told already.
    verdicts = cache.open_cache(os.environ, lambda text: None) if settings().cache else None
    found = wheel.examine(modules, libc, verdicts, ask=ask)
    if verdicts is not None:
        verdicts.close()
    return found


def _not_portable(verdict: wheel.Verdict) -> WheelError:
    return WheelError(
        "the wheel is not manylinux, it is for this machine only:",
        *verdict.obstacles,
        'link statically, let auditwheel copy the library ([tool.asmsetup] auditwheel = "repair"),',
        'or accept it with auditwheel = "skip"',
    )

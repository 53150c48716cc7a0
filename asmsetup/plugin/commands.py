"""The layers that assembly adds to build_ext, build_py, sdist and bdist_wheel.

Each class is a layer to put over a command class of setuptools, of another
plugin or of the user: it does its part and calls super().
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

import setuptools.errors
from setuptools import Command, Extension

from .. import editable, sdist, wheel
from ..errors import WheelError
from ..facts import target
from ..files import atomic_write, sweep_folders, write_text
from ..suffixes import is_ours
from ..versions import ABI3T_SINCE
from . import declared, elsewhere
from .compiler import Compiler
from .extensions import assembly_sources, shadowing
from .session import (
    FAILURES,
    LEVELS,
    BuildError,
    is_concerned,
    is_elsewhere,
    is_universal,
    lowest_version,
    settings,
    setuptools_errors,
)
from .sources import choose_sources, missing_from_sdist, shipped_files
from .tags import examine, has_libraries_alone, not_portable, require_target, universal_tags

if TYPE_CHECKING:
    from .run import BuildRun


_WHEELS = count(1)


class _Compiling(Command):
    """A command whose compiler object takes assembly, whoever puts it there or uses it."""

    _run: BuildRun | None = None

    @property
    def compiler(self) -> Any:
        """The command's compiler: None, the name of a kind, or a compiler object."""
        return self.__dict__.get("compiler")

    @compiler.setter
    def compiler(self, value: Any) -> None:
        if hasattr(value, "link_shared_object") and type(value) is not Compiler:
            value = Compiler(value, self._this_run)
        self.__dict__["compiler"] = value

    def _this_run(self) -> BuildRun:
        if self._run is None:
            # All that builds hangs on this one. Front ends ask for metadata first, in a process of
            # its own, which does without.
            from .run import BuildRun

            self._run = BuildRun(self)
        return self._run

    def run(self) -> None:
        """Build everything; a run shares nothing with earlier or later ones."""
        self._run = None
        run = self._this_run()
        try:
            with _interruptible(run.stop):
                super().run()
        finally:
            run.finish()
            self._run = None


@contextmanager
def _interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` at Ctrl-C before anything else, so that no thread waits for what is to come.

    setuptools, with -j, waits for all its threads before it ends.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGINT)

    def interrupted(number: int, frame: FrameType | None) -> None:
        stop()
        if callable(previous):
            previous(number, frame)

    if not callable(previous):
        yield
        return
    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


class BuildClib(_Compiling):
    """A build_clib that takes assembly."""


class BuildExt(_Compiling):
    """A build_ext that builds the assembly in extensions."""

    editable_mode = False
    """As in setuptools; a class derived from distutils' own has none."""

    @property
    def force(self) -> Any:
        """Whether time stamps are ignored: for assembly always, as content decides there."""
        ext = self._run.extension if self._run is not None else None
        if ext is not None and is_ours(ext):
            return True
        return self.__dict__.get("force")

    @force.setter
    def force(self, value: Any) -> None:
        self.__dict__["force"] = value

    def finalize_options(self) -> None:
        """Settle the options; see setuptools."""
        super().finalize_options()
        choose_sources(self.distribution)

    def run(self) -> None:
        """Build everything; see setuptools."""
        try:
            super().run()
            if self.editable_mode and settings(self.distribution).editable_rebuild:
                self._have_imports_rebuild()
        except FAILURES as error:
            # Editable builds show a traceback for an exception; this one is for the user.
            if self.editable_mode:
                raise SystemExit(f"error: {error}") from error
            raise

    def _have_imports_rebuild(self) -> None:
        """Put a file into the editable wheel that has the first import build again."""
        names = [ext.name for ext in self.extensions]
        # The folder whose content setuptools packs into the wheel.
        folder = self.get_finalized_command("install").install_lib
        path = os.path.join(folder, f"__editable_rebuild__.{self.distribution.get_name()}.pth")
        with atomic_write(path) as partial:
            write_text(partial, editable.startup_line(os.getcwd(), names))

    def build_extension(self, ext: Extension) -> None:
        """Build one extension; see setuptools."""
        run = self._this_run()
        if run.is_stopped:  # by Ctrl-C; setuptools, with -j, starts all the others first
            raise BuildError("the build was stopped")
        if is_elsewhere(self.distribution) and elsewhere.is_left_out(ext):
            self.announce(
                f"leaving out {ext.name}: its assembly is not for {target.platform_name()}",
                LEVELS[logging.WARNING],
            )
            ext.optional = True  # setuptools misses no file of it
            return
        with run.building(ext):
            super().build_extension(ext)
        if isinstance(ext, declared.Library):
            folder = os.path.dirname(self.get_ext_fullpath(ext.name))
            for header in ext.headers:
                shutil.copyfile(header, os.path.join(folder, os.path.basename(header)))

    def announce(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Print a message; characters that standard output cannot show are escaped."""
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        shown = msg.encode(encoding, "backslashreplace").decode(encoding)
        super().announce(shown, *args, **kwargs)

    def get_ext_filename(self, fullname: str) -> str:
        """Return the module's path below the build folder; see setuptools.

        A library goes by its own name. A universal module goes by the one name that all Pythons look for, one for the
        stable ABI by the one that all since its lowest version look for.
        """
        path: str = super().get_ext_filename(fullname)
        if not is_concerned(self.distribution):
            return path
        if isinstance(self.ext_map.get(fullname), declared.Library):
            return os.path.join(*fullname.split(".")) + ".so"
        if not is_universal(self.distribution):
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
        return [*found, *shipped_files(self)]

    def copy_file(self, infile: str, outfile: str, *args: Any, **kwargs: Any) -> Any:
        """Put a built module into the source tree in one step; see distutils.

        A process that runs with the old module keeps it, and a killed build
        leaves the old one there.
        """
        if os.path.isdir(outfile):
            return super().copy_file(infile, outfile, *args, **kwargs)
        self.announce(f"copying {infile} -> {os.path.dirname(outfile)}", LEVELS[logging.INFO])
        # Not beside the module: packages are collected from the source tree as well.
        scratch = str(self.get_finalized_command("build").build_temp)
        with atomic_write(outfile, scratch) as partial:
            shutil.copy2(infile, partial)
        for path in shadowing(outfile):
            self.announce(f"removing {path}, which would be imported instead", LEVELS[logging.INFO])
            os.remove(path)
        return outfile, True


class BuildPy(Command):
    """A build_py that keeps the sources of extensions out of the wheel."""

    def analyze_manifest(self) -> None:
        """Sort the manifest's files to packages; see setuptools.

        A file in the sdist need not be installed, but with include-package-data, which
        is on by default, setuptools would take every source that lies in a package. What package_data names stays.
        """
        super().analyze_manifest()
        if not self.distribution.ext_modules:
            return
        sources = set(shipped_files(self.get_finalized_command("build_ext")))
        for package, files in self.manifest_files.items():
            self.manifest_files[package] = [
                path for path in files if os.path.normpath(path) not in sources
            ]


class Sdist(Command):
    """An sdist that names the files of the extensions it cannot hold, and is reproducible."""

    def run(self) -> None:
        """Make the sdist; see setuptools."""
        if self.distribution.ext_modules:
            for line in missing_from_sdist(self.get_finalized_command("build_ext")):
                self.announce(f"warning: {line}", LEVELS[logging.WARNING])
        super().run()

    def make_archive(self, base_name: str, form: str, *args: Any, **kwargs: Any) -> str:
        """Make one archive; with SOURCE_DATE_EPOCH its bytes depend on its files alone."""
        if form == "zip":
            sdist.date_for_zip(kwargs["base_dir"])
        path: str = super().make_archive(base_name, form, *args, **kwargs)
        if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
            if not epoch.isdecimal() or len(epoch) > 11:
                raise setuptools.errors.SetupError(
                    f"SOURCE_DATE_EPOCH is {epoch!r}, and must be a number of seconds since 1970"
                )
            sdist.normalize(path, int(epoch))
        return path


class BdistWheel(Command):
    """A bdist_wheel whose platform tag is proved, and whose bytes depend on the source alone."""

    py_limited_api: str | Literal[False]
    python_tag: str
    bdist_dir: str | None
    """Where the wheel's files are collected; ours has the process in its name, so that two
    builds do not meet there, and a build that was killed leaves nothing to the next."""
    dist_dir: str
    _examined: wheel.Verdict | None = None

    def initialize_options(self) -> None:
        """Forget what was found out about an earlier wheel; see setuptools."""
        super().initialize_options()
        self._examined = None
        self._default_python_tag = self.python_tag

    def finalize_options(self) -> None:
        """Settle the options; modules for the stable ABI only make a wheel for it."""
        if is_universal(self.distribution):
            self._refuse_tags()
        extensions = [e for e in self._extensions() if not isinstance(e, declared.Library)]
        if (
            extensions
            and not self.py_limited_api
            and is_concerned(self.distribution)
            and all(getattr(e, "py_limited_api", False) for e in extensions)
        ):
            self.py_limited_api = self._stable_abi_tag() or False
        chosen = self.bdist_dir
        super().finalize_options()
        if chosen is None and is_concerned(self.distribution):
            # distutils does not make a folder again that this process has made before.
            self.bdist_dir = f"{self.bdist_dir}-{os.getpid()}-{next(_WHEELS)}"

    def _extensions(self) -> list[Extension]:
        return list(self.distribution.ext_modules or ())

    def _refuse_tags(self) -> None:
        tags = {
            "--py-limited-api": bool(self.py_limited_api),
            "--python-tag": self.python_tag != self._default_python_tag,
        }
        for option, given in tags.items():
            if given:
                raise BuildError(
                    f"{option} and universal = true: the wheel is for every CPython\n"
                    "  leave the option out, or build without universal"
                )

    def _stable_abi_tag(self) -> str | None:
        if sysconfig.get_config_var("Py_GIL_DISABLED") and sys.version_info < ABI3T_SINCE:
            return None  # no stable ABI yet: setuptools makes a module of this version
        with setuptools_errors():
            version = lowest_version(self.distribution, settings(self.distribution))
        return f"cp{version[0]}{version[1]}"

    def get_tag(self) -> tuple[str, str, str]:
        """Return the wheel's tag, with the platforms that auditwheel finds the modules fit for."""
        python, abi, platform = super().get_tag()
        if not is_concerned(self.distribution):
            return python, abi, platform
        self._require_modules_as_named()
        if has_libraries_alone(self.distribution):
            python, abi = self.python_tag, "none"
        elif is_universal(self.distribution):
            python, abi = universal_tags()
        verdict = self._verdict()
        if verdict is None or not verdict.platforms:
            return python, abi, platform
        return python, abi, ".".join(verdict.platforms)

    def _require_modules_as_named(self) -> None:
        """Raise PlatformError for modules that no Python, or not every one, could import."""
        modules = wheel.modules_in(str(self.bdist_dir))
        if modules and self.plat_name_supplied:
            with setuptools_errors():
                require_target(self.plat_name, "--plat-name")
        from ..check import packaged  # front ends ask for metadata first, without any module

        if wrong := packaged.misnamed(modules):
            raise setuptools.errors.PlatformError("\n".join(wrong))
        if is_universal(self.distribution) and (others := packaged.not_universal(modules)):
            raise setuptools.errors.PlatformError(
                "\n".join(others)
                + "\n  universal = true promises a wheel for every CPython: move what is built otherwise"
                "\n  to a package of its own, or leave `universal' out of [tool.asmsetup]"
            )

    def _verdict(self) -> wheel.Verdict | None:
        """Return what auditwheel says of the modules; None when it is not asked.

        That is when the user has chosen the platform, and before anything is built:
        editable installs ask for a tag then.
        """
        mode = settings(self.distribution).auditwheel
        folder = str(self.bdist_dir)
        if self.plat_name_supplied or mode == "skip" or not os.path.isdir(folder):
            return None
        if self._examined is None:
            modules = wheel.modules_in(folder)
            if not modules:
                return None
            with setuptools_errors():
                self._examined = examine(modules, settings(self.distribution))
        if mode == "check" and not self._examined.platforms:
            raise setuptools.errors.PlatformError(str(not_portable(self._examined)))
        return self._examined

    def write_wheelfile(self, wheelfile_base: str, *args: Any, **kwargs: Any) -> None:
        """Write WHEEL, the last file before all are archived; see setuptools."""
        super().write_wheelfile(wheelfile_base, *args, **kwargs)
        if os.path.dirname(wheelfile_base) == str(self.bdist_dir) and is_concerned(
            self.distribution
        ):
            wheel.normalize_modes(str(self.bdist_dir))

    def run(self) -> None:
        """Make the wheel, and graft external libraries into it where that makes it portable."""
        self._examined = None
        concerned = is_concerned(self.distribution)
        with self._staged() if concerned else nullcontext():
            super().run()
            self._graft()

    def run_command(self, command: str) -> None:
        """Run another command once; see distutils."""
        super().run_command(command)
        if command == "build" and is_concerned(self.distribution):
            self._collect()

    def _collect(self) -> None:
        """Have modules that build_ext was told to put elsewhere (-b) in the wheel as well."""
        build_ext = self.get_finalized_command("build_ext")
        folder = str(self.get_finalized_command("build").build_lib)
        if os.path.abspath(build_ext.build_lib) == os.path.abspath(folder):
            return
        for path in filter(os.path.isfile, build_ext.get_outputs()):
            collected = os.path.join(folder, os.path.relpath(path, build_ext.build_lib))
            self.mkpath(os.path.dirname(collected))
            build_ext.copy_file(path, collected)

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
            self.announce(str(not_portable(verdict)), LEVELS[logging.WARNING])
            return
        command, version, path = self.distribution.dist_files[-1]
        try:
            path = wheel.graft(
                path, verdict.graftable, target.running(settings(self.distribution).target).libc
            )
        except WheelError as error:
            self.announce(
                f"{error}\n  without them, the wheel works only on this machine",
                LEVELS[logging.WARNING],
            )
            return
        self.distribution.dist_files[-1] = (command, version, path)

"""The layers that assembly adds to build_ext, build_clib, build_py and sdist.

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
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from setuptools import Command, Extension
from setuptools.command.build_ext import build_ext as _build_ext

from .. import sdist
from ..errors import SourceError
from ..facts import target
from ..files import atomic_write, write_text
from ..suffixes import is_ours
from . import declared
from .compiler import Compiler
from .declared import owner
from .extensions import assembly_sources, is_left_out, shadowing
from .session import (
    FAILURES,
    LEVELS,
    BuildError,
    debug_folder,
    is_concerned,
    is_elsewhere,
    is_universal,
    quotes_named,
    settings,
    setuptools_errors,
    source_date,
)
from .sources import (
    choose_sources,
    is_for_wheel,
    makes_sdist,
    missing_from_sdist,
    shipped_files,
)

if TYPE_CHECKING:
    from .run import BuildRun


class _Compiling(Command):
    """A command whose compiler object takes assembly, whichever code sets or uses that object."""

    _run: BuildRun | None = None
    _makers: dict[str, list[Extension]]
    """The extensions, by the files they make; empty until they are looked up in a run."""

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

            self._run, self._makers = BuildRun(self), {}
        return self._run

    def run(self) -> None:
        """Build everything; a run shares nothing with earlier or later ones."""
        self._run = None
        run = self._this_run()
        try:
            with _interruptible(run.stop), quotes_named():
                super().run()
        finally:
            run.finish()
            self._run = None


@contextmanager
def _interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` at Ctrl-C, also while this thread waits for others.

    setuptools, with -j, waits for all its threads before it ends. Python runs its handler in the
    main thread alone, and only when the wait is over if the signal came right before it, or to
    another thread. So another one reads what the handler in C writes (``set_wakeup_fd``).
    """
    if os.name != "posix" or threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def watch() -> None:
        while signals := os.read(reading, 64):
            if signal.SIGINT in signals:
                stop()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    previous = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        os.close(writing)
        watcher.join()
        os.close(reading)


class BuildClib(_Compiling):
    """A build_clib that takes assembly."""


class BuildExt(_Compiling):
    """A build_ext that builds the assembly in extensions."""

    editable_mode = False
    """As in setuptools; a class derived from distutils' own has none."""

    @property
    def force(self) -> Any:
        """Whether time stamps are ignored; for assembly they always are, as its content decides."""
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
        # Nobody imports a library, but the package that loads it.
        modules = (
            ext.name.rpartition(".")[0] if isinstance(ext, declared.Library) else ext.name
            for ext in self.extensions
        )
        names = list(dict.fromkeys(filter(None, modules)))
        # The folder whose content setuptools packs into the wheel.
        folder = self.get_finalized_command("install").install_lib
        from .. import editable  # only for those who ask

        path = os.path.join(folder, f"__editable_rebuild__.{self.distribution.get_name()}.pth")
        with atomic_write(path) as partial:
            write_text(partial, editable.startup_line(os.getcwd(), names))

    def build_extension(self, ext: Extension) -> None:
        """Build one extension; see setuptools."""
        run = self._this_run()
        if run.is_stopped:  # by Ctrl-C; setuptools, with -j, starts all the others first
            raise BuildError("the build was stopped")
        if is_elsewhere(self.distribution) and is_left_out(ext):
            self.announce(
                f"leaving out {ext.name}: its assembly is not for {target.platform_name()}",
                LEVELS[logging.WARNING],
            )
            ext.optional = True  # setuptools misses no file of it
            return
        with setuptools_errors():
            self._require_own_file(ext)
        if is_elsewhere(self.distribution) and isinstance(ext, declared.Library):
            from . import elsewhere  # front ends ask for metadata first, and build nothing then

            elsewhere.export_only(ext, str(self.build_temp))
        with run.building(ext):
            super().build_extension(ext)
        for header, copy in self._headers(ext, self.get_ext_fullpath(ext.name)):
            _copy_unless_same(header, copy)

    def _headers(self, ext: Extension, path: str) -> Iterator[tuple[str, str]]:
        """Yield each header of a library, and its path beside the library at ``path``."""
        for header in ext.headers if isinstance(ext, declared.Library) else ():
            name = os.path.basename(header)
            yield os.fspath(header), os.path.join(os.path.dirname(path), name)

    def copy_extensions_to_source(self) -> None:
        """Put what was built into the source tree; see setuptools."""
        super().copy_extensions_to_source()
        for ext in self.extensions:
            for header, copy in self._headers(ext, self.get_ext_fullpath(ext.name)):
                _copy_unless_same(header, copy)

    def get_outputs(self) -> list[str]:
        """Return the files that are built, below the build folder; see setuptools."""
        found = dict.fromkeys(super().get_outputs())
        for ext in self.extensions or ():
            built = os.path.join(self.build_lib, self.get_ext_filename(ext.name))
            found.update((copy, None) for _, copy in self._headers(ext, built))
        return list(found)

    def get_output_mapping(self) -> dict[str, str]:
        """Return the built files that lie in the source tree as well, with their paths there."""
        # distutils' own class, which a project may derive its own from, has none.
        mapping: dict[str, str] = getattr(super(), "get_output_mapping", dict)()
        for ext in self.extensions if self.inplace else ():
            built = os.path.join(self.build_lib, self.get_ext_filename(ext.name))
            copies = self._headers(ext, self.get_ext_fullpath(ext.name))
            for (_, below), (_, there) in zip(self._headers(ext, built), copies, strict=True):
                mapping[below] = there
        return mapping

    def _require_own_file(self, ext: Extension) -> None:
        if not is_ours(ext):
            return
        if not self._makers:
            makers: dict[str, list[Extension]] = {}
            for each in self.extensions:
                makers.setdefault(self.get_ext_fullpath(each.name), []).append(each)
            self._makers = makers  # whole, as threads share it
        same = self._makers.get(self.get_ext_fullpath(ext.name), [])
        others = [each for each in same if each is not ext]
        # A project's own class may build another one in the place of one that failed.
        if others and len(others) < len(same):
            both = sorted((owner(ext), owner(others[0])))
            raise SourceError(
                f"{both[0]} and {both[1]} both make {self.get_ext_filename(ext.name)}",
                "give one of them another name, or put all sources into one",
            )

    def announce(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Print a message; characters that standard output cannot show are escaped."""
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        shown = msg.encode(encoding, "backslashreplace").decode(encoding)
        super().announce(shown, *args, **kwargs)

    def get_ext_filename(self, fullname: str) -> str:
        """Return the module's path below the build folder; see setuptools.

        A library goes by its own name. A universal module goes by the one name
        that all Pythons look for, one for the stable ABI by the one that all
        since its lowest version look for.
        """
        path: str = super().get_ext_filename(fullname)
        if self._is_library(fullname):
            return os.path.join(*fullname.split(".")) + ".so"
        if not is_concerned(self.distribution):
            return path
        if not is_universal(self.distribution):
            # Python 3.15 would have the platform in it, and older ones not look for that.
            return re.sub(r"[.](abi3t?)-[^./]+[.]so$", r".\1.so", path)
        return os.path.join(os.path.dirname(path), os.path.basename(path).split(".", 1)[0] + ".so")

    def _is_library(self, fullname: str) -> bool:
        # setuptools asks with the last part of a name, too. distutils' own class, which a
        # project may derive its own from, has no map of names.
        extensions = self.extensions or ()
        if not any(isinstance(ext, declared.Library) for ext in extensions):
            return False
        last = fullname.rpartition(".")[2]
        named = [
            ext
            for ext in extensions
            if ext.name.rpartition(".")[2] == last
            and (last == fullname or fullname.endswith(ext.name))
        ]
        building = self._run.extension if self._run is not None else None
        return any(
            isinstance(ext, declared.Library)
            for ext in ([building] if building in named else named)
        )

    def get_source_files(self) -> list[str]:
        """Return the sources of all extensions with everything they include, for the sdist.

        Works without nasm and raises nothing of its own: setuptools asks for
        metadata too.
        """
        found = dict.fromkeys(super().get_source_files())
        for source in assembly_sources(self.extensions):
            found.pop(source, None)
        # Of a wheel setuptools writes the same list, which nobody reads.
        with_includes = makes_sdist(self.distribution)
        return [*found, *shipped_files(self, with_includes=with_includes)]

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
        self._copy_debug_file(infile, outfile)
        for path in shadowing(outfile):
            self.announce(f"removing {path}, which would be imported instead", LEVELS[logging.INFO])
            os.remove(path)
        return outfile, True

    def _copy_debug_file(self, module: str, outfile: str) -> None:
        from ..link import debug_file  # only where modules are copied into the source tree

        if not settings(self.distribution).split_debug:
            with suppress(FileNotFoundError):  # of the module that was there before
                os.remove(outfile + debug_file.SUFFIX)
        else:
            name = os.path.relpath(module, self.build_lib)
            path = os.path.join(debug_folder(self), name + debug_file.SUFFIX)
            if os.path.isfile(path):
                shutil.copyfile(path, outfile + debug_file.SUFFIX)


def _copy_unless_same(source: str, copy: str) -> None:
    with suppress(shutil.SameFileError):
        shutil.copyfile(source, copy)


class BuildPy(Command):
    """A build_py that keeps the sources of extensions out of the wheel."""

    def analyze_manifest(self) -> None:
        """Sort the manifest's files to packages; see setuptools.

        A file in the sdist need not be installed, but with include-package-data, which is on by
        default, setuptools would install every source that lies in a package. What package_data
        names stays.
        """
        super().analyze_manifest()
        if not self.distribution.ext_modules or not self.manifest_files:
            return
        sources = set(shipped_files(self.get_finalized_command("build_ext")))
        for package, files in self.manifest_files.items():
            self.manifest_files[package] = [
                path for path in files if os.path.normpath(path) not in sources
            ]


class Sdist(Command):
    """An sdist that is reproducible, and warns of files that it cannot hold."""

    def run(self) -> None:
        """Make the sdist; see setuptools."""
        if self.distribution.ext_modules:
            for line in missing_from_sdist(self.get_finalized_command("build_ext")):
                self.announce(f"warning: {line}", LEVELS[logging.WARNING])
            if is_for_wheel(self.distribution):
                # A bdist_wheel that runs this has listed the files without includes.
                self.distribution.have_run["egg_info"] = False
        super().run()

    def make_archive(self, base_name: str, form: str, *args: Any, **kwargs: Any) -> str:
        """Make one archive; with SOURCE_DATE_EPOCH its bytes depend on its files alone."""
        if form == "zip":
            sdist.date_for_zip(kwargs["base_dir"])
        path: str = super().make_archive(base_name, form, *args, **kwargs)
        if (date := source_date()) is not None:
            sdist.normalize(path, date)
        return path


class build_ext(BuildExt, _build_ext):  # noqa: N801 (the command's name)
    """setuptools' build_ext with assembly, for a project that names its command class."""


LAYERS: dict[str, type[Command]] = {
    "build_clib": BuildClib,
    "build_ext": BuildExt,
    "build_py": BuildPy,
    "sdist": Sdist,
}
"""The layers of this module by the commands they are for."""

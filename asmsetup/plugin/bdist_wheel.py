"""The layer over bdist_wheel: a proved tag, libraries grafted in, and the same bytes each time."""

from __future__ import annotations

import glob
import logging
import os
import shutil
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import metadata
from itertools import count
from typing import Any, Literal

import setuptools
import setuptools.errors
from setuptools import Command, Extension

from .. import sdist, wheel
from ..assemble import nasm
from ..errors import WheelError
from ..facts import target
from ..files import sweep_folders, write_text
from ..suffixes import is_assembly
from ..versions import ABI3T_SINCE
from . import declared
from .extensions import assembly_sources
from .session import (
    LEVELS,
    BuildError,
    debug_folder,
    is_concerned,
    is_universal,
    lowest_version,
    settings,
    setuptools_errors,
    source_date,
)
from .tags import examine, has_libraries_alone, not_portable, require_target, universal_tags

_WHEELS = count(1)


class BdistWheel(Command):
    """A bdist_wheel whose platform tag is proved, and whose bytes depend on the source alone."""

    py_limited_api: str | Literal[False]
    python_tag: str
    bdist_dir: str | None
    """The folder in which the wheel's files are collected; ours has the process in its name, so that two
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
        if self._examined is None:  # setuptools asks for the tag twice
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

        facts = packaged.facts_of(modules)
        if wrong := packaged.misnamed(facts):
            raise setuptools.errors.PlatformError("\n".join(wrong))
        if is_universal(self.distribution) and (others := packaged.not_universal(facts)):
            raise setuptools.errors.PlatformError(
                "\n".join(others)
                + "\n  universal = true promises a wheel for every CPython: move what is built otherwise"
                "\n  to a package of its own, or leave `universal' out of [tool.asmsetup]"
            )

    def _verdict(self) -> wheel.Verdict | None:
        """Return auditwheel's verdict on the modules; None when it is not asked.

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
            if settings(self.distribution).sbom:
                self._write_bill(str(self.bdist_dir))
            wheel.normalize_modes(str(self.bdist_dir))
            sdist.date_for_zip(str(self.bdist_dir))

    def _write_bill(self, folder: str, *more_tools: str) -> None:
        """Write the bill of materials (PEP 770) of a wheel whose files are in ``folder``."""
        (distinfo,) = glob.glob(os.path.join(glob.escape(folder), "*.dist-info"))
        modules = wheel.modules_in(folder)
        tools = {each: metadata.version(each) for each in ("asmsetup", *more_tools)}
        tools["setuptools"] = setuptools.__version__
        if any(map(is_assembly, assembly_sources(self._extensions()))):
            with setuptools_errors():
                version = nasm.find(settings(self.distribution).nasm).version
            tools["NASM"] = ".".join(map(str, version))
        name, version_of = self.distribution.get_name(), self.distribution.get_version()
        os.makedirs(os.path.join(distinfo, "sboms"), exist_ok=True)
        text = wheel.bill_of_materials(name, version_of, modules, tools)
        write_text(os.path.join(distinfo, "sboms", "asmsetup.cdx.json"), text)

    def run(self) -> None:
        """Make the wheel, and graft external libraries into it where that makes it portable."""
        self._examined = None
        concerned = is_concerned(self.distribution)
        if concerned:
            source_date()  # what it refuses is refused before anything is built
        with self._staged() if concerned else nullcontext():
            super().run()
            self._graft()
        if concerned and settings(self.distribution).split_debug:
            self._leave_debug_files()

    def _leave_debug_files(self) -> None:
        """Copy the debug files of the wheel's modules to a folder beside it, which is called after it."""
        from ..link import debug_file  # only for those who ask

        path = self.distribution.dist_files[-1][2]
        kept = debug_folder(self.get_finalized_command("build_ext"))
        beside, name = os.path.split(os.path.abspath(path))
        # setuptools' backend moves nothing but the wheel out of its own folder.
        if os.path.basename(beside).startswith(".tmp-"):
            beside = os.path.dirname(beside)
        folder = os.path.join(beside, name.removesuffix(".whl") + debug_file.SUFFIX)
        shutil.rmtree(folder, ignore_errors=True)
        with zipfile.ZipFile(path) as archive:
            for module in archive.namelist():
                found = os.path.join(kept, module + debug_file.SUFFIX)
                if os.path.isfile(found):
                    target_path = os.path.join(folder, module + debug_file.SUFFIX)
                    os.makedirs(os.path.dirname(target_path), exist_ok=True)
                    shutil.copyfile(found, target_path)

    def run_command(self, command: str) -> None:
        """Run another command once; see distutils."""
        super().run_command(command)
        if command == "build" and is_concerned(self.distribution):
            self._collect()

    def _collect(self) -> None:
        """Include modules that build_ext has put elsewhere (-b) in the wheel as well."""
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
        wanted = settings(self.distribution)
        bill = (lambda folder: self._write_bill(folder, "auditwheel")) if wanted.sbom else None
        libc = target.running(wanted.target).libc
        try:
            path = wheel.graft(path, verdict.graftable, libc, bill)
        except WheelError as error:
            self.announce(
                f"{error}\n  without them, the wheel works only on this machine",
                LEVELS[logging.WARNING],
            )
            return
        self.distribution.dist_files[-1] = (command, version, path)

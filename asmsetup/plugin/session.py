"""The settings of one setuptools run, and how its progress and errors are shown."""

from __future__ import annotations

import importlib
import logging
import os
import re
import shlex
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

import setuptools.errors  # isort: skip (it brings its distutils)
import distutils.errors
import distutils.log

from setuptools import Distribution

from .. import config
from ..errors import AsmsetupError, ConfigError
from ..facts import target
from ..progress import Reporter, bar_for
from ..suffixes import has_assembly
from ..versions import ABI3T_SINCE


def _classes(*names: str) -> tuple[type[BaseException], ...]:
    """Return the error classes of these names, wherever this setuptools has them."""
    homes = [setuptools.errors, distutils.errors]
    with suppress(ImportError):  # since setuptools 80, and not in the standard library
        homes.append(importlib.import_module("distutils.compilers.C.errors"))
    found = (getattr(home, name, None) for home in homes for name in names)
    return tuple(dict.fromkeys(filter(None, found)))


FAILURES = _classes("BaseError", "DistutilsError", "CCompilerError", "CompileError", "LinkError")
"""The exceptions of setuptools and its compilers for failed builds."""

_OURS_AND_THEIRS: tuple[type[BaseException], ...] = (AsmsetupError, *FAILURES)

if TYPE_CHECKING:
    BuildError = Exception
else:
    BuildError = type(
        "BuildError",
        _classes("CompileError", "LinkError", "PlatformError", "DistutilsPlatformError"),
        {
            "__doc__": "A build that fails, whatever the reason, under each name that a project may catch."
        },
    )


def source_date() -> int | None:
    """Return SOURCE_DATE_EPOCH, the time in archives that are to be reproducible.

    Raises SetupError when it is not a time that archives can hold.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if not given:
        return None
    if not re.fullmatch(r"[0-9]{1,20}", given) or int(given) >= 1 << 32:
        raise setuptools.errors.SetupError(
            f"SOURCE_DATE_EPOCH is {given!r}, and must be a number of seconds since 1970,"
            " before the year 2106"
        )
    return int(given)


LEVELS = {
    logging.DEBUG: distutils.log.DEBUG,
    logging.INFO: distutils.log.INFO,
    logging.WARNING: distutils.log.WARN,
}
"""Logging's levels as ``Command.announce`` takes them: the standard library's distutils has its own."""


def settings(dist: Distribution) -> config.Settings:
    """Return the settings of the project in the current folder, read once for each ``dist``.

    Raises BuildError when one is wrong.
    """
    with setuptools_errors():
        return _settings(dist)


def is_universal(dist: Distribution) -> bool:
    """Return whether one module for every CPython is wanted.

    setuptools asks for file names in metadata calls too, which a wrong setting
    must not break: it is reported at build time.
    """
    try:
        return _settings(dist).universal and not is_elsewhere(dist)
    except ConfigError:
        return False


def is_elsewhere(dist: Distribution) -> bool:
    """Return whether assembly is left out, because it is not for this kind of machine."""
    try:
        chosen = _settings(dist)
    except ConfigError:
        return False
    return chosen.elsewhere == "skip" and chosen.target is None and not target.is_supported()


def is_concerned(dist: Distribution) -> bool:
    """Return whether ``dist`` has assembly to build here, whenever it was added."""
    return (dist in _assembling or has_assembly(dist)) and not is_elsewhere(dist)


def concern(dist: Distribution) -> None:
    """Note that assembly of ``dist`` is being built, which no extension may have named."""
    _assembling.add(dist)


_assembling: WeakSet[Distribution] = WeakSet()
_read: WeakKeyDictionary[Distribution, config.Settings] = WeakKeyDictionary()


def _settings(dist: Distribution) -> config.Settings:
    if dist not in _read:
        _read[dist] = config.load(os.getcwd(), os.environ, _config_settings())
    return _read[dist]


def _config_settings() -> dict[str, object]:
    """Return what the front end passed with -C, empty when setup.py was run directly.

    setuptools' backend passes config settings on to no plugin (it translates
    --global-option and --build-option and drops the rest), so they are read from the
    frame of its PEP 517 hook, which is on the call stack whenever a front end builds.
    """
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == "setuptools.build_meta":
            given = frame.f_locals.get("config_settings")
            if isinstance(given, dict):
                return given
        frame = frame.f_back  # type: ignore[assignment]
    return {}


@contextmanager
def setuptools_errors() -> Iterator[None]:
    """Turn every failure into one that setuptools prints as one block, and that projects catch."""
    try:
        yield
    except BuildError:
        raise
    except _OURS_AND_THEIRS as error:
        raise BuildError(str(error)) from error


_COMMANDS = (
    *("CC", "CXX", "CPP", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "LDSHARED", "LDCXXSHARED"),
    *("AR", "ARFLAGS"),
)
"""The variables that setuptools makes a compiler's commands of."""


@contextmanager
def quotes_named() -> Iterator[None]:
    """Name the variable when setuptools cannot split one into words; it raises ValueError."""
    try:
        yield
    except ValueError as error:
        wrong = [name for name in _COMMANDS if not _is_quoted(os.environ.get(name, ""))]
        if "mismatched" not in str(error) or not wrong:
            raise
        named = "\n".join(
            f"{name} is {os.environ[name]!r}: a quotation mark in it has no other end"
            for name in wrong
        )
        raise BuildError(f"{named}\n  close it, or leave it out") from error


def _is_quoted(text: str) -> bool:
    try:
        shlex.split(text)
    except ValueError:
        return False
    return True


def lowest_version(dist: Distribution, chosen: config.Settings) -> tuple[int, int]:
    """Return the oldest Python a stable-ABI module is for.

    That is ``limited-api``, else the lower bound of requires-python, else the
    running version. Raises ConfigError when it is newer than that.
    """
    origin, version = "limited-api", chosen.limited_api
    if version is None:
        origin, version = "the lower bound of requires-python", _lower_bound(dist)
    running = sys.version_info[:2]
    if version > running:
        raise ConfigError(
            "{} is {}.{}, and this is Python {}.{}".format(origin, *version, *running),
            "a module for the stable ABI is built by its oldest Python or by a newer one",
        )
    return max(version, ABI3T_SINCE) if sysconfig.get_config_var("Py_GIL_DISABLED") else version


def _lower_bound(dist: Distribution) -> tuple[int, int]:
    bounds = [
        (3, int(match[1]))
        for spec in dist.python_requires or ()
        if spec.operator in (">=", "~=", "==") and (match := re.match(r"3\.(\d+)", spec.version))
    ]
    return max(bounds, default=sys.version_info[:2])


def lasting_folder(command: Any) -> str:
    """Return the folder for what is built on the way.

    An editable build gets a temporary one from setuptools; objects are worth
    keeping, so there it is the one of ordinary builds.
    """
    if not getattr(command, "editable_mode", False):
        return str(command.build_temp)
    build = command.get_finalized_command("build")
    return os.path.join(
        str(build.build_base), f"temp.{build.plat_name}-{sys.implementation.cache_tag}"
    )


def debug_folder(command: Any) -> str:
    """Return the folder that the modules' debug files are kept in, by their paths in a wheel."""
    return os.path.join(lasting_folder(command), "asm", "debug")


def parallel_jobs(command: Any) -> int | None:
    """Return the number given with -j; without one all cores are used anyway."""
    parallel = getattr(command, "parallel", None)
    # True stands for a number that setuptools is to choose.
    return parallel if type(parallel) is int else None


def reporter(command: Any) -> Reporter:
    """Return output as setuptools does it, with a bar on a terminal unless -q or -v was given."""
    is_ordinary = command.distribution.verbose == 1
    bar = bar_for(sys.stdout, os.environ) if is_ordinary else None

    def announce(level: int) -> Callable[[str], None]:
        def output(text: str) -> None:
            if bar is not None:
                bar.clear()
            command.announce(text, LEVELS[level])

        return output

    levels = (logging.INFO, logging.WARNING, logging.DEBUG)
    progress, warning, detail = map(announce, levels)
    return Reporter(progress, warning, detail, bar)

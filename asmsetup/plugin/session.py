"""What holds for one setuptools run: its settings, and how its errors are shown."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import setuptools.errors
from setuptools import Distribution

from .. import config
from ..errors import (
    AsmsetupError,
    AssembleError,
    CheckError,
    CompileError,
    ConfigError,
    LinkError,
    SourceError,
)
from ..versions import ABI3T_SINCE


def settings() -> config.Settings:
    """Return the settings of the project in the current folder, read once a build.

    Raises setuptools' SetupError when one is wrong.
    """
    with setuptools_errors():
        return _settings(os.getcwd())


def is_universal() -> bool:
    """Tell whether one module for every CPython is wanted.

    setuptools asks for file names in metadata calls too, which a wrong setting
    must not break: it is told when something is built.
    """
    try:
        return _settings(os.getcwd()).universal
    except ConfigError:
        return False


@cache
def _settings(project: str) -> config.Settings:
    return config.load(project, os.environ, _config_settings())


def _config_settings() -> dict[str, object]:
    """Return what the front end passed with -C, empty when setup.py was run directly.

    setuptools' backend hands config settings to nobody (it translates two keys
    and drops the others), so they are read where they stand: in the frame of
    its hook, which is below us whenever a front end started the build.
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
    """Turn our errors into those that setuptools prints as one block, without a traceback."""
    try:
        yield
    except (AssembleError, CompileError, CheckError) as error:
        raise setuptools.errors.CompileError(str(error)) from error
    except LinkError as error:
        raise setuptools.errors.LinkError(str(error)) from error
    except (SourceError, ConfigError) as error:
        raise setuptools.errors.SetupError(str(error)) from error
    except AsmsetupError as error:
        raise setuptools.errors.PlatformError(str(error)) from error


def lowest_version(dist: Distribution, chosen: config.Settings) -> tuple[int, int]:
    """Return the oldest Python a stable-ABI module is for.

    That is ``limited-api``, else the lower bound of requires-python, else the
    running version. Raises ConfigError when it is newer than that.
    """
    said, version = "limited-api", chosen.limited_api
    if version is None:
        said, version = "the lower bound of requires-python", _lower_bound(dist)
    running = sys.version_info[:2]
    if version > running:
        raise ConfigError(
            "{} is {}.{}, and this is Python {}.{}".format(said, *version, *running),
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

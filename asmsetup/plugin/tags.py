"""A wheel's tag: for which Pythons, ABIs and platforms its modules are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from setuptools import Distribution

from .. import config, wheel
from ..assemble import cache
from ..errors import PlatformError, WheelError
from ..facts import target
from ..versions import ABI3T_SINCE, FREE_THREADED_SINCE, OLDEST, VERSIONS
from .declared import Library


def require_target(platform: str | None, option: str) -> None:
    """Raise PlatformError for the name of a platform that what we build does not run on.

    ``option`` is what may have named it.
    """
    for each in (platform or "any").split("."):
        if each != "any" and not ("linux" in each and each.endswith("x86_64")):
            raise PlatformError(
                f"{option} asks for {each}, and what is built is for x86-64 Linux",
                f"leave {option} out",
            )


def target_of(command: Any, wanted: str | None) -> target.Target:
    """Return what ``command`` builds for: this machine, or the platform ``wanted``.

    Raises PlatformError as ``require_target`` does.
    """
    machine = target.running(wanted)
    if machine.is_host:
        require_target(getattr(command, "plat_name", None), "--plat-name")
    return machine


def has_libraries_alone(dist: Distribution) -> bool:
    """Return whether all that is built has no Python in it, so that any Python may load it."""
    extensions = dist.ext_modules or ()
    return bool(extensions) and all(isinstance(each, Library) for each in extensions)


def universal_tags() -> tuple[str, str]:
    """Return Python and ABI tag of modules for every supported CPython.

    Installers that know abi3t (PEP 803) need no more than cp310-abi3.abi3t; the
    others find the free-threaded versions before abi3t by name.
    """
    named = [v for v in VERSIONS if FREE_THREADED_SINCE <= v < ABI3T_SINCE]
    tags = [f"cp{major}{minor}" for major, minor in (OLDEST, *named)]
    return ".".join(tags), ".".join(["abi3", "abi3t", *(f"{tag}t" for tag in tags[1:])])


def examine(modules: Mapping[str, str], chosen: config.Settings) -> wheel.Verdict:
    """Return what the modules (path in the wheel -> file) are fit for, from the cache where it can be.

    Raises WheelError.
    """
    libc = target.running(chosen.target).libc
    ask = chosen.auditwheel == "check"
    # Problems of the cache were already reported when the modules were built.
    verdicts = cache.open_cache(os.environ, lambda text: None) if chosen.cache else None
    found = wheel.examine(modules, libc, verdicts, ask=ask)
    if verdicts is not None:
        verdicts.close()
    return found


def not_portable(verdict: wheel.Verdict) -> WheelError:
    """Return the error for a wheel that no platform tag is true of, or the text of a warning."""
    return WheelError(
        "the wheel is not manylinux; it works only on this machine:",
        *verdict.obstacles,
        'link statically, let auditwheel copy the library ([tool.asmsetup] auditwheel = "repair"),',
        'or accept it with auditwheel = "skip"',
    )

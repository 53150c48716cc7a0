"""Asks the build front end for NASM where there is none: by setup_requires, which PEP 517 passes on."""

from __future__ import annotations

from setuptools import Distribution
from setuptools.errors import SetupError

from ..assemble import nasm
from ..errors import ToolError
from .session import is_elsewhere, settings

ASKS_FOR_NASM = False
"""To become True when asmsetup-nasm is published: before, pip would find nothing."""

REQUIREMENT = "asmsetup-nasm>=3.1"


def ask_for_nasm(dist: Distribution) -> None:
    """Require NASM's wheel if the front end is asking for requirements and there is no NASM.

    setuptools' backend asks with a Distribution of its own, which turns what is to be fetched
    into the answer of get_requires_for_build_wheel. In any other build nothing happens.
    """
    if not ASKS_FOR_NASM or type(dist).__module__ != "setuptools.build_meta":
        return
    try:
        if not is_elsewhere(dist):
            nasm.find(settings(dist).nasm)
    except ToolError:
        dist.fetch_build_eggs([REQUIREMENT])
    except SetupError:
        return  # a wrong setting is reported when something is built

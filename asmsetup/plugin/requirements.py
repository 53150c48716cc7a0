"""Asks the build front end for NASM if it is missing: by setup_requires, which PEP 517 passes on."""

from __future__ import annotations

from setuptools import Distribution

ASKS_FOR_NASM = False
"""To become True when asmsetup-nasm is published: before, pip would find nothing."""

REQUIREMENT = "asmsetup-nasm>=3.1"


def ask_for_nasm(dist: Distribution) -> None:
    """Have the answer to a front end that asks for requirements name NASM's wheel if there is no NASM."""
    if not ASKS_FOR_NASM:
        return
    from setuptools.errors import SetupError  # only when requirements are asked for

    from ..assemble import nasm
    from ..errors import ToolError
    from .session import is_elsewhere, settings

    try:
        if not is_elsewhere(dist):
            nasm.find(settings(dist).nasm)
    except ToolError:
        dist.fetch_build_eggs([REQUIREMENT])
    except SetupError:
        return  # a wrong setting is reported when something is built

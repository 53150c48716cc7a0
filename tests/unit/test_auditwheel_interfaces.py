"""The interfaces of auditwheel that asmsetup calls, none of which auditwheel documents: hence below 7."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pytest

from tools.matrix.interpreters import REPOSITORY


@pytest.mark.parametrize(
    ("module", "name", "parameters"),
    [
        (
            "auditwheel.wheel_abi",
            "analyze_wheel_abi",
            "libc architecture wheel_fn exclude disable_isa_ext_check allow_graft",
        ),
        (
            "auditwheel.repair",
            "repair_wheel",
            "wheel_abi wheel_path abis lib_sdir out_dir update_tags patcher strip"
            " zip_compression_level",
        ),
        ("auditwheel.patcher", "ElfPatcher.get_patcher", ""),
        ("auditwheel.architecture", "Architecture", ""),
        ("auditwheel.libc", "Libc", ""),
    ],
)
def test_what_is_called(module: str, name: str, parameters: str) -> None:
    called: Any = importlib.import_module(module)
    for part in name.split("."):
        called = getattr(called, part)

    assert set(parameters.split()) <= set(inspect.signature(called).parameters)


@pytest.mark.parametrize(
    ("module", "name", "fields"),
    [
        (
            "auditwheel.wheel_abi",
            "WheelAbIInfo",
            "policies overall_policy sym_policy ucs_policy pyfpe_policy blacklist_policy"
            " machine_policy ref_policy external_refs versioned_symbols",
        ),
        ("auditwheel.policy", "Policy", "name aliases"),
        ("auditwheel.policy", "ExternalReference", "libs blacklist"),
    ],
)
def test_what_is_read(module: str, name: str, fields: str) -> None:
    read = getattr(importlib.import_module(module), name)

    assert set(fields.split()) <= {*inspect.signature(read).parameters, *dir(read)}


@pytest.mark.parametrize("name", ["linux", "lowest"])
def test_policies(name: str) -> None:
    from auditwheel.policy import WheelPolicies

    assert isinstance(getattr(WheelPolicies, name), property)


def test_the_next_major_version_is_not_taken_unseen() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text()

    assert re.search(r'"auditwheel>=6\.8,<7"', text)

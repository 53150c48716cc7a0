"""The JSON schema of [tool.asmsetup] says what the settings' own parsers say."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from validate_pyproject import api, errors
from validate_pyproject.plugins import PluginWrapper

from asmsetup import config
from asmsetup.errors import ConfigError
from asmsetup.schema import schema
from tools.matrix.interpreters import REPOSITORY

FILE = REPOSITORY / "docs" / "asmsetup.schema.json"


def test_the_file_for_editors_is_this_schema() -> None:
    text = json.dumps(schema(), indent=2) + "\n"
    if os.environ.get("ASMSETUP_TEST_WRITE"):
        FILE.write_text(text)
    assert FILE.read_text() == text, "write it with ASMSETUP_TEST_WRITE=1"


def test_validate_pyproject_finds_it() -> None:
    pyproject = (REPOSITORY / "pyproject.toml").read_text()
    assert '"validate_pyproject.tool_schema"]\nasmsetup = "asmsetup.schema:schema"' in pyproject


@pytest.fixture(scope="module")
def validator() -> api.Validator:
    """validate-pyproject with asmsetup's schema."""
    return api.Validator(plugins=[PluginWrapper("asmsetup", schema)])  # type: ignore[arg-type]


def toml(value: Any) -> str:
    """A value as TOML spells it."""
    if isinstance(value, dict):
        return (
            f"{{{', '.join(f'{json.dumps(key)} = {toml(each)}' for key, each in value.items())}}}"
        )
    return json.dumps(value)


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"nasm": "/usr/bin/nasm", "universal": True, "jobs": 3, "nasm-args": ["-w+all"]},
        {"limited-api": "3.10", "auditwheel": "check"},
        {"check": {"select": [], "ignore": {"private-name": "why"}, "severity": {"x-y": "error"}}},
        {"check": {"sources": {"asm/*.asm": ["x-y"]}}},
        {"check": {"ignored": []}},
        {"check": True},
        {"check": "errors"},
        {"check": "some"},
        {"check": {"machine-code": "errors", "ignore": ["x-y"]}},
        {"check": {"machine-code": 1}},
        {"baseline": "x86-64-v3"},
        {"baseline": "x86-64-v5"},
        {"check": {"severity": {"x-y": "fatal"}}},
        {"check": {"ignore": ["Not a rule"]}},
        {"limited-api": "3.9"},
        {"limited-api": 3.10},
        {"auditwheel": "no"},
        {"jobs": 0},
        {"jobs": True},
        {"jobs": "3"},
        {"debug": "true"},
        {"ld": ""},
        {"ld-args": "-s"},
        {"ld-args": [1]},
        {"ld_args": []},
        {"unknown": 1},
    ],
)
def test_schema_and_parsers_agree(
    table: dict[str, Any], validator: api.Validator, tmp_path: Path
) -> None:
    lines = "\n".join(f"{key} = {toml(value)}" for key, value in table.items())
    (tmp_path / "pyproject.toml").write_text(f"[tool.asmsetup]\n{lines}\n")
    try:
        config.load(str(tmp_path), {})
        accepted = True
    except ConfigError:
        accepted = False

    if accepted:
        validator({"tool": {"asmsetup": table}})
    else:
        with pytest.raises(errors.ValidationError, match=r"tool\.asmsetup"):
            validator({"tool": {"asmsetup": table}})

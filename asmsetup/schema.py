"""The JSON schema of [tool.asmsetup], for validate-pyproject and editors."""

from __future__ import annotations

from typing import Any

from .config import KINDS, LEVELS, Kind
from .versions import VERSIONS

_RULE = "^[a-z0-9]+(-[a-z0-9]+)*$"
_NAMES = {"type": "array", "items": {"type": "string", "pattern": _RULE}}
_REASONS = {
    "anyOf": [
        _NAMES,
        {
            "type": "object",
            "propertyNames": {"pattern": _RULE},
            "additionalProperties": {"type": "string"},
        },
    ]
}
_MACHINE_CODE = {"enum": [True, False, "errors"]}
_RULE_TABLE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "machine-code": _MACHINE_CODE,
        "select": _REASONS,
        "ignore": _REASONS,
        "severity": {
            "type": "object",
            "additionalProperties": {"enum": ["error", "warning"]},
        },
        "sources": {"type": "object", "additionalProperties": _REASONS},
    },
}

_SCHEMAS: dict[Kind, dict[str, Any]] = {
    "text": {"type": "string", "minLength": 1},
    "boolean": {"type": "boolean"},
    "arguments": {"type": "array", "items": {"type": "string"}},
    "count": {"type": "integer", "minimum": 1},
    "auditwheel": {"enum": ["repair", "check", "skip"]},
    "database": {"type": "string", "pattern": r"^[^~].*\.json$"},
    "debug": {"enum": [True, False, "split"]},
    "strip": {"enum": ["all", "debug", "none"]},
    "elsewhere": {"enum": ["error", "skip"]},
    "target": {"enum": ["x86_64-linux"]},
    "python version": {"enum": [f"{major}.{minor}" for major, minor in VERSIONS]},
    "rules": {"anyOf": [_MACHINE_CODE, _RULE_TABLE]},
    "level": {"enum": list(LEVELS)},
}

_ABOUT = {
    "nasm": "the NASM to use: a path, or a name on PATH",
    "ld": "the linker for pure assembly: a path, or a name on PATH",
    "nasm-args": "more arguments for NASM, for all sources",
    "ld-args": "more arguments for the linker, for all modules",
    "debug": "assemble with line numbers, and do not strip, or keep them in a file of their own",
    "strip": "what modules are rid of",
    "strict": "warnings about the code stop the build",
    "auditwheel": "how the platform tag is determined",
    "limited-api": "the oldest Python that a module for the stable ABI is for",
    "universal": "one module and one wheel for every CPython",
    "jobs": "how many sources are assembled or compiled at once",
    "cache": "keep objects between builds",
    "launcher": "put before NASM's command",
    "check": "whether machine code is judged; rules to switch off, or to make errors or warnings",
    "baseline": "the processors that functions must run on without a test",
    "unwind": "tables for debuggers and profilers, for routines that no macro describes",
    "stubs": "a stub (.pyi) beside each module with typed functions",
    "sbom": "a bill of materials in wheels (PEP 770, CycloneDX)",
    "elsewhere": "what happens to assembly on other machines than x86-64 Linux",
    "target": "the platform to build for, where that is another one",
    "editable-rebuild": "an editable install builds what has changed when it is imported",
    "compile-commands": "a file to write each source's command to, for editors",
}


def schema(tool: str = "asmsetup") -> dict[str, Any]:
    """Return the schema of the table ``[tool.<tool>]``.

    This is the function that validate-pyproject's entry point names.
    """
    settings = {key.replace("_", "-"): kind for key, kind in KINDS.items()}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "https://asmsetup.readthedocs.io/asmsetup.schema.json",
        "title": f"[tool.{tool}]",
        "description": "The settings of a project with assembly.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {"description": _ABOUT[name], **_SCHEMAS[kind]} for name, kind in settings.items()
        },
    }

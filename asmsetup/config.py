"""The project's settings: [tool.asmsetup], the environment and PEP 517 config settings.

Read once, validated, and handed on as one frozen ``Settings``; no other module reads a project's
setting from the environment. (Variables of compilers and linkers are read where they are used, the
folder and the size of the user's cache in assemble/cache.py.)
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Literal, get_args

from . import rules
from .errors import ConfigError
from .named import NamedTuple
from .rules import RefusedError, RuleSettings
from .versions import NEWEST, OLDEST

Level = Literal["x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""Levels of processors, each with more features than the one before (psABI, micro-architecture levels)."""
AuditwheelMode = Literal["repair", "check", "skip"]
Strip = Literal["all", "debug", "none"]
Elsewhere = Literal["error", "skip"]


def _text(value: object) -> str:
    if isinstance(value, str) and value:
        return value
    raise RefusedError("a non-empty string")


def _arguments(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            return tuple(shlex.split(value))
        except ValueError as error:
            raise RefusedError(f"a list of strings ({error})") from error
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise RefusedError("a list of strings")


def _database(value: object) -> str:
    # Nothing else of the project's is overwritten by mistake, and no shell has expanded `~'.
    if isinstance(value, str) and value.endswith(".json") and not value.startswith("~"):
        return value
    raise RefusedError("the path of a file that ends in .json, without `~'")


def _auditwheel(value: object) -> AuditwheelMode:
    if value == "repair" or value == "check" or value == "skip":
        return value
    raise RefusedError('"repair", "check" or "skip"')


def _level(value: object) -> Level:
    for level in LEVELS:
        if value == level:
            return level
    raise RefusedError(f"one of {', '.join(LEVELS)}, in quotes")


def _debug(value: object) -> bool | Literal["split"]:
    if value == "split":
        return "split"
    with suppress(RefusedError):
        return rules.boolean(value)
    raise RefusedError('true, false or "split"')


def _strip(value: object) -> Strip:
    if value == "all" or value == "debug" or value == "none":
        return value
    raise RefusedError('"all", "debug" or "none"')


def _elsewhere(value: object) -> Elsewhere:
    if value == "error" or value == "skip":
        return value
    raise RefusedError('"error" or "skip"')


def _target(value: object) -> str:
    if value == "x86_64-linux":
        return value
    raise RefusedError('"x86_64-linux"')


def _python_version(value: object) -> tuple[int, int]:
    if isinstance(value, str) and (match := re.fullmatch(r"3\.(\d{1,3})", value)):
        version = 3, int(match[1])
        if OLDEST <= version <= NEWEST:
            return version
    oldest, newest = (".".join(map(str, each)) for each in (OLDEST, NEWEST))
    raise RefusedError(f'a Python version from "{oldest}" to "{newest}"')


def _count(value: object) -> int:
    # Python refuses to convert thousands of digits.
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise RefusedError("a whole number of at least 1")


class Settings(NamedTuple):
    """Every setting of asmsetup, with the value that holds for this build."""

    nasm: str | None = None
    ld: str | None = None
    nasm_args: tuple[str, ...] = ()
    ld_args: tuple[str, ...] = ()
    debug: bool = False
    split_debug: bool = False
    """debug = "split": what it adds to a module goes to a file of its own."""
    strip: Strip = "all"
    strict: bool = False
    auditwheel: AuditwheelMode = "repair"
    limited_api: tuple[int, int] | None = None
    universal: bool = False
    jobs: int | None = None
    cache: bool = True
    launcher: tuple[str, ...] = ()
    check: RuleSettings = RuleSettings()
    baseline: Level = "x86-64"
    unwind: bool = False
    editable_rebuild: bool = False
    compile_commands: str | None = None
    sbom: bool = False
    stubs: bool = False
    elsewhere: Elsewhere = "error"
    target: str | None = None
    ldflags: tuple[str, ...] = ()
    """LDFLAGS: written for a compiler driver, and no setting of the project's."""


Kind = Literal[
    "text",
    "boolean",
    "arguments",
    "count",
    "auditwheel",
    "python version",
    "rules",
    "database",
    "debug",
    "strip",
    "elsewhere",
    "target",
    "level",
]

KINDS: dict[str, Kind] = {
    "nasm": "text",
    "ld": "text",
    "nasm_args": "arguments",
    "ld_args": "arguments",
    "debug": "debug",
    "strict": "boolean",
    "strip": "strip",
    "auditwheel": "auditwheel",
    "limited_api": "python version",
    "universal": "boolean",
    "jobs": "count",
    "cache": "boolean",
    "launcher": "arguments",
    "check": "rules",
    "baseline": "level",
    "unwind": "boolean",
    "editable_rebuild": "boolean",
    "compile_commands": "database",
    "sbom": "boolean",
    "stubs": "boolean",
    "elsewhere": "elsewhere",
    "target": "target",
}
"""The kind of value that each setting takes."""

_PARSE: dict[Kind, Callable[[object], Any]] = {
    "text": _text,
    "boolean": rules.boolean,
    "arguments": _arguments,
    "count": _count,
    "auditwheel": _auditwheel,
    "database": _database,
    "debug": _debug,
    "strip": _strip,
    "elsewhere": _elsewhere,
    "target": _target,
    "python version": _python_version,
    "rules": rules.parse,
    "level": _level,
}
_PARSERS = {key: _PARSE[kind] for key, kind in KINDS.items()}
_NO_TEXT = (rules.boolean, _arguments, _count)
"""The parsers of values that must not be strings in a file, and are strings everywhere else."""
_TOOLS = {"nasm": "NASM", "ld": "LD"}
_IN_FILE = "[tool.asmsetup]"
_PREFIX = "ASMSETUP_"
_OTHER_VARIABLES = ("CACHE_DIR", "CACHE_SIZE", "REBUILDING")
"""The variables that no setting of a project stands for: where the cache is and how large it may be, and that an import rebuilds."""


def load(
    project: str,
    environ: Mapping[str, str],
    config_settings: Mapping[str, object] | None = None,
) -> Settings:
    """Return the settings of the project in the folder ``project``.

    Later ones win: pyproject.toml, the tools' own variables (NASM, LD),
    ASMSETUP_<KEY>, config settings (``-C asmsetup.key=value``). NASMFLAGS is
    added to the arguments set otherwise.

    Raises ConfigError naming the key and what it may be.
    """
    values: dict[str, Any] = {}
    for where, key, value in _said(project, environ, config_settings or {}):
        parsed = _parsed(where, key, value)
        if key == "check" and key in values and not isinstance(value, dict):
            # The rules that the project's table names stay as they are.
            parsed = values[key]._replace(machine_code=parsed.machine_code)
        values[key] = parsed
    nasm_flags = _parsed("NASMFLAGS", "nasm_args", environ.get("NASMFLAGS", ""))
    values["nasm_args"] = values.get("nasm_args", ()) + nasm_flags
    values["split_debug"] = values.get("debug") == "split"
    values["debug"] = bool(values.get("debug"))
    values["ldflags"] = _parsed("LDFLAGS", "ld_args", environ.get("LDFLAGS", ""))
    return Settings(**values)


def _said(
    project: str, environ: Mapping[str, str], config_settings: Mapping[str, object]
) -> Iterator[tuple[str, str, object]]:
    """Yield (origin, setting's name, raw value), lowest precedence first."""
    for name, value in _table(project).items():
        where = f"{_IN_FILE} {name} in pyproject.toml"
        yield where, _known(where, name), value
    for key, variable in _TOOLS.items():
        if environ.get(variable):
            yield variable, key, environ[variable]
    for variable in sorted(name for name in environ if name.startswith(_PREFIX)):
        if (setting := _key_of(variable)) is not None:
            yield variable, setting, environ[variable]
    for name, value in config_settings.items():
        if name.startswith("asmsetup."):
            where = f"config setting {name}"
            yield where, _known(where, name.removeprefix("asmsetup.")), value


def _key_of(variable: str) -> str | None:
    """Return the setting that a variable of ours holds, None for one that holds another thing."""
    names = [f"{_PREFIX}{name}" for name in (*map(str.upper, _PARSERS), *_OTHER_VARIABLES)]
    if variable not in names and not variable.startswith(f"{_PREFIX}TEST_"):  # our own tests'
        raise _unknown(f"the environment variable {variable}", variable, names)
    key = variable.removeprefix(_PREFIX).lower()
    return key if key in _PARSERS else None


def _known(where: str, name: str) -> str:
    names = [key.replace("_", "-") for key in _PARSERS]
    if name in names:
        return name.replace("-", "_")
    raise _unknown(where, name.replace("_", "-"), names)


def _unknown(where: str, name: str, names: list[str]) -> ConfigError:
    import difflib  # slow to import, and only needed to explain an error

    near = difflib.get_close_matches(name, names, n=1)
    return ConfigError(
        f"{where}: there is no such setting",
        *(f"did you mean {key}?" for key in near),
        f"the settings are: {', '.join(names)}",
    )


def _parsed(where: str, key: str, value: object) -> Any:
    parse = _PARSERS[key]
    # In a file a list, a number or true is as easy to write as a string, and leaves no quoting
    # to guess.
    no_text = (
        parse in _NO_TEXT
        or (parse is _debug and value != "split")
        or (parse is rules.parse and value != "errors")
    )
    misplaced = where.startswith(_IN_FILE) and no_text and isinstance(value, str)
    try:
        return parse(None if misplaced else value)
    except RefusedError as refused:
        raise ConfigError(f"{where} is {value!r}, and must be {refused}") from refused


def requires_asmsetup(project: str) -> bool:
    """Return whether the project in a folder names asmsetup among its build requirements."""
    try:
        system = _document(project).get("build-system", {})
    except ConfigError:  # reported when something is built
        return False
    requires = system.get("requires", ()) if isinstance(system, dict) else ()
    named = (str(each).strip().lower() for each in requires) if isinstance(requires, list) else ()
    return any(re.match(r"asmsetup(?![\w.-])", each) for each in named)


def _table(project: str) -> dict[str, object]:
    """Return [tool.asmsetup] of pyproject.toml; empty if it has no such table."""
    tool = _document(project).get("tool", {})
    table = tool.get("asmsetup", {}) if isinstance(tool, dict) else tool
    if not isinstance(table, dict):
        raise ConfigError("[tool.asmsetup] in pyproject.toml must be a table")
    return table


def _document(project: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with open(os.path.join(project, "pyproject.toml"), "rb") as file:
            document: dict[str, Any] = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except ValueError as error:  # not TOML, or not UTF-8
        raise ConfigError(f"pyproject.toml: {error}") from error
    return document

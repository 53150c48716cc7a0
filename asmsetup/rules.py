"""Which rules of the checks a project wants: [tool.asmsetup.check], read and applied in one place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Literal, cast

from .named import NamedTuple

Severity = Literal["error", "warning"]
MachineCode = bool | Literal["errors"] | None
"""True when builds check machine code, "errors" when they report its errors only; None: True where the
decoder is installed."""
Reasons = tuple[tuple[str, str], ...]
"""(rule, why it is ignored; empty if no reason is given)."""

_RULE = r"[a-z0-9]+(-[a-z0-9]+)*"
_KEYS = ("machine-code", "select", "ignore", "severity", "sources")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class RefusedError(ValueError):
    """A value of a setting is of the wrong kind; the message says what is allowed."""


class RuleSettings(NamedTuple):
    """The rules that are on, and whether each is an error or a warning."""

    select: tuple[str, ...] = ()
    """Rules that are off by default and wanted here."""
    ignore: Reasons = ()
    """Rules that are off in the whole project."""
    severity: tuple[tuple[str, Severity], ...] = ()
    """Rules that are errors or warnings against their own severity."""
    sources: tuple[tuple[str, Reasons], ...] = ()
    """(pattern of source paths, rules that are off in them)."""
    machine_code: MachineCode = None

    def is_ignored(self, rule: str, source: str) -> bool:
        """Return whether a rule is off for a source, by its path as the project writes it."""
        ignored = [
            self.ignore,
            *(rules for pattern, rules in self.sources if _matches(source, pattern)),
        ]
        return any(rule == name for rules in ignored for name, _ in rules)

    def severity_of(self, rule: str, default: str) -> str:
        """Return how much a finding of a rule weighs: its own severity, or the project's."""
        return dict(self.severity).get(rule, cast(Severity, default))

    @property
    def named(self) -> list[str]:
        """Every rule that is named, to be compared with those that exist."""
        of_sources = (name for _, rules in self.sources for name, _ in rules)
        ignored = (name for name, _ in self.ignore)
        weighed = (name for name, _ in self.severity)
        return list(dict.fromkeys((*self.select, *ignored, *weighed, *of_sources)))


def _matches(source: str, pattern: str) -> bool:
    return fnmatchcase(source.removeprefix("./"), pattern.removeprefix("./"))


def parse(value: object) -> RuleSettings:
    """Return the settings of a table, or of true, false or "errors" alone.

    Raises RefusedError that says what is allowed.
    """
    if not isinstance(value, dict):
        return RuleSettings(machine_code=_machine_code(value))
    if unknown := sorted(value.keys() - {*_KEYS}):
        raise RefusedError(
            f"a table with the keys {', '.join(_KEYS)}: `{unknown[0]}' is none of them"
        )
    sources = value.get("sources", {})
    if not isinstance(sources, dict):
        raise RefusedError(
            "a table whose key `sources' holds a table: a pattern of paths, and the rules that are off there"
        )
    return RuleSettings(
        tuple(name for name, _ in _reasons("select", value.get("select", []))),
        tuple(_reasons("ignore", value.get("ignore", []))),
        tuple(_severities(value.get("severity", {}))),
        tuple((pattern, tuple(_reasons("sources", rules))) for pattern, rules in sources.items()),
        _in_table(value["machine-code"]) if "machine-code" in value else None,
    )


def boolean(value: object) -> bool:
    """Return a boolean, or the one that a word means. Raises RefusedError for anything else."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE + _FALSE:
        return value.lower() in _TRUE
    raise RefusedError("true or false")


def _machine_code(value: object) -> MachineCode:
    if value == "errors":
        return "errors"
    try:
        return boolean(value)
    except RefusedError:
        raise RefusedError('true, false, "errors", or a table of rules') from None


def _in_table(value: object) -> MachineCode:
    if isinstance(value, str) and value != "errors":
        raise RefusedError('a table whose key `machine-code\' is true, false or "errors"')
    return _machine_code(value)


def _reasons(key: str, value: object) -> Iterator[tuple[str, str]]:
    items: Iterable[tuple[object, object]]
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = ((name, "") for name in value)
    else:
        raise RefusedError(
            f"a table whose key `{key}' holds a list of rules, or a table of rules and reasons"
        )
    for name, reason in items:
        if (
            not isinstance(name, str)
            or not re.fullmatch(_RULE, name)
            or not isinstance(reason, str)
        ):
            raise RefusedError(
                f"a table whose key `{key}' holds names of rules (`kept-register'), and reasons in quotes"
            )
        yield name, reason


def _severities(value: object) -> Iterator[tuple[str, Severity]]:
    if not isinstance(value, Mapping):
        raise RefusedError(
            'a table whose key `severity\' holds a table: rules, and "error" or "warning"'
        )
    for name, severity in value.items():
        if severity not in ("error", "warning"):
            raise RefusedError(f'a table whose key `severity\' says "error" or "warning" of {name}')
        yield name, severity

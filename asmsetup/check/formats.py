"""Writes what was found in machine code: as text, JSON, SARIF or GitHub's annotations."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from ..named import NamedTuple
from .code.levels import Need
from .code.rules import RULES
from .code.verdicts import CodeFinding, EntryState
from .findings import Finding, report

JSON_VERSION = 1


class Judged(NamedTuple):
    """One object or module with what was found in it."""

    target: str
    functions: int
    instructions: int
    findings: list[CodeFinding]
    entries: list[EntryState]
    incomplete: list[tuple[str, str]]
    """Functions that were not followed to their end, and why."""
    needs: list[Need]
    """The processor features of the functions that need more than x86-64."""
    variant: list[str]
    """The properties of a wheel variant for these needs."""


def as_text(judged: Sequence[Judged], *, colour: bool = False) -> str:
    """Return the findings as a build prints them, then a line for each file."""
    parts = [report([as_finding(f) for each in judged for f in each.findings], colour)]
    for each in judged:
        unchecked = [entry for entry in each.entries if entry.reason]
        parts.append(
            f"{each.target}: {_count(each.functions, 'function')},"
            f" {_count(len(each.findings), 'finding')},"
            f" {len(each.entries) - len(unchecked)} of {len(each.entries)} entries checked"
        )
        listed = [f"{entry.kind} {entry.name}: {entry.reason}" for entry in unchecked]
        known = {entry.function for entry in unchecked}
        listed += [f"{name}: {why}" for name, why in each.incomplete if name not in known]
        parts += [f"  incomplete: {line}" for line in listed]
    return "\n".join(part for part in parts if part)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def levels_as_text(judged: Sequence[Judged]) -> str:
    """Return what each routine needs of the processor, a line each; the rest needs x86-64."""
    return "\n".join(
        line for each in judged for line in levels(each.target, each.needs, each.variant)
    )


def levels(target: str, needs: Sequence[Need], variant: Sequence[str]) -> list[str]:
    """Return the lines of ``levels_as_text`` for one object or module."""
    lines = [f"{target}: what needs more than x86-64"]
    width = max((len(need.name) for need in needs), default=0)
    for need in needs:
        through = f"  (calls {need.through})" if need.through else ""
        features = " ".join(need.features)
        lines.append(f"  {need.name:{width}}  {need.level:10} {features}{through}")
    if not needs:
        lines.append("  nothing")
    lines.append(f"  as a wheel variant (PEP 825, a draft): {', '.join(variant)}")
    return lines


def as_finding(found: CodeFinding) -> Finding:
    """Return a finding as those of the other checks are, with its function and its way."""
    where = f"in {found.function}" + (f", where {', '.join(found.way)}" if found.way else "")
    ways_out = (where, found.cure)
    return Finding(
        *(found.rule, found.severity, found.file, found.line, found.what, found.text, ways_out),
        function=found.function,
        about=found.about,
    )


def as_json(judged: Sequence[Judged]) -> str:
    """Return everything as JSON; "version" rises when a field changes its meaning."""
    targets = [
        {
            "target": each.target,
            "functions": each.functions,
            "instructions": each.instructions,
            "findings": [found._asdict() for found in each.findings],
            "entries": [entry._asdict() for entry in each.entries],
            "incomplete": [{"function": name, "reason": why} for name, why in each.incomplete],
            "levels": [
                {
                    "function": need.name,
                    "level": need.level,
                    "features": list(need.features),
                    "through": need.through,
                }
                for need in each.needs
            ],
            "variant": each.variant,
        }
        for each in judged
    ]
    return json.dumps({"version": JSON_VERSION, "targets": targets}, indent=1)


def as_github(findings: Iterable[CodeFinding]) -> str:
    """Return workflow commands, which GitHub shows beside the lines of a pull request."""
    lines = []
    for found in findings:
        file = _escaped(found.file).replace(":", "%3A").replace(",", "%2C")
        place = f"file={file}" + (f",line={found.line}" if found.line else "")
        message = _escaped(f"{found.what} (in {found.function}); {found.cure}")
        lines.append(f"::{found.severity} {place},title={found.rule}::{message}")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def as_sarif(findings: Iterable[CodeFinding]) -> str:
    """Return a SARIF 2.1.0 log."""
    rules = [
        {
            "id": rule.name,
            "shortDescription": {"text": rule.about},
            "fullDescription": {"text": f"{rule.about} Otherwise: {rule.otherwise}"},
            "help": {"text": rule.cure},
            "defaultConfiguration": {"level": rule.severity},
        }
        for rule in RULES.values()
    ]
    run = {
        "tool": {"driver": {"name": "asmsetup", "rules": rules}},
        "results": [_sarif_result(found) for found in findings],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=1)


def _sarif_result(found: CodeFinding) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(os.fsencode(found.file))}}
    if found.line:
        place["region"] = {"startLine": found.line}
    return {
        "ruleId": found.rule,
        "level": found.severity,
        "message": {"text": f"{found.what} (in {found.function}). {found.cure}"},
        "locations": [
            {
                "physicalLocation": place,
                "logicalLocations": [{"name": found.function, "kind": "function"}],
            }
        ],
    }

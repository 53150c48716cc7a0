"""asmsetup check: what is wrong with the machine code of a source, module, wheel or project."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .. import config
from ..check.machine_code import require_decoder
from ..errors import AsmsetupError, UsageError
from ..files import read_lines
from ..rules import RuleSettings

if TYPE_CHECKING:
    from ..check.code.verdicts import CodeFinding
    from ..check.formats import Judged

_FORMATS = ("text", "json", "sarif", "github")
_NOT_READ = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "targets",
        metavar="TARGET",
        nargs="*",
        help="a source, object, static library, module, wheel, project folder or installed package",
    )
    parser.add_argument("--select", metavar="RULES", help="only these rules, separated by commas")
    parser.add_argument("--ignore", metavar="RULES", help="not these rules, separated by commas")
    parser.add_argument("--format", choices=_FORMATS, default="text", help="how to write findings")
    parser.add_argument("--json", action="store_true", help="the same as --format json")
    parser.add_argument(
        "--levels", action="store_true", help="list what each routine needs of the processor"
    )
    parser.add_argument(
        "--baseline",
        choices=config.LEVELS,
        help="the processors that functions must run on without a test (the project's setting)",
    )
    parser.add_argument("--explain", metavar="RULE", help="explain a rule and exit")
    parser.add_argument("--rules", action="store_true", help="list the rules and exit")


def run(options: argparse.Namespace) -> int:
    """Check the targets; return 1 when something was found."""
    require_decoder()
    if options.explain or options.rules:
        return _show_rules(options.explain)
    if not options.targets:
        raise UsageError("there is nothing to check", "name a target:   asmsetup check m.asm")
    select, ignore = _rules(options.select), _rules(options.ignore)
    judged, unread = [], False
    for target in options.targets:
        try:
            judged += list(_judge(target, select, ignore, options.baseline))
        except UsageError:
            raise
        except AsmsetupError as error:
            unread = True
            print(f"error: {error}", file=sys.stderr)
    _write(judged, "json" if options.json else options.format, levels=options.levels)
    if unread:
        return _NOT_READ
    return int(any(each.findings for each in judged))


def _show_rules(name: str | None) -> int:
    from ..check.code.rules import RULES, explain

    if name is None:
        print("\n".join(f"{rule.name:20}{rule.severity:9}{rule.about}" for rule in RULES.values()))
    else:
        (known,) = _rules(name) or {""}
        print(explain(RULES[known]))
    return 0


def _rules(text: str | None) -> frozenset[str]:
    """Return the rules named in an option. Raises UsageError for one that does not exist."""
    from ..check.code.rules import RULES

    names = frozenset(name.strip() for name in (text or "").split(",") if name.strip())
    if unknown := sorted(names - RULES.keys()):
        raise UsageError(
            f"there is no rule {unknown[0]}", f"the rules are: {', '.join(sorted(RULES))}"
        )
    return names


def _judge(
    target: str, select: frozenset[str], ignore: frozenset[str], baseline: config.Level | None
) -> Iterator[Judged]:
    from ..check.code import stable
    from ..check.code.analysis import analyse
    from ..check.code.levels import faults_of, needs_of, variant_of
    from ..check.code.load import load_module, load_objects
    from ..check.code.verdicts import TOO_LARGE, entries_of, findings_of
    from ..check.formats import Judged
    from ._targets import codes_of

    settings = _settings(target)
    for code in codes_of(target):
        if code.facts.kind == "module":
            image = load_module(code.name, code.facts)
        else:
            image = load_objects([(code.name, code.facts)])
        verdict = analyse(image)
        needs = needs_of(verdict.engine, verdict.roots)
        verdict.faults += faults_of(verdict, needs, baseline or settings.baseline)
        if (promised := stable.promised_by(code.name)) is not None:
            verdict.faults += stable.faults_of(verdict, promised)
            verdict.table_faults += stable.table_faults_of(verdict, promised)
        found = findings_of(verdict, code.name, functools.cache(read_lines))
        yield Judged(
            code.name,
            len(verdict.roots),
            verdict.instructions,
            _weighed([f for f in found if _is_wanted(f, select, ignore)], settings.check),
            entries_of(verdict),
            [(image.name(gap.function), gap.why) for gap in verdict.gaps]
            + [(image.name(start), TOO_LARGE) for start in verdict.skipped],
            needs,
            variant_of(verdict, needs),
        )


def _settings(target: str) -> config.Settings:
    """Return the settings of the project that a target is or belongs to."""
    folder = target if os.path.isdir(target) else os.path.dirname(target) or os.curdir
    known = [each for each in (folder, os.curdir) if os.path.exists(f"{each}/pyproject.toml")]
    return config.load(known[0], os.environ) if known else config.Settings()


def _weighed(findings: Sequence[CodeFinding], settings: RuleSettings) -> list[CodeFinding]:
    """Return the findings of rules that the project has not switched off, as it weighs them."""
    return [
        found._replace(severity=settings.severity_of(found.rule, found.severity))
        for found in findings
        if not settings.is_ignored(found.rule, found.file)
    ]


def _is_wanted(found: CodeFinding, select: frozenset[str], ignore: frozenset[str]) -> bool:
    return found.rule not in ignore and (not select or found.rule in select)


def _write(judged: Sequence[Judged], form: str, *, levels: bool) -> None:
    from ..check import formats

    findings = [found for each in judged for found in each.findings]
    if form == "json":
        print(formats.as_json(judged))
    elif form == "sarif":
        print(formats.as_sarif(findings))
    elif form == "github":
        if findings:
            print(formats.as_github(findings))
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print(formats.as_text(judged, colour=colour))
        if levels:
            print(formats.levels_as_text(judged))

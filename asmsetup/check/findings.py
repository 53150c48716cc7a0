"""A finding: one sentence at the user's line; and the report of several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..named import NamedTuple
from ..rules import RuleSettings

ERROR = "error"
"""It would crash, or not link, or not import."""
WARNING = "warning"
"""It works, and should not be shipped; an error when the project is strict."""


class Finding(NamedTuple):
    """One mistake. ``rule`` is its stable name, a heading of docs/errors.md or
    docs/reference/checks.md."""

    rule: str
    severity: str
    file: str
    """The user's source as they wrote it; an object or module when there is no source."""
    line: int | None
    what: str
    """The mistake and its consequence."""
    text: str = ""
    """The source line."""
    ways_out: tuple[str, ...] = ()
    also: tuple[int, ...] = ()
    """Other lines of the same file with the same mistake."""
    function: str = ""
    """The function that breaks the rule, where that is known."""
    about: tuple[str, ...] = ()
    """Labels and sections that it is about and that stand elsewhere, each behind its object."""

    @property
    def is_error(self) -> bool:
        return self.severity == ERROR


def sort_and_merge(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings by file and line, the same mistake with the same cure once a file."""
    folded: dict[tuple[object, ...], Finding] = {}
    for finding in sorted(findings, key=_position):
        key = (finding.file, finding.rule, finding.severity, finding.what, finding.ways_out)
        first = folded.setdefault(key, finding)
        if finding.line is not None and finding.line not in (first.line, *first.also):
            folded[key] = first._replace(also=(*first.also, finding.line))
    return list(folded.values())


def _position(finding: Finding) -> tuple[str, int, str, str]:
    return finding.file, finding.line or 0, finding.rule, finding.what


def as_project_wants(findings: Iterable[Finding], rules: RuleSettings) -> Iterator[Finding]:
    """Yield the findings whose rules are on, with the severity that the project gives them."""
    for finding in findings:
        if not rules.is_ignored(finding.rule, finding.file):
            yield finding._replace(severity=rules.severity_of(finding.rule, finding.severity))


RULES = frozenset(
    [
        *("absolute-address", "call-without-plt", "code-not-executable", "data-without-got"),
        *("duplicate-name", "entry-point-hidden", "entry-point-local", "entry-point-missing"),
        *("entry-point-misspelt", "entry-point-not-code", "entry-point-other-module"),
        *("entry-point-untyped", "executable-stack", "executable-stack-request", "got-called"),
        *("falls-off", "result-no-object"),
        *("got-without-rel", "linked-with-libpython", "missing-export", "narrow-address"),
        *(
            "python-in-library",
            "module-without-entry-point",
            "needs-a-library",
            "not-hardened",
            "outside-stable-abi",
        ),
        *(
            "pointer-in-read-only",
            "private-name",
            "read-only-module-definition",
            "text-relocations",
        ),
        *("thread-local", "unexpected-export", "unexpected-library", "unexpected-runpath"),
        *("unknown-name", "unknown-weak-name", "writable-and-executable", "writable-code"),
        *("refuses-dlopen", "wrong-platform-name"),
    ]
)
"""Every rule about objects and modules, as docs/errors.md explains them; those of machine code are in
code/rules.py."""


def as_errors(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings with every warning made an error."""
    return [finding._replace(severity=ERROR) for finding in findings]


def report(findings: Sequence[Finding], colour: bool = False) -> str:
    """Return the findings as one text, in the form ``file:line:``, without a final newline.

    Errors come before warnings.
    """
    style = _COLOURED if colour else _PLAIN
    ordered = sorted(findings, key=lambda finding: not finding.is_error)
    return "\n".join(_entry(finding, style) for finding in ordered)


class _Style(NamedTuple):
    place: str = "{}"
    error: str = "{}"
    warning: str = "{}"


_PLAIN = _Style()
_COLOURED = _Style("\x1b[1m{}\x1b[0m", "\x1b[1;31m{}\x1b[0m", "\x1b[1;35m{}\x1b[0m")


def _entry(finding: Finding, style: _Style) -> str:
    place = finding.file if finding.line is None else f"{finding.file}:{finding.line}"
    severity = (style.error if finding.is_error else style.warning).format(finding.severity)
    lines = [f"{style.place.format(place + ':')} {severity}: {finding.what} [{finding.rule}]"]
    if finding.text:
        lines.append(f"    {finding.text}")
    if finding.also:
        lines.append(f"  the same in {_line_numbers(finding.also)}")
    lines += [f"  {way}" for way in finding.ways_out]
    return "\n".join(lines)


_LISTED_LINES = 12


def _line_numbers(numbers: tuple[int, ...]) -> str:
    listed = ", ".join(map(str, numbers[:_LISTED_LINES]))
    rest = len(numbers) - _LISTED_LINES
    noun = "line" if len(numbers) == 1 else "lines"
    return f"{noun} {listed}" + (f" and {rest} more" if rest > 0 else "")

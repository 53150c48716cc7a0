"""The page of an annotated source: one file of HTML, without scripts and without the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib import resources

from ..check import Finding
from .code import Instruction
from .flow import Jump, cells, jumps
from .lines import Line

_HEADS = (
    ("line", "the line of the source"),
    ("flow", "where jumps go"),
    ("samples", "how often perf found the processor here"),
    ("bytes", "bytes of code or data"),
    (
        "stack",
        "bytes on the stack before the line, below the return address; * where calls may be made",
    ),
    ("level", "the level of x86-64 that the line needs, where it is above the first"),
    ("source", "the source; open a line to see its instructions"),
)


def page(source: str, lines: Sequence[Line]) -> str:
    """Return the page of ``source``."""
    drawn = jumps(lines)
    total = sum(line.samples for line in lines)
    title = escape(f"{source}, annotated")
    rows = "\n".join(_row(line, drawn, total) for line in lines)
    heads = "".join(
        f'<th scope="col"><abbr title="{escape(about)}">{name}</abbr></th>'
        for name, about in _HEADS
        if name != "samples" or total
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{_style()}</style>
</head>
<body>
<a class="skip" href="#source">Skip to the source</a>
<header>
<h1>{escape(source)}</h1>
{_summary(lines)}</header>
<main>
<nav aria-label="Findings">
{_finding_list(lines)}</nav>
<table id="source">
<caption>Each line with what the machine sees of it</caption>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</main>
</body>
</html>
"""


def _style() -> str:
    return resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")


def _summary(lines: Sequence[Line]) -> str:
    code = sum(len(each.content) for line in lines for each in line.instructions)
    count = sum(len(line.instructions) for line in lines)
    levels = sorted({line.level for line in lines} - {""})
    needs = f" Some lines need {', '.join(levels)}." if levels else " Every x86-64 runs all of it."
    return f"<p>{count} instructions in {code} bytes.{needs}</p>\n"


def _finding_list(lines: Sequence[Line]) -> str:
    items = [
        f'<li class="{finding.severity}"><a href="#L{line.number}">line {line.number}</a>: '
        f"{escape(finding.what)}</li>"
        for line in lines
        for finding in line.findings
        if finding.line == line.number
    ]
    return "<p>No findings.</p>\n" if not items else f"<ul>\n{chr(10).join(items)}\n</ul>\n"


def _row(line: Line, drawn: Sequence[Jump], total: int) -> str:
    stack = line.instructions[0].stack if line.instructions else None
    size = sum(len(each.content) for each in line.instructions) or line.data
    depth = "" if stack is None else f"{stack.depth}{'*' if stack.aligned else ''}"
    saved = f' title="saved: {" ".join(stack.saved)}"' if stack and stack.saved else ""
    severities = {finding.severity for finding in line.findings}
    kind = next((f' class="{each}"' for each in ("error", "warning") if each in severities), "")
    hot = f'<td class="hot">{_share(line.samples, total)}</td>' if total else ""
    return (
        f'<tr id="L{line.number}"{kind}><th scope="row"><a href="#L{line.number}">{line.number}</a></th>'
        f"{_flow(line, drawn)}{hot}<td>{size or ''}</td><td{saved}>{depth}</td>"
        f'<td class="level">{escape(line.level.removeprefix("x86-64-"))}</td>'
        f"<td>{_source(line)}</td></tr>"
    )


def _share(samples: int, total: int) -> str:
    if not samples:
        return ""
    share = samples / total
    return f'<span style="--share:{share:.3f}">{share:.1%}</span>'


def _flow(line: Line, drawn: Sequence[Jump]) -> str:
    width = max((jump.lane for jump in drawn), default=-1) + 1
    lanes = "".join(f'<i class="{words}"></i>' for words in cells(line.number, drawn, width))
    goals = " ".join(
        f'<a class="goal" href="#L{goal}">jumps to line {goal}</a>' for goal in line.jumps
    )
    arrow = "<b>▸</b>" if any(jump.goal == line.number for jump in drawn) else "<b></b>"
    return f'<td class="flow"><span aria-hidden="true">{lanes}{arrow}</span>{goals}</td>'


def _source(line: Line) -> str:
    text = f"<code>{escape(line.text) or '&nbsp;'}</code>"
    notes = "".join(_note(finding) for finding in line.findings)
    if not line.instructions:
        return text + notes
    inner = "\n".join(map(_instruction, line.instructions))
    return f"<details><summary>{text}</summary><pre>{inner}</pre></details>{notes}"


def _instruction(each: Instruction) -> str:
    stack = "" if each.stack is None else f"{each.stack.depth:>4}"
    return escape(f"{each.offset:5x}  {each.content.hex(' '):<30} {stack:>4}  {each.text}")


def _note(finding: Finding) -> str:
    return f'<p class="note {finding.severity}">{"<br>".join(_note_lines(finding))}</p>'


def _note_lines(finding: Finding) -> Iterator[str]:
    yield f"<strong>{finding.severity}</strong>: {escape(finding.what)} [{finding.rule}]"
    yield from map(escape, finding.ways_out)

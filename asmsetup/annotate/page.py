"""The page of an annotated source: one file of HTML, without scripts and without the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from importlib import resources

from ..check import Finding
from ..check.code.before import Before
from .code import Seen
from .costs import Cost, Costs
from .flow import Jump, Lanes, jump_cells, jump_lanes, way_cells, way_lanes
from .lines import Annotated, Line, Way

_HEADS = (
    ("line", "the line of the source"),
    ("ways", "how the code gets to what the checks found"),
    ("flow", "where jumps go"),
    ("samples", "how often perf found the processor here"),
    ("bytes", "bytes of code or data"),
    (
        "stack",
        "bytes on the stack before the line, below the return address; * where calls may be made",
    ),
    (
        "cycles",
        "until the result can be used / between two that do not depend on each other;"
        " of several instructions the second is added up",
    ),
    ("needs", "the level of x86-64 that the line needs, where it is above the first"),
    ("source", "the source; open a line to see its instructions"),
)


def page(annotated: Annotated) -> str:
    """Return the page of a source."""
    title = escape(f"{annotated.source}, annotated")
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
<h1>{escape(annotated.source)}</h1>
{_summary(annotated)}</header>
<main>
<nav aria-label="Findings">
{_finding_list(annotated)}</nav>
{_table(annotated)}
</main>
</body>
</html>
"""


def _style() -> str:
    return resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")


def _summary(annotated: Annotated) -> str:
    code = [each for line in annotated.lines for each in line.instructions]
    needs = sorted({each.needs for each in code} - {""})
    size = sum(len(each.content) for each in code)
    beyond = f" Some lines need {', '.join(needs)}." if needs else " Every x86-64 runs all of it."
    costs = annotated.costs
    cycles = f" Cycles are those of {escape(costs.processor)}, by llvm-mca." if costs else ""
    return f"<p>{len(code)} instructions in {size} bytes.{beyond}{cycles}</p>\n"


def _finding_list(annotated: Annotated) -> str:
    items = [
        f'<li class="{finding.severity}"><a href="#L{line.number}">line {line.number}</a>: '
        f"{escape(finding.what)}</li>"
        for line in annotated.lines
        for finding in line.findings
        if finding.line == line.number
    ]
    items += [f"<li>{_note(finding)}</li>" for finding in annotated.elsewhere]
    return "<p>No findings.</p>\n" if not items else f"<ul>\n{chr(10).join(items)}\n</ul>\n"


def _table(annotated: Annotated) -> str:
    jumps, ways = jump_lanes(annotated.lines), way_lanes(annotated.ways.values())
    total = sum(line.samples for line in annotated.lines)
    optional = (("samples", total), ("ways", ways), ("cycles", annotated.costs))
    left_out = {name for name, there in optional if not there}
    heads = "".join(
        f'<th scope="col"><abbr title="{escape(about)}">{name}</abbr></th>'
        for name, about in _HEADS
        if name not in left_out
    )
    rows = "\n".join(
        _row(line, [_ways(line, ways), _flow(line, jumps), _hot(line, total)], annotated)
        for line in annotated.lines
    )
    return f"""<table id="source">
<caption>Each line with what the machine sees of it</caption>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>"""


def _row(line: Line, drawn: Iterable[str], annotated: Annotated) -> str:
    before = line.instructions[0].before if line.instructions else None
    size = sum(len(each.content) for each in line.instructions) or line.data
    severities = {finding.severity for finding in line.findings}
    kind = next((f' class="{each}"' for each in ("error", "warning") if each in severities), "")
    return (
        f'<tr id="L{line.number}"{kind}><th scope="row"><a href="#L{line.number}">{line.number}</a></th>'
        f"{''.join(drawn)}<td>{size or ''}</td><td>{_stack(before)}</td>"
        f'{_cycles(line, annotated.costs)}<td class="needs">{escape(line.needs)}</td>'
        f"<td>{_source(line, annotated)}</td></tr>"
    )


def _ways(line: Line, lanes: Lanes[Way]) -> str:
    """Return the cell with the ways to findings; their notes have them in words."""
    drawn = "".join(f'<i class="{words}"></i>' for words in way_cells(line.number, lanes))
    return f'<td class="ways" aria-hidden="true"><span>{drawn}</span></td>' if lanes else ""


def _hot(line: Line, total: int) -> str:
    if not total or not line.samples:
        return '<td class="hot"></td>' if total else ""
    share = line.samples / total
    return f'<td class="hot"><span style="--share:{share:.3f}">{share:.1%}</span></td>'


def _flow(line: Line, lanes: Lanes[Jump]) -> str:
    drawn = "".join(f'<i class="{words}"></i>' for words in jump_cells(line.number, lanes))
    goals = " ".join(
        f'<a class="goal" href="#L{goal}">jumps to line {goal}</a>' for goal in line.jumps
    )
    arrives = any(jump.goal == line.number for lane in lanes for jump in lane)
    arrow = "<b>▸</b>" if arrives else "<b></b>"
    return f'<td class="flow"><span aria-hidden="true">{drawn}{arrow}</span>{goals}</td>'


def _cycles(line: Line, costs: Costs | None) -> str:
    if costs is None:
        return ""
    known = [costs.of.get(each.address) for each in line.instructions]
    if len(known) == 1:
        return f"<td>{_cost(known[0])}</td>"
    total = sum(each.interval for each in known if each is not None)
    return f"<td>/ {total:g}</td>" if total else "<td></td>"


def _cost(cost: Cost | None) -> str:
    return "" if cost is None else f"{cost.latency} / {cost.interval:.3g}"


def _stack(before: Before | None) -> str:
    if before is None:
        return ""
    return "/".join(map(str, before.depths)) + ("*" if before.aligned else "")


def _source(line: Line, annotated: Annotated) -> str:
    text = f"<code>{escape(line.text) or '&nbsp;'}</code>"
    remarks = "".join(f'<p class="remark">{escape(remark)}</p>' for remark in line.remarks)
    notes = remarks + "".join(
        _note(finding, annotated.ways.get(finding)) for finding in line.findings
    )
    if not line.instructions:
        return text + notes
    inner = "\n".join(_instruction(each, annotated.costs) for each in line.instructions)
    known = _known(line.instructions[0].before)
    return f"<details><summary>{text}</summary>{known}<pre>{inner}</pre></details>{notes}"


def _known(before: Before | None) -> str:
    """Return what is known before a line, in words."""
    if before is None:
        return ""
    facts = []
    if before.depths:
        facts.append(f"{' or '.join(map(str, before.depths))} bytes on the stack")
    if before.aligned is not None:
        facts.append("calls may be made" if before.aligned else "not aligned for calls")
    if before.saved:
        facts.append(f"saved: {' '.join(before.saved)}")
    if before.live:
        facts.append(f"in use: {' '.join(before.live)}")
    facts += before.values
    if before.is_without_gil:
        facts.append("the GIL is released")
    return f'<p class="known">{escape("; ".join(facts))}</p>' if facts else ""


def _instruction(each: Seen, costs: Costs | None) -> str:
    stack = _stack(each.before)
    cost = f"{_cost(costs.of.get(each.address)):>10}  " if costs else ""
    return escape(f"{each.offset:5x}  {each.content.hex(' '):<30} {stack:>5}  {cost}{each.text}")


def _note(finding: Finding, way: Way | None = None) -> str:
    lines = [f"<strong>{finding.severity}</strong>: {escape(finding.what)} [{finding.rule}]"]
    lines += map(escape, finding.ways_out)
    if way is not None:
        lines.append("the way there: line " + ", ".join(_links(way)))
    return f'<p class="note {finding.severity}">{"<br>".join(lines)}</p>'


def _links(way: Way) -> Iterator[str]:
    """Yield the stretches of lines that a way leads through."""
    first = last = way.stations[0]
    for number in (*way.stations[1:], 0):
        if number != last + 1:
            more = f" to {last}" if last > first else ""
            yield f'<a href="#L{first}">{first}{more}</a>'
            first = number
        last = number

"""Which part of asmsetup imports which, read from its sources; writes the drawing in the documentation.

python tools/architecture.py     # write docs/explanation/architecture.md's drawing anew
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "asmsetup"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
PAGE = ROOT / "docs" / "explanation" / "architecture.md"


def layers() -> dict[str, int]:
    """Return the layer of each module or folder of asmsetup, from the table in CONTRIBUTING.md."""
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", CONTRIBUTING.read_text(), re.MULTILINE)
    return {name: int(layer) for layer, names in rows for name in re.findall(r"`(\w+)`", names)}


def modules() -> list[Path]:
    """Return the files of asmsetup, without the projects among its templates."""
    return sorted(
        path for path in PACKAGE.rglob("*.py") if "templates" not in path.relative_to(PACKAGE).parts
    )


def part(path: Path) -> str:
    """Return the name in the table of layers that a file is, or belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


class Outline(NamedTuple):
    """The imports and functions of a file, from which its structure is checked."""

    imports: frozenset[str]
    """The full names of the modules that it imports when it is loaded or run."""
    functions: dict[str, int]
    """The lines of each function and method, by "line name"."""


# Every test of the structure asks; what is kept is small, as the whole trees would not be.
@cache
def outline(path: Path) -> Outline:
    """Return what a file imports and the lengths of its functions."""
    package = path.relative_to(ROOT).parts[:-1]
    names, functions = set[str](), dict[str, int]()
    for node in _statements(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            functions[f"{node.lineno} {node.name}"] = lines
    return Outline(frozenset(names), functions)


def imports(path: Path) -> frozenset[str]:
    """Return the full names of the modules that a file imports when it is loaded or run."""
    return outline(path).imports


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the statements at any depth, but for those that only a type checker sees."""
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        if isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING":
            continue
        yield node
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            left += getattr(node, block, ())


def arrows() -> set[tuple[str, str]]:
    """Return which part imports which other one."""
    known = layers()
    found = {
        (part(path), name.removeprefix("asmsetup.").partition(".")[0])
        for path in modules()
        for name in imports(path)
        if name.startswith("asmsetup.")
    }
    return {(own, other) for own, other in found if own != other and {own, other} <= known.keys()}


def drawing() -> str:
    """Return the imports between the stages as a Mermaid diagram; leaves are left out.

    What nearly everything imports would hide the way of a build.
    """
    known = layers()
    stages = {name for name, layer in known.items() if layer > 2 and not name.startswith("_")}
    lines = ["```mermaid", "graph TD"]
    for layer in sorted({known[name] for name in stages}, reverse=True):
        names = sorted(name for name in stages if known[name] == layer)
        lines.append(f"    {' & '.join(names)}")
    lines += [f"    {own} --> {other}" for own, other in sorted(arrows()) if {own, other} <= stages]
    return "\n".join([*lines, "```"])


def with_drawing(page: str) -> str:
    """Return the page with the drawing as it has to be."""
    return re.sub(r"```mermaid\n.*?```", lambda _: drawing(), page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(with_drawing(PAGE.read_text()))

"""Which part of asmsetup imports which, read from its sources; writes the drawing in the documentation.

python tools/architecture.py     # write docs/explanation/architecture.md's drawing anew
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

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


@cache
def imports(path: Path) -> frozenset[str]:
    """Return the full names of the modules that a file imports when it is loaded or run."""
    return frozenset(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    package = list(path.relative_to(ROOT).parts[:-1])
    for node in _running(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Yield every node but those that only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if (
            isinstance(child, ast.If)
            and isinstance(child.test, ast.Name)
            and child.test.id == "TYPE_CHECKING"
        ):
            continue
        yield child
        yield from _running(child)


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

"""Check the layout of NASM sources: no tabs, nothing at a line's end, 80 columns but for texts in quotes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

WIDTH = 80
GENERATED = ("enerated by tools/", "made by asmsetup from")
ROOT = Path(__file__).resolve().parents[1]


def findings(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number and complaint for each line that breaks the layout."""
    for number, line in enumerate(text.split("\n"), 1):
        if "\t" in line:
            yield number, "a tab; indent with spaces"
        if line != line.rstrip():
            yield number, "spaces at the end of the line"
        # A message or a signature is not broken up: it is searched for as it is printed.
        if len(line) > WIDTH and not any(quote in line for quote in "\"'`"):
            yield number, f"{len(line)} columns, and {WIDTH} is the limit"
    if text and not text.endswith("\n"):
        yield text.count("\n") + 1, "no newline at the end of the file"


def sources() -> list[Path]:
    """Return the NASM sources that git tracks, but for generated tables."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "*.asm", "*.inc"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    return [path for name in listed if name and (path := ROOT / name).is_file()]


def main(arguments: Sequence[str]) -> int:
    """Print what is wrong with the named files, or with all; return 1 when anything is."""
    status = 0
    for path in [Path(name) for name in arguments] or sources():
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        if any(note in text[:1000] for note in GENERATED):
            continue
        for number, complaint in findings(text):
            print(f"{path}:{number}: {complaint}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

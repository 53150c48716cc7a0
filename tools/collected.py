"""Check that every folder with tests contributes its tests: what is not collected cannot fail.

python -m tools.collected            compare with tests/collected.json
python -m tools.collected --write    accept what is collected now, fewer tests included
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ROOT / "tests" / "collected.json"
"""The least number of tests in each folder; the numbers only fall by a change of this file."""
_PYTHON = re.compile(r"(?<=[\[ -])3\.\d+t?(?:-(?:debug|musl|glibc[\d.]+))?(?=[\] -])")
"""The name of an interpreter in the name of a test."""


def folders_with_tests(root: Path) -> list[str]:
    """Return the folders below ``root``/tests that hold test modules, relative to ``root``."""
    modules = (root / "tests").rglob("test_*.py")
    inside = {path.parent.relative_to(root) for path in modules}
    # Sample projects and examples are built by tests, not collected.
    return sorted(str(folder) for folder in inside if "packages" not in folder.parts)


def counted(collected: str) -> Counter[str]:
    """Return the number of tests by folder in what ``pytest --collect-only -q`` prints.

    A test that runs for several Pythons counts once: machines differ in which they have.
    """
    lines = (line for line in collected.splitlines() if "::" in line)
    tests = {_PYTHON.sub("", line) for line in lines}
    return Counter(str(Path(test.partition("::")[0]).parent) for test in tests)


def problems(
    folders: Sequence[str], counts: Mapping[str, int], floors: Mapping[str, int]
) -> list[str]:
    """Return what is wrong with the counts, a line each."""
    found = [
        f"{folder} holds test modules, and no test of it is collected"
        for folder in folders
        if not counts.get(folder)
    ]
    found += [
        f"{folder} has {counts.get(folder, 0)} tests, and had {floor}"
        for folder, floor in floors.items()
        if counts.get(folder, 0) < floor
    ]
    return found


def main(arguments: Sequence[str]) -> int:
    """Compare, or write with ``--write``; return the exit code."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        return done.returncode
    counts = counted(done.stdout)
    if "--write" in arguments:
        FLOORS.write_text(json.dumps(dict(sorted(counts.items())), indent=4) + "\n")
        return 0
    wrong = problems(folders_with_tests(ROOT), counts, json.loads(FLOORS.read_text()))
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    if wrong:
        print("  when it is meant to be so:   python -m tools.collected --write", file=sys.stderr)
    print(f"{sum(counts.values())} tests are collected from {len(counts)} folders")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

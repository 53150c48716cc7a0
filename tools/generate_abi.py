#!/usr/bin/env python3
"""Regenerate CPython's ABI for assembly: tools/abi/, asmsetup/include/python/ and asmsetup/data/.

    python tools/generate_abi.py [--check] [PYTHON ...]

Each PYTHON is an interpreter with headers; its ABI is read from them into tools/abi/.
The tables are then written from all of tools/abi/, also from versions not at hand.
`--check` writes nothing and exits with 1 if something would change.
Needs gcc and pyelftools.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import abi_probe
import abi_tables
from abi_probe import Abi, Installation, Version

ROOT = Path(__file__).resolve().parents[1]
FACTS = Path("tools/abi")
INCLUDE = Path("asmsetup/include/python")
DATA = Path("asmsetup/data")

Files = dict[Path, str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="report what would change")
    parser.add_argument(
        "--stable-list",
        action="append",
        default=[],
        metavar="VERSION=FILE",
        help="test_stable_abi_ctypes.py of a CPython that was installed without its test-suite",
    )
    parser.add_argument("python", nargs="*", type=Path)
    arguments = parser.parse_args()
    files: Files = {}
    for version, path in (text.split("=", 1) for text in arguments.stable_list):
        files |= stable_names(version, Path(path))
    for python in arguments.python:
        installation = abi_probe.find_installation(python)
        if installation is None:
            parser.error(f"{python}: its C headers are not installed")
        files |= facts_of(installation)
    files |= tables_of(files)
    changed = {path: text for path, text in files.items() if read(path) != text}
    stale = stale_files(files)
    for path in sorted([*changed, *stale]):
        print(path)
    if not arguments.check:
        write(changed, stale)
    return int(arguments.check and bool(changed or stale))


def facts_of(installation: Installation) -> Files:
    """The files under tools/abi/ that one installation accounts for."""
    version, own = installation.version, installation.name
    facts = {own: abi_probe.probe(installation, installation.free_threaded, None)}
    if not installation.free_threaded:
        facts[f"{own}-limited"] = abi_probe.probe(installation, False, version)
        if version >= (3, 14):  # until a free-threaded build of it is at hand
            facts[f"{own}t"] = abi_probe.probe(installation, True, None)
        if version >= (3, 15):
            facts[f"{own}t-limited"] = abi_probe.probe(installation, True, version)
    files = {facts_path(name): abi_tables.dump(abi) for name, abi in facts.items()}
    if installation.stable_list.is_file() and not installation.free_threaded:
        files |= stable_names(own, installation.stable_list)
    return files


def facts_path(name: str) -> Path:
    return FACTS / f"{name}.txt"


def stable_names(version: str, path: Path) -> Files:
    names = sorted(abi_probe.read_stable_list(path))
    return {facts_path(f"{version}-stable"): "".join(f"{name}\n" for name in names)}


def tables_of(fresh: Mapping[Path, str]) -> Files:
    """All that is made from the facts, the fresh ones before the committed ones."""
    facts: dict[str, Abi] = {}
    for name in (*abi_tables.FULL_TARGETS, *abi_tables.LIMITED_FACTS):
        facts[name] = abi_tables.load(fresh.get(facts_path(name)) or read(facts_path(name)))
    lists: dict[Version, list[str]] = {}
    for version in abi_tables.LISTED_VERSIONS:
        path = facts_path(f"{version}-stable")
        lists[abi_tables.version_of(version)] = (fresh.get(path) or read(path)).split()
    since = abi_tables.stable_since(lists, facts)
    includes = abi_tables.render_all(facts, since)
    files = {INCLUDE / path: text for path, text in includes.items()}
    files[DATA / "exports.txt"] = abi_tables.render_exports(facts, since)
    return files


def stale_files(files: Mapping[Path, str]) -> list[Path]:
    """Files that an earlier run made and that nothing makes any more."""
    present = (path.relative_to(ROOT) for path in (ROOT / INCLUDE).rglob("*.inc"))
    return [
        path for path in present if path not in files and read(path).startswith(abi_tables.HEADER)
    ]


def read(path: Path) -> str:
    return (ROOT / path).read_text() if (ROOT / path).is_file() else ""


def write(changed: Mapping[Path, str], stale: list[Path]) -> None:
    for path, text in changed.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text)
    for path in stale:
        (ROOT / path).unlink()


if __name__ == "__main__":
    sys.exit(main())

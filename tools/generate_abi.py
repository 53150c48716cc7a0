#!/usr/bin/env python3
"""Regenerate CPython's ABI for assembly: tools/abi/, asmsetup/include/python/ and asmsetup/data/.

    python tools/generate_abi.py [--check] [--tables-only] [--stable-list VERSION=FILE ...]

The ABI of every CPython of the machine and of the test cache that has its headers is
read into tools/abi/. The tables are then written from all that is there, also from
versions not at hand. `--check` writes nothing and exits with 1 if something would
change. Needs gcc and pyelftools.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asmsetup.versions import ABI3T_SINCE
from tools import abi_files, abi_probe, abi_tables
from tools.abi_probe import Abi, Version
from tools.matrix.interpreters import Interpreter, all_interpreters

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
    parser.add_argument(
        "--tables-only", action="store_true", help="ask no interpreter: use what tools/abi/ holds"
    )
    arguments = parser.parse_args()
    files: Files = {}
    for version, path in (text.split("=", 1) for text in arguments.stable_list):
        files |= stable_names(version, Path(path))
    for interpreter in [] if arguments.tables_only else all_interpreters():
        if interpreter.name in abi_tables.FULL_TARGETS and interpreter.has_headers:
            files |= facts_of(interpreter)
    files |= tables_of(files)
    changed = {path: text for path, text in files.items() if read(path) != text}
    stale = stale_files(files)
    for path in sorted([*changed, *stale]):
        print(path)
    if not arguments.check:
        write(changed, stale)
    return int(arguments.check and bool(changed or stale))


def facts_of(interpreter: Interpreter) -> Files:
    """The files under tools/abi/ that one interpreter accounts for."""
    version, own = interpreter.version[:2], interpreter.name
    facts = {own: abi_probe.probe(interpreter, interpreter.free_threaded, None)}
    if not interpreter.free_threaded:
        facts[f"{own}-limited"] = abi_probe.probe(interpreter, False, version)
        if version >= (3, 14):  # until a free-threaded build of it is at hand
            facts[f"{own}t"] = abi_probe.probe(interpreter, True, None)
        if version >= ABI3T_SINCE:
            facts[f"{own}t-limited"] = abi_probe.probe(interpreter, True, version)
    files = {facts_path(name): settle(name, abi) for name, abi in facts.items()}
    stable_list = stable_list_of(interpreter)
    if stable_list.is_file() and not interpreter.free_threaded:
        files |= stable_names(own, stable_list)
    return files


def settle(name: str, fresh: Abi) -> str:
    """The facts to keep: those of another patch release, where this one only adds names.

    So the tables do not depend on which patch release somebody has, and promise no
    name that the first of them lacks.
    """
    text = read(facts_path(name))
    known = abi_tables.load(text)
    exported = fresh.functions | fresh.data if "limited" not in name else fresh.public
    is_addition = (
        known.public <= exported
        and replace(
            fresh,
            release=known.release,
            functions=known.functions,
            data=known.data,
            public=known.public,
            debug_only=known.debug_only,
        )
        == known
    )
    return text if known.release != fresh.release and is_addition else abi_tables.dump(fresh)


def stable_list_of(interpreter: Interpreter) -> Path:
    """The path of its own list of the stable ABI, if its test suite is installed."""
    include = interpreter.include_dir
    library = include.parents[1] / "lib" / include.name
    return library / "test" / "test_stable_abi_ctypes.py"


def facts_path(name: str) -> Path:
    return FACTS / f"{name}.txt"


def stable_names(version: str, path: Path) -> Files:
    names = sorted(abi_probe.read_stable_list(path))
    return {facts_path(f"{version}-stable"): "".join(f"{name}\n" for name in names)}


def tables_of(fresh: Mapping[Path, str]) -> Files:
    """All that is made from the facts, the fresh ones before the committed ones."""
    facts, since = facts_from(fresh)
    includes = abi_files.render_all(facts, since)
    files = {INCLUDE / path: includes[path] for path in filter(abi_files.is_packaged, includes)}
    files[INCLUDE / "variadic.inc"] = abi_files.render_variadic(
        includes.values(), read(DATA / "prototypes.txt")
    )
    files[INCLUDE / "own-names.txt"] = own_names(files)
    files[DATA / "exports.txt"] = abi_files.render_exports(facts, since)
    return files


def own_names(tables: Mapping[Path, str]) -> str:
    """The names in the tables that the hand-written includes mention, a line each."""
    texts = {path: path.read_text() for path in (ROOT / INCLUDE.parent).rglob("*.inc")}
    written = {path: text for path, text in texts.items() if not text.startswith(abi_files.HEADER)}
    typed = [path for path in written if abi_files.TYPED & {path.stem, path.parent.name}]
    return abi_files.render_own_names(
        [text for path, text in tables.items() if path.parent.parent == INCLUDE],
        [text for path, text in written.items() if path not in typed],
        [written[path] for path in typed],
    )


def write_unpackaged(folder: Path) -> None:
    """Write below ``folder`` the include files that only the tests need, from the committed facts."""
    for path, text in abi_files.render_all(*facts_from({})).items():
        if not abi_files.is_packaged(path):
            file = folder / "python" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)


def facts_from(fresh: Mapping[Path, str]) -> tuple[dict[str, Abi], dict[str, Version]]:
    """The facts by ABI, and when each name entered the stable ABI."""
    facts: dict[str, Abi] = {}
    for name in (*abi_tables.FULL_TARGETS, *abi_tables.LIMITED_FACTS):
        facts[name] = abi_tables.load(fresh.get(facts_path(name)) or read(facts_path(name)))
    lists: dict[Version, list[str]] = {}
    for version in abi_tables.LISTED_VERSIONS:
        path = facts_path(f"{version}-stable")
        lists[abi_tables.version_of(version)] = (fresh.get(path) or read(path)).split()
    return facts, abi_tables.stable_since(lists, facts)


def stale_files(files: Mapping[Path, str]) -> list[Path]:
    """Files that an earlier run made and that nothing makes any more."""
    present = (path.relative_to(ROOT) for path in (ROOT / INCLUDE).rglob("*.inc"))
    return [
        path for path in present if path not in files and read(path).startswith(abi_files.HEADER)
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

"""pytest --asm-abi as a user runs it, in any interpreter."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.abi.assembling import INTERPRETERS
from tools.matrix.interpreters import REPOSITORY, Interpreter, cache_folder, pytest_path

HERE = Path(__file__).parent
_SITE = pytest_path()

NAMES = [
    name
    for name, each in INTERPRETERS.items()
    if (_SITE / "pytest").is_dir() or each.version[:2] == sys.version_info[:2]
]
"""The interpreters that there is a pytest for."""


class Session(NamedTuple):
    """A pytest that has ended."""

    status: int
    output: str
    tests: dict[str, tuple[str, str]]
    """The text and the outcome of each test by its name, without the file's."""


def run_pytest(interpreter: Interpreter, folder: Path, *arguments: str) -> Session:
    """Run pytest in a folder, with asmsetup's plugin and no other one."""
    record = folder / "record.json"
    site = _SITE if (_SITE / "pytest").is_dir() else _own_site()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (folder, REPOSITORY, HERE, site))),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "ASMSETUP_CACHE_DIR": str(cache_folder() / "canaries"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "RECORD": str(record),
    }
    # The recorder first: it measures coverage, where that is asked for.
    plugins = ("-p", "recorder", "-p", "asmsetup.canaries.plugin", "-p", "no:cacheprovider")
    done = subprocess.run(
        [*interpreter.command, "-m", "pytest", "-q", *plugins, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    seen = json.loads(record.read_text()) if record.exists() else {}
    tests = {name.partition("::")[2]: (text, outcome) for name, (text, outcome) in seen.items()}
    return Session(done.returncode, done.stdout, tests)


def _own_site() -> Path:
    found = importlib.util.find_spec("pytest")
    assert found
    assert found.origin
    return Path(found.origin).parent.parent

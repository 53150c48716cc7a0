"""The help texts, in full: tests/cli/help has one for each command.

ASMSETUP_TEST_WRITE=1 writes them anew, to be looked at and committed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from asmsetup.cli import COMMANDS
from tests.cli.running import asmsetup
from tests.projects import REPOSITORY

HELP = Path(__file__).parent / "help"
WRITE = bool(os.environ.get("ASMSETUP_TEST_WRITE"))


def normalized(text: str) -> str:
    """Help as Python 3.13 and later lay it out: the metavar once, and no colour."""
    text = re.sub(r"^( +-\w) ([^\s,]+), (--[\w-]+) \2", r"\1, \3 \2", text, flags=re.MULTILINE)
    # How far the explanations are indented, and where they are broken, hangs on the rest.
    return re.sub(r"[ \n]+", " ", re.sub(r"\n(?=\S| {2}\S)", "\0", text)).replace("\0", "\n")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(command: str) -> None:
    done = asmsetup(*filter(None, [command]), "--help", COLUMNS="100")
    golden = HELP / f"{command or 'asmsetup'}.txt"
    assert (done.returncode, done.stderr) == (0, "")
    if WRITE:
        golden.write_text(done.stdout)
    assert golden.exists(), "write it with ASMSETUP_TEST_WRITE=1"
    assert normalized(done.stdout) == normalized(golden.read_text())


def test_each_command_is_documented() -> None:
    page = (REPOSITORY / "docs/reference/command-line.md").read_text()
    missing = [name for name in COMMANDS if f"`asmsetup {name}" not in page]
    assert missing == []

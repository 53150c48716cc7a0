from __future__ import annotations

import shutil
import subprocess

import pytest

from asmsetup.cli import COMMANDS
from tests.cli.running import asmsetup

COMPLETE = """
{script}
COMP_WORDS=({words}); COMP_CWORD={at}
_asmsetup
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["asmsetup", "d"], ["doctor"]),
        (["asmsetup", "cache", "--"], ["--help", "--clear", "--json"]),
        (["asmsetup", "new", "--k"], ["--kind"]),
    ],
)
def test_bash_completes(words: list[str], completed: list[str]) -> None:
    script = asmsetup("completion", "bash").stdout
    text = COMPLETE.format(script=script, words=" ".join(words), at=len(words) - 1)
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (completed, "")


def test_all_commands_complete() -> None:
    for shell in ("bash", "zsh", "fish"):
        script = asmsetup("completion", shell).stdout
        assert [name for name in COMMANDS if name not in script] == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_shell_takes_the_script(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this machine")
    script = asmsetup("completion", shell).stdout
    done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_shell() -> None:
    done = asmsetup("completion", "tcsh")
    assert (done.returncode, done.stdout) == (2, "")

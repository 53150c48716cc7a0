"""Ctrl-C and kill -9 in the middle of anything: the next build is right, no half-written module is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.projects import Project

STAND_IN = """\
#!/bin/sh
case "$1" in -v) exec {real} "$@";; esac
output=
for word; do
    [ "$previous" = -o ] && output=$word
    previous=$word
done
printf 'half of it' > "$output"
echo > "{marker}"
exec sleep 600
"""


def stuck(project: Project, tool: str) -> tuple[str, Path]:
    """A tool that writes half of its output and gets no further, and the file that says so."""
    marker = project.folder.parent / "writing"
    path = project.folder.parent / f"stuck-{tool}"
    path.write_text(STAND_IN.format(real=shutil.which(tool), marker=marker))
    path.chmod(0o755)
    return str(path), marker


def interrupt(project: Project, tool: str, *signals: signal.Signals) -> tuple[int, str]:
    """Build with a stuck tool, send the signals once it is writing; exit status and output."""
    path, marker = stuck(project, tool)
    build = subprocess.Popen(
        [project.python.path, "setup.py", "build_ext", "--inplace"],
        cwd=project.folder,
        env={**project.env, tool.upper(): path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not marker.exists():
        assert build.poll() is None, build.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for number in signals:
        # The terminal sends Ctrl-C to the whole group, and so do we.
        os.killpg(build.pid, number)
    output, _ = build.communicate(timeout=60)
    return build.returncode, output


@pytest.mark.parametrize("tool", ["nasm", "ld"])
def test_killed(hello: Project, tool: str) -> None:
    hello.build_ext()
    hello.write({"hello.asm": (hello.folder / "hello.asm").read_text().replace("42", "43")})

    interrupt(hello, tool, signal.SIGKILL)

    assert hello.answer() == "42"
    hello.build_ext()
    assert hello.answer() == "43"


@pytest.mark.parametrize("tool", ["nasm", "ld"])
def test_killed_in_the_first_build(hello: Project, tool: str) -> None:
    interrupt(hello, tool, signal.SIGKILL)

    assert not list(hello.folder.glob("*.so"))
    assert not list(hello.folder.glob("build/lib.*/*.so"))
    hello.build_ext()
    assert hello.answer() == "42"


@pytest.mark.parametrize("tool", ["nasm", "ld"])
def test_ctrl_c(hello: Project, tool: str) -> None:
    hello.build_ext()
    hello.write({"hello.asm": (hello.folder / "hello.asm").read_text().replace("42", "43")})

    status, output = interrupt(hello, tool, signal.SIGINT)

    assert status != 0
    assert "Traceback" not in output
    assert hello.answer() == "42"
    assert not [name for name in hello.files() if ".tmp" in name and not name.startswith("build/")]
    hello.build_ext()
    assert hello.answer() == "43"


def test_killed_while_the_module_is_put_in_place(hello: Project) -> None:
    # The last step: copying into the source tree. Killed from inside, between write and rename.
    hello.build_ext()
    hello.write({"hello.asm": (hello.folder / "hello.asm").read_text().replace("42", "43")})
    code = (
        "import os, shutil, signal, sys\n"
        "copy = shutil.copy2\n"
        "def killed(source, target, **kwargs):\n"
        "    copy(source, target, **kwargs)\n"
        "    os.truncate(target, 100)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "shutil.copy2 = killed\n"
        "sys.argv = ['setup.py', 'build_ext', '--inplace']\n"
        "exec(open('setup.py').read())\n"
    )

    assert hello.run("-c", code, ok=False).status == -signal.SIGKILL

    assert hello.answer() == "42"
    hello.build_ext()
    assert hello.answer() == "43"

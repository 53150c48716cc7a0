"""Ctrl-C and kill -9 in the middle of anything: the next build is right, nothing half-written is left."""

from __future__ import annotations

import os
import random
import shutil
import signal
import string
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.projects import Project

IN_PLACE = ("build_ext", "--inplace")

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


def interrupt(
    project: Project, tool: str, *signals: signal.Signals, command: tuple[str, ...] = IN_PLACE
) -> tuple[int, str]:
    """Build with a stuck tool, send the signals once it is writing; exit status and output."""
    path, marker = stuck(project, tool)
    build = subprocess.Popen(
        [project.python.path, "setup.py", *command],
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


def running(command: str) -> list[str]:
    """The processes whose command line holds these words."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
            ended = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
        if command.encode() in words and not ended:
            found.append(folder.name)
    return found


RUNS_ONE = """\
import sys
from asmsetup import program
program.run(["/bin/sh", "-c", 'echo > "$1"; exec sleep "$2"', "sh", *sys.argv[1:]])
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_no_tool_outlives_python(tmp_path: Path, number: signal.Signals) -> None:
    marker, seconds = tmp_path / "started", str(600 + os.getpid() / 1e7 + number / 1e3)
    build = subprocess.Popen([sys.executable, "-c", RUNS_ONE, str(marker), seconds])
    deadline = time.monotonic() + 60
    while not marker.exists() or not running(f"sleep {seconds}"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # Python alone, and not its group: so a supervisor, a timeout and the OOM killer do it.
    build.send_signal(number)
    build.wait()
    while running(f"sleep {seconds}"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("command", [("build",), ("build", "-b", "elsewhere/build"), IN_PLACE])
def test_no_wheel_holds_what_a_killed_link_left(hello: Project, command: tuple[str, ...]) -> None:
    # A project may well pack everything that lies in its packages.
    text = (hello.folder / "setup.py").read_text()
    everything = "setup(packages=[''], package_data={'': ['*.tmp', '*/*.tmp']}, "
    hello.write({"setup.py": text.replace("setup(", everything)})
    interrupt(hello, "ld", signal.SIGKILL, command=command)

    hello.setup("bdist_wheel")

    packed = hello.built_wheel().payload
    assert [name.partition(".")[0] for name in packed if ".so" in name] == ["hello"]
    assert not [name for name in packed if ".tmp" in name]


def test_wheels_built_at_once_in_one_folder_do_not_meet(hello: Project) -> None:
    builds = [
        subprocess.Popen(
            [hello.python.path, "setup.py", "bdist_wheel"],
            cwd=hello.folder,
            env=hello.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(3)
    ]
    for build in builds:
        output, _ = build.communicate(timeout=300)
        assert build.returncode == 0, output
    assert len(hello.built_wheel().payload) == 1
    assert [path.name for path in (hello.folder / "dist").iterdir()] == [hello.built_wheel().name]
    assert hello.answer(path=hello.built_wheel().unpacked()) == "42"


def test_a_wheel_that_could_not_be_written_leaves_nothing(hello: Project) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
    # Each file may be written, and the archive of them may not.
    hello.write({"one.bin": random_text(8000), "two.bin": random_text(7999)})
    text = (hello.folder / "setup.py").read_text()
    data = "setup(packages=[''], package_data={'': ['*.bin']}, "
    hello.write({"setup.py": limited + text.replace("setup(", data)})
    assert "File too large" in hello.setup("bdist_wheel", ok=False).output
    hello.write({"setup.py": text.replace("setup(", data)})

    hello.setup("bdist_wheel")

    assert len(hello.built_wheel().files["two.bin"]) == 7999
    assert not list((hello.folder / "build").glob("bdist.*/*"))


def random_text(length: int) -> str:
    """Text that cannot be compressed to half of its length."""
    return "".join(random.Random(1).choices(string.printable[:94], k=length))


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

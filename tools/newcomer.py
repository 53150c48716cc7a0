"""Goes the way of a new user, from an empty folder to a wheel that could be published, and times it.

python -m tools.newcomer [--kind KIND]

Everything is in a temporary folder, with a home folder, caches and environments of its own;
from outside come Python, NASM, ld and the network that pip and uv use. asmsetup itself is
built from this tree first, as a wheel, which is not timed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tools.matrix.interpreters import REPOSITORY

Command = tuple[str, ...]

_NOTEBOOK = """\
import nbclient, nbformat
cells = ["%load_ext asmsetup", "%%nasm\\nPyTypedFunction 'twice(n: i64) -> i64'\\n"
    "twice: lea rax, [rdi * 2]\\n    ret", "assert twice(21) == 42"]
book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
nbclient.NotebookClient(book).execute()
"""


def steps(kind: str) -> Iterator[tuple[str, str, Command]]:
    """Yield the steps: what it is, the folder, and the command."""
    pip = ("pip", "install", "--quiet")
    yield "an environment", ".", (sys.executable, "-m", "venv", "env")
    yield "asmsetup", ".", (*pip, "asmsetup[check]")
    yield "new", ".", ("asmsetup", "new", "fast-sum", "--kind", kind)
    yield "build", "fast-sum", (*pip, "-e", ".", "pytest")
    yield "test", "fast-sum", ("pytest", "-q")
    yield "check", "fast-sum", ("asmsetup", "check", ".")
    yield "wheel", "fast-sum", ("pip", "wheel", "--quiet", ".", "--no-deps", "-w", "dist")
    yield "another environment", ".", (sys.executable, "-m", "venv", "other")
    # Without the index: the wheel asks for nothing else.
    install = (*pip, "--no-index", "--find-links", "fast-sum/dist", "fast-sum")
    yield "install", ".", ("other/bin/python", "-m", *install)
    yield "import", ".", ("other/bin/python", "-c", "import fast_sum; print(fast_sum.__file__)")
    yield "Jupyter", ".", (*pip, "nbclient", "ipykernel")
    yield "notebook", ".", ("python", "-c", _NOTEBOOK)
    yield "uv", ".", (*pip, "uv")
    publish = ("uv", "publish", "--dry-run", "--token", "none", "fast-sum/dist/*.whl")
    yield "publish, dry run", ".", publish


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of somebody who has nothing of ours."""
    return {
        "HOME": str(folder / "home"),
        "PATH": os.pathsep.join(
            (str(folder / "env" / "bin"), "/usr/local/bin", "/usr/bin", "/bin")
        ),
        "LANG": "C.UTF-8",
        "PIP_FIND_LINKS": str(folder / "wheelhouse"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # A machine may have a mirror of its own.
        **{name: os.environ[name] for name in ("PIP_CONFIG_FILE",) if name in os.environ},
    }


def main() -> int:
    """Take each step; return the exit code of the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", default="module")
    kind = parser.parse_args().kind
    with tempfile.TemporaryDirectory(prefix="newcomer-") as name:
        folder = Path(name)
        (folder / "home").mkdir()
        wheelhouse = ("pip", "wheel", "--quiet", "--no-deps", "-w", str(folder / "wheelhouse"))
        tree = folder / "tree"  # a build would leave its own folder in ours
        ignored = shutil.ignore_patterns(".*", "build", "wheelhouse", "tests", "docs", "*.egg-info")
        shutil.copytree(REPOSITORY, tree, ignore=ignored)
        subprocess.run([sys.executable, "-m", *wheelhouse, str(tree)], check=True)
        print(f"load {os.getloadavg()[0]:.1f}")
        total = 0.0
        for step, where, command in steps(kind):
            began = time.monotonic()
            done = subprocess.run(
                command,
                cwd=folder / where,
                env=environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            seconds = time.monotonic() - began
            total += seconds
            print(f"{seconds:6.1f} s {total:7.1f} s  {step}", flush=True)
            if done.returncode:
                print(done.stdout)
                return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())

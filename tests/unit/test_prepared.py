"""A forked build is what it would be, had it been started anew."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests import prepared
from tests.projects import Python, environment, run

SHOWN = """
import os, sys, setuptools
print(sys.argv, sys.path, sys.executable, os.getcwd(), os.environ["ASKED"], sys.flags)
print(__name__, globals().get("__file__"), sys.modules["__main__"].__dict__ is globals())
print("asmsetup" in sys.modules, repr(sys.stdin.read()), sys.stdout.encoding, sys.stderr.errors)
"""
CODES = [
    SHOWN,
    "import sys; print('one'); sys.stdout.flush(); print('two', file=sys.stderr); sys.exit(3)",
    "raise SystemExit('a message')",
    "import atexit; atexit.register(print, 'at the end')",
    "import os; os.system('echo from a child'); os._exit(5)",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "import threading; threading.Timer(0.01, print, ['from a thread']).start()",
    "print('\\r\\n\\xe9')",
]


# What is run, a script or -c, shows in how it starts, and in no other way.
@pytest.mark.parametrize(("code", "script"), [(SHOWN, True), *((code, False) for code in CODES)])
def test_as_started_anew(code: str, script: bool, python: Python, tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text(code, encoding="utf-8")
    arguments = ["setup.py", "one", "two"] if script else ["-c", code, "one", "two"]
    env = environment(PYTHONPATH=f"{tmp_path}{os.pathsep}/elsewhere", ASKED="yes")
    assert prepared.can_run(arguments, env)

    anew = run(python.path, *arguments, cwd=tmp_path, env=env, ok=None)

    assert prepared.run(python.path, arguments, tmp_path, env, 60) == (anew.status, anew.output)


def test_what_is_prepared(python: Python, tmp_path: Path) -> None:
    code = "import sys; print('setuptools.build_meta' in sys.modules)"
    ended = prepared.run(python.path, ["-c", code], tmp_path, environment(), 60)
    assert ended == (0, "True\n")


def test_a_build_that_takes_too_long_is_killed(python: Python, tmp_path: Path) -> None:
    code = "import time; time.sleep(300)"
    with pytest.raises(TimeoutError):
        prepared.run(python.path, ["-c", code], tmp_path, environment(), 0.1)
    assert prepared.run(python.path, ["-c", ""], tmp_path, environment(), 60) == (0, "")


@pytest.mark.parametrize("name", ["setuptools", "sitecustomize.py"])
def test_what_must_be_started_anew(name: str, tmp_path: Path) -> None:
    env = environment(PYTHONPATH=str(tmp_path))
    assert prepared.can_run(["setup.py"], env)
    assert not prepared.can_run(["-m", "build"], env)
    (tmp_path / name).touch()
    assert not prepared.can_run(["setup.py"], env)


def test_interrupts_end_it(python: Python, tmp_path: Path) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    ended = prepared.run(python.path, ["-c", code], tmp_path, environment(), 60)
    assert ended.status == -signal.SIGINT
    assert ended.output.endswith("KeyboardInterrupt\n")


def test_asmsetup_is_imported_before_the_fork_from_folders_that_stay(
    python: Python, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stays", "other"):
        (tmp_path / name / "asmsetup" / "plugin").mkdir(parents=True)
        (tmp_path / name / "asmsetup" / "plugin" / "run.py").touch()
    monkeypatch.setattr(prepared, "IMPORTED_FROM", [tmp_path / "stays"])
    code = "import os, sys; print('asmsetup.plugin.run' in sys.modules)\n"
    code += "import asmsetup.plugin.run as run; print(os.path.relpath(run.__file__))"

    def imported(*names: str) -> str:
        env = environment(PYTHONPATH=os.pathsep.join(str(tmp_path / name) for name in names))
        env.pop("COVERAGE_PROCESS_CONFIG", None)  # where coverage is measured, nothing is
        return prepared.run(python.path, ["-c", code], tmp_path, env, 60).output

    assert imported("nothing", "stays", "other") == "True\nstays/asmsetup/plugin/run.py\n"
    assert imported("other", "stays") == "False\nother/asmsetup/plugin/run.py\n"

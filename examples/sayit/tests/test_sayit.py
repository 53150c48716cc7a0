"""What sayit promises, on whichever CPython runs these tests."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import threading

import pytest
import sayit

MESSAGE = "Assembly is great fun! :)\n"


def test_it_says_it(capsys):
    sayit.sayit()
    assert capsys.readouterr().out == MESSAGE


def test_it_speaks_when_it_is_called_and_not_before():
    script = "import sayit; print('imported'); sayit.sayit()"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    assert said.decode() == "imported\n" + MESSAGE


def test_it_returns_none(capsys):
    assert sayit.sayit() is None


def test_what_help_shows():
    assert sayit.__doc__ == "Assembly with something to say."
    assert sayit.sayit.__doc__ == "This method has something important to say."
    assert sayit.sayit.__name__ == "sayit"


@pytest.mark.parametrize(("args", "given"), [(("loud",), "1"), ((1, 2), "2")])
def test_it_takes_no_arguments(args, given):
    with pytest.raises(TypeError, match=rf"sayit\(\) takes no arguments \({given} given\)"):
        sayit.sayit(*args)


def test_it_takes_no_keywords():
    with pytest.raises(TypeError, match=r"sayit\(\) takes no keyword arguments"):
        sayit.sayit(volume=11)


def test_it_owns_the_none_it_returns(capsys):
    calls = 10_000
    before = sys.getrefcount(None)
    for _ in range(calls):
        sayit.sayit()
    # A None given away without a reference of its own loses one a call (until 3.12 made it immortal).
    assert abs(sys.getrefcount(None) - before) < calls // 10


def test_threads_say_it_together(capsys):
    calls, workers = 100, 8
    threads = [
        threading.Thread(target=lambda: [sayit.sayit() for _ in range(calls)])
        for _ in range(workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert capsys.readouterr().out.count(MESSAGE.strip()) == calls * workers


OTHER_INTERPRETER = """
try:
    import _interpreters as interpreters        # since 3.13
except ImportError:
    import _xxsubinterpreters as interpreters
other = interpreters.create()
failure = interpreters.run_string(other, "import sayit; sayit.sayit()")
interpreters.destroy(other)
assert failure is None, failure
"""


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="since 3.12 each interpreter has its own GIL"
)
def test_an_interpreter_of_its_own():
    script = [sys.executable, "-c", OTHER_INTERPRETER]
    done = subprocess.run(script, capture_output=True, check=True)
    assert done.stdout.decode() == MESSAGE


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="needs a free-threaded build"
)
def test_the_gil_stays_off():
    script = "import sys, sayit; print(sys._is_gil_enabled())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.decode() == "False\n"

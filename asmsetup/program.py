"""Find and run the programs of a build: by a list, without a shell, with empty standard input."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from .errors import ToolError
from .named import NamedTuple

_lock = threading.Lock()
_running: set[int] = set()
"""The process ids of the programs that run; each is removed before it is waited for."""
_CHUNK = 1 << 16
_F_SETSIG = 10
"""From <fcntl.h>; the module fcntl does not have it."""


class Done(NamedTuple):
    """A program that has run."""

    status: int
    """Its exit code, or the negative number of the signal that killed it."""
    output: str
    """Its output, from standard output and standard error alike."""


def ways_to_get(
    package: str, variable: str, tool: str, *, is_setting: bool = True
) -> tuple[str, ...]:
    """Return how to install a package, or to name another program than the one on PATH.

    ``is_setting`` says whether the settings name the tool, too.
    """
    setting = f", or {tool} in [tool.asmsetup]" if is_setting else ""
    return (
        f"Debian, Ubuntu:   apt-get install {package}",
        f"Fedora, RHEL:     dnf install {package}",
        f"Alpine:           apk add {package}",
        f"Arch:             pacman -S {package}",
        f"without root:     conda install -c conda-forge {package}",
        f"elsewhere, or another one: set {variable}=/path/to/{tool}{setting}",
    )


def find(tool: str, wanted: str, ways_out: Sequence[str], *, chosen_by: str, arguments: str) -> str:
    """Return the path of the program ``wanted`` (a path or a name on PATH).

    Raises ToolError, which calls it ``tool``, if it is missing. ``chosen_by`` is the
    environment variable that may have named it, ``arguments`` the one for its arguments.
    """
    path = shutil.which(wanted)
    if path is None:
        named = _named(wanted, chosen_by, arguments)
        raise ToolError.not_found(tool, wanted, *named, *ways_out)
    return path


def _named(wanted: str, chosen_by: str, arguments: str) -> Iterator[str]:
    """Yield advice when an environment variable named a program that does not exist."""
    if os.environ.get(chosen_by) != wanted:
        return
    name, _, rest = wanted.partition(" ")
    if rest and shutil.which(name):
        yield f"{chosen_by} names only the program; its arguments go into {arguments}:"
        yield f"    {chosen_by}={name} {arguments}={shlex.quote(rest)}"
    else:
        yield f"the environment variable {chosen_by} names it: correct it, or unset it"


def signal_name(number: int) -> str:
    """Return a signal as people know it: signal 11 (SIGSEGV)."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def how_it_ended(done: Done) -> str:
    """Return how a program that has failed came to its end."""
    if done.status < 0:
        return f"was killed by {signal_name(-done.status)}"
    return f"failed with exit code {done.status}"


def after_signal(variable: str) -> tuple[str, ...]:
    """Return what to do when a program was killed; ``variable`` names another one."""
    return (
        "it crashed, or the system killed it, as it does when memory runs out",
        f"build again, or with another version of it:   {variable}=/path/to/it",
    )


def run(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    ways_out: Sequence[str] = (),
) -> Done:
    """Run a command to its end; it does not outlive this process.

    Raises ToolError when it cannot be started.
    """
    try:
        status, output = _run(command, environment)
    except OSError as error:
        why = error.strerror
        if isinstance(error, FileNotFoundError) and os.path.exists(command[0]):
            why = "its loader does not exist here: it is for another C library or system"
        raise ToolError(f"cannot run {command[0]}: {why}", *ways_out) from error
    except ValueError as error:  # a NUL, which ends an argument
        raise ToolError(*_with_a_nul(command)) from error
    # A name at the beginning may begin with a space.
    text = output.decode(sys.getfilesystemencoding(), errors="replace")
    return Done(status, text.rstrip().lstrip("\r\n"))


def kill_running() -> None:
    """Kill the programs that are running now, in whatever threads.

    For a process that goes on when its build was interrupted; one that ends takes them along.
    """
    with _lock:
        for process in _running:
            _kill(process)


def _kill(process: int) -> None:
    # Where SIGCHLD is ignored, what has ended is gone without being waited for.
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _with_a_nul(command: Sequence[str]) -> tuple[str, str]:
    word = next((word for word in command if "\0" in word), "")
    return f"cannot run {command[0]}: its argument {word!r} holds a NUL", "remove that character"


def _run(command: Sequence[str], environment: Mapping[str, str] | None) -> tuple[int, bytes]:
    """Return how a command has ended, as ``Done`` has it, and its output.

    subprocess.Popen does the same in three times our own part of the time, for each object.
    """
    guard, ours = _guard()
    reading, writing = os.pipe()
    try:
        try:
            process = _started(command, environment, writing)
        finally:
            os.close(writing)
        with suppress(ProcessLookupError):  # it has ended; see _kill
            fcntl.fcntl(guard, fcntl.F_SETOWN, process)
        return _ended(process, reading)
    finally:
        for end in (guard, ours, reading):
            os.close(end)


def _started(command: Sequence[str], environment: Mapping[str, str] | None, output: int) -> int:
    # Python's own files are never inherited (PEP 446), and a make's job server may be.
    return os.posix_spawnp(
        command[0],
        list(command),
        os.environ if environment is None else environment,
        file_actions=[
            # Standard input last: it may have the number of ``output``.
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        ],
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # which Python ignores
    )


def _ended(process: int, reading: int) -> tuple[int, bytes]:
    with _lock:
        _running.add(process)
    try:
        output = b"".join(iter(partial(os.read, reading, _CHUNK), b""))
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    except BaseException:
        _kill(process)
        raise
    finally:
        # Its number is another program's as soon as it has been waited for.
        with _lock:
            _running.discard(process)
            status = _status(process)
    return status, output


def _status(process: int) -> int:
    try:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    except ChildProcessError:
        # SIGCHLD is ignored, or other code has waited for it; as in subprocess.
        return 0


def _guard() -> tuple[int, int]:
    """Return both ends of a pipe; a child that owns the first one gets SIGTERM when we end.

    Even by SIGKILL: the child has inherited that end, the other one closes with us, and then
    the kernel signals the owner (fcntl(2), F_SETOWN). No code has to run between fork and
    exec, which PR_SET_PDEATHSIG would need.
    """
    inherited, ours = os.pipe()
    os.set_inheritable(inherited, True)
    fcntl.fcntl(inherited, _F_SETSIG, signal.SIGTERM)
    fcntl.fcntl(inherited, fcntl.F_SETFL, fcntl.fcntl(inherited, fcntl.F_GETFL) | os.O_ASYNC)
    return inherited, ours

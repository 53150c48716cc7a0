"""A Python that has imported setuptools, its commands and asmsetup, and forks for each build.

tests.prepared starts it and asks.

A request is the JSON of a process (its arguments, folder and environment), and comes with the file
for its output. The answers are the number of the process and, when it has ended, its exit code.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import sys
import threading
import types
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

IMPORTED = [
    "setuptools.build_meta",
    *(
        f"setuptools.command.{name}"
        for name in (
            *("alias", "bdist_rpm", "bdist_wheel", "build", "build_clib", "build_ext", "build_py"),
            *("develop", "dist_info", "easy_install", "editable_wheel", "egg_info", "install"),
            *("install_egg_info", "install_lib", "install_scripts", "rotate", "saveopts", "sdist"),
        )
    ),
    *(f"setuptools.config.{name}" for name in ("expand", "setupcfg", "_apply_pyprojecttoml")),
    *("setuptools.config._validate_pyproject", "distutils.unixccompiler", "auditwheel.wheel_abi"),
    *("setuptools.compat.py310", "setuptools.modified", "distutils.command.build_scripts"),
    *("concurrent.futures", "fcntl", "hashlib", "heapq", "tempfile", "zipfile"),
]
"""The modules that builds import, but for asmsetup; those that a version of setuptools lacks are left out."""


def import_asmsetup(folders: list[str]) -> None:
    """Import what builds use of the asmsetup in these folders, and its decoder where that is there."""
    before = sys.path[:]
    sys.path[1:1] = folders
    for modules in (
        "hook.py",
        "plugin/*.py",
        *(["check/code/*.py"] if find_spec("iced_x86") else []),
    ):
        for path in sorted(Path(folders[0], "asmsetup").glob(modules)):
            import_module(".".join(path.relative_to(folders[0]).with_suffix("").parts))
    sys.path[:] = before


def next_build(requests: socket.socket) -> dict[str, Any]:
    """Fork for each request, and return it in the child alone."""
    # A collection in a child would copy all its pages.
    gc.freeze()
    while True:
        data, files, _, _ = socket.recv_fds(requests, 1 << 20, 1)
        if not data:
            os._exit(0)
        child = os.fork()
        if not child:
            os.dup2(files[0], 1)
            os.dup2(files[0], 2)
            os.close(files[0])
            requests.close()
            request: dict[str, Any] = json.loads(data)
            return request
        os.close(files[0])
        requests.send(str(child).encode())
        _, status = os.waitpid(child, 0)
        requests.send(str(os.waitstatus_to_exitcode(status)).encode())


def run(arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Go on as ``python ARGUMENT...``, a script or -c, does in the folder, with the environment."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = arguments
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    if arguments[0] == "-c":
        del sys.argv[1]
        sys.path[0] = ""
        code = compile(arguments[1], "<string>", "exec")
    else:
        main.__file__ = os.path.abspath(arguments[0])
        sys.path[0] = os.path.dirname(main.__file__)
        with open(main.__file__, "rb") as script:
            code = compile(script.read(), main.__file__, "exec")
    if path := environment.get("PYTHONPATH"):
        sys.path[1:1] = path.split(os.pathsep)
    if "COVERAGE_PROCESS_CONFIG" in environment:
        # As its .pth file does where a Python is started.
        import_module("coverage").process_startup()
    finish(run_to_its_end(code, main.__dict__))


def run_to_its_end(code: types.CodeType, names: dict[str, Any]) -> int:
    """Run the code of a main module; return the exit code."""
    try:
        exec(code, names)  # noqa: S102
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        raise  # Python ends by the signal
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def finish(status: int) -> None:
    """End the process as Python does, but for taking apart all that it has imported.

    Objects that the fork shares would be copied for that.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status & 0xFF)


if __name__ == "__main__":
    for each in IMPORTED:
        with suppress(ImportError):
            import_module(each)
    if folders := sys.argv[2:]:
        import_asmsetup(folders)
    run(**next_build(socket.socket(fileno=int(sys.argv[1]))))

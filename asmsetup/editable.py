"""Build an editable install again when its modules are imported, once in a process.

A .pth file of the install calls ``install`` whenever Python starts, so this module imports
little, and nothing of asmsetup.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_REBUILDING = "ASMSETUP_REBUILDING"
"""Set in the process that builds, which may import the package itself."""


def startup_line(project: str, names: Sequence[str]) -> str:
    """Return the line of the .pth file for the ``project`` folder and its modules."""
    call = f"asmsetup.editable.install({project!r}, {list(names)!r})"
    # An environment that asmsetup was removed from keeps what was built last.
    return f"import importlib.util as u; u.find_spec('asmsetup') and exec('import asmsetup.editable; ' + {call!r})\n"


def install(project: str, names: Sequence[str]) -> None:
    """Have the first import of one of the modules ``names`` build the ``project`` again."""
    if _REBUILDING not in os.environ:
        sys.meta_path.insert(0, _Rebuilder(project, names))


class _Rebuilder:
    """Finds no module: it only looks what is asked for."""

    def __init__(self, project: str, names: Sequence[str]) -> None:
        self._project = project
        self._names = frozenset(names)

    def find_spec(
        self, fullname: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Build the project when one of its modules is asked for first; always return None.

        Raises ImportError with the errors of the build.
        """
        if fullname in self._names:
            self._names = frozenset()
            self._rebuild(fullname)
        return None

    def _rebuild(self, fullname: str) -> None:
        import subprocess

        script = ["setup.py"]
        if not os.path.exists(os.path.join(self._project, "setup.py")):
            script = ["-c", "from setuptools import setup; setup()"]
        done = subprocess.run(
            [sys.executable, *script, "build_ext", "--inplace"],
            cwd=self._project,
            env={**os.environ, _REBUILDING: "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            _, marker, error = done.stdout.rpartition("\nerror: ")
            what = error if marker else done.stdout
            raise ImportError(f"{self._project} cannot be built again\n{what}", name=fullname)

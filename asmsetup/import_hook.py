"""Import .asm files: ``import kernel`` builds kernel.asm where Python would look for kernel.py."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

from . import config
from .errors import AsmsetupError
from .live.building import Options
from .live.loading import LOADER
from .suffixes import SUFFIXES


class AssemblyFinder(MetaPathFinder):
    """Finds modules in sources for NASM, after all that Python finds by itself."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a module that was built from its source, None without a source.

        Raises ImportError with the errors of the source.
        """
        source = _source(fullname.rpartition(".")[2], sys.path if path is None else path)
        if source is None:
            return None
        try:
            settings = config.load(os.path.dirname(source) or os.curdir, os.environ)
            built = LOADER.build(source, Options(settings._replace(debug=True)))
        except AsmsetupError as error:
            raise ImportError(str(error), name=fullname, path=source) from error
        LOADER.built.append(built)
        loader = importlib.machinery.ExtensionFileLoader(fullname, built.path)
        return importlib.util.spec_from_file_location(fullname, built.path, loader=loader)


def _source(name: str, folders: Sequence[str]) -> str | None:
    for folder in folders:
        for suffix in sorted(SUFFIXES):
            path = os.path.join(folder, name + suffix)
            if os.path.isfile(path):
                return os.path.relpath(path) if not folder else path
    return None


_FINDER = AssemblyFinder()


def install() -> None:
    """Have ``import`` find .asm files. Doing so twice changes nothing."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.append(_FINDER)


def uninstall() -> None:
    """Undo ``install``; modules that are imported stay."""
    if _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)

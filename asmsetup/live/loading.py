"""Load modules from sources into the running Python, anew after each change."""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from types import ModuleType

from .. import config
from ..named import NamedTuple
from .building import BuildWarning, Built, Options, build, silent


class _Loaded(NamedTuple):
    content: bytes
    module: ModuleType


class Loader:
    """The modules that one process has loaded, in a temporary folder until it ends."""

    def __init__(self) -> None:
        self.built: list[Built] = []
        """All modules that were loaded, the newest last, to search by address or name."""
        self._loaded: dict[tuple[str, Options], _Loaded] = {}
        self._folder: tuple[int, str] | None = None

    @property
    def folder(self) -> str:
        """The temporary folder of this process; one that was forked has its own."""
        if self._folder is None or self._folder[0] != os.getpid():
            folder = tempfile.mkdtemp(prefix="asmsetup-")
            self._folder = os.getpid(), folder
            atexit.register(_remove, os.getpid(), folder)
        return self._folder[1]

    def load(self, source: str, options: Options, shown_as: str | None = None) -> ModuleType:
        """Return the module of ``source``: a fresh one when it or an include of it has changed.

        Crashes name the source as ``shown_as``.

        Raises AsmsetupError when it cannot be built, and ImportError when it cannot be imported.
        """
        key = os.path.abspath(source), options
        built = self.build(source, options)
        content = Path(built.path).read_bytes()
        before = self._loaded.get(key)
        if before is not None and before.content == content:
            return before.module
        built = self._own_copy(built)
        module = import_from(built.name, built.path)
        self._loaded[key] = _Loaded(content, module)
        self.built.append(built._replace(source=shown_as or source))
        return module

    def build(self, source: str, options: Options) -> Built:
        """Build the module of ``source``, where the next build of the same puts its own."""
        identity = repr((os.path.abspath(source), options)).encode()
        work = os.path.join(self.folder, hashlib.sha256(identity).hexdigest()[:16])
        found: list[str] = []
        built = build(source, work, work, options, silent(found))
        for text in found:
            warnings.warn(text, BuildWarning, stacklevel=4)
        return built

    def _own_copy(self, built: Built) -> Built:
        """Copy a module to a path of its own: Python and the system take the same path for the same module."""
        folder = os.path.join(self.folder, f"loaded-{len(self.built)}")
        os.makedirs(folder)
        return built._replace(path=shutil.copy(built.path, folder))


def _remove(process: int, folder: str) -> None:
    if process == os.getpid():
        shutil.rmtree(folder, ignore_errors=True)


def import_from(name: str, path: str) -> ModuleType:
    """Return a new module from the extension module at ``path``; sys.modules stays as it is."""
    spec = importlib.util.spec_from_file_location(
        name, path, loader=ExtensionFileLoader(name, path)
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {path}", name=name, path=path)
    before = sys.modules.get(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # Python puts a module with single-phase initialisation there itself.
    if before is not None:
        sys.modules[name] = before
    else:
        sys.modules.pop(name, None)
    return module


LOADER = Loader()
"""The modules that this process has loaded."""


def load(
    source: str | os.PathLike[str],
    *,
    include_dirs: Sequence[str | os.PathLike[str]] = (),
    define: Mapping[str, str | None] | None = None,
) -> ModuleType:
    """Build the NASM source and return its module, without a project.

    The module is a fresh one each time the source, or anything it includes, has changed, and
    the same one otherwise. It has line numbers for debuggers, and is not in sys.modules.
    ``include_dirs`` and ``define`` are for NASM, as in an Extension; the settings are those
    of a pyproject.toml beside the source, and of the environment.

    Raises AsmsetupError when the source cannot be built or would not work; warnings are
    BuildWarnings.
    """
    path = os.fspath(source)
    settings = config.load(os.path.dirname(path) or os.curdir, os.environ)
    options = Options(
        settings._replace(debug=True),
        tuple(os.fspath(folder) for folder in include_dirs),
        tuple((define or {}).items()),
    )
    return LOADER.load(path, options)

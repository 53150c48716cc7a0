"""Ship hand-written x86-64 assembly in Python packages.

Having asmsetup among the build requirements is enough. ``asmsetup.build_ext``
is there for those who like to name their command class in setup(). ``Extension``
is setuptools' own with groups of sources, ``Sources``; ``Library`` is a shared
library without Python in it. ``load`` builds and imports one source without a
project.
"""

from __future__ import annotations

__all__ = ["Extension", "Library", "Sources", "build_ext", "include_dir", "load"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .live.loading import load
    from .plugin.commands import build_ext
    from .plugin.declared import Extension, Library, Sources


def include_dir() -> str:
    """Return the folder of asmsetup's own NASM includes (python.inc)."""
    from .assemble.includes import INCLUDE_DIR

    return INCLUDE_DIR


def load_ipython_extension(shell: object) -> None:
    """Give IPython's ``shell`` the magic %%nasm: what ``%load_ext asmsetup`` calls."""
    from . import notebook

    notebook.load_ipython_extension(shell)


def __getattr__(name: str) -> object:
    # setuptools is imported on demand: the plugin's hook lives in this package too.
    if name == "build_ext":
        from .plugin.commands import build_ext

        return build_ext
    if name in ("Extension", "Library", "Sources"):
        from .plugin import declared

        return getattr(declared, name)
    if name == "load":
        from .live.loading import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Ship hand-written x86-64 assembly in Python packages.

Having asmsetup among the build requirements is enough. ``asmsetup.build_ext``
is there for those who like to name their command class in setup().
"""

from __future__ import annotations

__all__ = ["build_ext", "include_dir"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .plugin import build_ext


def include_dir() -> str:
    """Return the folder of asmsetup's own NASM includes (python.inc)."""
    from .assemble.includes import INCLUDE_DIR

    return INCLUDE_DIR


def __getattr__(name: str) -> object:
    # setuptools is imported on demand: the plugin's hook lives in this package too.
    if name == "build_ext":
        from .plugin import build_ext

        return build_ext
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

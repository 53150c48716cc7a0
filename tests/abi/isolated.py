# mypy: ignore-errors
"""Interpreters beside the main one, for the scripts that run where there is no pytest."""

from __future__ import annotations

import sys


def run_isolated(code):
    """Run code in an interpreter that, since 3.12, has a GIL of its own and asks modules for it."""
    code = f"import sys; sys.path[:] = {sys.path!r}\n{code}"
    if sys.version_info >= (3, 13):
        import _interpreters

        number = _interpreters.create("isolated")
        error = _interpreters.exec(number, code)
        assert error is None, error
        _interpreters.destroy(number)
    else:
        import _xxsubinterpreters

        number = _xxsubinterpreters.create(isolated=True)
        _xxsubinterpreters.run_string(number, code)
        _xxsubinterpreters.destroy(number)

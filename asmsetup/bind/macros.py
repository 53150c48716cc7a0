"""The macros of python.inc that take a signature."""

from __future__ import annotations

MACROS = {"PyTypedFunction": "", "PyArguments": "arguments "}
"""Each macro, and what the keys of its bindings begin with."""

"""Sessions for nox: the same commands as `make lint` and `make test`, on every Python at hand."""

from __future__ import annotations

import nox

PYTHONS = nox.project.python_versions(nox.project.load_toml("pyproject.toml"))
nox.options.sessions = ["lint", "tests"]
nox.options.error_on_missing_interpreters = False


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests; arguments go to pytest."""
    session.install("-e", ".", "--group", "test")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the format, the style, the types, the layout of NASM sources and the workflows."""
    session.install("-e", ".", "--group", "lint", "--group", "test")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy", "--strict")
    session.run("python", "tools/nasm_layout.py")
    session.run("zizmor", "--offline", "--no-progress", ".github/workflows")

"""Builds inside a shell that sets a limit or mounts something first."""

from __future__ import annotations

import os
import shlex

import pytest

from tests.projects import Project, Run, run


def build(project: Project, before: str, *command: str, ok: bool) -> Run:
    """Run Python after shell commands that take something away from it."""
    shell = ("sh", "-ec", f'{before}; exec "$@"', "sh")
    return run(
        *shell,
        project.python.path,
        *command,
        cwd=project.folder,
        env={**project.env, "PYTHONDONTWRITEBYTECODE": "1"},
        ok=ok,
    )


def build_with_mount(project: Project, mount: str, *command: str, ok: bool) -> Run:
    """Run Python with a mount that only it sees; skips the test where that is not allowed."""
    here, env = project.folder, project.env
    if os.geteuid() != 0 or run("unshare", "-m", "true", cwd=here, env=env, ok=None).status:
        pytest.skip("mounting needs root and mount namespaces")
    inner = f'{mount}; cd "$PWD"; exec "$@"'
    return build(project, f'set -- unshare -m sh -ec {shlex.quote(inner)} sh "$@"', *command, ok=ok)

"""The decoder beside the plain sample project: its machine code is checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.projects import Project


@pytest.fixture
def judged(hello: Project, decoder: Path) -> Project:
    """The project hello, built where the decoder is installed."""
    return hello.settings("universal = true").beside(decoder)

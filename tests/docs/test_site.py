"""The documentation builds as a site, with warnings as errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.matrix.interpreters import REPOSITORY
from tools.site import links_out


@pytest.mark.parametrize(
    ("page", "text", "repository", "linked"),
    [
        ("a.md", "[x](b.md)", "", "[x](b.md)"),
        ("how-to/a.md", "[x](../errors.md#y)", "", "[x](../errors.md#y)"),
        ("how-to/a.md", "[x](../../README.md)", "", "x"),
        ("index.md", "[x](../examples)", "https://h/r/", "[x](https://h/r/blob/main/examples)"),
        (
            "how-to/a.md",
            "[x](../../CONTRIBUTING.md#style)",
            "https://h/r",
            "[x](https://h/r/blob/main/CONTRIBUTING.md#style)",
        ),
        ("how-to/a.md", "![x](../annotate.png)", "", "![x](../annotate.png)"),
    ],
)
def test_links_that_leave_the_site(page: str, text: str, repository: str, linked: str) -> None:
    assert links_out(text, page, repository) == linked


def test_the_site_builds(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    site = tmp_path / "site"
    assert (site / "search" / "search_index.json").exists()
    assert 'id="absolute-address"' in (site / "errors" / "index.html").read_text()

"""The documentation builds as a site, with warnings as errors."""

from __future__ import annotations

import os
import re
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


def built(site: Path, **env: str) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=REPOSITORY,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return site


def test_the_site_builds(tmp_path: Path) -> None:
    site = built(tmp_path / "site")
    assert (site / "search" / "search_index.json").exists()
    assert 'id="absolute-address"' in (site / "errors" / "index.html").read_text()


def test_the_offline_copy_needs_no_network(tmp_path: Path) -> None:
    site = built(tmp_path / "site", OFFLINE="true")
    assert (site / "search" / "search_index.js").exists()
    for page in (site / "index.html", site / "how-to" / "annotate.html"):
        loaded = re.findall(
            r"<(?:script|img|link rel=\"stylesheet\")[^>]*?(?:src|href)=\"([^\"]+)",
            page.read_text(),
        )
        assert loaded
        assert [each for each in loaded if "//" in each] == []
        for each in loaded:
            assert (page.parent / each.partition("?")[0]).exists(), each


def test_the_site_has_versions() -> None:
    """As the theme's selector and the workflow that publishes them have it."""
    assert "provider: mike" in (REPOSITORY / "mkdocs.yml").read_text()
    workflow = (REPOSITORY / ".github" / "workflows" / "site.yml").read_text()
    assert 'mike deploy --push --update-aliases "${TAG#v}" latest' in workflow

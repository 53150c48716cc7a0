"""The documentation builds as a site, with warnings as errors."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.projects import run
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


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The offline copy, built with warnings as errors."""
    site = tmp_path_factory.mktemp("offline") / "site"
    run(
        *(sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", site),
        cwd=REPOSITORY,
        env={**os.environ, "OFFLINE": "true"},
    )
    return site


def test_messages_have_anchors(offline: Path) -> None:
    assert 'id="absolute-address"' in (offline / "errors.html").read_text()
    assert 'id="cannot-find-nasm"' in (offline / "messages" / "tools.html").read_text()


def test_the_offline_copy_needs_no_network(offline: Path) -> None:
    assert (offline / "search" / "search_index.js").exists()
    for page in (offline / "index.html", offline / "how-to" / "annotate.html"):
        loaded = re.findall(
            r"<(?:script|img|link rel=\"stylesheet\")[^>]*?(?:src|href)=\"([^\"]+)",
            page.read_text(),
        )
        assert loaded
        assert [each for each in loaded if "//" in each] == []
        for each in loaded:
            assert (page.parent / each.partition("?")[0]).exists(), each


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("absolute-address", "errors.html#absolute-address"),
        # Pasted, with the names of somebody's project.
        (
            "a/b.asm:7: error: the function returns with 24 bytes pushed and not popped",
            "messages/macros.html#bytes-pushed-and-not-popped",
        ),
    ],
)
def test_the_search_of_the_offline_copy_answers(
    offline: Path, shown_by_browser: Callable[[str], str], asked: str, found: str
) -> None:
    """In a page that is opened from disk."""
    shown = shown_by_browser(f"{(offline / 'index.html').as_uri()}?q={quote(asked)}")
    links = re.findall(r'href="([^"]*)"[^>]*class="md-search-result__link', shown)
    plain = [re.sub(r"\?h=[^#]*", "", link) for link in links]
    # The page itself stands above its sections.
    assert (offline / found.partition("#")[0]).as_uri() == plain[0].partition("#")[0]
    assert f"{offline.as_uri()}/{found}" in plain[:3]


def test_the_site_has_versions() -> None:
    """As the theme's selector and the workflow that publishes them have it."""
    assert "provider: mike" in (REPOSITORY / "mkdocs.yml").read_text()
    workflow = (REPOSITORY / ".github" / "workflows" / "site.yml").read_text()
    assert 'mike deploy --push --update-aliases "${TAG#v}" latest' in workflow

"""Hooks of mkdocs: links in pages, the script they load, and how the search weighs words.

Links to files outside of docs/ lead to the repository; without one (repo_url in mkdocs.yml)
they become plain text.
"""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path
from typing import Any

SEARCH = "search.js"
"""The script in docs/ that lets the search take messages, and run in pages from disk."""
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(((?:\.\./)+[^)\s#]*)(#[^)\s]*)?\)")


def on_env(env: Any, *, config: Any, **_: Any) -> None:
    """Have each page load our script, and for the offline copy none from elsewhere."""
    scripts = config.extra.get("polyfills", ())
    config.extra["polyfills"] = [SEARCH, *(each for each in scripts if "//" not in each)]


def on_post_build(*, config: Any) -> None:
    """Have words in the text count, too: in the theme, one in a heading outweighs a thousand."""
    path = Path(config.site_dir, "search", "search_index.json")
    index = json.loads(path.read_text(encoding="utf-8"))
    index["config"]["fields"]["title"]["boost"] = 20
    path.write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")


# Behind the search, which writes the index, and before the offline copy takes it
# (mkdocs.plugins.event_priority, without mkdocs where types are checked).
on_post_build.mkdocs_priority = -50  # type: ignore[attr-defined]


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Return the page with links that a site can follow."""
    return links_out(markdown, page.file.src_uri, config.repo_url or "")


def links_out(markdown: str, page: str, repository: str) -> str:
    """Return the text of the ``page`` (a path in docs/) with links that leave docs/ replaced."""

    def replaced(link: re.Match[str]) -> str:
        text, target, anchor = link.groups(default="")
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
        if path.startswith("docs/"):
            return link[0]
        if not repository:
            return text
        return f"[{text}]({repository.rstrip('/')}/blob/main/{path}{anchor})"

    return _LINK.sub(replaced, markdown)

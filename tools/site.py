"""What mkdocs does to each page: links to files outside of docs/ lead to the repository.

Without a repository (repo_url in mkdocs.yml) they become plain text.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(((?:\.\./)+[^)\s#]*)(#[^)\s]*)?\)")


def on_env(env: Any, *, config: Any, **_: Any) -> None:
    """Leave out scripts that pages would load from elsewhere: the offline copy's search adds one.

    Without it the search needs a server, for which ``python -m http.server`` is enough.
    """
    scripts = config.extra.get("polyfills", ())
    config.extra["polyfills"] = [each for each in scripts if "//" not in each]


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

"""Write signatures as Python does."""

from __future__ import annotations

from collections.abc import Sequence

from .signature import Signature


def text_signature(signature: Signature) -> str:
    """Return the rest of ``__text_signature__`` after the receiver: ``, a, /, b=1)``."""
    written = [
        f"{each.name}={each.default.written}" if each.default else each.name
        for each in signature.parameters
    ]
    # The receiver itself is positional-only.
    parts = [] if signature.positional_only else ["/"]
    return "".join(f", {part}" for part in (*parts, *marked(signature, written))) + ")"


def marked(signature: Signature, written: Sequence[str], annotation: str = "") -> list[str]:
    """Return the parameters, which are written already, with ``/`` and ``*`` between them.

    ``annotation`` stands behind the name of ``*args``.
    """
    positional = signature.positional
    star = [f"*{signature.rest}{annotation}"] if signature.rest else ["*"]
    has_star = bool(signature.rest) or positional < len(written)
    parts = [*written[:positional], *(star if has_star else ()), *written[positional:]]
    if signature.positional_only:
        parts.insert(signature.positional_only, "/")
    return parts

"""The CPython versions that asmsetup supports: the one place that code reads them from."""

from __future__ import annotations

Version = tuple[int, int]

VERSIONS: tuple[Version, ...] = ((3, 10), (3, 11), (3, 12), (3, 13), (3, 14), (3, 15))
"""All of them, oldest first, without a gap."""

OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]

FREE_THREADED_SINCE: Version = (3, 13)
"""The first version that has a build without the GIL (PEP 703)."""

ABI3T_SINCE: Version = (3, 15)
"""The first version whose build without the GIL has a stable ABI (PEP 803)."""

# mypy: ignore-errors
"""A plugin of the pytest that runs in each interpreter: outcome and text of each test, as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

if "COVERAGE_PROCESS_CONFIG" in os.environ:
    # As its .pth file does in an environment of its own.
    import coverage

    coverage.process_startup()

_SEEN = {}


def pytest_runtest_logreport(report):
    """Keep the text of a failure, and sections that plugins have added."""
    text, outcome = _SEEN.get(report.nodeid, ("", "passed"))
    text += report.longreprtext + "".join(body for _, body in report.sections)
    _SEEN[report.nodeid] = text, "failed" if report.failed else outcome


def pytest_sessionfinish():
    """Write everything."""
    Path(os.environ["RECORD"]).write_text(json.dumps(_SEEN))

"""The pytest plugin: ``pytest --asm-abi[=module,...]``.

Loaded by every pytest where asmsetup is installed, so everything else is imported on demand.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .session import Session

_SESSION: pytest.StashKey[Session] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --asm-abi and its settings."""
    group = parser.getgroup("asmsetup", "assembly under canaries (asmsetup)")
    group.addoption(
        "--asm-abi",
        nargs="?",
        const="",
        metavar="MODULE,...",
        help="run the functions of these modules between canaries: registers, stack, flags, "
        "references and exceptions are checked at every call; all modules of nothing but "
        "assembly when none is named",
    )
    parser.addini(
        "asm_abi_allow",
        "what --asm-abi lets pass, a line each:   rule: function, both may be patterns",
        type="linelist",
        default=[],
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Begin before the first conftest.py, which may import the modules."""
    names = early_config.known_args_namespace.asm_abi
    if names is None:
        return
    from .session import Session

    early_config.stash[_SESSION] = Session(names, early_config.getini("asm_abi_allow"))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Catch crashes from here on: after pytest's own faulthandler, which would be asked first."""
    if canaries := session.config.stash.get(_SESSION, None):
        canaries.install_handlers()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Fail the setup for what it did."""
    return (yield from _judged(item, "setup"))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail the test for what it did."""
    return (yield from _judged(item, "call"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Fail the teardown for what it did, and for references that are still held after it."""
    return (yield from _judged(item, "teardown"))


def _judged(item: pytest.Item, when: str) -> Generator[None, object, object]:
    canaries = item.config.stash.get(_SESSION, None)
    if canaries is None:
        return (yield)
    try:
        result = yield
    except BaseException:
        # The test's own failure stays; what the canaries found may be its cause.
        if text := canaries.report(leaks=False):
            item.add_report_section(when, "asm-abi", text)
        raise
    if when == "teardown":
        gc.collect()
    if text := canaries.report(leaks=when == "teardown"):
        pytest.fail(text, pytrace=False)
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was run, and what was not."""
    if canaries := terminalreporter.config.stash.get(_SESSION, None):
        terminalreporter.section("asm-abi")
        for line in canaries.summary(every=terminalreporter.verbosity > 0):
            terminalreporter.line(line)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A module that was named and never imported has not been tested."""
    canaries = session.config.stash.get(_SESSION, None)
    if canaries and canaries.missing() and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

# mypy: ignore-errors
"""Names of keywords in the state of a module: `python check_state.py [single-phase | creates]`."""

from __future__ import annotations

import gc
import importlib.util
import sys
from pathlib import Path


def loaded(executed=True):
    """Another instance of the module, its interpreter's second or later."""
    path = next(Path(sys.path[1]).glob("state*.so"))
    spec = importlib.util.spec_from_file_location("state", path)
    module = importlib.util.module_from_spec(spec)
    if executed:
        spec.loader.exec_module(module)
    return module


def check_keywords(join, again):
    name = "".join(["other", "_name"])
    assert join(1) == 123
    assert join(1, other_name=4, last_name=5) == 145
    assert join(1, last_name=5, other_name=4) == 145
    assert join(1, **{name: 4}) == 143
    assert again(last_name=1, other_name=2) == 12
    assert again(other_name=1, last_name=2) == 21
    assert again(**{name: 1}, last_name=2) == 21
    try:
        join(1, name_of_its_own=1)
    except TypeError as error:
        assert "join()" in str(error)  # noqa: PT017
    else:
        raise AssertionError("a positional-only parameter was given by name")


def check_state():
    names = [sys.intern("".join([start, "_name"])) for start in ("other", "last")]
    counts = [sys.getrefcount(name) for name in names]
    kept = loaded()
    dropped = loaded()
    for module in (kept, dropped):
        check_keywords(module.join, module.again)
        assert module.before() == 0x0102030405060708
    join = dropped.join
    del module, dropped
    gc.collect()
    assert kept.after() == 0
    check_keywords(join, kept.again)
    del join
    gc.collect()
    assert kept.after() == 1
    not_executed = loaded(executed=False)
    check_keywords(not_executed.join, not_executed.again)
    del not_executed
    gc.collect()
    freed = kept.after
    del kept
    gc.collect()
    assert freed() == 1
    del freed
    gc.collect()
    assert [sys.getrefcount(name) for name in names] == counts


if sys.argv[1:] == ["single-phase"]:
    import state

    check_keywords(state.join, state.again)
elif sys.argv[1:] == ["creates"]:
    namespace = loaded(executed=False)
    assert type(namespace).__name__ == "SimpleNamespace"
    check_keywords(namespace.join, namespace.again)
else:
    check_state()

# mypy: ignore-errors
"""What the slots of a module do to its import: `python check_slots.py CHECK`."""

from __future__ import annotations

import _imp
import gc
import importlib.util
import sys
import warnings
import weakref
from pathlib import Path

from isolated import run_isolated

PATH = next(Path(sys.path[1]).glob("slots*.so"))
FREE_THREADED = "free-threading" in sys.version


def loaded():
    """Another instance of the module."""
    spec = importlib.util.spec_from_file_location("slots", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_content(module):
    assert (module.ANSWER, module.NAME) == (42, "slots")
    assert (module.Thing().answer(), module.Thing.__module__) == (42, "tests.slots")
    assert module.digits(1, second=2) == 12


def check_exec_is_last():
    module = loaded()
    check_content(module)
    assert module.LAST == 42


def check_gil_used():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_content(loaded())
    assert [each.category for each in caught] == [RuntimeWarning] * FREE_THREADED
    if FREE_THREADED:
        assert sys._is_gil_enabled()


def check_gil_not_used():
    check_content(loaded())
    if FREE_THREADED:
        assert not sys._is_gil_enabled()


def check_state():
    """The cycle is seen (traverse), broken (clear), and then the state is freed."""
    kept = loaded()
    dropped = loaded()
    alive = weakref.ref(dropped)
    gc.collect()
    assert (alive() is dropped, kept.freed()) == (True, 0)
    del dropped
    assert alive() is not None
    gc.collect()
    assert (alive(), kept.freed()) == (None, 1)
    check_content(kept)


REFUSED = """
try:
    import slots
except ImportError as error:
    assert str(error) == "module slots does not support loading in subinterpreters"
else:
    raise AssertionError("imported by an interpreter with a GIL of its own")
"""


def check_refused_by_isolated_interpreters():
    check_content(loaded())
    run_isolated(REFUSED if sys.version_info >= (3, 12) else "import slots")


def check_taken_by_isolated_interpreters():
    run_isolated("import slots; assert slots.Thing().answer() == slots.ANSWER")


def check_exec_raises():
    """Each time, and the types it had made by then are gone."""
    gc.collect()
    before = len(type.__subclasses__(object))
    for _ in range(20):
        try:
            loaded()
        except LookupError as error:
            assert str(error) == "from exec"
        else:
            raise AssertionError("the exception of exec was lost")
    gc.collect()
    assert len(type.__subclasses__(object)) == before


def loaded_without_memory(testcapi, number):
    """The module, imported while one allocation fails, or the exception's type."""
    # Under a name of its own each time: a module of one phase is made once for each.
    spec = importlib.util.spec_from_file_location(f"at_{number}.slots", str(PATH))
    try:
        testcapi.set_nomemory(number, number + 1)
        try:
            module = _imp.create_dynamic(spec)
            _imp.exec_dynamic(module)
        finally:
            testcapi.remove_mem_hooks()
    except (MemoryError, SystemError) as error:
        return type(error)
    return module


def check_every_allocation_fails_once():
    """Up to the first that fails unnoticed: behind it are those of the import itself.

    They are not asked for: 3.14 and 3.15 crash on the fourth one of a single-phase module, in C too.
    """
    try:
        import _testcapi
    except ImportError:
        print("no _testcapi")
        return
    number = missed = 0
    while (outcome := loaded_without_memory(_testcapi, number)) in (MemoryError, SystemError):
        missed += outcome is SystemError
        number += 1
    check_content(outcome)
    assert number > 15
    # Up to 3.13, PyType_FromModuleAndSpec sets no exception when it gets no memory for the name.
    assert missed == int((3, 11) <= sys.version_info < (3, 14))


if __name__ == "__main__":
    globals()[sys.argv[1]]()

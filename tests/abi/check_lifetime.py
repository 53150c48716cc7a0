# mypy: ignore-errors
"""What lives how long: the objects, types, state and modules of `lifetime`, in each interpreter."""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
import threading
import weakref

import lifetime
from isolated import run_isolated


def again():
    """Another instance of the module."""
    del sys.modules["lifetime"]
    return importlib.import_module("lifetime")


def check_typed_methods():
    node = lifetime.Node()
    assert (node.add(), node.add(number=5), node.value) == (1, 6, 6)
    assert lifetime.order(1, c=5) == 125


def check_weak_references():
    node = lifetime.Node()
    seen = []
    alive = weakref.ref(node, seen.append)
    assert alive() is node
    del node
    assert alive() is None
    assert seen == [alive]


def check_dictionary():
    node = lifetime.Node()
    node.own = thing = object()
    assert node.own is thing
    before = sys.getrefcount(thing)
    del node
    assert sys.getrefcount(thing) == before - 1


def check_cycles():
    class Derived(lifetime.Node):
        pass

    for kind in (lifetime.Node, Derived):
        node = kind()
        node.own = node
        alive = weakref.ref(node)
        del node
        gc.collect()
        assert alive() is None


def check_subclasses():
    class Derived(lifetime.Node):
        def add(self, number):
            return super().add(number=number) * 10

    class Slotted(lifetime.Node):
        __slots__ = ("further",)

    assert Derived().add(4) == 40
    slotted = Slotted()
    slotted.further, slotted.value = 7, 8
    assert (slotted.further, slotted.value) == (7, 8)
    types = [weakref.ref(kind) for kind in (Derived, Slotted)]
    del Derived, Slotted, slotted
    gc.collect()
    assert [kind() for kind in types] == [None, None]


def check_reload():
    kind = lifetime.Node
    assert importlib.reload(lifetime) is lifetime
    assert lifetime.Node().add() == kind().add() == 1


def check_many_instances_of_the_module():
    other = again()
    assert other is not lifetime
    assert (other.Node is lifetime.Node, other.Error is lifetime.Error) == (False, False)
    dropped = again()
    gone = [weakref.ref(each) for each in (dropped, dropped.Node, dropped.Error)]
    del dropped
    for _ in range(100):
        assert again().Node().add() == 1
    gc.collect()
    assert [each() for each in gone] == [None, None, None]
    check_typed_methods()


IN_ANOTHER_INTERPRETER = """
import gc, lifetime
for number in range(200):
    node = lifetime.Node()
    node.own = node
    assert node.add(number=number) == number
    assert lifetime.order(1, c=5) == 125
    try:
        lifetime.order(1, d=5)
    except TypeError:
        pass
    else:
        raise AssertionError("an unknown keyword was taken")
assert issubclass(lifetime.Error, Exception)
gc.collect()
"""


def check_interpreters_in_turn():
    for _ in range(3):
        run_isolated(IN_ANOTHER_INTERPRETER)
    check_typed_methods()


def check_interpreters_at_once():
    if sys.version_info < (3, 12):
        return  # one GIL, and a thread cannot run another's interpreter beside it
    errors = []

    def work():
        try:
            run_isolated(IN_ANOTHER_INTERPRETER)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
        exec(IN_ANOTHER_INTERPRETER, {})  # noqa: S102
    for thread in threads:
        thread.join()
    assert errors == []
    check_typed_methods()


def check_free_threading_stays():
    with contextlib.suppress(AttributeError):
        assert sys._is_gil_enabled() is bool(sys.flags.gil)


if __name__ == "__main__":
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            check()

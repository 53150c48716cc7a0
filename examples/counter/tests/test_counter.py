"""What counter promises, on whichever CPython runs these tests."""

from __future__ import annotations

import gc
import sys
import threading
import weakref

import counter
import pytest
from counter import Counter


def test_it_counts():
    events = Counter()
    assert events.value == 0
    assert events.add() == 1
    assert events.add(41) == 42
    assert events.add(-2) == events.value == 40
    assert repr(events) == "Counter(40)"
    assert events.reset() == 40
    assert events.value == 0


@pytest.mark.parametrize(
    ("arguments", "keywords", "value", "limit"),
    [((), {}, 0, 0), ((5,), {}, 5, 0), ((5, 7), {}, 5, 7), ((), {"limit": 3, "value": -1}, -1, 3)],
)
def test_it_begins(arguments, keywords, value, limit):
    events = Counter(*arguments, **keywords)
    assert (events.value, events.limit) == (value, limit)
    assert not hasattr(events, "on_limit")


def test_it_calls_back_at_the_limit():
    seen = []
    events = Counter(limit=3, on_limit=seen.append)
    assert [events.add() for _ in range(4)] == [1, 2, 3, 4]
    assert seen == [events]


def test_what_the_callback_raises_comes_through():
    events = Counter(limit=1, on_limit=lambda counter: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        events.add()
    assert events.value == 1


def test_attributes():
    events = Counter()
    events.value = 7
    events.limit = 9
    events.on_limit = print
    assert (events.value, events.limit, events.on_limit) == (7, 9, print)
    del events.on_limit
    with pytest.raises(AttributeError):
        events.on_limit  # noqa: B018
    with pytest.raises(AttributeError, match="cannot delete value"):
        del events.value
    with pytest.raises(TypeError):
        events.value = "7"
    with pytest.raises(OverflowError):
        events.value = 1 << 63


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: Counter("1"), TypeError),
        (lambda: Counter(1, 2, 3, 4), TypeError),
        (lambda: Counter(start=1), TypeError),
        (lambda: Counter().add("1"), TypeError),
        (lambda: Counter().add(1, 2), TypeError),
        (lambda: Counter().add(1 << 63), OverflowError),
        (lambda: Counter().reset(1), TypeError),
    ],
)
def test_errors(call, error):
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error


def test_the_count_as_memory():
    events = Counter(258)
    with memoryview(events) as view:
        assert view.readonly
        assert bytes(view) == b"\x02\x01" + bytes(6)
        events.add()
        assert view[0] == 3


def test_type():
    assert Counter.__module__ == "counter"
    assert Counter.__text_signature__ == "(value=0, limit=0, on_limit=None)"
    assert Counter.add.__text_signature__ == "($self, number=1, /)"
    assert counter.MAXIMUM == 2**63 - 1

    class Named(Counter):
        name = "events"

    assert Named(3).add() == 4


class Witness:
    def __call__(self, counter):
        pass


def test_callbacks_are_freed():
    witness = Witness()
    alive = weakref.ref(witness)
    events = Counter(on_limit=witness)
    events.__init__(on_limit=witness)
    del witness
    assert alive() is not None
    del events
    gc.collect()
    assert alive() is None


def test_cycles_are_collected():
    witness = Witness()
    alive = weakref.ref(witness)
    events = Counter(on_limit=witness)
    witness.events = events
    del witness, events
    gc.collect()
    assert alive() is None


def test_types_are_kept_by_their_objects():
    gc.collect()
    before = sys.getrefcount(Counter)
    for _ in range(1000):
        Counter()
    gc.collect()
    assert sys.getrefcount(Counter) == before


def test_threads_need_no_lock():
    events = Counter()
    threads = [
        threading.Thread(target=lambda: [events.add() for _ in range(20_000)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert events.value == 80_000
    if "free-threading" in sys.version:
        assert not sys._is_gil_enabled()


def test_a_long_chain_ends_without_a_deep_stack():
    chain = None
    for _ in range(300_000):
        chain = Counter(0, 0, chain)
    del chain


def test_the_callback_may_be_changed_by_another_thread():
    events = Counter(limit=1, on_limit=lambda counter: None)
    ended = threading.Event()

    def change():
        while not ended.is_set():
            events.on_limit = lambda counter: [counter]

    def count():
        for _ in range(20_000):
            events.reset()
            events.add()

    threads = [threading.Thread(target=count) for _ in range(2)]
    changing = threading.Thread(target=change)
    for thread in (changing, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    ended.set()
    changing.join()
    assert events.limit == 1

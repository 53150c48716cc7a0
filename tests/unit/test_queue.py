from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path

import pytest

from asmsetup.assemble import queue
from asmsetup.assemble.queue import Job, Queue, StoppedError


def fail() -> None:
    raise ValueError("refused")


def test_the_longest_starts_first() -> None:
    started: list[str] = []
    gate = threading.Event()
    queue = Queue(1)
    first = Job(lambda: gate.wait(60))
    queue.add(first, 0)
    work = [Job(partial(started.append, name)) for name in ("short", "long", "middle")]
    for job, cost in zip(work, (1, 3, 2), strict=True):
        queue.add(job, cost)
    gate.set()
    assert queue.wait([first, *work]) == []
    assert started == ["long", "middle", "short"]


def test_as_many_run_at_once_as_there_are_workers() -> None:
    # Passes only when all three are inside at the same time.
    together = threading.Barrier(3, timeout=60)
    queue = Queue(3)
    for _ in range(2):
        work = [Job(together.wait) for _ in range(3)]
        for job in work:
            queue.add(job, 1)
        assert queue.wait(work) == []


def test_a_failure_cancels_what_has_not_started_of_its_group_and_all_errors_are_kept() -> None:
    both_run = threading.Barrier(3, timeout=60)
    failed = threading.Event()
    queue = Queue(2)

    def fails_first() -> None:
        both_run.wait()
        fail()

    def fails_later() -> None:
        both_run.wait()
        assert failed.wait(60)
        raise KeyError("refused as well")

    first, later, never = Job(fails_first), Job(fails_later), Job(failed.set)
    queue.add(first, 3)
    queue.add(later, 2)
    queue.add(never, 1)
    both_run.wait()  # only now: what is added later is not cancelled
    first.wait()
    never.wait()
    assert isinstance(never.error, StoppedError)
    failed.set()
    assert [str(error) for error in queue.wait([first, later, never])] == [
        "refused",
        "'refused as well'",
    ]


def test_a_failure_cancels_nothing_of_other_groups() -> None:
    queue = Queue(1)
    work = [Job(fail, "one"), Job(lambda: None, "other")]
    for job in work:
        queue.add(job, 1)
    assert len(queue.wait(work)) == 1
    assert work[1].error is None


def test_a_group_that_has_failed_can_go_on() -> None:
    queue = Queue(1)
    for work, errors in ((fail, 1), (lambda: None, 0)):
        job = Job(work)
        queue.add(job, 1)
        assert len(queue.wait([job])) == errors


def test_nothing_starts_in_a_queue_that_was_stopped() -> None:
    queue = Queue(1)
    queue.stop()
    job = Job(fail)
    queue.add(job, 1)
    job.wait()
    assert isinstance(job.error, StoppedError)


@pytest.mark.parametrize(
    ("quota", "period", "cores"),
    [
        ("max", "100000", None),
        ("-1", "100000", None),
        ("200000", "100000", 2),
        ("150000", "100000", 2),
        ("50000", "100000", 1),
        ("", "", None),
    ],
)
def test_the_share_of_a_control_group(quota: str, period: str, cores: int | None) -> None:
    assert queue._cores(quota, period) == cores


def test_the_narrowest_control_group_above_us_counts(tmp_path: Path) -> None:
    for folder, quota in (("a", "400000"), ("a/b", "200000"), ("a/b/c", "max")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "cpu.max").write_text(f"{quota} 100000\n")
    assert queue._quotas(str(tmp_path), "/a/b/c", queue._quota_v2) == [4, 2]


def test_no_more_cores_than_the_affinity_mask() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert queue.available() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert 1 <= queue.available() <= len(allowed)


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_fewer_threads_than_wanted_do_all_the_work(
    monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    # As below a limit on processes (ulimit -u), which does not bind the superuser.
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def limited(thread: threading.Thread) -> None:
        if len(started) == allowed:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    queue = Queue(8)
    done: list[int] = []
    jobs = [Job(partial(done.append, number)) for number in range(20)]
    for job in jobs:
        queue.add(job, 1)
    assert queue.wait(jobs) == []
    assert sorted(done) == list(range(20))
    assert len(started) == allowed
    queue.stop()

"""One queue for all work of a build: the longest first, on every core this process may use.

Knows nothing of what the work is. Jobs belong to groups: when one fails, those
of its group that have not started are cancelled, and all others go on.
"""

from __future__ import annotations

import heapq
import os
import threading
from collections.abc import Callable, Hashable, Iterable
from itertools import count


class StoppedError(Exception):
    """A job was cancelled before it started."""


class Job:
    """A piece of work for a queue."""

    def __init__(
        self, work: Callable[[], object], group: Hashable = None, *, guess: bool = False
    ) -> None:
        """``group`` is anything that the jobs of one group have in common.

        A ``guess`` was not asked for yet: if it fails, it is tried again when it is.
        """
        self.work = work
        self.group = group
        self.guess = guess
        self.error: BaseException | None = None
        self._done = threading.Event()

    def run(self) -> None:
        """Do the work; an exception is kept in ``error``."""
        try:
            self.work()
        except BaseException as error:
            self.error = error

    def finish(self) -> None:
        """Wake those who wait for this job."""
        self._done.set()

    def cancel(self) -> None:
        """End without having run; ``error`` is StoppedError then."""
        self.error = StoppedError()
        self._done.set()

    @property
    def is_done(self) -> bool:
        """It has run, or was cancelled."""
        return self._done.is_set()

    def wait(self) -> None:
        """Wait until it is done."""
        self._done.wait()


class Queue:
    """Runs jobs on up to ``workers`` threads, which are started as they are needed."""

    def __init__(self, workers: int) -> None:
        self.stopped = False
        """No more jobs are started."""
        self._workers = workers
        self._threads = 0
        self._idle = 0
        self._waiting: list[tuple[float, int, Job]] = []
        self._order = count()
        self._changed = threading.Condition()

    def add(self, job: Job, cost: float) -> None:
        """Queue a job; the higher its ``cost``, the sooner it starts."""
        with self._changed:
            if self.stopped:
                job.cancel()
                return
            heapq.heappush(self._waiting, (-cost, next(self._order), job))
            if self._idle:
                self._idle -= 1
                self._changed.notify()
            elif self._threads < self._workers:
                self._threads += 1
                # A daemon does not keep an interrupted build from ending.
                worker = threading.Thread(target=self._run, daemon=True)
                try:
                    worker.start()
                except RuntimeError:  # no more threads: those that run do the work, or we do
                    self._threads -= 1
            alone = not self._threads
        if alone:
            self._run(until_empty=True)

    def wait(self, jobs: Iterable[Job]) -> list[BaseException]:
        """Wait for jobs; return why some failed, leaving out those that were stopped."""
        errors = []
        for job in jobs:
            job.wait()
            if job.error is not None and not isinstance(job.error, StoppedError):
                errors.append(job.error)
        return errors

    def stop(self) -> None:
        """Start nothing more; jobs that run go on."""
        with self._changed:
            self.stopped = True
            for _, _, job in self._waiting:
                job.cancel()
            self._waiting.clear()
            self._changed.notify_all()

    def _cancel(self, group: Hashable) -> None:
        with self._changed:
            for _, _, job in self._waiting:
                if job.group == group:
                    job.cancel()
            self._waiting = [entry for entry in self._waiting if entry[2].group != group]
            heapq.heapify(self._waiting)

    def _run(self, *, until_empty: bool = False) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self.stopped or until_empty:
                        return
                    self._idle += 1
                    self._changed.wait()
                _, _, job = heapq.heappop(self._waiting)
            job.run()
            if job.error is not None:
                self._cancel(job.group)
            # Only now: the thread that waits may add jobs of the same group.
            job.finish()


def available() -> int:
    """Return how many cores this process may use: its affinity, and its control group's share.

    A share of 1.5 cores counts as two: half a core idle is worse than half a
    core shared.
    """
    counted = getattr(os, "process_cpu_count", None)  # Python 3.13, knows PYTHON_CPU_COUNT
    cores = counted() if counted else len(os.sched_getaffinity(0))
    share = _share()
    return max(1, min(cores or 1, share) if share else cores or 1)


def _share() -> int | None:
    """Return the cores the control groups (cgroups(7)) leave us, None without a limit."""
    groups = _lines("/proc/self/cgroup")
    limits = []
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            limits += _quotas("/sys/fs/cgroup", path, _quota_v2)
        elif "cpu" in controllers.split(","):
            limits += _quotas(f"/sys/fs/cgroup/{controllers}", path, _quota_v1)
    return min(limits, default=None)


def _quotas(root: str, path: str, quota: Callable[[str], int | None]) -> list[int]:
    # Each group above sets a limit too. In a container the path may be the host's; the root then
    # is our own group.
    folders = [root]
    for part in path.strip("/").split("/"):
        folders.append(f"{folders[-1]}/{part}")
    return [found for found in map(quota, folders) if found is not None]


def _quota_v2(folder: str) -> int | None:
    return _cores(*(_lines(f"{folder}/cpu.max") or [""])[0].split())


def _quota_v1(folder: str) -> int | None:
    return _cores(
        *_lines(f"{folder}/cpu.cfs_quota_us"),
        *_lines(f"{folder}/cpu.cfs_period_us"),
    )


def _cores(quota: str = "", period: str = "") -> int | None:
    """Return quota / period rounded up, None for no limit (``max``, ``-1``)."""
    if not quota.isdecimal() or not period.isdecimal() or int(period) == 0:
        return None
    return max(1, -(-int(quota) // int(period)))


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        # No such control group, or none that we may see: no limit known.
        return []

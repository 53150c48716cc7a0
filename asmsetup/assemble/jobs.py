"""The jobs of a build, which of them must succeed, and one error for all that failed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from ..errors import AsmsetupError, AssembleError, CompileError
from .queue import Job, Queue, StoppedError

Together = Callable[[Sequence[str]], list[str]]
"""Returns NASM's messages about several sources without what an earlier one has as well."""


class Jobs:
    """Queues the jobs of one build, waits for them, and reports their errors together."""

    def __init__(self, workers: int, show: Callable[[str], None], together: Together) -> None:
        """``show`` gets what a failed compiler has printed; nothing else says what is wrong."""
        self._queue = Queue(workers)
        self._show = show
        self._together = together
        self._lock = threading.Lock()
        self._vital: list[Job] = []
        self._shown: set[str] = set()
        """The compilers' messages that were shown: once each, however often a source is tried."""

    def add(self, job: Job, cost: float, *, vital: bool) -> None:
        """Queue a job; the errors of ``vital`` ones are reported together with those of others."""
        if vital:
            self._vital.append(job)
        self._queue.add(job, cost)

    def require(self, jobs: Iterable[Job]) -> None:
        """Wait until these jobs are done; raise all errors if one has failed.

        A guess that has failed is tried once more, as what it lacked may exist by now. So is a
        job that was cancelled because another job of its group had failed.
        """
        jobs = list(jobs)
        errors = self._queue.wait(jobs)
        while again := self._to_try_again(jobs):
            self.supersede(again)
            jobs = [job for job in jobs if job not in again]
            for job in again:
                jobs.append(Job(job.work, job.group))
                self._queue.add(jobs[-1], 0)
            errors = self._queue.wait(jobs)
        if any(job.error for job in jobs):
            # Other failures so far are reported, too.
            others = self._queue.wait(job for job in self._vital if job.is_done)
            self._raise_all([*errors, *others])

    def _print_once(self, output: str) -> None:
        # Its first line is the command, which names another temporary file each time.
        messages = output.partition("\n")[2] or output
        with self._lock:
            is_known = messages in self._shown
            self._shown.add(messages)
        if output and not is_known:
            self._show(output)

    def supersede(self, jobs: Iterable[Job | None]) -> None:
        """Leave these jobs' errors out of all reports, because their work is done again."""
        gone = set(jobs)
        self._vital = [job for job in self._vital if job not in gone]

    def _to_try_again(self, jobs: Iterable[Job]) -> list[Job]:
        failed = [job for job in jobs if job.error is not None]
        if self._queue.stopped or not all(job.guess or was_cancelled(job) for job in failed):
            return []
        return failed

    def _raise_all(self, errors: Iterable[BaseException]) -> None:
        """Raise the errors as one; an error that is not the user's is raised alone, unchanged."""
        distinct = list({str(error): error for error in errors}.values())
        for error in distinct:
            if isinstance(error, CompileError):
                self._print_once(error.output)
        if not distinct:
            raise AssembleError("the build was stopped")
        for error in distinct:
            if len(distinct) == 1 or not isinstance(error, AsmsetupError):
                raise error
        of_nasm = [error for error in distinct if type(error) is AssembleError]
        whats = self._together([error.what for error in of_nasm])
        texts: dict[BaseException, str] = dict(zip(of_nasm, whats, strict=True))
        parts = (_text(error, texts.get(error)) for error in distinct)
        raise AssembleError("\n".join(filter(None, parts)))

    def stop(self) -> None:
        """Start nothing more; jobs that run go on."""
        self._queue.stop()


def _text(error: BaseException, what: str | None) -> str:
    if what is None or not isinstance(error, AsmsetupError):
        return str(error)
    return "\n  ".join(filter(None, (what, *error.ways_out)))


def was_cancelled(job: Job) -> bool:
    """Return whether a job was cancelled before it started."""
    return isinstance(job.error, StoppedError)

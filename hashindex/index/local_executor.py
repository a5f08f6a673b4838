"""Runs the tasks of a scan in worker processes of this machine, or in a given executor of concurrent.futures."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from hashindex.core.messages import Examined, Job, Verdict
from hashindex.core.options import Limits
from hashindex.index.executor import KnownDigests
from hashindex.pictures import worker_limits
from hashindex.pictures.examine import examine
from hashindex.pictures.isolated_reading import examine_without_decoding
from hashindex.pictures.isolated_worker import Result, reason_of_death
from hashindex.pictures.worker_pool import WorkerPool, available_processors, check_workers_start, run_isolated

if TYPE_CHECKING:
    from hashindex.hashing.packed import Block, Chunk, Words
    from hashindex.judge.pair_judge import Task

TOO_LONG_SHARE = 0.9
"""A decode that had run for this share of limits.seconds when the pool broke counts as the cause of its end."""


class _JoinsHere:
    """Joins keys in this process: the steps of that are few and large, and the compiled code has threads."""

    def join_by_chunks(
        self, keys: "Words", radius: int, chunks: "Sequence[Chunk]", *, compiled: bool = False
    ) -> "Iterator[Block]":
        from hashindex.hashing.packed import joined_by_chunks

        return joined_by_chunks(keys, radius, chunks, compiled=compiled)


class LocalExecutor(_JoinsHere):
    """A ScanExecutor over a WorkerPool, which its owner ends."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._broke_s: float | None = None
        """When the pool broke, by time.monotonic; None if it is whole."""

    def prepare(self, roots: Sequence[bytes]) -> None:
        """Nothing to check: the processes read the same paths."""

    def tasks_at_once(self) -> int:
        return self._pool.workers

    def examine(self, jobs: list[Job], known: frozenset[bytes], limits: Limits) -> Future[list[Examined]]:
        return self._submit(examine, jobs, known, limits)

    def judge(self, task: "Task") -> Future[list[Verdict]]:
        from hashindex.judge.pair_judge import judge_pairs

        return self._submit(judge_pairs, task)

    def _submit(self, work: Callable[..., Result], *arguments: Any) -> Future[Result]:
        try:
            future = self._pool.executor().submit(work, *arguments)
        except BrokenExecutor as error:
            # A picture has just crashed a process, and no result has shown it yet.
            future = Future()
            future.set_exception(error)
        future.add_done_callback(self._note_break)
        return future

    def _note_break(self, future: Future[Any]) -> None:
        if self._broke_s is None and not future.cancelled() and isinstance(future.exception(), BrokenExecutor):
            self._broke_s = time.monotonic()

    def _recover(self) -> tuple[dict[float, float], float]:
        """Discards the broken pool. Returns the files in progress, see WorkerPool.discard_broken, and when it broke."""
        in_progress = self._pool.discard_broken()
        broke_s, self._broke_s = self._broke_s, None
        return in_progress, time.monotonic() if broke_s is None else broke_s

    def examine_suspects(
        self, chunks: list[list[Job]], known: KnownDigests, limits: Limits
    ) -> Iterator[tuple[Job, Examined | None]]:
        """Examines, one by one, the files that were read when the pool broke. Files that end their process get a row.

        A file whose decode had run long enough is not tried again.
        """
        in_progress, broke_s = self._recover()
        jobs = [job for chunk in chunks for job in chunk]
        started = {job: in_progress[mark] for job in jobs if (mark := worker_limits.path_mark(job.path)) in in_progress}
        if not started:
            # The pool broke before any file was read: either no worker can start, or there is another cause.
            check_workers_start(limits)
        long_ago = broke_s - TOO_LONG_SHARE * limits.seconds
        slow = [job for job, started_s in started.items() if worker_limits.IDLE < started_s <= long_ago]
        for job in slow:
            yield job, examine_without_decoding(job, reason_of_death(True, limits), limits)
        culprits = len(slow)

        def undecoded(job: Job, why: str) -> Examined:
            nonlocal culprits
            culprits += 1
            return examine_without_decoding(job, why, limits)

        yield from _examined_alone([job for job in started if job not in slow], known, limits, undecoded)
        rest = [job for job in jobs if job not in started]
        if culprits:
            yield from ((job, None) for job in rest)
        else:
            # None of these files is the cause. Examine all unfinished files in isolation, so that the run ends.
            yield from _examined_alone(rest, known, limits, undecoded)

    def judge_suspects(self, tasks: "list[Task]") -> "Iterator[tuple[Task, list[Verdict]]]":
        from hashindex.judge.pair_judge import judge_by_signatures, judge_pairs, one_by_one

        self._recover()
        each = one_by_one(tasks)
        limits = each[0].limits
        yield from zip(each, run_isolated(limits, judge_pairs, each, judge_by_signatures), strict=True)


def _examined_alone(
    jobs: list[Job], known: KnownDigests, limits: Limits, on_crash: Callable[[Job, str], Examined]
) -> Iterator[tuple[Job, Examined]]:
    """Examines files one by one, each isolated."""
    if jobs:
        # Known digests are fetched once for all jobs: after a crash, copies among these files cost a decode each.
        work = partial(_examine_one, examine, known=known(jobs), limits=limits)
        yield from zip(jobs, run_isolated(limits, work, jobs, on_crash), strict=True)


def _examine_one(work: Callable[..., list[Examined]], job: Job, known: frozenset[bytes], limits: Limits) -> Examined:
    return work([job], known, limits)[0]


class GivenExecutor(_JoinsHere):
    """A ScanExecutor over an executor of concurrent.futures. If that breaks, the scan ends with BrokenExecutor."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def prepare(self, roots: Sequence[bytes]) -> None:
        """Its workers must read the same paths, which is not checked."""

    def tasks_at_once(self) -> int:
        return getattr(self._executor, "_max_workers", None) or available_processors()

    def examine(self, jobs: list[Job], known: frozenset[bytes], limits: Limits) -> Future[list[Examined]]:
        return self._executor.submit(examine, jobs, known, limits)

    def examine_suspects(self, chunks: list[list[Job]], known: KnownDigests, limits: Limits) -> NoReturn:
        raise BrokenExecutor("The executor that examines files broke.")

    def judge(self, task: "Task") -> Future[list[Verdict]]:
        from hashindex.judge.pair_judge import judge_pairs

        return self._executor.submit(judge_pairs, task)

    def judge_suspects(self, tasks: "list[Task]") -> NoReturn:
        raise BrokenExecutor("The executor that judges pairs broke.")

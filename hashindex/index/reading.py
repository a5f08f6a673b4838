"""Has the jobs of a scan examined by processes, and finds out whose fault it was where one of them breaks.

What is made of the results is scan.py's.
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from functools import partial

from hashindex.core.messages import Examined, Job
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.index.jobs import JobQueue
from hashindex.pictures import worker_limits
from hashindex.pictures.examine import examine, examine_undecoded
from hashindex.pictures.isolated_worker import IsolatedWorker, WorkerDied, reason_of_death
from hashindex.pictures.worker_pool import WorkerPool, available_processors, check_workers_start, run_isolated

LOOK_AHEAD = 50_000
"""How many changed files the walk may be ahead of the workers, about 10 MB: progress then knows what is left."""
DONE_AHEAD = 64
"""Chunks that may be done or under way at a time, some 5 MB of what workers gave back."""
LOOK_UP_S = 0.25
"""So long at most it waits for workers before progress is shown, and may end the run."""
ONE_WORKER_JOBS = 8
"""Up to this many changed files are read by one IsolatedWorker: starting a pool takes longer than reading them."""
TOO_LONG_SHARE = 0.9
"""A decode that was under way for so much of limits.seconds when a pool was last seen whole is why it broke."""


class Reader:
    """Of one feed; read is called once."""

    def __init__(
        self,
        feed: JobQueue,
        limits: Limits,
        *,
        workers: int | None,
        executor: Executor | None,
        pool: WorkerPool | None,
        known: Callable[[list[Job]], frozenset[bytes]],
        take: Callable[[list[Job], list[Examined]], list[Job]],
        commit: Callable[[], list[Job]],
        on_look: Callable[[bool], None],
    ) -> None:
        """executor, pool: as of scan.scan.

        known: digests that files of these sizes may have, which are not decoded again. take: hears what became of each
        job; commit: is called when all is read. Both give jobs that have to be done again. on_look: called several
        times a second with whether there may be more jobs than are known; may raise to end the run.
        """
        self._feed = feed
        self._limits = limits
        self._workers = workers
        self._executor = executor
        self._pool = pool
        self._known = known
        self._give = take
        self._commit = commit
        self._on_look = on_look
        self._sound_s = 0.0
        """When the pool was last seen whole, by time.monotonic."""

    def read(self) -> None:
        """Until the feed is empty. Raises BrokenExecutor where the executor that was given breaks."""
        self._feed.look_ahead(ONE_WORKER_JOBS + 1)
        if self._executor is not None:
            if not self._drain(self._executor):
                raise BrokenExecutor("The executor that examines files broke down.")
            return
        if not self._feed or (self._pool is None and len(self._feed) <= ONE_WORKER_JOBS):
            self._read_few()
            return
        pool = self._pool or WorkerPool(self._limits, self._workers)
        try:
            while not self._drain(pool.executor()):
                # A decoder took its process down with it. Find the file, then go on with fresh processes.
                self._examine_suspects(pool.discard_broken())
        finally:
            if pool is not self._pool:
                pool.finish()

    def _read_few(self) -> None:
        with IsolatedWorker(self._limits) as worker:
            while chunk := self._feed.take():
                known = self._known(chunk)
                results: list[Examined] = []
                for job in chunk:
                    met = {examined.digest for examined in results if examined.digest is not None}
                    try:
                        results += worker.run(examine, [job], known | met, self._limits)
                    except WorkerDied as ended:
                        results.append(_left_out(job, reason_of_death(ended.too_long, self._limits), worker))
                self._take(chunk, results)
                self._feed.look_ahead(ONE_WORKER_JOBS)
                if not self._feed:
                    self._feed.again(self._commit())
                self._on_look(True)

    def _drain(self, pool: Executor) -> bool:
        """Examines until the feed is empty. False where the pool broke; the feed then holds what was under way."""
        pending: deque[tuple[Future[list[Examined]], list[Job]]] = deque()
        most = 3 * (getattr(pool, "_max_workers", None) or available_processors())
        while True:
            # What is done behind a slow chunk waits for it, to be written in order; workers get more meanwhile.
            under_way = [future for future, _ in pending if not future.done()]
            while len(under_way) < most and len(pending) < DONE_AHEAD and (chunk := self._feed.take()):
                under_way.append(pool.submit(examine, chunk, self._known(chunk), self._limits))
                pending.append((under_way[-1], chunk))
            walking = self._feed.look_ahead(LOOK_AHEAD, at_most=1000)
            looked_s = time.monotonic()
            if pending:
                if not pending[0][0].done():
                    wait(under_way, timeout=0 if walking else LOOK_UP_S, return_when=FIRST_COMPLETED)
                    looked_s = time.monotonic()
                while pending and pending[0][0].done():
                    future, chunk = pending.popleft()
                    try:
                        examined = future.result()
                    except BrokenExecutor:
                        self._keep_what_is_done([(future, chunk), *pending])
                        return False
                    self._take(chunk, examined)
            elif not self._feed:
                self._feed.again(self._commit())
                if not self._feed:
                    return True
            self._sound_s = looked_s
            self._on_look(walking)

    def _keep_what_is_done(self, pending: list[tuple[Future[list[Examined]], list[Job]]]) -> None:
        """Of a pool that broke; what was not done goes back to the feed."""
        for future, chunk in pending:
            if future.done() and future.exception() is None:
                self._take(chunk, future.result())
            else:
                self._feed.put_back(chunk)

    def _examine_suspects(self, in_progress: dict[float, float]) -> None:
        """Examines what the workers had in hand when their pool broke, one by one: who breaks that too gets a row.

        in_progress: result of WorkerPool.discard_broken. One that was timed for long enough is not tried again.
        """
        limits = self._limits
        chunks = self._feed.take_back()
        jobs = [job for chunk in chunks for job in chunk]
        for chunk in chunks:
            self._feed.done(chunk)
        since = {job: in_progress[mark] for job in jobs if (mark := worker_limits.path_mark(job.path)) in in_progress}
        if not since:
            # It broke before a worker had anything in hand: none can be started, or it was something else altogether.
            check_workers_start(limits)
        long_ago = self._sound_s - TOO_LONG_SHARE * limits.seconds
        slow = [job for job, timed in since.items() if worker_limits.IDLE < timed <= long_ago]
        found = len(slow)
        for job in slow:
            self._take([job], [examine_without_decoding(job, reason_of_death(True, limits), limits)])
        found += self._examine_apart([job for job in since if job not in slow])
        rest = [job for job in jobs if job not in since]
        if found:
            self._feed.again(rest)
        else:
            # None of them did it; so that no run goes round in circles, all that was under way is looked at apart.
            self._examine_apart(rest)

    def _examine_apart(self, jobs: list[Job]) -> int:
        """One by one; returns how many took their process down."""
        if not jobs:
            return 0
        limits = self._limits
        ended: list[Job] = []

        def left_out(job: Job, why: str) -> Examined:
            ended.append(job)
            return examine_without_decoding(job, why, limits)

        # Asked before the first of them: here, after a crash, copies among them cost a decode each.
        work = partial(_examine_one, examine, known=self._known(jobs), limits=limits)
        for job, examined in zip(jobs, run_isolated(limits, work, jobs, left_out), strict=True):
            self._take([job], [examined])
        return len(ended)

    def _take(self, chunk: list[Job], results: list[Examined]) -> None:
        self._feed.done(chunk)
        self._feed.again(self._give(chunk, results))


def _examine_one(work: Callable[..., list[Examined]], job: Job, known: frozenset[bytes], limits: Limits) -> Examined:
    return work([job], known, limits)[0]


def examine_without_decoding(job: Job, why: str, limits: Limits) -> Examined:
    """The row of a file whose decode took its process down: its digest, and why as its problem; by another process."""
    with IsolatedWorker(limits) as worker:
        return _left_out(job, why, worker)


def _left_out(job: Job, why: str, worker: IsolatedWorker) -> Examined:
    """The row of a file whose decode took its process down."""
    try:
        return worker.run(examine_undecoded, job, why, worker.limits)
    except WorkerDied:
        # Not even reading it went well.
        return Examined(job.path, files.stat_at(job.path), time.time_ns(), problem=why)

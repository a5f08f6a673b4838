"""Runs the jobs of a scan in worker processes. If a process dies, finds the file that killed it.

scan.py records the results.
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
"""How many changed files the walk may be ahead of the workers, about 10 MB. Progress then has a total."""
DONE_AHEAD = 64
"""Maximum of chunks that are under way or wait to be recorded, about 5 MB of results."""
LOOK_UP_S = 0.25
"""Maximum wait for workers between two calls of on_look, which shows progress and may end the run."""
ONE_WORKER_JOBS = 8
"""Up to this many changed files are read by one process (IsolatedWorker): starting a pool would take longer."""
TOO_LONG_SHARE = 0.9
"""A decode that had run for this share of limits.seconds when the pool last worked counts as the cause of its end."""


class Reader:
    """Reads the files of one queue; read is called once."""

    def __init__(
        self,
        queue: JobQueue,
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
        """executor, pool: see scan.scan.

        known: returns the digests that files of these sizes may have; pictures with these digests are not decoded
        again. take: receives the results of a chunk. commit: called when all files are read. Both return jobs that
        must be done again. on_look: called several times a second; its argument says whether the walk may find more
        jobs. It may raise to end the run.
        """
        self._queue = queue
        self._limits = limits
        self._workers = workers
        self._executor = executor
        self._pool = pool
        self._known = known
        self._take_results = take
        self._commit = commit
        self._on_look = on_look
        self._last_working_s = 0.0
        """When the pool last worked, by time.monotonic."""

    def read(self) -> None:
        """Reads until the queue is empty. Raises BrokenExecutor if the given executor breaks."""
        self._queue.look_ahead(ONE_WORKER_JOBS + 1)
        if self._executor is not None:
            if not self._drain(self._executor):
                raise BrokenExecutor("The executor that examines files broke.")
            return
        if not self._queue or (self._pool is None and len(self._queue) <= ONE_WORKER_JOBS):
            self._read_in_one_worker()
            return
        pool = self._pool or WorkerPool(self._limits, self._workers)
        try:
            while not self._drain(pool.executor()):
                # A decoder killed its process. Find the file, then go on with new processes.
                self._examine_suspects(pool.discard_broken())
        finally:
            if pool is not self._pool:
                pool.finish()

    def _read_in_one_worker(self) -> None:
        with IsolatedWorker(self._limits) as worker:
            while chunk := self._queue.take():
                known = self._known(chunk)
                results: list[Examined] = []
                for job in chunk:
                    read_digests = {examined.digest for examined in results if examined.digest is not None}
                    try:
                        results += worker.run(examine, [job], known | read_digests, self._limits)
                    except WorkerDied as died:
                        results.append(_undecoded(job, reason_of_death(died.too_long, self._limits), worker))
                self._take(chunk, results)
                self._queue.look_ahead(ONE_WORKER_JOBS)
                if not self._queue:
                    self._queue.again(self._commit())
                self._on_look(True)

    def _drain(self, pool: Executor) -> bool:
        """Examines until the queue is empty. If the pool broke, returns False and puts unfinished chunks back."""
        pending: deque[tuple[Future[list[Examined]], list[Job]]] = deque()
        most_under_way = 3 * (getattr(pool, "_max_workers", None) or available_processors())
        while True:
            # Results are recorded in order, so finished chunks wait for a slow one; workers get more chunks meanwhile.
            under_way = [future for future, _ in pending if not future.done()]
            while len(under_way) < most_under_way and len(pending) < DONE_AHEAD and (chunk := self._queue.take()):
                under_way.append(pool.submit(examine, chunk, self._known(chunk), self._limits))
                pending.append((under_way[-1], chunk))
            walking = self._queue.look_ahead(LOOK_AHEAD, at_most=1000)
            working_s = time.monotonic()
            if pending:
                if not pending[0][0].done():
                    wait(under_way, timeout=0 if walking else LOOK_UP_S, return_when=FIRST_COMPLETED)
                    working_s = time.monotonic()
                while pending and pending[0][0].done():
                    future, chunk = pending.popleft()
                    try:
                        examined = future.result()
                    except BrokenExecutor:
                        self._keep_what_is_done([(future, chunk), *pending])
                        return False
                    self._take(chunk, examined)
            elif not self._queue:
                self._queue.again(self._commit())
                if not self._queue:
                    return True
            self._last_working_s = working_s
            self._on_look(walking)

    def _keep_what_is_done(self, pending: list[tuple[Future[list[Examined]], list[Job]]]) -> None:
        """After a pool broke: takes finished results and puts unfinished chunks back into the queue."""
        for future, chunk in pending:
            if future.done() and future.exception() is None:
                self._take(chunk, future.result())
            else:
                self._queue.put_back(chunk)

    def _examine_suspects(self, in_hand: dict[float, float]) -> None:
        """Examines, one by one, the files that were read when the pool broke. Files that kill their worker get a row.

        in_hand: the result of WorkerPool.give_up. A file whose decode had run long enough is not tried again.
        """
        limits = self._limits
        chunks = self._queue.take_back()
        jobs = [job for chunk in chunks for job in chunk]
        for chunk in chunks:
            self._queue.done(chunk)
        started = {job: in_hand[mark] for job in jobs if (mark := worker_limits.path_mark(job.path)) in in_hand}
        if not started:
            # The pool broke before any file was read: either no worker can start, or there is another cause.
            check_workers_start(limits)
        long_ago = self._last_working_s - TOO_LONG_SHARE * limits.seconds
        slow = [job for job, started_s in started.items() if worker_limits.IDLE < started_s <= long_ago]
        culprits = len(slow)
        for job in slow:
            self._take([job], [examine_without_decoding(job, reason_of_death(True, limits), limits)])
        culprits += self._examine_isolated([job for job in started if job not in slow])
        rest = [job for job in jobs if job not in started]
        if culprits:
            self._queue.again(rest)
        else:
            # None of these files is the cause. Examine all unfinished files in isolation, so that the run ends.
            self._examine_isolated(rest)

    def _examine_isolated(self, jobs: list[Job]) -> int:
        """Examines files one by one, each isolated. Returns how many killed their process."""
        if not jobs:
            return 0
        limits = self._limits
        died: list[Job] = []

        def undecoded(job: Job, why: str) -> Examined:
            died.append(job)
            return examine_without_decoding(job, why, limits)

        # Known digests are fetched once for all jobs: after a crash, copies among these files cost a decode each.
        work = partial(_examine_one, examine, known=self._known(jobs), limits=limits)
        for job, examined in zip(jobs, run_isolated(limits, work, jobs, undecoded), strict=True):
            self._take([job], [examined])
        return len(died)

    def _take(self, chunk: list[Job], results: list[Examined]) -> None:
        self._queue.done(chunk)
        self._queue.again(self._take_results(chunk, results))


def _examine_one(work: Callable[..., list[Examined]], job: Job, known: frozenset[bytes], limits: Limits) -> Examined:
    return work([job], known, limits)[0]


def examine_without_decoding(job: Job, why: str, limits: Limits) -> Examined:
    """The row of a file whose decode killed its process: the digest, from another process, and why as the problem."""
    with IsolatedWorker(limits) as worker:
        return _undecoded(job, why, worker)


def _undecoded(job: Job, why: str, worker: IsolatedWorker) -> Examined:
    """The row of a file whose decode killed its process."""
    try:
        return worker.run(examine_undecoded, job, why, worker.limits)
    except WorkerDied:
        # Reading the bytes failed too.
        return Examined(job.path, files.stat_at(job.path), time.time_ns(), problem=why)

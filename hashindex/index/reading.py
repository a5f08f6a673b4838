"""Has an executor run the jobs of a scan, a bounded number of chunks at a time. scan.py records the results."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait

from hashindex.core.errors import HashIndexError
from hashindex.core.messages import Examined, Job
from hashindex.core.options import Limits
from hashindex.index.executor import KnownDigests, ScanExecutor
from hashindex.index.jobs import JobQueue
from hashindex.index.local_executor import LocalExecutor
from hashindex.pictures.isolated_reading import examine_each
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.pictures.worker_pool import WorkerPool

LOOK_AHEAD = 50_000
"""How many changed files the walk may be ahead of the workers, about 10 MB. Progress then has a total."""
DONE_AHEAD = 64
DONE_AHEAD_EACH = 4
"""Most chunks that are under way or wait to be recorded: DONE_AHEAD, about 5 MB of results, or DONE_AHEAD_EACH for each
of tasks_at_once if that is more."""
LOOK_UP_S = 0.25
"""Maximum wait for workers between two calls of on_look, which shows progress and may end the run."""
ONE_WORKER_JOBS = 8
"""Up to this many changed files are read by one process (IsolatedWorker): starting a pool would take longer."""


class Reader:
    """Reads the files of one queue; read is called once."""

    def __init__(
        self,
        queue: JobQueue,
        limits: Limits,
        *,
        workers: int | None,
        executor: ScanExecutor | None,
        known: KnownDigests,
        take: Callable[[list[Job], list[Examined]], list[Job]],
        commit: Callable[[], list[Job]],
        on_look: Callable[[bool], None],
    ) -> None:
        """executor: see scan.scan.

        known: pictures with these digests are not decoded again. take: receives the results of a chunk. commit: called
        when all files are read. Both return jobs that must be done again. on_look: called several times a second; its
        argument says whether the walk may find more jobs. It may raise to end the run.
        """
        self._queue = queue
        self._limits = limits
        self._workers = workers
        self._executor = executor
        self._known = known
        self._take_results = take
        self._commit = commit
        self._on_look = on_look

    def read(self) -> None:
        """Reads until the queue is empty. Raises what the given executor raises."""
        self._queue.look_ahead(ONE_WORKER_JOBS + 1)
        if self._executor is not None:
            self._read_by(self._executor)
        elif len(self._queue) <= ONE_WORKER_JOBS:
            self._read_in_one_worker()
        else:
            pool = WorkerPool(self._limits, self._workers)
            try:
                self._read_by(LocalExecutor(pool))
            finally:
                pool.finish()

    def _read_in_one_worker(self) -> None:
        with IsolatedWorker(self._limits) as worker:
            while chunk := self._queue.take():
                self._take(chunk, examine_each(worker, chunk, self._known(chunk)))
                self._queue.look_ahead(ONE_WORKER_JOBS)
                if not self._queue:
                    self._queue.again(self._commit())
                self._on_look(True)

    def _read_by(self, executor: ScanExecutor) -> None:
        while unfinished := self._drain(executor):
            # A picture ended the process that decoded it. Find the file, then go on.
            for chunk in unfinished:
                self._queue.done(chunk)
            for job, examined in executor.examine_suspects(unfinished, self._known, self._limits):
                if examined is None:
                    self._queue.again([job])
                else:
                    self._take([job], [examined])

    def _drain(self, executor: ScanExecutor) -> list[list[Job]]:
        """Examines until the queue is empty, or until a task ends with BrokenExecutor. Returns unfinished chunks."""
        pending: deque[tuple[Future[list[Examined]], list[Job]]] = deque()
        unfinished: list[list[Job]] = []
        while True:
            at_once = executor.tasks_at_once()
            # Results are recorded in order, so finished chunks wait for a slow one; workers get more chunks meanwhile.
            most_pending = max(DONE_AHEAD, DONE_AHEAD_EACH * at_once)
            under_way = [future for future, _ in pending if not future.done()]
            while (
                not unfinished
                and len(under_way) < 3 * at_once
                and len(pending) < most_pending
                and (chunk := self._queue.take())
            ):
                under_way.append(executor.examine(chunk, self._known(chunk), self._limits))
                pending.append((under_way[-1], chunk))
            walking = self._queue.look_ahead(LOOK_AHEAD, at_most=1000)
            if pending:
                if not pending[0][0].done():
                    wait(under_way, timeout=0 if walking else LOOK_UP_S, return_when=FIRST_COMPLETED)
                unfinished += self._take_finished(pending)
            elif unfinished:
                return unfinished
            elif not self._queue:
                self._queue.again(self._commit())
                if not self._queue:
                    return []
            self._on_look(walking)

    def _take_finished(self, pending: deque[tuple[Future[list[Examined]], list[Job]]]) -> list[list[Job]]:
        """Takes the results of the first chunks, as far as these are done. Returns chunks whose task broke."""
        broken: list[list[Job]] = []
        while pending and pending[0][0].done():
            future, chunk = pending.popleft()
            try:
                examined = future.result()
            except BrokenExecutor:
                broken.append(chunk)
                continue
            except HashIndexError:
                # The run ends here. Keep what is done.
                for later, its_chunk in pending:
                    if later.done() and later.exception() is None:
                        self._take(its_chunk, later.result())
                raise
            self._take(chunk, examined)
        return broken

    def _take(self, chunk: list[Job], results: list[Examined]) -> None:
        self._queue.done(chunk)
        self._queue.again(self._take_results(chunk, results))

"""Pools of worker processes that decode pictures, and what to do when a picture crashes one."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, TypeVar

from hashindex.core.errors import UsageError
from hashindex.core.language import Message
from hashindex.core.options import Limits
from hashindex.pictures import isolated_worker, worker_limits
from hashindex.pictures.isolated_worker import IsolatedWorker, Result, WorkerDied, has_one_thread

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

ISOLATED_MOST = 24
"""Up to this many pictures are processed by one IsolatedWorker, because starting a pool takes longer."""
CHUNK = 16
"""Pictures per task of a worker."""

Argument = TypeVar("Argument")


def make_pool(
    limits: Limits, workers: int | None = None, notes: worker_limits.Notes | None = None, *, low_priority: bool = False
) -> ProcessPoolExecutor:
    """Worker processes that ignore Ctrl-C and end with this process. workers: None means one per processor.

    low_priority: they run with nice 19. notes: from make_notes; each worker notes its current file there.

    They are forked if this process has one thread, as the command line has; with more, a lock that another thread holds
    would stay locked in the fork. Otherwise a fork server imports the decoder once for all workers, in 0.2 s.
    """
    method = _method()
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["hashindex.pictures.examine", "hashindex.pictures.thumbnails"])
    counter = context.Value("i", 0)
    return ProcessPoolExecutor(
        workers or available_processors(),
        mp_context=context,
        initializer=_start_in_pool,
        initargs=(limits, notes, counter, low_priority),
    )


def _method() -> str:
    methods = multiprocessing.get_all_start_methods()
    if "fork" in methods and has_one_thread():
        return "fork"
    return "forkserver" if "forkserver" in methods else "spawn"


def make_notes(workers: int) -> worker_limits.Notes:
    """Shared memory for the notes of a pool with that many workers."""
    count = worker_limits.NOTE_SIZE * workers
    notes: worker_limits.Notes = multiprocessing.get_context(_method()).RawArray("d", [worker_limits.IDLE] * count)
    return notes


def _start_in_pool(
    limits: Limits, notes: worker_limits.Notes | None, counter: "Synchronized[int]", low_priority: bool
) -> None:
    with counter.get_lock():
        number = counter.value
        counter.value += 1
    # A pool never replaces a worker, so each has a note. If one had none, it would write no notes.
    if notes is not None and (number + 1) * worker_limits.NOTE_SIZE > len(notes):
        notes = None
    isolated_worker.start_worker(limits, notes, number, low_priority=low_priority)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    """Ends this worker with its parent. The queue would not end it, because the workers themselves keep it open."""
    parent.join()
    os._exit(1)


class WorkerPool:
    """A pool that is started when it is first needed and kept until one of its methods ends it."""

    def __init__(self, limits: Limits, workers: int | None = None, *, low_priority: bool = False) -> None:
        self.workers = workers or available_processors()
        self._limits = limits
        self._low_priority = low_priority
        self._executor: ProcessPoolExecutor | None = None
        self._notes: worker_limits.Notes = []

    def executor(self) -> ProcessPoolExecutor:
        """The current executor. After any of the methods below, a new one is started."""
        if self._executor is None:
            self._notes = make_notes(self.workers)
            self._executor = make_pool(self._limits, self.workers, self._notes, low_priority=self._low_priority)
        return self._executor

    def discard_broken(self) -> dict[float, float]:
        """Discards a broken pool. Returns the files that its workers were processing.

        Keys are worker_limits.path_mark; values are time.monotonic at the start of the decode, or worker_limits.IDLE.
        """
        if self._executor is None:
            return {}
        # The workers ended when the pool broke. Waiting ends its threads too, so that the next pool can be forked.
        self._executor.shutdown(wait=True)
        self._executor = None
        in_progress = dict(
            zip(self._notes[:: worker_limits.NOTE_SIZE], self._notes[1 :: worker_limits.NOTE_SIZE], strict=True)
        )
        in_progress.pop(worker_limits.IDLE, None)
        return in_progress

    def drop(self) -> None:
        """Ends the processes when their current tasks are done, without waiting."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    def finish(self) -> None:
        """Ends the processes when their current tasks are done, and waits for that."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None

    def stop(self) -> None:
        """Kills the processes. They only read files, so nothing is lost."""
        if self._executor is not None:
            executor, self._executor = self._executor, None
            # Only its own processes: the program that uses this package may have other children. kill_workers of Python
            # 3.14 reads the same attribute.
            own = list((getattr(executor, "_processes", None) or {}).values())
            executor.shutdown(wait=False, cancel_futures=True)
            for process in own:
                process.kill()


def check_workers_start(limits: Limits) -> None:
    """Raises UsageError if a pool cannot start any worker process; then no picture is the cause."""
    pool = make_pool(limits, 1)
    try:
        pool.submit(os.getpid).result()
    except BrokenExecutor as error:
        raise UsageError(
            Message(
                "No worker process can be started; a script that calls this function needs "
                '`if __name__ == "__main__":` around the call.'
            )
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def map_isolated(
    limits: Limits,
    work: Callable[[Argument], Result],
    items: Sequence[Argument],
    on_crash: Callable[[Argument, str], Result],
    workers: int | None = None,
    *,
    chunk: int = CHUNK,
    low_priority: bool = False,
) -> Iterator[Result]:
    """Yields work(item) for each item, in order, run by worker processes. chunk: items per task of a worker.

    If an item crashes its process, on_crash(item, reason) is yielded instead. Up to ISOLATED_MOST items are run by one
    process, more by a pool; then a main script needs `if __name__ == "__main__":`. work must be picklable. Raises
    UsageError if no process can be started.
    """
    if len(items) <= ISOLATED_MOST:
        yield from _one_by_one(limits, work, items, on_crash, low_priority)
        return
    workers = workers or available_processors()
    waiting = deque(items[start : start + chunk] for start in range(0, len(items), chunk))
    while waiting:
        running: deque[tuple[Sequence[Argument], Future[list[Result]]]] = deque()
        pool = make_pool(limits, workers, low_priority=low_priority)
        try:
            while waiting or running:
                # Submitted ahead of the chunk that is waited for, so that no worker is idle.
                while waiting and len(running) < 4 * workers:
                    running.append((waiting[0], pool.submit(_work_each, work, waiting[0])))
                    waiting.popleft()
                result = running[0][1].result()
                running.popleft()
                yield from result
        except BrokenExecutor:
            # A decoder crashed. Which picture did it is found by running them one by one.
            pool.shutdown(wait=True)
            unfinished = [item for items_of_task, _ in running for item in items_of_task]
            yield from run_isolated(limits, work, unfinished, on_crash, low_priority=low_priority)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _work_each(work: Callable[[Argument], Result], items: Sequence[Argument]) -> list[Result]:
    return [work(item) for item in items]


def run_isolated(
    limits: Limits,
    work: Callable[[Argument], Result],
    items: Sequence[Argument],
    on_crash: Callable[[Argument, str], Result],
    *,
    low_priority: bool = False,
) -> Iterator[Result]:
    """Yields work(item) for each item, run one by one in an IsolatedWorker, or on_crash(item, reason) if that dies.

    For the items that were in progress when a pool broke. Raises UsageError if no process can be started.
    """
    check_workers_start(limits)
    yield from _one_by_one(limits, work, items, on_crash, low_priority)


def _one_by_one(
    limits: Limits,
    work: Callable[[Argument], Result],
    items: Sequence[Argument],
    on_crash: Callable[[Argument, str], Result],
    low_priority: bool,
) -> Iterator[Result]:
    with IsolatedWorker(limits, low_priority=low_priority) as worker:
        yield from run_in(worker, work, items, on_crash)


def run_in(
    worker: IsolatedWorker,
    work: Callable[[Argument], Result],
    items: Iterable[Argument],
    on_crash: Callable[[Argument, str], Result],
) -> Iterator[Result]:
    """Yields work(item) for each item, run one by one in this worker, or on_crash(item, reason) if that dies."""
    for item in items:
        try:
            result = worker.run(work, item)
        except WorkerDied as death:
            result = on_crash(item, isolated_worker.reason_of_death(death.too_long, worker.limits))
        yield result


def available_processors() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

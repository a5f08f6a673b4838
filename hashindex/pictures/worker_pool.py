"""Pools of processes that decode pictures: how they are started, and what it means when one breaks."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, TypeVar

from hashindex.core.errors import UsageError
from hashindex.core.options import Limits
from hashindex.pictures import isolated_worker, worker_limits
from hashindex.pictures.isolated_worker import IsolatedWorker, Made, WorkerDied, has_one_thread

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

FEW = 24
"""So few pictures are looked at by one process (see solo.py): starting a pool takes longer."""
CHUNK = 16
"""Pictures in one task of a worker."""

Given = TypeVar("Given")


def make_pool(
    limits: Limits, workers: int | None = None, notes: worker_limits.Notes | None = None, *, low_priority: bool = False
) -> ProcessPoolExecutor:
    """Processes that leave Ctrl-C to this one, and end when it does; workers: None is one a processor.

    polite: they leave the processor to whoever else wants it.

    A plain fork where this process has one thread, as the command line has: a lock that another thread holds would
    stay shut in the copy for ever. Else a fork server, which imports the decoder once for all workers, in 0.2 s.
    notes: from make_notes; each worker writes down in its own place what it has in hand.
    """
    method = _method()
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["hashindex.pictures.examine", "hashindex.pictures.thumbnails"])
    places = context.Value("i", 0)
    return ProcessPoolExecutor(
        workers or available_processors(),
        mp_context=context,
        initializer=_start_in_pool,
        initargs=(limits, notes, places, low_priority),
    )


def _method() -> str:
    methods = multiprocessing.get_all_start_methods()
    if "fork" in methods and has_one_thread():
        return "fork"
    return "forkserver" if "forkserver" in methods else "spawn"


def make_notes(workers: int | None) -> worker_limits.Notes:
    """Room for the notes of a pool of so many."""
    count = worker_limits.NOTE * (workers or available_processors())
    notes: worker_limits.Notes = multiprocessing.get_context(_method()).RawArray("d", [worker_limits.NOTHING] * count)
    return notes


def _start_in_pool(
    limits: Limits, notes: worker_limits.Notes | None, places: "Synchronized[int]", low_priority: bool
) -> None:
    if low_priority and hasattr(os, "nice"):
        os.nice(19)
    with places.get_lock():
        place = places.value
        places.value += 1
    # A pool replaces no worker while it lives, so none is without a place; if one were, it would keep no notes.
    if notes is not None and (place + 1) * worker_limits.NOTE > len(notes):
        notes = None
    isolated_worker.start_worker(limits, notes, place)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    """A pool's queue is held open by the workers themselves: of a parent that was killed it would tell them nothing."""
    parent.join()
    os._exit(1)


class WorkerPool:
    """Processes that are started when they are first needed, and kept until they are let go."""

    def __init__(self, limits: Limits, workers: int | None = None, *, low_priority: bool = False) -> None:
        """As of make_pool."""
        self._limits = limits
        self._workers = workers
        self._low_priority = low_priority
        self._executor: ProcessPoolExecutor | None = None
        self._notes: worker_limits.Notes = []

    def executor(self) -> ProcessPoolExecutor:
        """What to hand work to, now: the next one after give_up or let_go is another."""
        if self._executor is None:
            self._notes = make_notes(self._workers)
            self._executor = make_pool(self._limits, self._workers, self._notes, low_priority=self._low_priority)
        return self._executor

    def give_up(self) -> dict[float, float]:
        """For a pool that broke: what its workers had in hand.

        guard.mark_of each file, and since when by time.monotonic its decode was timed; guard.NOTHING if it was not.
        """
        if self._executor is None:
            return {}
        # Its workers were ended when it broke, and its threads end with them: with none left, the next one is forked.
        self._executor.shutdown(wait=True)
        self._executor = None
        in_hand = dict(zip(self._notes[:: worker_limits.NOTE], self._notes[1 :: worker_limits.NOTE], strict=True))
        in_hand.pop(worker_limits.NOTHING, None)
        return in_hand

    def drop(self) -> None:
        """Ends the processes when they are through with what they have; waits for nothing."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    def let_go(self) -> None:
        """Ends the processes when what they have begun is done."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None

    def stop(self) -> None:
        """Ends the processes now: they only read, so nothing is lost but their time."""
        if self._executor is not None:
            executor, self._executor = self._executor, None
            # Its own: other children of this process are those of the program that uses this package. Python 3.14 has
            # kill_workers, which reads the same attribute.
            own = list((getattr(executor, "_processes", None) or {}).values())
            executor.shutdown(wait=False, cancel_futures=True)
            for process in own:
                process.kill()


def check_that_one_starts(limits: Limits) -> None:
    """Raises UsageError where no worker process of a pool can be started: then no picture is at fault."""
    pool = make_pool(limits, 1)
    try:
        pool.submit(os.getpid).result()
    except BrokenExecutor as error:
        raise UsageError(
            "No worker process can be started; a script that calls this needs "
            '`if __name__ == "__main__":` around the call.'
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def each_isolated(
    limits: Limits,
    work: Callable[[Given], Made],
    given: Sequence[Given],
    otherwise: Callable[[Given, str], Made],
    workers: int | None = None,
) -> Iterator[Made]:
    """work of each, in order and when it is ready, by other processes; otherwise(one, why) where one ends its process.

    At most FEW are done by one process, more by a pool, which a program that calls this from its main script has to
    expect (`__name__ == "__main__"`). work must be picklable. UsageError where no process can be started.
    """
    if len(given) <= FEW:
        yield from _one_by_one(limits, work, given, otherwise)
        return
    workers = workers or available_processors()
    waiting = deque(given[start : start + CHUNK] for start in range(0, len(given), CHUNK))
    while waiting:
        under_way: deque[tuple[Sequence[Given], Future[list[Made]]]] = deque()
        pool = make_pool(limits, workers)
        try:
            while waiting or under_way:
                # Some chunks ahead of the one that is waited for, so that no worker is ever idle.
                while waiting and len(under_way) < 4 * workers:
                    under_way.append((waiting[0], pool.submit(_work_each, work, waiting[0])))
                    waiting.popleft()
                made = under_way[0][1].result()
                under_way.popleft()
                yield from made
        except BrokenExecutor:
            # Some decoder took its process along; whose picture it was shows one by one.
            pool.shutdown(wait=True)
            yield from run_isolated(limits, work, [one for chunk, _ in under_way for one in chunk], otherwise)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _work_each(work: Callable[[Given], Made], given: Sequence[Given]) -> list[Made]:
    return [work(one) for one in given]


def run_isolated(
    limits: Limits, work: Callable[[Given], Made], given: Sequence[Given], otherwise: Callable[[Given, str], Made]
) -> Iterator[Made]:
    """work of each, one by one in a process of its own; otherwise(one, why) for a one that takes its process down.

    For what was under way when a pool broke. Raises UsageError where no process starts at all: then it is nobody's
    fault among `given`.
    """
    check_that_one_starts(limits)
    yield from _one_by_one(limits, work, given, otherwise)


def _one_by_one(
    limits: Limits, work: Callable[[Given], Made], given: Sequence[Given], otherwise: Callable[[Given, str], Made]
) -> Iterator[Made]:
    with IsolatedWorker(limits) as worker:
        for one in given:
            try:
                made = worker.run(work, one)
            except WorkerDied as ended:
                made = otherwise(one, isolated_worker.sentence(ended.too_long, limits))
            yield made


def available_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""Pools of processes that decode pictures: how they are started, and what it means when one breaks."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from typing import TypeVar

from hashindex.errors import UsageError
from hashindex.examine import start_worker
from hashindex.model import Limits

Given = TypeVar("Given")
Made = TypeVar("Made")


def make_pool(limits: Limits, workers: int | None = None, *, polite: bool = False) -> ProcessPoolExecutor:
    """Processes that leave Ctrl-C to this one, and end when it does; workers: None is one a processor.

    polite: they leave the processor to whoever else wants it.

    A plain fork where this process has one thread, as the command line has: a lock that another thread holds would
    stay shut in the copy for ever. Else a fork server, which imports the decoder once for all workers, in 0.2 s.
    """
    methods = multiprocessing.get_all_start_methods()
    if "fork" in methods and has_one_thread():
        method = "fork"
    else:
        method = "forkserver" if "forkserver" in methods else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["hashindex.examine", "hashindex.thumbnails"])
    return ProcessPoolExecutor(
        workers or available_processors(), mp_context=context, initializer=start_worker, initargs=(limits, polite)
    )


class Pool:
    """Processes that are started when they are first needed, and kept until they are let go."""

    def __init__(self, limits: Limits, workers: int | None = None, *, polite: bool = False) -> None:
        """As of make_pool."""
        self._limits = limits
        self._workers = workers
        self._polite = polite
        self._executor: ProcessPoolExecutor | None = None

    def executor(self) -> ProcessPoolExecutor:
        """What to hand work to, now: the next one after give_up or let_go is another."""
        if self._executor is None:
            self._executor = make_pool(self._limits, self._workers, polite=self._polite)
        return self._executor

    def give_up(self) -> None:
        """For a pool that broke."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None

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
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None
            for process in multiprocessing.active_children():
                process.kill()


def has_one_thread() -> bool:
    """Whether this process has a single thread, those of libraries counted; False where nobody says (not Linux)."""
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


def apart(
    limits: Limits, work: Callable[[Given], Made], given: Sequence[Given], otherwise: Callable[[Given], Made]
) -> Iterator[Made]:
    """work of each, one by one in a process of its own; otherwise(one) for a one that takes its process down.

    For what was under way when a pool broke. Raises UsageError where no process starts at all: then it is nobody's
    fault among `given`, and each of thousands would start one more in vain.
    """
    pool = make_pool(limits, 1)
    try:
        try:
            pool.submit(os.getpid).result()
        except BrokenExecutor as error:
            raise UsageError(
                "No worker process can be started; a script that calls this needs "
                '`if __name__ == "__main__":` around the call.'
            ) from error
        for one in given:
            try:
                yield pool.submit(work, one).result()
            except BrokenExecutor:
                pool.shutdown(wait=False)
                pool = make_pool(limits, 1)
                yield otherwise(one)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def available_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

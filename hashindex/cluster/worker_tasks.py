"""What runs in a Dask worker: each task goes on to a child process, which a picture may crash. Writes nothing."""

import os
import pickle
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from hashindex import __version__
from hashindex.cluster.path_map import moved
from hashindex.core.language import Message
from hashindex.core.messages import COMPARE_KEYS_VERSION, JUDGE_VERSION, Examined, Job, Verdict
from hashindex.core.options import Limits
from hashindex.disk import files
from hashindex.hashing.packed import Block, Chunk, Shard, has_compiled, joined_by_chunks
from hashindex.index.content_keys import with_keys
from hashindex.judge.pair_judge import Task, judge_pairs
from hashindex.pictures.decode import PREPARATION_VERSION, decoder_stamp
from hashindex.pictures.isolated_reading import examine_together
from hashindex.pictures.isolated_worker import IsolatedWorker, Result, WorkerDied


class OtherVersion(Exception):
    """The worker has other versions than the machine that sent the task."""

    def __init__(self, worker: str, theirs: str) -> None:
        super().__init__(worker, theirs)
        self.worker = worker
        self.theirs = theirs


@cache
def own_versions() -> str:
    """All versions that a result depends on, for people."""
    parts = (f"preparation {PREPARATION_VERSION}", f"keys {COMPARE_KEYS_VERSION}", f"judge {JUDGE_VERSION}")
    return f"hashindex {__version__} ({'; '.join((decoder_stamp(), *parts))})"


class Probe(NamedTuple):
    """A folder that a worker must be able to read."""

    folder: bytes
    names: Sequence[bytes]
    """Some names in the folder on the machine of the scan. A worker that sees none of them has another folder there."""


class WorkerState(NamedTuple):
    """What a worker answers before the first task."""

    versions: str
    unreadable: tuple[bytes, str] | None
    """The first folder that the worker cannot read, and why."""


def state_of_worker(probes: Sequence[Probe]) -> WorkerState:
    """Runs once on each worker before the first task. Never raises because of a folder."""
    for probe in probes:
        why = _unreadable(probe)
        if why is not None:
            return WorkerState(own_versions(), (probe.folder, why))
    return WorkerState(own_versions(), None)


def _unreadable(probe: Probe) -> str | None:
    try:
        files.some_names(probe.folder, 1)
    except OSError as error:
        return files.reason_of(error, "folder")
    if probe.names and not any(files.exists(os.path.join(probe.folder, name)) for name in probe.names):
        return Message("the folder has other files there")
    return None


def run_task(versions: str, task: bytes, data: bytes | None = None) -> bytes:
    """Runs a pickled call. versions: those of the machine that sent it; raises OtherVersion if they differ from here.

    So a worker that joins during a scan is checked by its first task. data: a first argument that many tasks share.
    """
    if versions != own_versions():
        from distributed import get_worker

        raise OtherVersion(get_worker().address, own_versions())
    work, arguments = pickle.loads(task)
    answer = work(*arguments) if data is None else work(data, *arguments)
    return pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)


def shared(data: bytes) -> bytes:
    """Makes data the result of a task: if the worker that holds it ends, Dask runs this again."""
    return data


def join_shard(keys: bytes, words: int, radius: int, chunks: Sequence[Chunk], compiled: bool, shard: Shard) -> Block:
    """One shard of packed.joined_by_chunks, in the worker itself: it reads no picture that could crash a decoder.

    keys: rows of `words` 64-bit words each.
    """
    rows = np.frombuffer(keys, np.uint64).reshape(-1, words)
    found = list(joined_by_chunks(rows, radius, chunks, compiled=compiled and has_compiled(), shard=shard))
    nothing = Block(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint16))
    return Block(*map(np.concatenate, zip(nothing, *found, strict=True)))


def examine_isolated(
    roots: Sequence[bytes], jobs: Sequence[Job], known: frozenset[bytes], limits: Limits
) -> list[Examined]:
    """examine.examine and with_keys in the child process. roots: as this worker finds them, perhaps by way of links.

    With the keys computed here, the one process that writes has a tenth of the work, and the results are smaller.
    """
    real = {root: files.real_path(root) for root in roots}

    def resolved(job: Job) -> Job:
        # A job without links is refused if a link is in its path, and links above the root are not meant.
        root = files.innermost(job.path, roots)
        return job if root is None else job._replace(path=moved(job.path, root, real[root]))

    def examine(worker: IsolatedWorker) -> list[Examined]:
        results = examine_together(worker, [resolved(job) for job in jobs], known)
        try:
            return worker.run(with_keys, results)
        except Exception:  # noqa: BLE001 - the process of the scan computes the keys, and finds the cause
            return results

    return _children.use(limits, examine)


def judge_isolated(task: Task) -> list[Verdict]:
    """judge_pairs in the child process. If a file crashes that, only the files are opened there."""

    def judge(worker: IsolatedWorker) -> list[Verdict]:
        try:
            return worker.run(judge_pairs, task)
        except WorkerDied:
            return judge_pairs(task, worker)

    return _children.use(task.limits, judge)


class _Child:
    """The child process of one thread of the Dask worker."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        """Held while a task uses the child."""
        self.worker: IsolatedWorker | None = None


class _Children:
    """One child process a thread. It lives until end_idle, or until the Dask worker ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_thread: dict[int, _Child] = {}

    def use(self, limits: Limits, work: Callable[[IsolatedWorker], Result]) -> Result:
        with self._lock:
            child = self._by_thread.setdefault(threading.get_ident(), _Child())
        with child.lock:
            if child.worker is None or child.worker.limits != limits:
                if child.worker is not None:
                    child.worker.close()
                child.worker = IsolatedWorker(limits)
            return work(child.worker)

    def end_idle(self) -> None:
        """Ends the children that no task uses now: another scan may share the cluster."""
        with self._lock:
            children = list(self._by_thread.values())
        for child in children:
            if child.lock.acquire(blocking=False):
                try:
                    if child.worker is not None:
                        child.worker.close()
                        child.worker = None
                finally:
                    child.lock.release()


_children = _Children()


def end_idle_children() -> None:
    """Ends the child processes of this Dask worker that no task uses now."""
    _children.end_idle()

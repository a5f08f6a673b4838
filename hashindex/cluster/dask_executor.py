"""Runs the tasks of a scan on a Dask cluster. The process of the scan walks the folders and writes the catalogue."""

import asyncio
import os
import pickle
import pkgutil
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from hashindex.cluster.path_map import PathMap
from hashindex.core.errors import ClusterError, UsageError
from hashindex.core.installation import how_to_install
from hashindex.core.language import Message, Part
from hashindex.core.messages import Examined, Job, Verdict
from hashindex.core.options import Limits
from hashindex.core.paths import PathLike
from hashindex.disk import files
from hashindex.hashing.packed import Block, Chunk, Shard, Words, joined_by_chunks, shards
from hashindex.index.executor import KnownDigests
from hashindex.pictures.isolated_reading import examine_without_decoding

if TYPE_CHECKING:
    from distributed import Client

    from hashindex.judge.pair_judge import Task

CONNECT_S = 10.0
"""Longest time to wait for the scheduler."""
NO_WORKERS_S = 120.0
"""Longest time to wait while the cluster has no worker: nannies and batch systems start new ones."""
WORKER_ANSWERS_S = 60.0
"""Longest time to wait for the answer of every worker to a call that is no task."""
COUNT_S = 2.0
"""How often the threads of the cluster are counted."""
SHARDS_EACH = 4
"""Shards of a join for each thread of the cluster: some take longer than others."""
PROBED_NAMES = 3
"""Names of each root that are looked for on every worker."""
LOST = (OSError, asyncio.CancelledError, CancelledError, RuntimeError)
"""What Dask raises when the scheduler does not answer any more or the client was closed."""


class DaskExecutor:
    """A ScanExecutor over a Dask cluster, for HashIndex.scan(executor=...).

    Each thread of a worker has a child process that decodes, so a picture may crash the child and not the worker, and
    the limits hold there as here. If a worker ends, its tasks run again on others. If a picture ends worker after
    worker (the cluster's setting allowed-failures says how many), it is found and gets a row with the reason.
    ClusterError if the scheduler is gone or no worker is left; then what was done is kept. Several scans may share a
    cluster, each with an executor of its own.
    """

    def __init__(
        self,
        scheduler: "str | os.PathLike[str] | Client",
        *,
        maps: Mapping[PathLike, PathLike] = MappingProxyType({}),
    ) -> None:
        """scheduler: its address (tcp://host:8786), the path of a scheduler file, or a Client.

        maps: folders here and where the workers find them, if that is another place. UsageError if no scheduler
        answers, or if Dask is not installed.
        """
        self._map = PathMap(maps)
        self._owns_client = isinstance(scheduler, str | os.PathLike)
        self._client = _connected(scheduler) if isinstance(scheduler, str | os.PathLike) else scheduler
        self._address = str(self._client.scheduler.address)
        self._devices: dict[bytes, int] = {}
        """Root -> its device on this machine."""
        self._threads = 0
        self._counted_s = -COUNT_S
        self._seen_s = time.monotonic()
        """When there was a worker, by time.monotonic."""

    def close(self) -> None:
        """Ends idle child processes on the workers, and the connection if this object made it."""
        from hashindex.cluster.worker_tasks import end_idle_children

        with suppress(ClusterError):
            self._on_every_worker(end_idle_children)
        if self._owns_client:
            with suppress(*LOST):
                self._client.close(CONNECT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare(self, roots: Sequence[bytes]) -> None:
        """Checks every worker: its versions, and whether it can read the roots. UsageError names the worker."""
        from hashindex.cluster.worker_tasks import Probe, own_versions, state_of_worker

        self._wait_for_workers()
        local: dict[bytes, bytes] = {}
        probes = []
        for root in roots:
            with suppress(OSError):
                # A root that this machine cannot reach is reported by the walk.
                self._devices[root] = files.device_of(root)
                probes.append(Probe(self._map.remote(root), files.some_names(root, PROBED_NAMES)))
                local[probes[-1].folder] = root
        # A call of the standard library first: a worker without hashindex cannot even receive one of ours.
        for worker, found in self._on_every_worker(pkgutil.resolve_name, "hashindex:__version__").items():
            if isinstance(found, ImportError | AttributeError):
                raise UsageError(
                    Message(
                        "The Dask worker {worker} has no hashindex; install {ours} there.",
                        worker=worker,
                        ours=own_versions(),
                    )
                )
        for worker, found in self._on_every_worker(state_of_worker, probes).items():
            if isinstance(found, OSError):
                continue  # The worker has just ended.
            if isinstance(found, Exception):
                raise _failed(worker, found)
            if found.versions != own_versions():
                raise _other_version(worker, found.versions)
            if found.unreadable is not None:
                folder, why = found.unreadable
                raise UsageError(
                    Message(
                        "The Dask worker {worker} cannot read {path}: {reason}. If the folder has another path there, "
                        "give it: --map {local}=PATH",
                        worker=worker,
                        path=os.fsdecode(folder),
                        reason=Part(why, full_stop=False),
                        local=os.fsdecode(local[folder]),
                    )
                )

    def tasks_at_once(self) -> int:
        now = time.monotonic()
        if now - self._counted_s >= COUNT_S:
            self._counted_s = now
            self._threads = sum(self._call(self._client.nthreads).values())
            if self._threads:
                self._seen_s = now
            elif now - self._seen_s > NO_WORKERS_S:
                raise ClusterError(
                    Message(
                        "The Dask cluster at {address} has had no worker for {seconds:g} s. What was done is kept; "
                        "start workers and scan again.",
                        address=self._address,
                        seconds=NO_WORKERS_S,
                    )
                )
        return max(1, self._threads)

    def examine(self, jobs: list[Job], known: frozenset[bytes], limits: Limits) -> Future[list[Examined]]:
        from hashindex.cluster.worker_tasks import examine_isolated

        began_ns = time.time_ns()

        def as_here(results: list[Examined]) -> list[Examined]:
            period = began_ns, time.time_ns()
            return [self._as_here(*both, period) for both in zip(jobs, results, strict=True)]

        roots = [self._map.remote(root) for root in self._devices]
        mapped = [job._replace(path=self._map.remote(job.path)) for job in jobs]
        return self._submit(as_here, examine_isolated, roots, mapped, known, limits)

    def _as_here(self, job: Job, examined: Examined, period: tuple[int, int]) -> Examined:
        """The result as this machine would have got it.

        period: from the submission of the task to its end. The worker's clock may be wrong, so the time of reading is
        moved into this period.
        """
        looked_ns = min(max(examined.looked_ns, period[0]), period[1])
        if examined.vanished and (stat := files.stat_at(job.path)) is not None:
            problem = Message("a Dask worker does not find it, and it is there; it is read again in the next scan")
            return Examined(job.path, stat, looked_ns, problem=problem, retry=True)
        stat = examined.stat
        root = files.innermost(job.path, self._devices)
        if stat is not None and root is not None:
            stat = stat._replace(name=os.path.basename(job.path), device=self._devices[root])
        return examined._replace(path=job.path, stat=stat, looked_ns=looked_ns)

    def examine_suspects(
        self, chunks: list[list[Job]], known: KnownDigests, limits: Limits
    ) -> Iterator[tuple[Job, Examined | None]]:
        """Examines the files one by one, with nothing beside them: a file that ends workers again is the cause."""
        why = Message("reading it ended several Dask workers; it was left out")
        for job in (job for chunk in chunks for job in chunk):
            try:
                (examined,) = self.examine([job], known([job]), limits).result()
            except BrokenExecutor:
                # Its bytes are digested on this machine, so that no further worker ends.
                examined = examine_without_decoding(job, why, limits)
            yield job, examined

    def join_by_chunks(
        self, keys: Words, radius: int, chunks: Sequence[Chunk], *, compiled: bool = False
    ) -> Iterator[Block]:
        """The shards of packed.joined_by_chunks on the workers: a bounded number of results is in memory at a time."""
        from hashindex.cluster.worker_tasks import join_shard, shared

        with warnings.catch_warnings():
            # Dask warns of large arguments. All shards share this one.
            warnings.simplefilter("ignore")
            data = self._call(self._client.submit, shared, keys.tobytes(), key=_new_key(shared), pure=False)
        waiting = deque(shards(chunks, SHARDS_EACH * self.tasks_at_once()))
        under_way: dict[Future[Block], Shard] = {}
        while waiting or under_way:
            while waiting and len(under_way) < 2 * self.tasks_at_once():
                shard = waiting.popleft()
                arguments = (keys.shape[1], radius, chunks, compiled, shard)
                under_way[self._submit(lambda block: block, join_shard, *arguments, data=data)] = shard
            for future in wait(under_way, timeout=COUNT_S, return_when=FIRST_COMPLETED).done:
                shard = under_way.pop(future)
                try:
                    yield future.result()
                except BrokenExecutor:
                    # The workers have too little memory, perhaps.
                    yield from joined_by_chunks(keys, radius, chunks, compiled=compiled, shard=shard)

    def judge(self, task: "Task") -> Future[list[Verdict]]:
        from hashindex.cluster.worker_tasks import judge_isolated

        known = {
            id: one if one.path is None else one._replace(path=self._map.remote(one.path))
            for id, one in task.known.items()
        }
        return self._submit(lambda verdicts: verdicts, judge_isolated, task._replace(known=known))

    def judge_suspects(self, tasks: "list[Task]") -> "Iterator[tuple[Task, list[Verdict]]]":
        from hashindex.judge.pair_judge import one_by_one, without_files

        for task in one_by_one(tasks):
            try:
                verdicts = self.judge(task).result()
            except BrokenExecutor:
                verdicts = self.judge(without_files(task)).result()
            yield task, verdicts

    def _submit(
        self, convert: Callable[[Any], Any], work: Callable[..., Any], *arguments: Any, data: Any = None
    ) -> Future[Any]:
        """Runs work(*arguments) on a worker. The future has the result of convert(its result).

        data: a future of Dask whose result is the first argument.
        """
        from hashindex.cluster.worker_tasks import own_versions, run_task

        # Pickled here: Dask would search large arguments for futures.
        task = pickle.dumps((work, arguments), pickle.HIGHEST_PROTOCOL)
        future = self._call(self._client.submit, run_task, own_versions(), task, data, key=_new_key(work), pure=False)
        answer: Future[Any] = Future()
        self._client.loop.add_callback(self._deliver, future, convert, answer)
        return answer

    async def _deliver(self, future: Any, convert: Callable[[Any], Any], answer: Future[Any]) -> None:
        """Runs in the thread of the client: waits for the result of a task, and hands it over."""
        from distributed.scheduler import KilledWorker

        from hashindex.cluster.worker_tasks import OtherVersion

        try:
            result = convert(pickle.loads(await self._client.gather(future, asynchronous=True)))
        except KilledWorker as error:
            answer.set_exception(BrokenExecutor(str(error)))
        except OtherVersion as error:
            answer.set_exception(_other_version(error.worker, error.theirs))
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whoever waits for the answer raises it
            # A task may raise an OSError too.
            is_lost = isinstance(error, LOST) and future.status != "error"
            answer.set_exception(self._lost(error) if is_lost else _failed(self._address, error))
        else:
            answer.set_result(result)

    def _wait_for_workers(self) -> None:
        from distributed import TimeoutError as NoWorker

        try:
            self._client.wait_for_workers(1, timeout=NO_WORKERS_S)
        except NoWorker as error:
            raise UsageError(
                Message(
                    "The Dask cluster at {address} has no worker; start one: dask worker {address}",
                    address=self._address,
                )
            ) from error

    def _on_every_worker(self, work: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """The result of each worker by its address, or the exception that it raised.

        ClusterError if a worker does not answer: unlike a task, such a call is for this worker alone.
        """

        async def run() -> dict[str, Any]:
            found: dict[str, Any] = await self._client.run(work, *arguments, on_error="return")
            return found

        answer = asyncio.run_coroutine_threadsafe(run(), self._client.loop.asyncio_loop)
        done, _ = wait([answer], timeout=WORKER_ANSWERS_S)
        if not done:
            answer.cancel()
            raise ClusterError(
                Message(
                    "A worker of the Dask cluster at {address} has not answered for {seconds:g} s; end it, and "
                    "scan again.",
                    address=self._address,
                    seconds=WORKER_ANSWERS_S,
                )
            )
        found: dict[str, Any] = self._call(answer.result)
        return found

    def _call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Calls a function of the client, or one that waits for it. Raises ClusterError if the scheduler is gone."""
        if self._client.status != "running":
            raise self._lost(None)
        try:
            return function(*arguments, **named)
        except LOST as error:
            raise self._lost(error) from error

    def _lost(self, error: BaseException | None) -> ClusterError:
        lost = ClusterError(
            Message(
                "The Dask scheduler at {address} does not answer any more. What was done is kept; scan again to go on.",
                address=self._address,
            )
        )
        lost.__cause__ = error
        return lost


def _new_key(work: Callable[..., Any]) -> str:
    """The key of a task, which groups tasks of one kind on Dask's dashboard."""
    return f"hashindex-{work.__name__}-{uuid4().hex}"


def _connected(scheduler: "str | os.PathLike[str]") -> "Client":
    """A client of the scheduler at this address, or of this scheduler file. UsageError if none answers."""
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            Message("Dask is not installed; install it: {command}", command=how_to_install("dask"))
        ) from error
    place = os.fspath(scheduler)
    where = {"scheduler_file": place} if os.path.isfile(place) else {"address": place}
    try:
        return Client(**where, timeout=CONNECT_S, set_as_default=False, name="hashindex")
    except (OSError, ValueError) as error:
        raise UsageError(
            Message(
                "No Dask scheduler answers at {address}; give the address that it prints, such as tcp://host:8786, or "
                "the path of its scheduler file.",
                address=place,
            )
        ) from error


def _other_version(worker: str, theirs: str) -> UsageError:
    from hashindex.cluster.worker_tasks import own_versions

    return UsageError(
        Message(
            "The Dask worker {worker} has {theirs}, and this machine has {ours}; install the same versions on both.",
            worker=worker,
            theirs=theirs,
            ours=own_versions(),
        )
    )


def _failed(worker: str, error: BaseException) -> ClusterError:
    return ClusterError(
        Message(
            "A task failed on the Dask cluster ({worker}): {name}: {error}. What was done is kept.",
            worker=worker,
            name=type(error).__name__,
            error=str(error),
        )
    )

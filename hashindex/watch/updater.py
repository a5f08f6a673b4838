"""Updates the catalogue for the daemon, with workers that are kept, and announces each change as an event.

Decides, with settle.py, which files have to wait. daemon.py decides when to update, sweep and announce.
"""

import os
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

from hashindex.core.errors import CatalogueLocked, CatalogueMissing
from hashindex.core.language import Message
from hashindex.core.messages import Arrival, Examined, Settled
from hashindex.core.model import Problem, Progress, ScanSummary
from hashindex.core.options import ScanOptions
from hashindex.core.watch_events import WatchEvent
from hashindex.disk.files import is_within
from hashindex.index.executor import ScanExecutor
from hashindex.index.judge_new import keep_verdicts
from hashindex.index.listener import ScanListener
from hashindex.index.local_executor import LocalExecutor
from hashindex.index.scan import Scan
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.pictures.worker_pool import WorkerPool
from hashindex.store.catalogue import Catalogue
from hashindex.store.database import is_of_one_file
from hashindex.store.folders import Root
from hashindex.watch.arrivals import ArrivalJudge
from hashindex.watch.clock import Clock
from hashindex.watch.partial_scan import PartialScan
from hashindex.watch.settle import SettleQueue

ROUNDED_S = 2.0
"""FAT rounds mtimes to 2 s: an mtime proves that a file is quiet only if it is older than quiet_s by this."""
SKEWED_S = 60.0
"""As ROUNDED_S, for mtimes by another machine's clock."""
KNOWN_PROBLEMS = 10_000
"""Problems that are remembered, so that each is reported once."""
MOST_PENDING = 10_000
"""While more events wait than this, arrivals are announced without opening a picture."""
MOST_NEW = 10_000
"""Pictures that were announced as new and are not compared with all others yet; of more, the oldest are left out."""
MOST_VANISHED = 10_000
"""Missing paths that wait for a file they may have been renamed to. Any more are marked missing at once."""


class _ScanArguments(TypedDict):
    """Arguments of Scan that each run passes."""

    executor: ScanExecutor
    listener: ScanListener
    on_problem: Callable[[Problem], None]
    on_progress: Callable[[Progress], None]


class CatalogueUpdater:
    """Updates one catalogue. Opens it for each run, so that it has the changes of other processes."""

    def __init__(
        self,
        catalogue: Path,
        options: ScanOptions,
        settle: SettleQueue,
        emit: Callable[[WatchEvent], None],
        *,
        clock: Clock,
        on_progress: Callable[[Progress], None],
        on_wait: Callable[[], None],
    ) -> None:
        """on_progress, on_wait: called several times a second during work and waiting; may raise to end the run."""
        self.settle = settle
        self.clock = clock
        self.remote: Collection[bytes] = ()
        """Roots whose mtimes are by another machine's clock."""
        self.decoded = 0
        """Contents decoded since the start."""
        self.folders: Collection[bytes] = ()
        """Folders that the last sweep listed."""
        self._path = catalogue
        self._options = options
        self._emit = emit
        self._on_progress = on_progress
        self._on_wait = on_wait
        self._pool = WorkerPool(options.limits, options.workers)
        self._worker = IsolatedWorker(options.limits)
        self._judge = ArrivalJudge(self._worker)
        self._pending: deque[WatchEvent | tuple[int, Arrival]] = deque()
        """Events, and arrivals with their times, that are not announced yet."""
        self._pending_paths: Counter[bytes] = Counter()
        """Paths of the arrivals in _pending."""
        self._new: dict[int, bytes] = {}
        """Pictures that were announced as new, by content, until they are compared with all others."""
        self._problems: dict[bytes, str] = {}
        self.vanished: set[bytes] = set()
        """Missing paths that the next run settles, because they may have been renamed to a file that is not ready."""

    def set_options(self, options: ScanOptions) -> None:
        """Takes effect with the next run."""
        self.let_go()
        self._options = options
        self._pool = WorkerPool(options.limits, options.workers)
        self._worker = IsolatedWorker(options.limits)
        self._judge = ArrivalJudge(self._worker)

    def roots(self) -> list[Root]:
        """The roots in the catalogue; none while there is no catalogue."""
        with suppress(CatalogueMissing), Catalogue(self._path, wait_s=1.0) as catalogue:
            return catalogue.roots()
        return []

    def destinations(self) -> Collection[bytes]:
        """Folders in which organize placed pictures."""
        with suppress(CatalogueMissing), Catalogue(self._path, wait_s=1.0) as catalogue:
            return set(catalogue.destinations())
        return ()

    def sweep(self, roots: list[bytes]) -> ScanSummary:
        """Compares whole roots with the catalogue. Files that changed lately go to the settle queue."""
        with self._writing() as catalogue:
            listener = _ScanRecorder(self, catalogue.roots(), roots, ())
            try:
                summary = Scan(catalogue, self._options, **self._arguments(listener)).run(roots)
            finally:
                self._queue_events(catalogue, listener)
        self.decoded += summary.decoded
        self.folders = listener.folders
        return summary

    def update(self, paths: Collection[bytes], roots: list[bytes]) -> ScanSummary:
        """Updates the catalogue from paths that are ready or gone."""
        with self._writing() as catalogue:
            listener = _ScanRecorder(self, catalogue.roots(), roots, paths)
            try:
                summary = PartialScan(catalogue, self._options, **self._arguments(listener)).run_paths(paths, roots)
            finally:
                self._queue_events(catalogue, listener)
        now = self.clock.monotonic()
        for path in paths:
            self.settle.finish(path, now)
        if not self.settle:
            self.vanished.clear()
        self.decoded += summary.decoded
        return summary

    def let_go(self) -> None:
        """Ends the workers and frees the keys in memory; the next run starts and loads them again."""
        self._pool.finish()
        self._worker.close()
        before, self._judge = self._judge, ArrivalJudge(self._worker)
        self._judge.judged, self._judge.digests = before.judged, before.digests

    def stop(self) -> None:
        """Ends the workers at once. announce may start one process again, which let_go ends."""
        self._pool.stop()
        self._worker.close()

    def _arguments(self, listener: "_ScanRecorder") -> "_ScanArguments":
        return {
            "executor": LocalExecutor(self._pool),
            "listener": listener,
            "on_problem": self._on_problem,
            "on_progress": self._on_progress,
        }

    def _writing(self) -> Catalogue:
        # Waits for the lock without a limit; on_wait may raise.
        return Catalogue(self._path, write=True, wait_s=float(2**31), on_wait=self._on_wait)

    def _on_problem(self, problem: Problem) -> None:
        if self._problems.get(problem.path_bytes) == problem.reason:
            return
        if len(self._problems) >= KNOWN_PROBLEMS:
            self._problems.pop(next(iter(self._problems)))
        self._problems[problem.path_bytes] = problem.reason
        self._emit(WatchEvent("problem", self.clock.wall_ns(), problem.path_bytes, message=problem.reason))

    def _queue_events(self, catalogue: Catalogue, found: "_ScanRecorder") -> None:
        """Queues what happened to each file, for announce."""
        now = self.clock.wall_ns()
        moved_to = {new for _, new in found.moved}
        self._pending.extend(WatchEvent("moved", now, new, old_bytes=old) for old, new in found.moved)
        self._pending.extend(WatchEvent("removed", now, path) for path in found.missing)
        self._pending.extend(WatchEvent("back", now, path) for path in found.returned)
        destinations = catalogue.destinations()
        for arrival in found.arrivals:
            if arrival.path not in moved_to and not _is_within_any(arrival.path, destinations):
                self._pending.append((now, arrival))
                self._pending_paths[arrival.path] += 1

    def announce(self, seconds: float) -> bool:
        """Emits the queued events, for at most that long. Returns whether the queue is empty."""
        if not self._pending:
            return True
        until = self.clock.monotonic() + seconds
        with Catalogue(self._path, wait_s=1.0) as catalogue:
            while self._pending and self.clock.monotonic() < until:
                first = self._pending.popleft()
                if isinstance(first, WatchEvent):
                    self._emit(first)
                    continue
                now, arrival = first
                self._pending_paths[arrival.path] -= 1
                if not self._pending_paths[arrival.path]:
                    del self._pending_paths[arrival.path]
                try:
                    event = self._event_of(catalogue, arrival, now)
                except Exception as error:
                    if not is_of_one_file(error):
                        raise
                    what = Message(
                        "it could not be compared with others ({name}: {error})",
                        name=type(error).__name__,
                        error=str(error),
                    )
                    event = WatchEvent(
                        "problem", now, arrival.path, message=Message("{what}; it is in the catalogue", what=what)
                    )
                if event is not None:
                    self._emit(event)
        self._keep_verdicts()
        return not self._pending

    def announce_compared(self) -> None:
        """Emits what the comparison in the background found out about pictures that were announced as new."""
        new, self._new = self._new, {}
        if not new:
            return
        with Catalogue(self._path, wait_s=1.0) as catalogue:
            while new:
                content, path = next(iter(new.items()))
                del new[content]
                for relation, other in catalogue.verdicts.nearest_alike(content):
                    # Of two new pictures, the later one is a copy or variant of the earlier one.
                    files = [] if other in new else sorted(catalogue.paths_of(other), key=lambda file: file[1:])
                    if files:
                        event = WatchEvent("compared", self.clock.wall_ns(), path, relation=relation.label)
                        self._emit(event._replace(other_bytes=files[0][0], other_gone=files[0][1]))
                        break

    def _event_of(self, catalogue: Catalogue, arrival: Arrival, now: int) -> WatchEvent | None:
        """None if a better rendition of the same picture is present: only that one is announced."""
        if catalogue.is_superseded(arrival.path):
            return None
        may_judge = len(self._pending) < MOST_PENDING
        relation = self._judge.classify(catalogue, arrival, self._pending_paths, may_judge=may_judge)
        if relation.kind == "new":
            self._new[arrival.content] = arrival.path
            if len(self._new) > MOST_NEW:
                del self._new[next(iter(self._new))]
        kind = "new" if arrival.before is None else "back" if arrival.before == arrival.content else "changed"
        announced = [path for path in catalogue.superseded_files(arrival.path) if path not in self._pending_paths]
        is_better = kind == "new" and bool(announced)
        return WatchEvent(
            "better" if is_better else kind,
            now,
            arrival.path,
            old_bytes=announced[0] if is_better else None,
            relation=relation.kind,
            other_bytes=relation.other,
            other_gone=relation.other_gone,
            distance=relation.distance,
            same_bytes=relation.same_bytes,
        )

    def _keep_verdicts(self) -> None:
        """Saves new verdicts. If the catalogue is busy they are dropped, and judged again by the next comparison."""
        verdicts, self._judge.judged = self._judge.judged, []
        digests, self._judge.digests = self._judge.digests, {}
        if verdicts:
            with suppress(CatalogueLocked), Catalogue(self._path, write=True, wait_s=0.1) as catalogue:
                keep_verdicts(catalogue, verdicts, digests)


class _ScanRecorder(ScanListener):
    """Decides which files of one run have to wait, and records what the run found."""

    def __init__(
        self, updater: CatalogueUpdater, known: Sequence[Root], roots: Sequence[bytes], ready: Collection[bytes]
    ) -> None:
        self._updater = updater
        self._ready = frozenset(ready)
        # In a root that was never scanned completely every file is new: these are not announced one by one.
        scanned = {root.path for root in known if root.scanned_ns is not None}
        self._unscanned = [root for root in roots if root not in scanned]
        self._some_wait = False
        """Whether a changed file was not read because it has to settle."""
        self.folders: Collection[bytes] = ()
        self.arrivals: list[Arrival] = []
        self.moved: list[tuple[bytes, bytes]] = []
        self.missing: list[bytes] = []
        self.returned: list[bytes] = []

    def not_yet(self, path: bytes, mtime_ns: int) -> bool:
        if path in self._ready:
            return False
        settle, clock = self._updater.settle, self._updater.clock
        if path in settle:
            self._some_wait = True
            return True
        age = (clock.wall_ns() - mtime_ns) / 1e9
        margin = SKEWED_S if _is_within_any(path, self._updater.remote) else ROUNDED_S
        if age >= settle.quiet_s + margin:
            return False
        settle.add(path, clock.monotonic())
        self._some_wait = True
        return True

    def put_off(self, examined: Examined) -> bool:
        decoded = examined.decoded
        if examined.problem is None and (decoded is None or decoded.problem is None):
            return False
        settle, clock = self._updater.settle, self._updater.clock
        if examined.stat is not None and not examined.retry:
            age = (clock.wall_ns() - examined.stat.mtime_ns) / 1e9
            if age >= settle.give_up_s:
                return False
        return settle.retry_later(examined.path, clock.monotonic())

    def leave(self, gone: list[tuple[bytes, bytes, int]]) -> list[tuple[bytes, bytes, int]]:
        """A missing file may have been renamed to one that has to settle: then it waits too, for one run."""
        updater = self._updater
        now = []
        for folder, name, seen_ns in gone:
            path = os.path.join(folder, name)
            if self._some_wait and path not in updater.vanished and len(updater.vanished) < MOST_VANISHED:
                updater.vanished.add(path)
                updater.settle.add(path, updater.clock.monotonic())
            else:
                updater.vanished.discard(path)
                now.append((folder, name, seen_ns))
        return now

    def walked(self, folders: Collection[bytes]) -> None:
        self.folders = folders

    def arrived(self, arrivals: Sequence[Arrival]) -> None:
        if self._unscanned:
            arrivals = [arrival for arrival in arrivals if not _is_within_any(arrival.path, self._unscanned)]
        self.arrivals.extend(arrivals)

    def settled(self, settled: Settled) -> None:
        self.moved.extend(settled.moved)
        self.missing.extend(settled.missing)

    def back(self, folder: bytes, names: Sequence[bytes]) -> None:
        self.returned.extend(os.path.join(folder, name) for name in names)


def _is_within_any(path: bytes, folders: Collection[bytes]) -> bool:
    """Whether path is one of these folders or below one."""
    return any(is_within(path, folder) for folder in folders)

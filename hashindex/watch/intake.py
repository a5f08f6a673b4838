"""The daemon's hands: sweeps and looks with workers that are kept, and what they found, told as events.

It decides when a file has to wait (with settle.py) and what is said of each; when to do what is daemon.py's.
"""

import os
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hashindex.core.errors import CatalogueLocked, CatalogueMissing
from hashindex.core.messages import Arrival, Examined, Settled
from hashindex.core.model import Problem, Progress, ScanSummary
from hashindex.core.options import ScanOptions
from hashindex.core.watch_events import WatchEvent
from hashindex.disk.files import is_within
from hashindex.index.judge_new import keep_verdicts
from hashindex.index.listener import ScanListener
from hashindex.index.scan import Scan
from hashindex.pictures.isolated_worker import IsolatedWorker
from hashindex.pictures.worker_pool import WorkerPool
from hashindex.store.catalogue import Catalogue, Root
from hashindex.store.database import is_of_one_file
from hashindex.watch.arrivals import ArrivalJudge, is_within_any
from hashindex.watch.clock import Clock
from hashindex.watch.partial_scan import PartialScan
from hashindex.watch.settle import Settle

ROUNDED_S = 2.0
"""FAT rounds an mtime to 2 s: only so much older it proves that a file held still."""
SKEWED_S = 60.0
"""The same where another machine's clock may give the mtime."""
KNOWN_PROBLEMS = 10_000
"""Problems that are remembered, so that each is told once."""
MOST_UNTOLD = 10_000
"""Arrivals that wait to be told; with more, each is told as what it is known to be, and no picture is opened."""
MOST_LEAVING = 10_000
"""Paths that are gone and wait for what they may be called now; more are believed at once."""


class Intake:
    """Takes files into one catalogue. Opens it for each run anew: what another process does to it is seen."""

    def __init__(
        self,
        catalogue: Path,
        options: ScanOptions,
        settle: Settle,
        tell: Callable[[WatchEvent], None],
        *,
        clock: Clock,
        on_progress: Callable[[Progress], None],
        on_wait: Callable[[], None],
    ) -> None:
        """on_progress, on_wait: called several times a second; may raise to end what is under way."""
        self.settle = settle
        self.clock = clock
        self.remote: Collection[bytes] = ()
        """Roots whose mtimes are of another clock."""
        self.decoded = 0
        """Contents decoded so far."""
        self.folders: Collection[bytes] = ()
        """Those that the last sweep of all roots listed."""
        self._path = catalogue
        self._options = options
        self._tell = tell
        self._on_progress = on_progress
        self._on_wait = on_wait
        self._pool = WorkerPool(options.limits, options.workers)
        self._worker = IsolatedWorker(options.limits)
        self._relations = ArrivalJudge(self._worker)
        self._untold: deque[WatchEvent | tuple[int, Arrival]] = deque()
        self._later: Counter[bytes] = Counter()
        """Paths of the arrivals that are yet to be told."""
        self._problems: dict[bytes, str] = {}
        self.leaving: set[bytes] = set()
        """Paths that are gone and were left to the next look, since they may turn up under another name."""

    def set_options(self, options: ScanOptions) -> None:
        """From the next run on."""
        self.finish()
        self._options = options
        self._pool = WorkerPool(options.limits, options.workers)
        self._worker = IsolatedWorker(options.limits)
        self._relations = ArrivalJudge(self._worker)

    def roots(self) -> list[Root]:
        """Those of the catalogue; none while there is no catalogue."""
        with suppress(CatalogueMissing), Catalogue(self._path, wait_s=1.0) as catalogue:
            return catalogue.roots()
        return []

    def destinations(self) -> Collection[bytes]:
        """Folders that organize placed something in."""
        with suppress(CatalogueMissing), Catalogue(self._path, wait_s=1.0) as catalogue:
            return set(catalogue.destinations())
        return ()

    def sweep(self, roots: list[bytes]) -> ScanSummary:
        """Compares whole roots with the catalogue. What changed lately is left to settle."""
        with self._writing() as catalogue:
            listener = _Taking(self, catalogue.roots(), roots, ())
            try:
                summary = Scan(catalogue, self._options, **self._with(listener)).run(roots)
            finally:
                self._note(catalogue, listener)
        self.decoded += summary.decoded
        self.folders = listener.folders
        return summary

    def look(self, paths: Collection[bytes], roots: list[bytes]) -> ScanSummary:
        """Brings the catalogue in step with paths that are ready or gone."""
        with self._writing() as catalogue:
            listener = _Taking(self, catalogue.roots(), roots, paths)
            try:
                summary = PartialScan(catalogue, self._options, **self._with(listener)).look(paths, roots)
            finally:
                self._note(catalogue, listener)
        now = self.clock.monotonic()
        for path in paths:
            self.settle.done(path, now)
        if not self.settle:
            self.leaving.clear()
        self.decoded += summary.decoded
        return summary

    def finish(self) -> None:
        """Ends the workers and forgets the keys; the next run has them again."""
        self._pool.finish()
        self._worker.close()
        before, self._relations = self._relations, ArrivalJudge(self._worker)
        self._relations.judged, self._relations.digests = before.judged, before.digests

    def stop(self) -> None:
        """Ends the workers at once; announce may start one process again, which let_go ends."""
        self._pool.stop()
        self._worker.close()

    def _with(self, listener: "_Taking") -> dict[str, Any]:
        return {
            "pool": self._pool,
            "listener": listener,
            "on_problem": self._on_problem,
            "on_progress": self._on_progress,
        }

    def _writing(self) -> Catalogue:
        # It waits as long as it takes: on_wait may have enough of it.
        return Catalogue(self._path, write=True, wait_s=float(2**31), on_wait=self._on_wait)

    def _on_problem(self, problem: Problem) -> None:
        if self._problems.get(problem.path) == problem.reason:
            return
        if len(self._problems) >= KNOWN_PROBLEMS:
            self._problems.pop(next(iter(self._problems)))
        self._problems[problem.path] = problem.reason
        self._tell(WatchEvent("problem", self.clock.wall_ns(), problem.path, message=problem.reason))

    def _note(self, catalogue: Catalogue, found: "_Taking") -> None:
        """What became of each file, to be told when there is time: moved, gone, back, arrived."""
        now = self.clock.wall_ns()
        moved_to = {new for _, new in found.moved}
        self._untold.extend(WatchEvent("moved", now, new, old=old) for old, new in found.moved)
        self._untold.extend(WatchEvent("removed", now, path) for path in found.missing)
        self._untold.extend(WatchEvent("back", now, path) for path in found.returned)
        destinations = catalogue.destinations()
        for arrival in found.arrivals:
            if arrival.path not in moved_to and not is_within_any(arrival.path, destinations):
                self._untold.append((now, arrival))
                self._later[arrival.path] += 1

    def announce(self, seconds: float) -> bool:
        """Tells what became of files, for so long at most. Returns whether all is told."""
        if not self._untold:
            return True
        until = self.clock.monotonic() + seconds
        with Catalogue(self._path, wait_s=1.0) as catalogue:
            while self._untold and self.clock.monotonic() < until:
                first = self._untold.popleft()
                if isinstance(first, WatchEvent):
                    self._tell(first)
                    continue
                now, arrival = first
                self._later[arrival.path] -= 1
                if not self._later[arrival.path]:
                    del self._later[arrival.path]
                try:
                    event = self._event_of(catalogue, arrival, now)
                except Exception as error:
                    if not is_of_one_file(error):
                        raise
                    what = f"what it is like could not be found out ({type(error).__name__}: {error})"
                    event = WatchEvent("problem", now, arrival.path, message=f"{what}; it is in the catalogue")
                if event is not None:
                    self._tell(event)
        self._keep_verdicts()
        return not self._untold

    def _event_of(self, catalogue: Catalogue, arrival: Arrival, now: int) -> WatchEvent | None:
        """None where a better form of the same picture is there: that one was told, or will be."""
        if catalogue.is_lesser(arrival.path):
            return None
        look = len(self._untold) < MOST_UNTOLD
        relation = self._relations.relation_of(catalogue, arrival, self._later, look=look)
        kind = "new" if arrival.before is None else "back" if arrival.before == arrival.content else "changed"
        told = [path for path in catalogue.lesser_forms(arrival.path) if path not in self._later]
        return WatchEvent(
            "better" if told and kind == "new" else kind,
            now,
            arrival.path,
            old=told[0] if told and kind == "new" else None,
            relation=relation.kind,
            other=relation.other,
            other_gone=relation.other_gone,
            distance=relation.distance,
            same_bytes=relation.same_bytes,
        )

    def _keep_verdicts(self) -> None:
        """So that they need not be found out again; where the catalogue is busy they are."""
        verdicts, self._relations.judged = self._relations.judged, []
        digests, self._relations.digests = self._relations.digests, {}
        if verdicts:
            with suppress(CatalogueLocked), Catalogue(self._path, write=True, wait_s=0.1) as catalogue:
                keep_verdicts(catalogue, verdicts, digests)


class _Taking(ScanListener):
    """What one run has to wait with, and what it found."""

    def __init__(self, intake: Intake, known: Sequence[Root], roots: Sequence[bytes], ready: Collection[bytes]) -> None:
        self._intake = intake
        self._ready = frozenset(ready)
        # Of a folder that was never scanned to its end, everything is new: that is not worth a line each.
        told = {root.path for root in known if root.scanned_ns is not None}
        self._untold = [root for root in roots if root not in told]
        self._waits = False
        """Whether a file was left as it is for now."""
        self.folders: Collection[bytes] = ()
        self.arrivals: list[Arrival] = []
        self.moved: list[tuple[bytes, bytes]] = []
        self.missing: list[bytes] = []
        self.returned: list[bytes] = []

    def not_yet(self, path: bytes, mtime_ns: int) -> bool:
        if path in self._ready:
            return False
        settle, clock = self._intake.settle, self._intake.clock
        if path in settle:
            self._waits = True
            return True
        age = (clock.wall_ns() - mtime_ns) / 1e9
        margin = SKEWED_S if any(is_within(path, root) for root in self._intake.remote) else ROUNDED_S
        if age >= settle.quiet_s + margin:
            return False
        settle.note(path, clock.monotonic())
        self._waits = True
        return True

    def put_off(self, examined: Examined) -> bool:
        decoded = examined.decoded
        if examined.problem is None and (decoded is None or decoded.problem is None):
            return False
        settle, clock = self._intake.settle, self._intake.clock
        if examined.stat is not None and not examined.retry:
            age = (clock.wall_ns() - examined.stat.mtime_ns) / 1e9
            if age >= settle.give_up_s:
                return False
        return settle.put_off(examined.path, clock.monotonic())

    def leave(self, gone: list[tuple[bytes, bytes, int]]) -> list[tuple[bytes, bytes, int]]:
        """A renamed file may be among those that have to wait: what is gone waits for them, once."""
        intake = self._intake
        now = []
        for folder, name, seen_ns in gone:
            path = os.path.join(folder, name)
            if self._waits and path not in intake.leaving and len(intake.leaving) < MOST_LEAVING:
                intake.leaving.add(path)
                intake.settle.note(path, intake.clock.monotonic())
            else:
                intake.leaving.discard(path)
                now.append((folder, name, seen_ns))
        return now

    def walked(self, folders: Collection[bytes]) -> None:
        self.folders = folders

    def arrived(self, arrivals: Sequence[Arrival]) -> None:
        if self._untold:
            arrivals = [arrival for arrival in arrivals if not is_within_any(arrival.path, self._untold)]
        self.arrivals.extend(arrivals)

    def settled(self, settled: Settled) -> None:
        self.moved.extend(settled.moved)
        self.missing.extend(settled.missing)

    def back(self, folder: bytes, names: Sequence[bytes]) -> None:
        self.returned.extend(os.path.join(folder, name) for name in names)

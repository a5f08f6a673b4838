"""hashindex watch: the loop. It starts watching, brings the catalogue in step with the disk, then serves events.

An event only names a path: what is written is what the disk says when the path is read. Sweeps, which compare whole
roots from time to time, find changes without events. watching.py receives events, changes.py and settle.py decide when
a file is read, updater.py reads and writes, comparing.py compares, word_reading.py reads words, tagging.py tags,
organizing.py organizes, reporter.py reports.
"""

import contextlib
import gc
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hashindex.core.arguments import Options, at_least
from hashindex.core.errors import CatalogueDamaged, CatalogueForeign, CatalogueLocked, HashIndexError, UsageError
from hashindex.core.language import Message
from hashindex.core.model import Progress
from hashindex.core.options import ScanOptions
from hashindex.core.paths import Paths, paths_bytes
from hashindex.core.tags import TagRule
from hashindex.core.watch_events import WatchEvent
from hashindex.disk.roots import existing_folder
from hashindex.store.daemon_state import daemon_lock
from hashindex.store.rescue import set_aside
from hashindex.watch.background import BackgroundOutcome, BackgroundWork
from hashindex.watch.changes import Changes
from hashindex.watch.clock import Clock, ClockJumps
from hashindex.watch.comparing import BackgroundComparer
from hashindex.watch.organizing import DedupeSchedule, OrganizeSchedule, PeriodicBatches
from hashindex.watch.reporter import SAVE_S, EventReporter
from hashindex.watch.settle import SettleQueue
from hashindex.watch.tagging import BackgroundTagger
from hashindex.watch.updater import CatalogueUpdater
from hashindex.watch.watching import EVENTS, Inbox, Watcher
from hashindex.watch.word_reading import BackgroundReader

HEALTH_S = 5.0
"""Time between two checks of watchdog's threads, the roots and the clock."""
BATCH = 2_000
"""Most files read at a time: about ten seconds of work."""
SWEEP_S = 300.0
OFTEN_S = 30.0
"""Time between two sweeps of roots that have no events, or not for all folders."""
SWEEP_SHARE = 20
"""The time to the next sweep is at least this many times the length of the last one."""
LITTLE = 256
"""While more files wait than this, the work in the background pauses."""
LET_GO_S = 30.0
"""After this long without work, the worker processes are ended."""
ANNOUNCE_S = 0.25
"""Longest time spent on announcing files before the loop goes on."""
RETRY_S = 2.0
"""Delay after the catalogue was locked; ten times this after other errors."""
END_S = 0.5
"""Longest wait at the end for a comparison."""


@dataclass(frozen=True, slots=True, repr=False)
class WatchOptions(Options):
    """What to watch and how.

    roots: one folder or several; if there are none, those in the catalogue. scan: as for HashIndex.scan. quiet_s: how
    long a file must stay unchanged before it is read. sweep_s: how often all folders are scanned even without events.
    organize, dedupe: what to do regularly. notify: a command to run for each event about a file, with its JSON on
    standard input. read: whether to read the words of new pictures at rest. tags: rules that give tags at rest, as
    HashIndex.tag_by_rules does.
    """

    roots: Paths = ()
    scan: ScanOptions = ScanOptions()  # noqa: RUF009 - frozen
    quiet_s: float = 1.0
    sweep_s: float = SWEEP_S
    organize: OrganizeSchedule | None = None
    dedupe: DedupeSchedule | None = None
    notify: str | None = None
    read: bool = False
    tags: tuple[TagRule, ...] = ()

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        at_least(0, quiet_s=self.quiet_s, sweep_s=self.sweep_s)
        self._set("roots", tuple(map(existing_folder, paths_bytes(self.roots))))

    @property
    def roots_bytes(self) -> tuple[bytes, ...]:
        """Real paths."""
        return paths_bytes(self.roots)


class _Stopped(Exception):
    """Raised inside running work after stop was called."""


class Daemon:
    """The one daemon of a catalogue. run is called once; stop and reload may be called from a signal handler."""

    def __init__(
        self,
        catalogue: Path,
        options: WatchOptions,
        on_event: Callable[[WatchEvent], None],
        *,
        wait_s: float = 0.0,
        reread: Callable[[], WatchOptions] | None = None,
        clock: Clock | None = None,
        watcher: Watcher | None = None,
        inbox: Inbox | None = None,
    ) -> None:
        """on_event: called in the thread of run. wait_s: longest wait for another daemon to end.

        reread: returns new options for reload, or raises HashIndexError. clock, watcher, inbox: for tests.
        """
        self.catalogue = catalogue
        self._options = options
        self._wait_s = wait_s
        self._reread = reread
        self._clock = clock or Clock()
        self._inbox = inbox or Inbox()
        self.watcher = watcher or Watcher(self._inbox)
        self.settle = SettleQueue(options.quiet_s)
        self._changes = Changes(self.catalogue, self._inbox, self.settle, self._clock)
        self.reporter = EventReporter(self.catalogue, self._clock, on_event, self._inbox.wake)
        self.updater = CatalogueUpdater(
            self.catalogue,
            options.scan,
            self.settle,
            self.reporter.emit,
            clock=self._clock,
            on_progress=self._on_progress,
            on_wait=self._raise_if_stopping,
        )
        # Copies go before what is left is organized.
        self._batches = [
            PeriodicBatches(self.catalogue, schedule, self.reporter, self._clock)
            for schedule in (options.dedupe, options.organize)
        ]
        self._comparer = BackgroundComparer(
            self.catalogue, options.scan.limits, self._inbox.wake, self._clock.monotonic()
        )
        self._words = BackgroundReader(self.catalogue, options.scan.limits, self._inbox.wake, self._clock.monotonic())
        self._words.is_needed = options.read
        self._tagger = BackgroundTagger(self.catalogue, options.tags, self._inbox.wake, self._clock.monotonic())
        # In this order: a copy takes the words of the other one, and reading words may take hours.
        self._background: tuple[BackgroundWork, ...] = (self._comparer, self._tagger, self._words)
        self._roots: list[bytes] = []
        self._stopping = self._reloading = self._ending = False
        now = self._clock.monotonic()
        self._next_sweep = now
        self._next_health = now + HEALTH_S
        self._not_before = now
        """No work before then, after an error."""
        self._worked = self._served = now
        """When work, and reading during a sweep, last ended."""
        self._has_workers = False
        self._all_announced = True
        self._jumps = ClockJumps(self._clock)

    def run(self) -> None:
        """Runs until stop is called.

        CatalogueLocked if another daemon runs, UsageError for bad roots or a bad schedule, and the errors of a
        catalogue that cannot be used. An error that ends the daemon is in its state, which hashindex status shows.
        """
        # Before anything is written: a run that is refused leaves no trace.
        self._roots = self._wanted_roots()
        if not self._roots:
            raise UsageError(
                Message("No folder was ever scanned into this catalogue; name one: hashindex watch FOLDER")
            )
        for batches in self._batches:
            batches.check(self._roots)
        with daemon_lock(self.catalogue, self._wait_s):
            try:
                self.reporter.begin(self._options.notify)
                for batches in self._batches:
                    batches.plan()
                self._save(now=True)
                self._start_watching()
                self._attempt(self._first_sweep)
                while not self._stopping:
                    self._inbox.wait(self._pause())
                    self._turn()
            except _Stopped:
                pass
            except Exception as error:
                own = isinstance(error, HashIndexError)
                self.reporter.state.failed = str(error) if own else f"{type(error).__name__}: {error}"
                raise
            finally:
                self._end()

    def stop(self) -> None:
        """Ends run soon. Files that were read are committed; the next run finds the others."""
        self._stopping = True
        self._inbox.wake()

    def reload(self) -> None:
        """Reads the options again, watches anew and sweeps all roots."""
        self._reloading = True
        self._inbox.wake()

    @property
    def is_idle(self) -> bool:
        """Whether every known change is in the catalogue and announced, and all work in the background is done."""
        read = self.reporter.state.doing == "watching" and not self.settle
        return read and self._all_announced and all(work.is_done for work in self._background)

    # The loop

    def _turn(self) -> None:
        self._collect()
        self.reporter.emit_queued_troubles()
        self._check_clock(idle=True)
        if self._reloading:
            self._reload()
        if self._clock.monotonic() >= self._next_health:
            self._check_health()
        if self.watcher.overflowed():
            self.reporter.state.counts["overflows"] += 1
            self._sweep_within(1.0)
        if self._clock.monotonic() >= self._not_before:
            self._attempt(self._work)
        self._save()

    def _work(self) -> None:
        served = self._serve()
        # Reading goes before announcing, unless a burst never ends.
        if not served or len(self.settle) < BATCH:
            self._all_announced = self.updater.announce(ANNOUNCE_S)
        if self._clock.monotonic() >= self._next_sweep:
            self._sweep()
        for batches in self._batches:
            if batches.due is not None and self._comparer.is_done and self._clock.monotonic() >= batches.due:
                self._run_batches(batches)
        self._work_at_rest()

    def _attempt(self, work: Callable[[], None]) -> None:
        """Retries later what another process or a full disk prevents. A foreign catalogue ends the daemon."""
        try:
            work()
            return
        except CatalogueForeign:
            raise
        except CatalogueDamaged:
            rescued = set_aside(self.catalogue, self._wait_s)
            if rescued is None:
                raise
            self.reporter.emit_trouble(rescued.sentence())
            # The sweep fills the new catalogue.
            self._next_sweep = self._clock.monotonic()
        except CatalogueLocked as error:
            self._not_before = self._clock.monotonic() + RETRY_S
            self.reporter.set_doing("waiting")
            self.reporter.state.last_error = str(error)
        except HashIndexError as error:
            self._not_before = self._clock.monotonic() + 10 * RETRY_S
            self.reporter.emit_trouble(str(error))
        self.settle.requeue(max(self._not_before, self._clock.monotonic()))

    def _pause(self) -> float:
        """Seconds until there is something to do."""
        now = self._clock.monotonic()
        work = [self._next_sweep]
        work += [begins for each in self._background if (begins := self._begins_at(each)) is not None]
        if self._has_workers and not self._is_background_busy():
            work.append(self._worked + LET_GO_S)
        if not self._all_announced:
            work.append(now)
        if self._comparer.is_done:
            work += [batches.due for batches in self._batches if batches.due is not None]
        due = self.settle.next_due()
        if due is not None:
            work.append(due)
        # On Windows, Ctrl-C is not noticed during a wait.
        at = [self._next_health, now + (1.0 if os.name == "nt" else HEALTH_S), max(min(work), self._not_before)]
        if self.reporter.changed:
            at.append(self.reporter.saved + SAVE_S)
        return min(at) - now

    # Begin and end

    def _start_watching(self) -> None:
        """Starts the watcher in a thread: with very many folders it takes seconds, and stop must not wait for it."""
        raised: list[BaseException] = []

        def start() -> None:
            try:
                self.watcher.start(self._roots)
            except BaseException as error:  # noqa: BLE001 - raised again below
                raised.append(error)

        thread = threading.Thread(target=start, name="start", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(0.1)
            self._raise_if_stopping()
        if raised:
            raise raised[0]
        self.reporter.emit_roots(self.watcher.roots.values(), OFTEN_S)

    def _first_sweep(self) -> None:
        self._sweep()
        self._all_announced = self.updater.announce(ANNOUNCE_S)
        self.reporter.emit(WatchEvent("watching", self._clock.wall_ns(), numbers={"roots": len(self._roots)}))

    def _end(self) -> None:
        self._ending = True
        self.updater.stop()
        for background in self._background:
            background.stop(END_S)
        self.watcher.stop()
        with contextlib.suppress(Exception):
            self.updater.announce(2 * ANNOUNCE_S)
            self.reporter.emit(WatchEvent("stopped", self._clock.wall_ns()))
        self.updater.let_go()
        self.reporter.stop(0.3)
        self.reporter.state.ended = True
        self._save(now=True)

    # What the watcher, the clock and the user report

    def _collect(self) -> None:
        if self._changes.collect(self._roots, hidden=self._options.scan.rules.hidden):
            self.reporter.changed = True
            if len(self.settle) > LITTLE:
                for background in self._background:
                    background.pause()

    def _check_clock(self, *, idle: bool = False) -> None:
        if self._jumps.jumped(idle=idle):
            self.reporter.state.counts["clock_jumps"] += 1
            self._sweep_within(0.0)

    def _check_health(self) -> None:
        self._next_health = self._clock.monotonic() + HEALTH_S
        if self._clock.monotonic() - self.reporter.saved >= SWEEP_S:
            self._save(now=True)
        watched_anew = self.watcher.check()
        if watched_anew:
            self.reporter.state.counts["watched_anew"] += len(watched_anew)
            self.reporter.emit_roots(self.watcher.roots.values(), OFTEN_S)
            self._sweep_within(0.0)

    def _reload(self) -> None:
        self._reloading = False
        try:
            if self._reread is not None:
                self._options = self._reread()
        except HashIndexError as error:
            self.reporter.emit_trouble(Message("The settings stay as they were: {error}", error=str(error)))
            return
        self.updater.set_options(self._options.scan)
        self._tagger.set_rules(self._options.tags)
        for batches, schedule in zip(self._batches, (self._options.dedupe, self._options.organize), strict=True):
            batches.schedule = schedule
        self._roots = self._wanted_roots()
        self._start_watching()
        self._sweep_within(0.0)

    # Work

    def _serve(self) -> bool:
        """Reads one batch of the files that are ready. Returns whether there were any."""
        paths = self._changes.ready(BATCH)
        if not paths:
            return False
        self.reporter.set_doing("reading")
        self._comparer.is_needed = self._has_workers = True
        self._words.is_needed = self._options.read
        self._tagger.request()
        try:
            self.updater.update(paths, self._roots)
        finally:
            self._worked = self._clock.monotonic()
            self._check_clock()
        self._all_announced = False
        self.reporter.set_doing("watching")
        return True

    def _sweep(self) -> None:
        began = self._clock.monotonic()
        wanted = self._wanted_roots()
        if wanted and wanted != self._roots:
            # Another process scanned a new root, or forgot one.
            self._roots = wanted
            self._start_watching()
        self._next_sweep = began + self._options.sweep_s
        self.reporter.set_doing("sweeping")
        try:
            self.updater.remote = [each.path_bytes for each in self.watcher.roots.values() if each.how != EVENTS]
            summary = self.updater.sweep(self._roots)
        finally:
            ended = self._worked = self._clock.monotonic()
            self._plan_sweep(ended - began)
            self._check_clock()
        self._all_announced = False
        if summary.decoded:
            self._comparer.is_needed = True
            self._words.is_needed = self._options.read
        if summary.digested or summary.moved:
            self._tagger.request()
        self._has_workers = self._has_workers or summary.digested > 0
        if self.watcher.limited(self.updater.folders):
            self.reporter.emit_roots(self.watcher.roots.values(), OFTEN_S)
            self._plan_sweep(ended - began)
        self.reporter.state.counts["sweeps"] += 1
        self.reporter.state.swept_ns = self._clock.wall_ns()
        changes = summary.digested + summary.moved + summary.missing
        numbers = {"files": summary.files, "changes": changes, "seconds": round(ended - began, 3)}
        self.reporter.emit(WatchEvent("swept", self._clock.wall_ns(), numbers=numbers))
        self.reporter.set_doing("watching")

    def _plan_sweep(self, took_s: float) -> None:
        how = {each.how for each in self.watcher.roots.values()}
        every = self._options.sweep_s if how <= {EVENTS} else min(self._options.sweep_s, OFTEN_S)
        self._next_sweep = self._clock.monotonic() + max(every, SWEEP_SHARE * took_s)

    def _sweep_within(self, delay_s: float) -> None:
        self._next_sweep = min(self._next_sweep, self._clock.monotonic() + delay_s)

    def _work_at_rest(self) -> None:
        """Compares, tags, reads words, and ends the workers, when nothing else is to do."""
        now = self._clock.monotonic()
        for background in self._background:
            outcome = background.take_outcome(now)
            if outcome is not None:
                self._worked = now
            if outcome is BackgroundOutcome.FAILED:
                # Not repeated at once: the next new picture starts it again.
                self.reporter.emit_trouble(background.trouble)
            if outcome is BackgroundOutcome.DONE and background is self._comparer:
                self.updater.announce_compared()
            if outcome is not None and background is self._words:
                self._announce_read()
        for background in self._background:
            begins_at = self._begins_at(background)
            if begins_at is not None and now >= begins_at:
                self._has_workers = True
                background.begin()
        if self._has_workers and not self._is_background_busy() and now - self._worked >= LET_GO_S:
            self._has_workers = False
            self.updater.let_go()
            for background in self._background:
                background.finish()
            # The command line makes garbage collection rare; here is time for it.
            gc.collect()

    def _begins_at(self, background: BackgroundWork) -> float | None:
        """When it is due; None if it is not, or has to wait."""
        before = self._background[: self._background.index(background)]
        may_begin = len(self.settle) <= LITTLE and all(work.is_done for work in before)
        return background.due(self._worked) if may_begin else None

    def _is_background_busy(self) -> bool:
        return any(background.is_busy for background in self._background)

    def _announce_read(self) -> None:
        counts = self._words.take_counts()
        if counts["pictures"]:
            self._tagger.request()
            self.reporter.emit(WatchEvent("read", self._clock.wall_ns(), numbers={**counts}))

    def _run_batches(self, batches: PeriodicBatches) -> None:
        """Only after comparing: a batch would compare in this thread, and the daemon would read no events."""
        try:
            batches.run(stop=lambda: self._stopping, on_step=self._collect)
        finally:
            self._worked = self._clock.monotonic()

    # During long work

    def _on_progress(self, progress: Progress) -> None:
        """Empties the inbox, so that it stays small, and reads files that become ready during a long sweep."""
        self._raise_if_stopping()
        now = self._clock.monotonic()
        if now - self._served < SAVE_S:
            return
        self._served = now
        self._collect()
        self._save()
        if self.reporter.state.doing == "sweeping":
            self._serve()
            self.reporter.set_doing("sweeping")
        self._served = self._clock.monotonic()

    def _raise_if_stopping(self) -> None:
        if self._stopping and not self._ending:
            raise _Stopped

    def _save(self, *, now: bool = False) -> None:
        if now or self.reporter.is_due():
            roots = self.watcher.roots.values()
            self.reporter.save(roots, len(self.settle), heard=self._inbox.received, decoded=self.updater.decoded)

    def _wanted_roots(self) -> list[bytes]:
        return list(self._options.roots_bytes) or [root.path for root in self.updater.roots()] or self._roots

"""hashindex watch: the loop. Watch first, then reconcile disk and catalogue, then serve; sweep now and then, for ever.

Events only say where to look: what is written is what the disk says when it is looked at. Sweeps find what no event
told. The rooms around it: watching.py hears, settle.py and ready.py say when, intake.py reads and writes, comparing.py
compares, organizing.py organizes, teller.py tells.
"""

import contextlib
import gc
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hashindex.core.errors import CatalogueDamaged, CatalogueForeign, CatalogueLocked, HashIndexError, UsageError
from hashindex.core.model import Progress
from hashindex.core.options import ScanOptions
from hashindex.core.watch_events import WatchEvent
from hashindex.disk import files
from hashindex.index.scan import OWN_SUFFIXES
from hashindex.store.daemon_state import watching_alone
from hashindex.store.rescue import set_aside
from hashindex.watch.clock import Clock, Jumps
from hashindex.watch.comparing import Comparer, Comparison
from hashindex.watch.intake import Intake
from hashindex.watch.organizing import Order, Organizer
from hashindex.watch.ready import EARLY_MOST, ready
from hashindex.watch.reporter import SAVE_S, EventReporter
from hashindex.watch.settle import Settle, md5_in_name
from hashindex.watch.watching import EVENTS, Inbox, Watcher

HEALTH_S = 5.0
"""So often it looks after its threads, its roots and the clock."""
BATCH = 2_000
"""Files of one look: about ten seconds' work at most."""
SWEEP_S = 300.0
OFTEN_S = 30.0
"""Between sweeps where events do not come, or not for all folders."""
SWEEP_SHARE = 20
"""A sweep is followed by a rest of so many times its own length at least."""
REST_S = 5.0
"""After so long without work what is new is compared with everything."""
COMPARE_S = 60.0
"""So long after the last time at the latest, where work never ends but is little."""
LITTLE = 256
"""With more files waiting, comparing gives way to reading."""
LET_GO_S = 30.0
"""After so long the workers are let go."""
TELL_S = 0.25
"""So long at a time it tells what became of files, before it looks what else there is to do."""
RETRY_S = 2.0
"""After the catalogue was locked; ten times as long after another trouble."""
END_S = 0.5
"""So long at most it waits for a comparison that is asked to end."""


class WatchOptions(NamedTuple):
    """What to watch and how. roots: real folders; none are those of the catalogue."""

    roots: tuple[bytes, ...] = ()
    scan: ScanOptions = ScanOptions()
    quiet_s: float = 1.0
    sweep_s: float = SWEEP_S
    order: Order | None = None
    notify: str | None = None


class Stopped(Exception):
    """Raised where work is under way when the daemon is asked to stop."""


class Daemon:
    """One daemon for one catalogue. run is called once; stop and reload may be called from a signal handler."""

    def __init__(
        self,
        catalogue: Path,
        options: WatchOptions,
        tell: Callable[[WatchEvent], None],
        *,
        wait_s: float = 0.0,
        reread: Callable[[], WatchOptions] | None = None,
        clock: Clock | None = None,
        watcher: Watcher | None = None,
        inbox: Inbox | None = None,
    ) -> None:
        """tell: hears each event, in the thread of run. reread: the options anew, for reload; raises HashIndexError."""
        self.catalogue = catalogue
        self._options = options
        self._wait_s = wait_s
        self._reread = reread
        self._clock = clock or Clock()
        self._inbox = inbox or Inbox()
        self.watcher = watcher or Watcher(self._inbox)
        self.settle = Settle(options.quiet_s)
        self.reporter = EventReporter(catalogue, self._clock, tell, self._inbox.wake)
        self.intake = Intake(
            catalogue,
            options.scan,
            self.settle,
            self.reporter.tell,
            clock=self._clock,
            on_progress=self._on_progress,
            on_wait=self._on_wait,
        )
        self._organizer = Organizer(catalogue, options.order, self.reporter, self._clock, self.intake.destinations)
        self._comparer = Comparer(catalogue, options.scan.limits, self._inbox.wake)
        self._roots: list[bytes] = []
        own = os.fsencode(os.path.realpath(catalogue))
        self._own = frozenset(own + suffix for suffix in OWN_SUFFIXES)
        self._stopping = self._reloading = self._leaving = False
        now = self._clock.monotonic()
        self._next_sweep = now
        self._next_health = now + HEALTH_S
        self._not_before = now
        self._worked = self._compared = self._served = now
        self._uncompared = self._has_workers = False
        self._all_told = True
        self._jumps = Jumps(self._clock)

    def run(self) -> None:
        """Until stop is called. Raises CatalogueLocked where another daemon lives, UsageError for bad roots, and what
        says that the catalogue cannot be used. What ends it but stop is in its state, for hashindex status."""
        # Before anything is written: a run that never began leaves no trace.
        self._check()
        with watching_alone(self.catalogue, self._wait_s):
            try:
                self._begin()
                self._start_watching()
                self._attempt(self._first_sweep)
                while not self._stopping:
                    self._inbox.wait(self._pause())
                    self._turn()
            except Stopped:
                pass
            except Exception as error:
                self.reporter.state["failed"] = _why(error)
                raise
            finally:
                self._end()

    def stop(self) -> None:
        """Ends run soon: what is read is committed, what is not will be found by the next run."""
        self._stopping = True
        self._inbox.wake()

    def reload(self) -> None:
        """Reads the options again, and looks at everything with them."""
        self._reloading = True
        self._inbox.wake()

    # The loop

    def _turn(self) -> None:
        self._hear()
        self.reporter.note_troubles_of_other_threads()
        self._look_at_the_clock(idle=True)
        if self._reloading:
            self._reload()
        if self._clock.monotonic() >= self._next_health:
            self._look_after_the_roots()
        if self.watcher.overflowed():
            self.reporter.counts["overflows"] += 1
            self._sweep_soon(1.0)
        if self._clock.monotonic() >= self._not_before:
            self._attempt(self._work)
        self._save()

    def _work(self) -> None:
        served = self._serve()
        # Reading goes first, unless a burst never ends.
        if not served or len(self.settle) < BATCH:
            self._all_told = self.intake.announce(TELL_S)
        if self._clock.monotonic() >= self._next_sweep:
            self._sweep(self._roots)
        if self._may_organize() and self._clock.monotonic() >= (self._organizer.due or 0.0):
            self._organize()
        self._rest()

    def _attempt(self, work: Callable[[], None]) -> None:
        """What another process or a full disk prevents is tried again; a catalogue that is none any more ends it."""
        try:
            work()
            return
        except CatalogueForeign:
            raise
        except CatalogueDamaged as error:
            self._mend(error)
        except CatalogueLocked as error:
            self._not_before = self._clock.monotonic() + RETRY_S
            self.reporter.set_doing("waiting")
            self.reporter.trouble = str(error)
        except HashIndexError as error:
            self._not_before = self._clock.monotonic() + 10 * RETRY_S
            self.reporter.report_trouble(str(error))
        self.settle.release(self._not_before)

    def _mend(self, error: CatalogueDamaged) -> None:
        """Sets a damaged catalogue aside; the next sweep fills the new one."""
        rescued = set_aside(self.catalogue, self._wait_s)
        if rescued is None:
            raise error
        self.reporter.report_trouble(rescued.sentence())
        self._next_sweep = self._clock.monotonic()
        self.settle.release(self._next_sweep)

    def _pause(self) -> float:
        """How long nothing needs to be done."""
        now = self._clock.monotonic()
        work = [self._next_sweep]
        if self._may_compare():
            work.append(self._compare_at())
        if self._has_workers and not self._comparer.is_busy:
            work.append(self._worked + LET_GO_S)
        if not self._all_told:
            work.append(now)
        if self._organizer.due is not None and self._may_organize():
            work.append(self._organizer.due)
        due = self.settle.next_due()
        if due is not None:
            work.append(due)
        # Not longer: on Windows a wait keeps Ctrl-C waiting too.
        at = [self._next_health, now + (1.0 if os.name == "nt" else HEALTH_S), max(min(work), self._not_before)]
        if self.reporter.changed:
            at.append(self.reporter.saved + SAVE_S)
        return min(at) - now

    # Beginning and ending

    def _check(self) -> None:
        """Refuses what cannot work."""
        self._roots = self._wanted_roots()
        if not self._roots:
            raise UsageError("No folder was ever scanned into this catalogue; name one: hashindex watch FOLDER")
        self._organizer.check(self._roots)

    def _begin(self) -> None:
        self.reporter.begin(self._options.notify)
        self._organizer.plan()
        self._save(now=True)

    def _start_watching(self) -> None:
        """In a thread of its own: below very many folders it takes seconds, and stop must not wait for it."""
        raised: list[BaseException] = []

        def start() -> None:
            try:
                self.watcher.start(self._roots)
            except BaseException as error:  # noqa: BLE001 - passed on below
                raised.append(error)

        thread = threading.Thread(target=start, name="start", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(0.1)
            self._on_wait()
        if raised:
            raise raised[0]
        self._note_how()

    def _first_sweep(self) -> None:
        self._sweep(self._roots)
        self._all_told = self.intake.announce(TELL_S)
        self.reporter.tell(WatchEvent("watching", self._clock.wall_ns(), numbers={"roots": len(self._roots)}))

    def _end(self) -> None:
        self._leaving = True
        self.intake.stop()
        self._comparer.stop(END_S)
        self.watcher.stop()
        with contextlib.suppress(Exception):
            self.intake.announce(2 * TELL_S)
            self.reporter.tell(WatchEvent("stopped", self._clock.wall_ns()))
        self.intake.finish()
        self.reporter.stop(0.3)
        self.reporter.state["ended"] = True
        self._save(now=True)

    # Hearing

    def _hear(self) -> None:
        """From the inbox into settle."""
        paths = self._inbox.take()
        if not paths:
            return
        now = self._clock.monotonic()
        early = len(self.settle) + len(paths) <= EARLY_MOST
        hidden = os.sep.encode() + b"."
        for path in paths:
            if path in self._own:
                continue
            if not self._options.scan.rules.hidden and hidden in path[len(self._root_of(path)) :]:
                continue
            self.settle.note(path, now, early=early and md5_in_name(os.path.basename(path)) is not None)
        if len(self.settle) > LITTLE:
            self._comparer.pause()
        self.reporter.changed = True

    def _root_of(self, path: bytes) -> bytes:
        return files.innermost(path, self._roots) or b""

    def _look_at_the_clock(self, *, idle: bool = False) -> None:
        if self._jumps.jumped(idle=idle):
            self.reporter.counts["clock_jumps"] += 1
            self._sweep_soon(0.0)

    def _look_after_the_roots(self) -> None:
        self._next_health = self._clock.monotonic() + HEALTH_S
        if self._clock.monotonic() - self.reporter.saved >= SWEEP_S:
            self._save(now=True)
        concerned = self.watcher.check()
        if concerned:
            self.reporter.counts["watched_anew"] += len(concerned)
            self._note_how()
            self._sweep_soon(0.0)

    def _reload(self) -> None:
        self._reloading = False
        try:
            if self._reread is not None:
                self._options = self._reread()
        except HashIndexError as error:
            self.reporter.report_trouble(f"The settings stay as they were: {error}")
            return
        self.intake.set_options(self._options.scan)
        self._organizer.order = self._options.order
        self._roots = self._wanted_roots()
        self._start_watching()
        self._sweep_soon(0.0)

    # Serving

    def _serve(self) -> bool:
        """Takes in what is ready, a batch of it. Returns whether there was any."""
        taken = ready(self.settle, self._clock.monotonic(), self._clock.wall_ns(), BATCH)
        if not taken:
            return False
        self.reporter.set_doing("reading")
        try:
            self.intake.look(taken, self._roots)
        finally:
            self._worked = self._clock.monotonic()
            self._look_at_the_clock()
        self._uncompared = self._has_workers = True
        self.reporter.set_doing("watching")
        return True

    def _sweep(self, roots: list[bytes]) -> None:
        began = self._clock.monotonic()
        wanted = self._wanted_roots()
        if wanted and wanted != self._roots:
            # A root was scanned or forgotten beside this.
            self._roots = roots = wanted
            self._start_watching()
        self._next_sweep = began + self._options.sweep_s
        self.reporter.set_doing("sweeping")
        try:
            self.intake.remote = [each.path for each in self.watcher.roots.values() if each.how != EVENTS]
            summary = self.intake.sweep(roots)
        finally:
            ended = self._worked = self._clock.monotonic()
            self._plan_sweep(ended - began)
            self._look_at_the_clock()
        self._uncompared = self._uncompared or summary.decoded > 0
        self._has_workers = self._has_workers or summary.digested > 0
        if self.watcher.limited(self.intake.folders):
            self._note_how()
            self._plan_sweep(ended - began)
        self.reporter.counts["sweeps"] += 1
        self.reporter.state["swept_ns"] = self._clock.wall_ns()
        changes = summary.digested + summary.moved + summary.missing
        numbers = {"files": summary.files, "changes": changes, "seconds": round(ended - began, 3)}
        self.reporter.tell(WatchEvent("swept", self._clock.wall_ns(), numbers=numbers))
        self.reporter.set_doing("watching")

    def _plan_sweep(self, took_s: float) -> None:
        how = {each.how for each in self.watcher.roots.values()}
        every = self._options.sweep_s if how <= {EVENTS} else min(self._options.sweep_s, OFTEN_S)
        self._next_sweep = self._clock.monotonic() + max(every, SWEEP_SHARE * took_s)

    def _sweep_soon(self, delay_s: float) -> None:
        self._next_sweep = min(self._next_sweep, self._clock.monotonic() + delay_s)

    def _rest(self) -> None:
        """What can be done while nothing else is to do."""
        now = self._clock.monotonic()
        self._look_at_the_comparison(now)
        if self._may_compare() and now >= self._compare_at():
            self._uncompared = False
            self._has_workers = True
            self._comparer.begin()
        if self._has_workers and not self._comparer.is_busy and now - self._worked >= LET_GO_S:
            self._has_workers = False
            self.intake.finish()
            self._comparer.finish()
            # The command line has it run rarely; here is time for it.
            gc.collect()

    def _may_compare(self) -> bool:
        return self._uncompared and not self._comparer.is_busy and len(self.settle) <= LITTLE

    def _compare_at(self) -> float:
        return min(self._worked + REST_S, self._compared + COMPARE_S)

    def _look_at_the_comparison(self, now: float) -> None:
        outcome = self._comparer.outcome()
        if outcome is None:
            return
        self._compared = self._worked = now
        if outcome is Comparison.PAUSED:
            self._uncompared = True
        elif outcome is Comparison.FAILED:
            # What comes next is another try.
            self.reporter.report_trouble(self._comparer.trouble)

    # While something is under way

    def _on_progress(self, progress: Progress) -> None:
        """Also hears, so that the inbox stays small, and takes in what gets ready while a sweep reads for long."""
        self._on_wait()
        now = self._clock.monotonic()
        if now - self._served < SAVE_S:
            return
        self._served = now
        self._hear()
        self._save()
        if self.reporter.doing == "sweeping":
            self._serve()
            self.reporter.set_doing("sweeping")
        self._served = self._clock.monotonic()

    def _on_wait(self) -> None:
        if self._stopping and not self._leaving:
            raise Stopped

    # Organizing and telling

    def _may_organize(self) -> bool:
        """Not before what came is compared: organize would do it here, and nothing would be heard meanwhile."""
        return self._organizer.due is not None and not self._uncompared and not self._comparer.is_busy

    def _organize(self) -> None:
        try:
            self._organizer.organize(stop=lambda: self._stopping, on_step=lambda step: self._hear())
        finally:
            self._worked = self._clock.monotonic()

    def _save(self, *, now: bool = False) -> None:
        if now or self.reporter.is_due():
            roots = self.watcher.roots.values()
            self.reporter.save(roots, len(self.settle), heard=self._inbox.heard, decoded=self.intake.decoded)

    def _note_how(self) -> None:
        """Says where events do not come, once for each reason."""
        said = self.reporter.state.setdefault("said", {})
        for root, each in self.watcher.roots.items():
            name = os.fsdecode(root)
            if each.why is not None and said.get(name) != each.why:
                what = f"{name} is looked through every {OFTEN_S:g} s or more: {each.why}"
                self.reporter.tell(WatchEvent("trouble", self._clock.wall_ns(), root, message=what))
            said[name] = each.why
        self.reporter.changed = True

    def _wanted_roots(self) -> list[bytes]:
        return list(self._options.roots) or [root.path for root in self.intake.roots()] or self._roots


def _why(error: Exception) -> str:
    """A sentence of ours as it is; anything else with its kind."""
    return str(error) if isinstance(error, HashIndexError) else f"{type(error).__name__}: {error}"

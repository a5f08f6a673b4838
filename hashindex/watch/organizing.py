"""hashindex watch --organize and --dedupe: when a batch is due, the run itself, and its events.

daemon.py decides when there is time for it.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from hashindex.clients.layouts import WHAT_IT_DOES, owner_of
from hashindex.core.arguments import Options, at_least, do_nothing
from hashindex.core.deduping import DedupeOptions
from hashindex.core.errors import CatalogueDamaged, CatalogueForeign, CatalogueLocked, HashIndexError, UsageError
from hashindex.core.language import Message, Part
from hashindex.core.name_template import DEFAULT_NAME, Naming
from hashindex.core.organizing import Action, Outcome, PlaceOptions
from hashindex.core.paths import PathLike, path_bytes
from hashindex.core.watch_events import WatchEvent
from hashindex.disk import files
from hashindex.index.grouping import Grouping
from hashindex.organize.dedupe import dedupe
from hashindex.organize.organize import organize
from hashindex.store.access import Access
from hashindex.watch.clock import Clock
from hashindex.watch.reporter import EventReporter

AGAIN_S = 600.0
"""Delay after a failed run."""
LOCKED_AGAIN_S = 20.0
"""Delay after the catalogue was locked."""
WAIT_S = 2.0
"""Longest wait for a lock. The daemon reads no events while it waits."""


@dataclass(frozen=True, slots=True, repr=False)
class OrganizeSchedule(Options):
    """How often to organize, in seconds, and the arguments of HashIndex.organize."""

    dest: PathLike
    every_s: float
    action: Action = Action.COPY
    rest: bool = False
    from_client_cache: bool = False
    grouping: Grouping = Grouping()  # noqa: RUF009 - frozen
    keepers: bool = False
    name: str = DEFAULT_NAME
    folder: str = ""

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        at_least(0, every_s=self.every_s)
        Naming(self.name, self.folder)
        self._set("dest", os.fsdecode(files.real_path(self.dest)))

    @property
    def dest_bytes(self) -> bytes:
        """The real path."""
        return path_bytes(self.dest)

    @property
    def option(self) -> str:
        return "--organize"

    @property
    def key(self) -> str:
        """Names the schedule in the state of the daemon."""
        return os.fsdecode(self.dest_bytes)

    def check(self, roots: Iterable[bytes]) -> None:
        """UsageError if organize would refuse each run."""
        if self.action is not Action.MOVE or self.from_client_cache:
            return
        for root in roots:
            owner = owner_of(root)
            if owner is not None:
                raise UsageError(
                    Message(
                        "{root} is a folder of {owner} itself. {what_it_does}. Organize copies instead (--mode copy), "
                        "or say --from-client-cache to move its files all the same.",
                        root=os.fsdecode(root),
                        owner=owner,
                        what_it_does=WHAT_IT_DOES[owner],
                    )
                )

    def run(self, access: Access, stop: Callable[[], bool], on_step: Callable[[], None]) -> Outcome:
        """One run. UsageError if a known dest is gone: organize would begin again on the disk below its mount point."""
        with access.reading() as catalogue:
            is_known = self.dest_bytes in catalogue.destinations()
        if is_known and not os.path.isdir(self.dest_bytes):
            raise UsageError(
                Message(
                    "{dest}, where pictures were placed before, is not there. Connect its drive; to begin anew make "
                    "that folder.",
                    dest=os.fsdecode(self.dest_bytes),
                )
            )
        return organize(
            access,
            self.dest,
            self.action,
            self.grouping,
            PlaceOptions(self.rest, self.keepers, naming=Naming(self.name, self.folder)),
            from_client_cache=self.from_client_cache,
            stop=stop,
            on_step=lambda step: on_step(),
            on_progress=do_nothing,
            on_placed=do_nothing,
        ).outcome

    def event(self, outcome: Outcome, time_ns: int) -> WatchEvent:
        numbers: dict[str, int | float] = {"placed": outcome.done, "refused": len(outcome.refused)}
        return WatchEvent("organized", time_ns, self.dest_bytes, numbers=numbers)


@dataclass(frozen=True, slots=True, repr=False)
class DedupeSchedule(Options):
    """How often to move copies to the trash, in seconds, and the arguments of HashIndex.dedupe."""

    every_s: float
    options: DedupeOptions = DedupeOptions()  # noqa: RUF009 - frozen
    grouping: Grouping = Grouping()  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        at_least(0, every_s=self.every_s)

    @property
    def option(self) -> str:
        return "--dedupe"

    @property
    def key(self) -> str:
        """Names the schedule in the state of the daemon. No destination has this name."""
        return ""

    def check(self, roots: Iterable[bytes]) -> None:
        """Nothing to check: dedupe leaves what it must not remove."""

    def run(self, access: Access, stop: Callable[[], bool], on_step: Callable[[], None]) -> Outcome:
        """One run."""
        return dedupe(
            access,
            self.options,
            self.grouping,
            stop=stop,
            on_removed=do_nothing,
            on_progress=do_nothing,
            on_step=lambda done, total: on_step(),
        ).outcome

    def event(self, outcome: Outcome, time_ns: int) -> WatchEvent:
        numbers: dict[str, int | float] = {"removed": outcome.done, "refused": len(outcome.refused)}
        return WatchEvent("deduped", time_ns, numbers=numbers)


class PeriodicBatches:
    """Organizes or dedupes by a schedule."""

    def __init__(
        self, catalogue: Path, schedule: OrganizeSchedule | DedupeSchedule | None, reporter: EventReporter, clock: Clock
    ) -> None:
        self.schedule = schedule
        self.due: float | None = None
        """By the monotonic clock; None without a schedule."""
        self._catalogue = catalogue
        self._reporter = reporter
        self._clock = clock

    def check(self, roots: Iterable[bytes]) -> None:
        """UsageError at the start for a schedule that would be refused each time."""
        if self.schedule is not None:
            self.schedule.check(roots)

    def plan(self) -> None:
        """Sets when a run is due. Counts from the last run, by the wall clock, so that a restart changes nothing."""
        schedule = self.schedule
        self.due = None
        if schedule is None:
            return
        wall = self._clock.wall_ns()
        last = self._reporter.state.organized.get(schedule.key)
        due_ns = wall if last is None else min(last, wall) + int(schedule.every_s * 1e9)
        self._note_next(last, due_ns)
        self.due = self._clock.monotonic() + max(0.0, (due_ns - wall) / 1e9)

    def _note_next(self, last_ns: int | None, due_ns: int) -> None:
        """For hashindex status, which shows when organize ran and runs next."""
        if isinstance(self.schedule, OrganizeSchedule):
            self._reporter.state.organized_ns, self._reporter.state.organizes_ns = last_ns, due_ns

    def run(self, stop: Callable[[], bool], on_step: Callable[[], None]) -> None:
        """Runs once, and plans the next run. on_step: called after each file.

        CatalogueLocked, CatalogueForeign and CatalogueDamaged are raised. Any other error is reported, and the run is
        repeated after AGAIN_S.
        """
        schedule = self.schedule
        assert schedule is not None
        self._reporter.set_doing("organizing")
        try:
            outcome = schedule.run(Access(self._catalogue, WAIT_S, do_nothing), stop, on_step)
        except CatalogueLocked:
            self.due = self._clock.monotonic() + LOCKED_AGAIN_S
            raise
        except (CatalogueForeign, CatalogueDamaged):
            raise
        except (HashIndexError, OSError) as error:
            self._fail(str(error), schedule)
            return
        finally:
            self._reporter.set_doing("watching")
        if stop():
            return  # the next start does the rest
        if outcome.stopped is not None:
            self._fail(outcome.stopped, schedule)
            return
        self._reporter.state.organized = {**self._reporter.state.organized, schedule.key: self._clock.wall_ns()}
        self.plan()
        if outcome.refused:
            self._reporter.emit_trouble(
                Message(
                    "{option}: {count:,} files were left where they are: {reason}",
                    option=schedule.option,
                    count=len(outcome.refused),
                    reason=Part(outcome.refused[0].reason),
                )
            )
        self._reporter.emit(schedule.event(outcome, self._clock.wall_ns()))

    def _fail(self, why: str, schedule: OrganizeSchedule | DedupeSchedule) -> None:
        """Reports a failed run, and plans the next try."""
        self._reporter.emit_trouble(Message("{option}: {reason}", option=schedule.option, reason=Part(why)))
        delay_s = min(schedule.every_s, AGAIN_S)
        self.due = self._clock.monotonic() + delay_s
        self._note_next(self._reporter.state.organized_ns, self._clock.wall_ns() + int(delay_s * 1e9))

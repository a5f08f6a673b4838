"""hashindex watch --organize: when organize is due, the run itself, and its events.

daemon.py decides when there is time for it.
"""

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from hashindex.clients.layouts import WHAT_IT_DOES, owner_of
from hashindex.core.errors import CatalogueDamaged, CatalogueForeign, CatalogueLocked, HashIndexError, UsageError
from hashindex.core.name_template import DEFAULT_NAME, Naming
from hashindex.core.organizing import Action, Step
from hashindex.core.watch_events import WatchEvent
from hashindex.index.grouping import Grouping
from hashindex.service import HashIndex
from hashindex.watch.clock import Clock
from hashindex.watch.reporter import EventReporter

AGAIN_S = 600.0
"""Delay after a failed run."""
LOCKED_AGAIN_S = 20.0
"""Delay after the catalogue was locked."""
WAIT_S = 2.0
"""Longest wait for a lock. The daemon reads no events while it waits."""


class OrganizeSchedule(NamedTuple):
    """How often to organize, and the arguments of HashIndex.organize."""

    dest: str
    every_s: float
    action: Action = Action.COPY
    rest: bool = False
    from_client_cache: bool = False
    grouping: Grouping = Grouping()
    keepers: bool = False
    name: str = DEFAULT_NAME
    folder: str = ""


class PeriodicOrganizer:
    """Organizes by a schedule."""

    def __init__(
        self,
        catalogue: Path,
        schedule: OrganizeSchedule | None,
        reporter: EventReporter,
        clock: Clock,
        destinations: Callable[[], Collection[bytes]],
    ) -> None:
        """destinations: returns the folders in which organize has placed pictures."""
        self.schedule = schedule
        self.due: float | None = None
        """By the monotonic clock; None without a schedule."""
        self._catalogue = catalogue
        self._reporter = reporter
        self._clock = clock
        self._destinations = destinations

    def check(self, roots: Iterable[bytes]) -> None:
        """UsageError at the start for a schedule that organize would refuse each time."""
        schedule = self.schedule
        if schedule is not None:
            Naming(schedule.name, schedule.folder)
        if schedule is None or schedule.action is not Action.MOVE or schedule.from_client_cache:
            return
        for root in roots:
            owner = owner_of(root)
            if owner is not None:
                raise UsageError(
                    f"{os.fsdecode(root)} is a folder of {owner} itself. {WHAT_IT_DOES[owner]}. Organize copies "
                    "instead (--mode copy), or say --from-client-cache to move its files all the same."
                )

    def plan(self) -> None:
        """Sets when organize is due. Counts from the last run, by the wall clock, so that a restart changes nothing."""
        schedule = self.schedule
        self.due = None
        if schedule is None:
            return
        wall = self._clock.wall_ns()
        last = self._reporter.state.organized.get(schedule.dest)
        due_ns = wall if last is None else min(last, wall) + int(schedule.every_s * 1e9)
        self._reporter.state.organized_ns, self._reporter.state.organizes_ns = last, due_ns
        self.due = self._clock.monotonic() + max(0.0, (due_ns - wall) / 1e9)

    def organize(self, stop: Callable[[], bool], on_step: Callable[[Step], None]) -> None:
        """Runs organize once, and plans the next run. stop, on_step: those of HashIndex.organize.

        CatalogueLocked, CatalogueForeign and CatalogueDamaged are raised. Any other error is reported, and the run is
        repeated after AGAIN_S.
        """
        schedule = self.schedule
        assert schedule is not None
        self._reporter.set_doing("organizing")
        try:
            self._check_destination(os.fsencode(schedule.dest))
            organized = HashIndex(self._catalogue, wait_s=WAIT_S).organize(
                schedule.dest,
                action=schedule.action,
                rest=schedule.rest,
                keepers=schedule.keepers,
                name=schedule.name,
                folder=schedule.folder,
                from_client_cache=schedule.from_client_cache,
                grouping=schedule.grouping,
                stop=stop,
                on_step=on_step,
            )
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
        placed, refused = organized.outcome.done, organized.outcome.refused
        if stop():
            return  # the next start places the rest
        if organized.outcome.stopped is not None:
            self._fail(organized.outcome.stopped, schedule)
            return
        self._reporter.state.organized = {schedule.dest: self._clock.wall_ns()}
        self.plan()
        if refused:
            self._reporter.emit_trouble(
                f"--organize: {len(refused):,} files were left where they are: {refused[0].reason}"
            )
        numbers: dict[str, int | float] = {"placed": placed, "refused": len(refused)}
        event = WatchEvent("organized", self._clock.wall_ns(), os.fsencode(schedule.dest), numbers=numbers)
        self._reporter.emit(event)

    def _fail(self, why: str, schedule: OrganizeSchedule) -> None:
        """Reports a failed run, and plans the next try."""
        self._reporter.emit_trouble(f"--organize: {why}")
        delay_s = min(schedule.every_s, AGAIN_S)
        self.due = self._clock.monotonic() + delay_s
        self._reporter.state.organizes_ns = self._clock.wall_ns() + int(delay_s * 1e9)

    def _check_destination(self, dest: bytes) -> None:
        """UsageError if dest is known but gone: organize would begin again on the disk below its mount point."""
        if not os.path.isdir(dest) and dest in self._destinations():
            raise UsageError(
                f"{os.fsdecode(dest)}, where pictures were placed before, is not there. Connect its drive; to begin "
                "anew make that folder."
            )

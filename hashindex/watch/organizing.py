"""hashindex watch --organize: when organize is due, the run itself, and what is said of it.

When there is time for it is daemon.py's to decide.
"""

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from hashindex.clients.layouts import WHAT_IT_DOES, owner_of
from hashindex.core.errors import CatalogueDamaged, CatalogueForeign, CatalogueLocked, HashIndexError, UsageError
from hashindex.core.organizing import Action, Step
from hashindex.core.watch_events import WatchEvent
from hashindex.index.grouping import Grouping
from hashindex.service import HashIndex
from hashindex.watch.clock import Clock
from hashindex.watch.reporter import EventReporter

AGAIN_S = 600.0
"""After one that failed."""
LOCKED_AGAIN_S = 20.0
"""After the catalogue was locked."""
WAIT_S = 2.0
"""So long it waits for the lock, each time: nothing is heard meanwhile."""


class Order(NamedTuple):
    """A periodic organize."""

    dest: str
    every_s: float
    action: Action = Action.COPY
    rest: bool = False
    from_client_cache: bool = False
    grouping: Grouping = Grouping()
    """As of HashIndex.organize."""


class Organizer:
    """Organizes now and then, as an order says."""

    def __init__(
        self,
        catalogue: Path,
        order: Order | None,
        reporter: EventReporter,
        clock: Clock,
        destinations: Callable[[], Collection[bytes]],
    ) -> None:
        """destinations: gives the folders that organize placed something in."""
        self.order = order
        self.due: float | None = None
        """By the clock that never jumps; None without an order."""
        self._catalogue = catalogue
        self._teller = reporter
        self._clock = clock
        self._destinations = destinations

    def check(self, roots: Iterable[bytes]) -> None:
        """What organize would refuse each time is better said at once."""
        order = self.order
        if order is None or order.action is not Action.MOVE or order.from_client_cache:
            return
        for root in roots:
            owner = owner_of(root)
            if owner is not None:
                raise UsageError(
                    f"{os.fsdecode(root)} is a folder of {owner} itself. {WHAT_IT_DOES[owner]}. Organize copies "
                    "instead (--mode copy), or say --from-client-cache to move its files all the same."
                )

    def plan(self) -> None:
        """When it is due goes by the wall clock and is kept, so that a restart does not begin anew."""
        order = self.order
        self.due = None
        if order is None:
            return
        wall = self._clock.wall_ns()
        last = self._teller.state["organized"].get(order.dest)
        due_ns = wall if last is None else min(last, wall) + int(order.every_s * 1e9)
        self._teller.state["organized_ns"], self._teller.state["organizes_ns"] = last, due_ns
        self.due = self._clock.monotonic() + max(0.0, (due_ns - wall) / 1e9)

    def organize(self, stop: Callable[[], bool], on_step: Callable[[Step], None]) -> None:
        """Once; afterwards it is planned when again. stop, on_step: as of HashIndex.organize.

        Raises what says that the catalogue is locked or cannot be used.
        """
        order = self.order
        assert order is not None
        self._teller.set_doing("organizing")
        try:
            self._check_destination(os.fsencode(order.dest))
            organized = HashIndex(self._catalogue, wait_s=WAIT_S).organize(
                order.dest,
                action=order.action,
                rest=order.rest,
                from_client_cache=order.from_client_cache,
                grouping=order.grouping,
                stop=stop,
                on_step=on_step,
            )
        except CatalogueLocked:
            self.due = self._clock.monotonic() + LOCKED_AGAIN_S
            raise
        except (CatalogueForeign, CatalogueDamaged):
            raise
        except (HashIndexError, OSError) as error:
            self._again(str(error))
            return
        finally:
            self._teller.set_doing("watching")
        placed, refused = organized.outcome.done, organized.outcome.refused
        if stop():
            return  # the rest of it is due at the next start
        if organized.outcome.stopped is not None:
            self._again(organized.outcome.stopped)
            return
        self._teller.state["organized"] = {order.dest: self._clock.wall_ns()}
        self.plan()
        if refused:
            self._teller.report_trouble(
                f"--organize: {len(refused):,} files were left where they are: {refused[0].reason}"
            )
        numbers: dict[str, int | float] = {"placed": placed, "refused": len(refused)}
        self._teller.tell(WatchEvent("organized", self._clock.wall_ns(), os.fsencode(order.dest), numbers=numbers))

    def _again(self, why: str) -> None:
        """It failed: says so, and has it tried again before long."""
        assert self.order is not None
        self._teller.report_trouble(f"--organize: {why}")
        delay_s = min(self.order.every_s, AGAIN_S)
        self.due = self._clock.monotonic() + delay_s
        self._teller.state["organizes_ns"] = self._clock.wall_ns() + int(delay_s * 1e9)

    def _check_destination(self, dest: bytes) -> None:
        """A drive that is not there would be organized anew, onto the disk below its name."""
        if not os.path.isdir(dest) and dest in self._destinations():
            raise UsageError(
                f"{os.fsdecode(dest)}, where pictures were placed before, is not there. Connect its drive; to begin "
                "anew make that folder."
            )

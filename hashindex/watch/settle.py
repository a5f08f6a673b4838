"""When a changed file is ready to be read: a debounce with a quiet time, a maximum and a back-off. Does no I/O.

The caller passes the time and the result of stat; this module uses no disk and no clock.
"""

import enum
import heapq
import re
from dataclasses import dataclass
from typing import NamedTuple

GIVE_UP_S = 300.0
"""A file that cannot be read, or is incomplete, is retried for this long. Then it is indexed with its problem."""
MOST_BACK_OFF_S = 30.0
EARLY_S = 0.25
"""Shortest time between two checks of a file that is named by its own MD5, while it is being written."""
NEVER = float("inf")
_NAMED_BY_MD5 = re.compile(rb"[0-9a-fA-F]{32}(?:\.\w*)?")


class Readiness(enum.Enum):
    """The result of observing a path."""

    READY = "ready"
    GONE = "gone"
    WAIT = "wait"


class Identity(NamedTuple):
    """Values of stat that stay the same while no process writes to the file."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(slots=True)
class _Waiting:
    first: float
    """When the path was added; giving up counts from here."""
    observed: float
    """When the path was last observed; most_s counts from here."""
    due: float
    """NEVER from take_due until observe."""
    tries: int = 0
    identity: Identity | None = None
    unchanged_since: float = 0.0
    taken: bool = False
    """Whether the path is ready or gone, and not finished."""
    changed_again: bool = False
    """Whether the path was added again while it was taken."""


class SettleQueue:
    """Changed paths, and when to observe each.

    A path is due after quiet_s without a change, but at most most_s after it was last observed. It is ready when its
    size, mtime and inode have not changed for quiet_s, by two observations or by its mtime. Every path becomes ready
    or gone, at the latest give_up_s and one back-off after it was added, if it is ever unchanged for quiet_s. Times
    are seconds of a monotonic clock. Memory: the path and 200 bytes for each entry. Each call costs O(log n).
    """

    def __init__(self, quiet_s: float = 1.0, most_s: float = 5.0, give_up_s: float = GIVE_UP_S) -> None:
        self.quiet_s = quiet_s
        self.most_s = max(most_s, quiet_s)
        self.give_up_s = give_up_s
        self._paths: dict[bytes, _Waiting] = {}
        self._heap: list[tuple[float, bytes]] = []

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, path: object) -> bool:
        return path in self._paths

    def add(self, path: bytes, now: float, *, early: bool = False) -> None:
        """Adds a changed path. early: observe it before quiet_s has passed, because its bytes may prove it whole."""
        waiting = self._paths.get(path)
        if waiting is None:
            waiting = self._paths[path] = _Waiting(first=now, observed=now, due=NEVER)
            due = now if early else now + self.quiet_s
        elif waiting.taken:
            waiting.changed_again = True
            return
        elif early:
            due = max(now, waiting.observed + min(EARLY_S, self.quiet_s))
        else:
            due = max(now, min(now + self.quiet_s, waiting.observed + self.most_s))
        self._put(path, waiting, due)

    def next_due(self) -> float | None:
        """When the next path is due; None if none waits."""
        self._drop_outdated()
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float, most: int) -> list[bytes]:
        """At most that many due paths, longest due first. Each must be passed to observe."""
        found: list[bytes] = []
        while len(found) < most:
            due = self.next_due()
            if due is None or due > now:
                break
            _, path = heapq.heappop(self._heap)
            self._paths[path].due = NEVER
            found.append(path)
        return found

    def observe(
        self, path: bytes, seen: Identity | None, now: float, wall_ns: int, *, whole: bool = False, early: bool = False
    ) -> Readiness:
        """Decides about a due path. seen: its identity; None if nothing is there.

        whole: needs no waiting, because its bytes prove it complete, or because it is no regular file. early: observe
        again before quiet_s has passed. A path that is ready or gone must be passed to finish or retry_later.
        """
        waiting = self._paths[path]
        if seen is not None and not whole:
            if seen != waiting.identity:
                waiting.identity, waiting.unchanged_since = seen, now
            age = (wall_ns - seen.mtime_ns) / 1e9
            unchanged_s = max(now - waiting.unchanged_since, age)
            waiting.observed = now
            if unchanged_s < self.quiet_s:
                wait = self.quiet_s - max(unchanged_s, 0.0)
                self._put(path, waiting, now + max(0.01, min(wait, EARLY_S) if early else wait))
                return Readiness.WAIT
            if seen.size == 0 and self.retry_later(path, now):
                return Readiness.WAIT
        waiting.taken, waiting.changed_again = True, False
        return Readiness.GONE if seen is None else Readiness.READY

    def retry_later(self, path: bytes, now: float) -> bool:
        """Keeps a path whose file is unreadable or incomplete, with a longer delay each time. False after give_up_s."""
        waiting = self._paths.get(path)
        if waiting is None:
            waiting = self._paths[path] = _Waiting(first=now, observed=now, due=NEVER)
        if now - waiting.first >= self.give_up_s:
            return False
        waiting.tries += 1
        waiting.taken = waiting.changed_again = False
        waiting.observed = now
        delay = min(self.quiet_s * 2.0 ** min(waiting.tries, 10), MOST_BACK_OFF_S)
        self._put(path, waiting, now + delay)
        return True

    def finish(self, path: bytes, now: float) -> None:
        """Removes a taken path, or adds it anew if it changed meanwhile. Does nothing to a path that was retried."""
        waiting = self._paths.get(path)
        if waiting is None or not waiting.taken:
            return
        del self._paths[path]
        if waiting.changed_again:
            self.add(path, now)

    def requeue(self, now: float) -> None:
        """Makes every taken path due again, after a run that ended early."""
        for path, waiting in self._paths.items():
            if waiting.taken or waiting.due == NEVER:
                waiting.taken = waiting.changed_again = False
                self._put(path, waiting, now)

    def _put(self, path: bytes, waiting: _Waiting, due: float) -> None:
        if due != waiting.due:
            waiting.due = due
            heapq.heappush(self._heap, (due, path))
            if len(self._heap) > 64 + 4 * len(self._paths):
                self._heap = [(w.due, p) for p, w in self._paths.items() if not w.taken]
                heapq.heapify(self._heap)

    def _drop_outdated(self) -> None:
        while self._heap:
            due, path = self._heap[0]
            waiting = self._paths.get(path)
            if waiting is not None and not waiting.taken and waiting.due == due:
                return
            heapq.heappop(self._heap)


def md5_in_name(name: bytes) -> str | None:
    """The MD5 that is the whole stem of a name, in lower case; None for any other name.

    Chat clients name originals by their MD5. Equal bytes prove that the file is complete; other bytes prove nothing. A
    thumbnail has the MD5 of its original followed by _0 or _720, and does not match.
    """
    return name[:32].decode().lower() if _NAMED_BY_MD5.fullmatch(name) else None

"""When a file that changes is ready to be read: a debounce with a quiet time, a maximum and a back-off. Pure.

The caller brings the time and what the system says of a file; nothing here looks at a disk or at a clock.
"""

import enum
import heapq
import re
from dataclasses import dataclass
from typing import NamedTuple

GIVE_UP_S = 300.0
"""So long what cannot be read, or is not whole, is tried again before it is taken as it is, with its problem."""
MOST_BACK_OFF_S = 30.0
EARLY_S = 0.25
"""A file that is named by its own MD5 is looked at so often at most while it is written to."""
NEVER = float("inf")
_NAMED_BY_MD5 = re.compile(rb"[0-9a-fA-F]{32}(?:\.\w*)?")


class Readiness(enum.Enum):
    """What a look at a path came to."""

    READY = "ready"
    GONE = "gone"
    WAIT = "wait"


class Identity(NamedTuple):
    """What must hold still while a file is not written to."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(slots=True)
class _Waiting:
    first: float
    """When it was first heard of; back-off and giving up count from here."""
    looked: float
    """When it was looked at last; `most_s` counts from here."""
    due: float
    """NEVER from when it is handed out until it is looked at."""
    tries: int = 0
    held: Identity | None = None
    held_since: float = 0.0
    taken: bool = False
    again: bool = False
    """Heard of while it was taken."""


class Settle:
    """Paths that changed, and when to look at each.

    A path is due when it was quiet for quiet_s, but at the latest most_s after the last look at it. It is ready
    when its size, mtime and inode have held still for quiet_s: since the last look, or by its own mtime. Every path
    comes out as ready or gone in the end, at the latest give_up_s and a back-off after it was first heard of, as long
    as it holds still for quiet_s at all. Times are seconds of any clock that does not jump. Memory: a path and 200
    bytes for each that waits; asking costs O(log n).
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

    def note(self, path: bytes, now: float, *, early: bool = False) -> None:
        """Something happened to that path. early: a look before it is quiet may tell already that it is whole."""
        waiting = self._paths.get(path)
        if waiting is None:
            waiting = self._paths[path] = _Waiting(first=now, looked=now, due=NEVER)
            due = now if early else now + self.quiet_s
        elif waiting.taken:
            waiting.again = True
            return
        elif early:
            due = max(now, waiting.looked + min(EARLY_S, self.quiet_s))
        else:
            due = max(now, min(now + self.quiet_s, waiting.looked + self.most_s))
        self._put(path, waiting, due)

    def next_due(self) -> float | None:
        """When the next look is due; None while nothing waits for one."""
        self._drop_outdated()
        return self._heap[0][0] if self._heap else None

    def due(self, now: float, most: int) -> list[bytes]:
        """Paths to be looked at now, longest due first, so many at most. Each must be given to looked."""
        found: list[bytes] = []
        while len(found) < most:
            due = self.next_due()
            if due is None or due > now:
                break
            _, path = heapq.heappop(self._heap)
            self._paths[path].due = NEVER
            found.append(path)
        return found

    def looked(
        self, path: bytes, seen: Identity | None, now: float, wall_ns: int, *, whole: bool = False, early: bool = False
    ) -> Readiness:
        """What the system says of a path that was due; None where nothing is there (or a folder).

        whole: its content proves that it is. Ready and gone paths are taken: give them to done or put_off.
        early: more looks are worth while before it is quiet.
        """
        waiting = self._paths[path]
        if seen is not None and not whole:
            if seen != waiting.held:
                waiting.held, waiting.held_since = seen, now
            age = (wall_ns - seen.mtime_ns) / 1e9
            still = max(now - waiting.held_since, age)
            waiting.looked = now
            if still < self.quiet_s:
                wait = self.quiet_s - max(still, 0.0)
                self._put(path, waiting, now + max(0.01, min(wait, EARLY_S) if early else wait))
                return Readiness.WAIT
            if seen.size == 0 and self.put_off(path, now):
                return Readiness.WAIT
        waiting.taken, waiting.again = True, False
        return Readiness.GONE if seen is None else Readiness.READY

    def put_off(self, path: bytes, now: float) -> bool:
        """What was read at a path is not to be believed yet. False: it has been tried for long enough."""
        waiting = self._paths.get(path)
        if waiting is None:
            waiting = self._paths[path] = _Waiting(first=now, looked=now, due=NEVER)
        if now - waiting.first >= self.give_up_s:
            return False
        waiting.tries += 1
        waiting.taken = waiting.again = False
        waiting.looked = now
        delay = min(self.quiet_s * 2.0 ** min(waiting.tries, 10), MOST_BACK_OFF_S)
        self._put(path, waiting, now + delay)
        return True

    def done(self, path: bytes, now: float) -> None:
        """A taken path is in the catalogue; heard of since, it is waited for anew. Nothing happens to one put off."""
        waiting = self._paths.get(path)
        if waiting is None or not waiting.taken:
            return
        del self._paths[path]
        if waiting.again:
            self.note(path, now)

    def release(self, now: float) -> None:
        """What was handed out and did not come to anything is due again: the run that had it ended early."""
        for path, waiting in self._paths.items():
            if waiting.taken or waiting.due == NEVER:
                waiting.taken = waiting.again = False
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
    """The MD5 that a name is made of, in lower case; None for any other name.

    Chat clients name an original so: a match proves that a file is whole, another content proves nothing. (A
    thumbnail has the MD5 of its original, and _0 or _720 after it: that never matches.)
    """
    return name[:32].decode().lower() if _NAMED_BY_MD5.fullmatch(name) else None

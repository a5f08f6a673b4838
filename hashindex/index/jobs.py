"""Which files are handed to workers together, and when. Pure: jobs in, chunks of jobs out."""

from collections import deque
from collections.abc import Iterator

from hashindex.core.messages import Job

CHUNK_JOBS = 16
CHUNK_BYTES = 4 * 2**20
"""Of one task for a worker: large enough that passing it on costs little, small enough to share the last ones out."""


class JobQueue:
    """Hands out jobs in chunks such that two files that may have equal bytes are never under way at once.

    Equal bytes have equal sizes. A file whose size is under way waits until that one is back; by then its digest is
    known, and a copy is not decoded. So a duplicate costs no decode without workers talking to each other.
    """

    def __init__(self, jobs: Iterator[Job]) -> None:
        self._jobs = jobs
        self._ready: deque[Job] = deque()
        self._waiting: dict[int, deque[Job]] = {}
        self._waiting_jobs = 0
        self._under_way: set[int] = set()
        self._broken: list[list[Job]] = []
        self._exhausted = False

    def __len__(self) -> int:
        return len(self._ready) + self._waiting_jobs

    def look_ahead(self, most: int, at_most: int | None = None) -> bool:
        """Fetches jobs until `most` are at hand, at_most of them now. Returns whether there may be more."""
        fetched = 0
        while not self._exhausted and len(self) < most and (at_most is None or fetched < at_most):
            job = next(self._jobs, None)
            if job is None:
                self._exhausted = True
            else:
                self._ready.append(job)
                fetched += 1
        return not self._exhausted and len(self) < most

    def take(self) -> list[Job]:
        """The next chunk; empty if nothing can be handed out now."""
        chunk: list[Job] = []
        sizes: set[int] = set()
        volume = 0
        if not self._ready:
            self.look_ahead(len(self) + CHUNK_JOBS)
        while self._ready and len(chunk) < CHUNK_JOBS and volume < CHUNK_BYTES:
            job = self._ready.popleft()
            if job.size in self._under_way:
                self._waiting.setdefault(job.size, deque()).append(job)
                self._waiting_jobs += 1
            else:
                chunk.append(job)
                sizes.add(job.size)
                volume += job.size
        self._under_way |= sizes
        return chunk

    def done(self, chunk: list[Job]) -> None:
        for size in {job.size for job in chunk}:
            self._under_way.discard(size)
            waiting = self._waiting.get(size, ())
            # One chunk's worth: the rest would only be sent back to wait for these.
            for _ in range(min(CHUNK_JOBS, len(waiting))):
                self._ready.appendleft(self._waiting[size].popleft())
                self._waiting_jobs -= 1
            if not self._waiting.get(size):
                self._waiting.pop(size, None)

    def again(self, jobs: list[Job]) -> None:
        self._ready.extend(jobs)

    def put_back(self, chunk: list[Job]) -> None:
        self._broken.append(chunk)

    def take_back(self) -> list[list[Job]]:
        broken, self._broken = self._broken, []
        return broken

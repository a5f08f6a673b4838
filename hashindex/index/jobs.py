"""Groups jobs into chunks for workers. Pure: jobs in, chunks out."""

from collections import deque
from collections.abc import Iterator

from hashindex.core.messages import Job

CHUNK_JOBS = 16
CHUNK_BYTES = 4 * 2**20
"""Size of one chunk: large enough that sending it costs little, small enough to spread the last chunks evenly."""


class JobQueue:
    """Hands out jobs in chunks. Two files that may have equal bytes are never in two chunks under way at once.

    Equal bytes have equal sizes. A file waits while a chunk with a file of its size is under way. After that the digest
    of that file is known, so a copy is not decoded, and workers need not communicate.
    """

    def __init__(self, jobs: Iterator[Job]) -> None:
        self._jobs = jobs
        self._ready: deque[Job] = deque()
        self._waiting: dict[int, deque[Job]] = {}
        self._waiting_jobs = 0
        self._under_way: set[int] = set()
        self._exhausted = False

    def __len__(self) -> int:
        return len(self._ready) + self._waiting_jobs

    def look_ahead(self, most: int, at_most: int | None = None) -> bool:
        """Fetches jobs until the queue holds `most`, at_most of them in this call. Returns whether more may follow."""
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
        """Returns the next chunk; it is empty if no job can start now."""
        chunk: list[Job] = []
        sizes: set[int] = set()
        total_bytes = 0
        if not self._ready:
            self.look_ahead(len(self) + CHUNK_JOBS)
        while self._ready and len(chunk) < CHUNK_JOBS and total_bytes < CHUNK_BYTES:
            job = self._ready.popleft()
            if job.size in self._under_way:
                self._waiting.setdefault(job.size, deque()).append(job)
                self._waiting_jobs += 1
            else:
                chunk.append(job)
                sizes.add(job.size)
                total_bytes += job.size
        self._under_way |= sizes
        return chunk

    def done(self, chunk: list[Job]) -> None:
        """Releases the jobs that waited for the sizes in this chunk."""
        for size in {job.size for job in chunk}:
            self._under_way.discard(size)
            waiting = self._waiting.get(size, ())
            # At most one chunk: further jobs of this size would have to wait again.
            for _ in range(min(CHUNK_JOBS, len(waiting))):
                self._ready.appendleft(self._waiting[size].popleft())
                self._waiting_jobs -= 1
            if not self._waiting.get(size):
                self._waiting.pop(size, None)

    def again(self, jobs: list[Job]) -> None:
        """Appends jobs that must be done once more."""
        self._ready.extend(jobs)

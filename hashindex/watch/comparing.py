"""Compares new pictures with all others in the background, in one thread and one process.

After a burst this may take minutes, in which the daemon must go on reading. daemon.py begins a comparison when it is
due and there is little other work, and pauses it when there is more.
"""

import enum
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hashindex.core.errors import HashIndexError
from hashindex.core.language import Message
from hashindex.core.options import Limits
from hashindex.index.judge_new import keep_relations
from hashindex.index.local_executor import LocalExecutor
from hashindex.pictures.worker_pool import WorkerPool
from hashindex.store.catalogue import Catalogue

REST_S = 5.0
"""A comparison is due after the daemon has had no work for this long,"""
COMPARE_S = 60.0
"""or this long after the last comparison."""


class ComparisonOutcome(enum.Enum):
    """How a comparison ended."""

    DONE = "done"
    PAUSED = "paused"
    FAILED = "failed"


class _Paused(Exception):
    """Raised inside a comparison that was asked to pause."""


class BackgroundComparer:
    """Runs one comparison at a time. Its methods belong to the thread of the daemon. Times: by the monotonic clock."""

    def __init__(self, catalogue: Path, limits: Limits, on_end: Callable[[], None], now: float = 0.0) -> None:
        """on_end: called in the comparing thread when an outcome is available."""
        self.is_needed = False
        """Whether pictures may have arrived since the last comparison began."""
        self.trouble = ""
        """Why the last comparison failed."""
        self._catalogue = catalogue
        self._pool = WorkerPool(limits, workers=1, low_priority=True)
        self._limits = limits
        self._on_end = on_end
        self._pausing = threading.Event()
        self._thread: threading.Thread | None = None
        self._outcome: ComparisonOutcome | None = None
        self._ended = now

    @property
    def is_done(self) -> bool:
        """Whether everything is compared, as far as is possible."""
        return not self.is_needed and not self.is_busy

    @property
    def is_busy(self) -> bool:
        """Whether a comparison is running, or its outcome has not been taken."""
        return self._thread is not None

    def due(self, worked: float) -> float | None:
        """When the next comparison should begin; None if none is needed, or one is running. worked: end of work."""
        return min(worked + REST_S, self._ended + COMPARE_S) if self.is_needed and not self.is_busy else None

    def begin(self) -> None:
        """Starts a comparison unless one is running."""
        if self._thread is None:
            self.is_needed = False
            self._pausing.clear()
            self._outcome = None
            self._thread = threading.Thread(target=self._run, name="compare", daemon=True)
            self._thread.start()

    def take_outcome(self, now: float) -> ComparisonOutcome | None:
        """The outcome of a comparison that has ended; None if none has ended since the last call."""
        if self._thread is None or self._outcome is None:
            return None
        self._thread.join()
        self._thread = None
        self._ended = now
        if self._outcome is ComparisonOutcome.PAUSED:
            self.is_needed = True
        return self._outcome

    def pause(self) -> None:
        """Asks the comparison to end, which takes up to two seconds. Verdicts are kept; the next one continues."""
        self._pausing.set()

    def finish(self) -> None:
        """Ends the idle worker process."""
        if self._thread is None:
            self._pool.finish()

    def stop(self, seconds: float) -> None:
        """Ends the worker process at once, and waits at most that long for the thread."""
        self._pausing.set()
        self._pool.stop()
        if self._thread is not None:
            self._thread.join(seconds)

    def compare(self) -> None:
        """One comparison, in the calling thread."""
        with Catalogue(self._catalogue, write=True, wait_s=float(2**31), on_wait=self._raise_if_pausing) as catalogue:
            keep_relations(
                catalogue,
                self._limits,
                variants=True,
                executor=LocalExecutor(self._pool),
                on_progress=lambda progress: self._raise_if_pausing(),
            )

    def _run(self) -> None:
        outcome = ComparisonOutcome.FAILED
        try:
            self.compare()
            outcome = ComparisonOutcome.DONE
        except _Paused:
            self._pool.drop()
            outcome = ComparisonOutcome.PAUSED
        except HashIndexError as error:
            self.trouble = str(error)
        except Exception as error:  # noqa: BLE001 - the daemon reports it and goes on
            self.trouble = Message(
                "Pictures could not be compared: {name}: {error}", name=type(error).__name__, error=str(error)
            )
        self._outcome = outcome
        # The daemon may have ended meanwhile.
        with suppress(RuntimeError):
            self._on_end()

    def _raise_if_pausing(self) -> None:
        if self._pausing.is_set():
            raise _Paused

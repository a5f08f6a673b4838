"""Work that may take minutes, in one thread beside the daemon, which must go on reading files meanwhile.

daemon.py begins a piece of work when it is due and there is little other work, and pauses it when there is more.
"""

import enum
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hashindex.core.errors import HashIndexError
from hashindex.core.language import Message
from hashindex.store.catalogue import Catalogue

REST_S = 5.0
"""Work is due after the daemon has had no work for this long,"""
LATEST_S = 60.0
"""or this long after it was last done."""


class BackgroundOutcome(enum.Enum):
    """How a piece of work ended."""

    DONE = "done"
    PAUSED = "paused"
    FAILED = "failed"


class Paused(Exception):
    """Raised inside work that was asked to pause."""


class BackgroundWork(ABC):
    """Runs one piece of work at a time. Its methods belong to the thread of the daemon. Times are monotonic."""

    def __init__(self, name: str, catalogue: Path, on_end: Callable[[], None], now: float = 0.0) -> None:
        """name: of the thread. on_end: called in the thread of the work when an outcome is available."""
        self.is_needed = False
        """Whether pictures may have arrived since the work last began."""
        self.trouble = ""
        """Why it failed last."""
        self._name = name
        self._catalogue = catalogue
        self._on_end = on_end
        self._pausing = threading.Event()
        self._thread: threading.Thread | None = None
        self._outcome: BackgroundOutcome | None = None
        self._ended = now

    @abstractmethod
    def work(self) -> None:
        """One piece of work, in the calling thread. Calls raise_if_pausing often."""

    @abstractmethod
    def finish(self) -> None:
        """Ends idle worker processes."""

    @abstractmethod
    def kill_workers(self) -> None:
        """Ends the worker processes at once; called after a pause was asked for."""

    @abstractmethod
    def failure(self, name: str, error: str) -> Message:
        """The sentence about an unexpected error."""

    @property
    def is_done(self) -> bool:
        """Whether everything is done, as far as is possible."""
        return not self.is_needed and not self.is_busy

    @property
    def is_busy(self) -> bool:
        """Whether the work is running, or its outcome has not been taken."""
        return self._thread is not None

    def due(self, worked: float) -> float | None:
        """When it should begin; None if it is not needed, or running. worked: end of other work."""
        return min(worked + REST_S, self._ended + LATEST_S) if self.is_needed and not self.is_busy else None

    def begin(self) -> None:
        """Starts the work unless it is running."""
        if self._thread is None:
            self.is_needed = False
            self._pausing.clear()
            self._outcome = None
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def take_outcome(self, now: float) -> BackgroundOutcome | None:
        """The outcome of work that has ended; None if none has ended since the last call."""
        if self._thread is None or self._outcome is None:
            return None
        self._thread.join()
        self._thread = None
        self._ended = now
        if self._outcome is BackgroundOutcome.PAUSED:
            self.is_needed = True
        return self._outcome

    def pause(self) -> None:
        """Asks the work to end, which takes up to two seconds. What is done is kept; the next time continues."""
        self._pausing.set()

    def stop(self, seconds: float) -> None:
        """Ends the worker processes at once, and waits at most that long for the thread."""
        self._pausing.set()
        self.kill_workers()
        if self._thread is not None:
            self._thread.join(seconds)

    def raise_if_pausing(self) -> None:
        """Raises Paused if the work was asked to pause."""
        if self._pausing.is_set():
            raise Paused

    def writing(self) -> Catalogue:
        """The catalogue, which waits for another process's lock until a pause is asked for."""
        return Catalogue(self._catalogue, write=True, wait_s=float(2**31), on_wait=self.raise_if_pausing)

    def _run(self) -> None:
        outcome = BackgroundOutcome.FAILED
        try:
            self.work()
            outcome = BackgroundOutcome.DONE
        except Paused:
            outcome = BackgroundOutcome.PAUSED
        except HashIndexError as error:
            self.trouble = str(error)
        except Exception as error:  # noqa: BLE001 - the daemon reports it and goes on
            self.trouble = self.failure(type(error).__name__, str(error))
        self._outcome = outcome
        # The daemon may have ended meanwhile.
        with suppress(RuntimeError):
            self._on_end()

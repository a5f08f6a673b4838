"""Compares what is new with all there is, beside what else a daemon does: in a thread, and one process, of its own.

It may take minutes after a burst, and a picture that comes meanwhile must not wait for it. When it begins and when it
has to give way is daemon.py's to decide.
"""

import enum
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from pathlib import Path

from hashindex.core.errors import HashIndexError
from hashindex.core.options import Limits
from hashindex.index.judge_new import keep_relations
from hashindex.index.neighbours import keep_neighbours
from hashindex.pictures.worker_pool import WorkerPool
from hashindex.store.catalogue import Catalogue


class Comparison(enum.Enum):
    """How a comparison ended."""

    DONE = "done"
    PAUSED = "paused"
    FAILED = "failed"


class _Paused(Exception):
    """Raised where it is asked to give way."""


class Comparer:
    """One comparison at a time: begin, and now and then outcome. All but the comparison itself is of one thread."""

    def __init__(self, catalogue: Path, limits: Limits, on_end: Callable[[], None]) -> None:
        """on_end: called in the comparing thread when an outcome is there."""
        self.trouble = ""
        """Why the last one failed."""
        self._catalogue = catalogue
        self._pool = WorkerPool(limits, workers=1, low_priority=True)
        self._limits = limits
        self._on_end = on_end
        self._pausing = threading.Event()
        self._thread: threading.Thread | None = None
        self._outcome: Comparison | None = None

    @property
    def is_busy(self) -> bool:
        """Whether there is one under way, or one whose outcome was not asked for yet."""
        return self._thread is not None

    def begin(self) -> None:
        """Starts one, unless one is under way."""
        if self._thread is None:
            self._pausing.clear()
            self._outcome = None
            self._thread = threading.Thread(target=self._run, name="compare", daemon=True)
            self._thread.start()

    def outcome(self) -> Comparison | None:
        """Of one that ended; None while none did."""
        if self._thread is None or self._outcome is None:
            return None
        self._thread.join()
        self._thread = None
        return self._outcome

    def pause(self) -> None:
        """Has it end soon, within two seconds; what was judged is kept, and the next one goes on from there."""
        self._pausing.set()

    def finish(self) -> None:
        """Ends the process, unless it is at work."""
        if self._thread is None:
            self._pool.finish()

    def stop(self, seconds: float) -> None:
        """Ends all at once; waits for the thread for so long at most."""
        self._pausing.set()
        self._pool.stop()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        outcome = Comparison.FAILED
        try:
            self._compare()
            outcome = Comparison.DONE
        except _Paused:
            self._pool.drop()
            outcome = Comparison.PAUSED
        except HashIndexError as error:
            self.trouble = str(error)
        except Exception as error:  # noqa: BLE001 - the daemon goes on watching, and says it
            self.trouble = f"Pictures could not be compared: {type(error).__name__}: {error}"
        self._outcome = outcome
        # The daemon may have ended meanwhile.
        with suppress(RuntimeError):
            self._on_end()

    def _compare(self) -> None:
        with Catalogue(self._catalogue, write=True, wait_s=float(2**31), on_wait=self._look_up) as catalogue:
            keep_neighbours(catalogue, self._look_up)
            try:
                self._relate(catalogue, self._pool)
            except BrokenExecutor:
                # A decoder took the process down (or stop did): with processes that find out at which picture.
                self._look_up()
                self._pool.discard_broken()
                self._relate(catalogue, None)

    def _relate(self, catalogue: Catalogue, pool: WorkerPool | None) -> None:
        keep_relations(catalogue, self._limits, workers=1, pool=pool, on_progress=lambda progress: self._look_up())

    def _look_up(self) -> None:
        if self._pausing.is_set():
            raise _Paused

"""Compares new pictures with all others in the background, in one thread and one process; see background.py."""

from collections.abc import Callable
from pathlib import Path

from hashindex.core.language import Message
from hashindex.core.options import Limits
from hashindex.index.judge_new import keep_relations
from hashindex.index.local_executor import LocalExecutor
from hashindex.pictures.worker_pool import WorkerPool
from hashindex.watch.background import BackgroundWork, Paused


class BackgroundComparer(BackgroundWork):
    """After a burst of new pictures, one comparison may take minutes."""

    def __init__(self, catalogue: Path, limits: Limits, on_end: Callable[[], None], now: float = 0.0) -> None:
        super().__init__("compare", catalogue, on_end, now)
        self._pool = WorkerPool(limits, workers=1, low_priority=True)
        self._limits = limits

    def finish(self) -> None:
        if not self.is_busy:
            self._pool.finish()

    def kill_workers(self) -> None:
        self._pool.stop()

    def failure(self, name: str, error: str) -> Message:
        return Message("Pictures could not be compared: {name}: {error}", name=name, error=error)

    def work(self) -> None:
        """One comparison."""
        try:
            with self.writing() as catalogue:
                keep_relations(
                    catalogue,
                    self._limits,
                    variants=True,
                    executor=LocalExecutor(self._pool),
                    on_progress=lambda progress: self.raise_if_pausing(),
                )
        except Paused:
            self._pool.drop()
            raise
